"""Asks a wiki about accounts, for backfills."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from agents.mediawiki import MediaWikiSettings, MediaWikiSource
from schemas.revision import RevisionUser

# Queries hold fifty, and the client sends a few at a time: more together would only wait.
_AT_ONCE: Final = 500
_Ask = Callable[[int, str], Awaitable[RevisionUser | None]]


class WikiUserSource:
    """A `batch.user_facts.UserSource` over a wiki's api.php.

    Made by `wiki_user_source`. Not for several threads at once.
    """

    def __init__(self, runner: asyncio.Runner, ask: _Ask) -> None:
        self._runner = runner
        self._ask = ask

    def users(self, accounts: Sequence[tuple[int, str]]) -> list[RevisionUser]:
        """Return what the wiki tells of accounts now; those it does not have or show are left out.

        Raises:
            ContentUnavailable: It does not answer, also when asked again.
        """
        found: list[RevisionUser] = []
        for begin in range(0, len(accounts), _AT_ONCE):
            found += self._runner.run(self._some(accounts[begin : begin + _AT_ONCE]))
        return found

    async def _some(self, accounts: Sequence[tuple[int, str]]) -> list[RevisionUser]:
        # All are waited for, so that none is left under way where one fails.
        answers = await asyncio.gather(*(self._ask(*each) for each in accounts), return_exceptions=True)
        found: list[RevisionUser] = []
        for answer in answers:
            if isinstance(answer, BaseException):
                raise answer
            if answer is not None and answer.is_known:
                found.append(answer)
        return found


@contextmanager
def wiki_user_source(settings: MediaWikiSettings, wiki_id: str) -> Iterator[WikiUserSource]:
    """Open a source of facts on the accounts of one wiki; the first question connects.

    Args:
        settings: How the wiki is reached and how hard it is asked, see `app.content`.
        wiki_id: Which one.

    Raises:
        SettingsError: The user agent names no contact, or the address is none.
    """
    wiki = MediaWikiSource(settings)
    with asyncio.Runner() as runner:
        try:
            yield WikiUserSource(runner, lambda user_id, name: wiki.account(wiki_id, user_id, name))
        finally:
            runner.run(wiki.close())
