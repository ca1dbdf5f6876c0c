"""Rows found wherever they lie."""

import asyncio
from collections.abc import Callable, Sequence
from time import monotonic
from typing import Final, Protocol, cast

from msgspec import Struct
from msgspec.structs import replace

from agents.assignor import Placement
from app.cluster.node import Ask, HistoryPart, Node, Reply
from app.cluster.peers import Peers
from schemas.errors import OwnerUnavailable, Recovering
from schemas.keys import PAGES_TABLE, REVISIONS_TABLE
from schemas.prediction import PredictionRow
from tables.lists import ListedRows, PredictionLists, RowList
from tables.reader import Freshness, PredictionReader
from tables.withdrawal import withdrawn

PATIENCE_SECONDS: Final = 3.0
_FIRST_WAIT_SECONDS: Final = 0.05
_TRUE = Freshness(True, (), None)


class Found(Struct, frozen=True):
    """What was found.

    Attributes:
        row: With a score at least; None where there is none.
        freshness: Of where it was found.
    """

    row: PredictionRow | None
    freshness: Freshness


class FoundHistory(Struct, frozen=True):
    """A part of a page's history.

    Attributes:
        part: None where nothing is known of the page.
        freshness: Of where it was found.
    """

    part: RowList | None
    freshness: Freshness


class Finder(Protocol):
    """Finds rows of revisions and pages.

    All methods raise PredictionWithdrawn where it was deleted or hidden, ValueError where the ids make no
    key, and in a cluster Recovering or OwnerUnavailable where nobody can tell now.
    """

    async def revision(self, wiki_id: str, rev_id: int) -> Found:
        """Return the scores of a revision."""
        ...

    async def page(self, wiki_id: str, page_id: int) -> Found:
        """Return the scores of the latest scored revision of a page."""
        ...

    async def history(self, wiki_id: str, page_id: int, part: HistoryPart) -> FoundHistory:
        """Return the scores of a page's revisions, the newest first; withdrawn is what the page is."""
        ...


class LocalFinder:
    """Finds rows where all of them lie in one place."""

    def __init__(self, reader: PredictionReader) -> None:
        self._reader = reader

    async def revision(self, wiki_id: str, rev_id: int) -> Found:
        """Return the scores of a revision."""
        return Found(self._reader.revision(wiki_id, rev_id), self._reader.freshness())

    async def page(self, wiki_id: str, page_id: int) -> Found:
        """Return the scores of the latest scored revision of a page."""
        return Found(self._reader.page(wiki_id, page_id), self._reader.freshness())

    async def history(self, wiki_id: str, page_id: int, part: HistoryPart) -> FoundHistory:
        """Return the scores of a page's revisions."""
        lists = PredictionLists(cast(ListedRows, self._reader.source))
        found = lists.of_page(wiki_id, page_id, after=part.after, limit=part.limit)
        return FoundHistory(found, self._reader.freshness())


class ClusterFinder:
    """Finds rows in the tables of all workers.

    Args:
        node: This worker.
        peers: The others.
        placement: Returns who owns what.
        address: Returns how this worker is advertised.
        patience_seconds: So long a look-up waits while partitions change hands, where copies are kept.
    """

    def __init__(
        self,
        node: Node,
        peers: Peers,
        placement: Callable[[], Placement],
        address: Callable[[], str],
        *,
        patience_seconds: float = PATIENCE_SECONDS,
    ) -> None:
        self._patience_seconds = patience_seconds
        self._node = node
        self._peers = peers
        self._placement = placement
        self._address = address

    async def revision(self, wiki_id: str, rev_id: int) -> Found:
        """Return the scores of a revision."""
        return _found(await self._find(Ask(REVISIONS_TABLE, wiki_id, rev_id), rev_id=rev_id))

    async def page(self, wiki_id: str, page_id: int) -> Found:
        """Return the scores of the latest scored revision of a page."""
        return _found(await self._find(Ask(PAGES_TABLE, wiki_id, page_id), page_id=page_id))

    async def history(self, wiki_id: str, page_id: int, part: HistoryPart) -> FoundHistory:
        """Return the scores of a page's revisions, which lie with the page."""
        reply = await self._find(Ask(PAGES_TABLE, wiki_id, page_id, history=part), page_id=page_id)
        return FoundHistory(reply.history, _freshness(reply))

    async def _find(self, ask: Ask, **asked: int) -> Reply:
        """Find a row. Where copies are kept, somebody has it, or will in a moment: until then, ask again."""
        deadline = monotonic() + self._patience_seconds
        wait_seconds = _FIRST_WAIT_SECONDS
        while True:
            try:
                return await self._find_now(ask, **asked)
            except (OwnerUnavailable, Recovering):
                if monotonic() >= deadline or not any(self._placement().standbys.values()):
                    raise
            await asyncio.sleep(wait_seconds)
            # Ever more seldom: many who wait must not keep those busy who are to take over.
            wait_seconds *= 2

    async def _find_now(self, ask: Ask, **asked: int) -> Reply:
        """Find a row by what is known at this moment.

        1. Here.
        2. With the owner of its place, which tells the partition of the row, or has the row itself.
        3. With the owner of that partition, else with one of its standbys.
        """
        reply = self._node.answer(ask)  # 1
        if reply.kind == "unplaced":  # 2
            reply = await self._ask(ask, reply)
        if reply.kind == "elsewhere":  # 3
            reply = await self._ask(replace(ask, partition=reply.partition), reply)
        if not reply.is_final or (reply.kind == "row" and (reply.history is None) != (ask.history is None)):
            raise Recovering(
                f"The worker that holds this row of {ask.wiki_id[:100]} is filling its tables, and no other "
                "has a copy. Ask again in a few seconds.",
                wiki_id=ask.wiki_id[:100],
                partition=reply.partition,
                **asked,
            )
        if reply.withdrawn is not None:
            raise withdrawn(ask.wiki_id, reply.withdrawn, **asked)
        return reply

    async def _ask(self, ask: Ask, last: Reply) -> Reply:
        """Ask those who may know, and return the first answer that leads on; without any, the last one.

        Raises:
            OwnerUnavailable: The owner does not answer, and nobody has a copy.
        """
        failure: OwnerUnavailable | None = None
        if last.partition is None:
            return last
        for address in self._candidates(last.partition):
            try:
                if address == self._address():
                    reply = self._node.answer(ask)
                else:
                    reply = await self._peers.ask(address, ask)
            except OwnerUnavailable as error:
                failure = failure or error
                continue
            if reply.is_final or (reply.kind == "elsewhere" and ask.partition is None):
                return reply
        reply_here = self._node.any_standby(ask)
        if reply_here is not None:
            return reply_here
        if failure is not None:
            raise failure
        return Reply("recovering", partition=last.partition)

    def _candidates(self, partition: int) -> Sequence[str]:
        """Return the owner of a partition, then its standbys, the one here first."""
        placement = self._placement()
        owner = placement.owners.get(partition)
        standbys = sorted(placement.standbys.get(partition, ()), key=lambda one: one != self._address())
        return [*([] if owner is None else [owner]), *standbys]


def _found(reply: Reply) -> Found:
    return Found(reply.row, _freshness(reply))


def _freshness(reply: Reply) -> Freshness:
    age = reply.age_seconds
    return _TRUE if age is None else Freshness(True, ("standby",), age)
