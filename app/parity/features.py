"""The features behind live scores: rows hold none, so the same path is taken again to have them."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterable
from typing import Final

from msgspec import Struct

from agents.decide import ScoreWith, decide
from agents.known_texts import KnownTexts
from agents.scoring import RevisionScoring
from agents.told_content import ToldContent
from agents.told_revision import as_parent, told_revision
from app.content import open_content
from app.scorers import Scorers
from app.settings import Settings
from models.priority import Priority
from schemas.decode import decode_event
from schemas.page_change import PageChange
from schemas.prediction import ScoredModel
from schemas.revision import RevisionRequest

_AT_ONCE: Final = 32


class ScoredAgain(Struct, frozen=True):
    """A revision with what its models said, and by which features.

    Attributes:
        change: The event that tells of it.
        scored: One per model that reads its content model.
    """

    change: PageChange
    scored: list[ScoredModel]


async def score_again(settings: Settings, events: Iterable[bytes]) -> AsyncIterator[ScoredAgain]:
    """Score the revisions of page changes with their features, as a worker of these settings fetches them.

    Nothing is carried over from other revisions.

    Args:
        settings: Of the worker.
        events: Page changes, those of a page in their order.

    Raises:
        ContentUnavailable: A text cannot be had now.
        EngineError: Scoring processes cannot be started.
    """
    scorers = Scorers(settings)
    content = open_content(settings)
    again = _Again(
        scorers,
        RevisionScoring(
            ToldContent(content, texts := KnownTexts(settings.content_cache_mb << 20)),
            scorers.pool,
            scorers.inline,
            max_text_bytes=settings.max_text_bytes,
        ),
        texts,
    )
    waiting: deque[asyncio.Task[ScoredAgain]] = deque()
    try:
        await scorers.begin()
        await scorers.ready()
        for event in events:
            change = decode_event(event)
            if isinstance(change, PageChange):
                waiting.append(asyncio.create_task(again.score(change)))
            if len(waiting) >= _AT_ONCE:
                yield await waiting.popleft()
        while waiting:
            yield await waiting.popleft()
    finally:
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        await scorers.stop(drain_seconds=0)
        await content.close()


class _Again:
    def __init__(self, scorers: Scorers, scoring: RevisionScoring, texts: KnownTexts) -> None:
        self._catalogue = scorers.catalogue
        self._scoring = scoring
        self._texts = texts

    async def score(self, change: PageChange) -> ScoredAgain:
        decision = decide(change, self._catalogue)
        if not isinstance(decision, ScoreWith):
            return ScoredAgain(change, [])
        asked = {name: info for name, info in decision.models.items() if name not in decision.refused}
        told, revision = told_revision(change), change.revision
        mark = self._texts.mark()
        scored = await self._scoring.score(
            RevisionRequest(change.wiki_id, revision.rev_id, revision.rev_parent_id, change.domain, told),
            asked,
            priority=Priority.STREAM,
            with_features=True,
        )
        if told is not None:
            self._texts.keep(told.wiki_id, told.page_id, told.rev_id, as_parent(told), mark=mark)
        return ScoredAgain(change, scored)
