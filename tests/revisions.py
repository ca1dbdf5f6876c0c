"""A source of texts in memory, which fails as a test asks."""

import asyncio
from collections import defaultdict
from datetime import UTC, datetime

from msgspec.structs import replace

from schemas.errors import RevstreamError
from schemas.revision import ParentRevision, Revision, RevisionRequest
from tests.pool_work import revision

DEFAULT_TEXT = "A short text."


class ScriptedContent:
    """Gives every revision a text.

    Attributes:
        texts: Of revisions that have one of their own.
        parent_text: Of every parent.
        failures: What asking for a revision, also as a parent, raises, one after the other, before it gives
            the text.
        gates: Asking for such a revision waits until it is set.
        page_id: Of all revisions.
        rev_dt: When all were saved.
        asked: All requests, in order.
        asked_parents: The parents that were asked for alone, in order.
    """

    def __init__(self) -> None:
        self.texts: dict[int, str] = {}
        self.parent_text: str | None = None
        self.failures: defaultdict[int, list[RevstreamError]] = defaultdict(list)
        self.gates: dict[int, asyncio.Event] = {}
        self.page_id = 31
        self.rev_dt = datetime(2026, 11, 1, 10, 0, tzinfo=UTC)
        self.asked: list[RevisionRequest] = []
        self.asked_parents: list[int | None] = []

    async def get(self, request: RevisionRequest) -> Revision:
        self.asked.append(request)
        gate = self.gates.get(request.rev_id)
        if gate is not None:
            await gate.wait()
        failures = self.failures[request.rev_id]
        if failures:
            raise failures.pop(0)
        return replace(
            revision(self.texts.get(request.rev_id, DEFAULT_TEXT), request.rev_id, self.parent_text),
            wiki_id=request.wiki_id,
            page_id=self.page_id,
            rev_dt=self.rev_dt,
        )

    async def parent(self, request: RevisionRequest) -> ParentRevision:
        self.asked_parents.append(request.rev_parent_id)
        failures = self.failures[request.rev_parent_id or 0]
        if failures:
            raise failures.pop(0)
        return ParentRevision(self.parent_text or DEFAULT_TEXT)

    async def close(self) -> None:
        pass
