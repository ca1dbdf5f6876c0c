"""Revisions from their events where these carry the text, and from the wiki where they do not."""

from msgspec.structs import replace

from agents.content import WikiSource
from agents.known_texts import KnownTexts
from agents.told_revision import as_parent
from schemas.errors import ContentError
from schemas.prediction import ScoreFailure
from schemas.revision import Revision, RevisionRequest


class ToldContent:
    """A ``RevisionSource`` that asks a wiki only for what no event told.

    Args:
        wiki: Is asked for the rest. Closed by whoever made it.
        texts: Texts that went by. What the wiki had to be asked for is kept there as well, once events carry
            texts at all.
    """

    def __init__(self, wiki: WikiSource, texts: KnownTexts) -> None:
        self._wiki = wiki
        self._texts = texts
        self._is_fed = False

    async def get(self, request: RevisionRequest) -> Revision:
        """Return one revision.

        Raises:
            ContentError: The wiki was asked, and says why there is none; see ``RevisionSource``.
        """
        told = request.told
        if told is None:
            return await self._asked(request)
        self._is_fed = True
        if told.rev_parent_id is None:
            return told
        parent = self._texts.get(told.wiki_id, told.rev_parent_id)
        if parent is None:
            try:
                parent = await self._wiki.parent(request)
            except ContentError as error:
                if error.retryable or not request.may_lack_parent:
                    raise
                return replace(told, parent_failure=ScoreFailure(error.code, error.message))
        return replace(told, parent_text=parent.text, parent_dt=parent.rev_dt, parent_user=parent.user)

    async def close(self) -> None:
        """Do nothing."""

    async def _asked(self, request: RevisionRequest) -> Revision:
        mark = self._texts.mark()
        revision = await self._wiki.get(request)
        if self._is_fed:
            self._texts.keep(
                revision.wiki_id, revision.page_id, revision.rev_id, as_parent(revision), mark=mark
            )
        return revision
