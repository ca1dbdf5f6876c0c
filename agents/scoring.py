"""From a revision id to its scores: fetch, then score off the event loop."""

import asyncio
import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from time import monotonic
from typing import Final

from msgspec.structs import replace

from agents.content import EarlySource, RevisionSource
from models.pool import ScoringPool
from models.pool_call import PoolCall
from models.pools import ScoringPools
from models.priority import Priority
from models.scoring import Scorer, Waits, score_revision
from models.trail import Trail
from schemas.catalogue import ModelInfo
from schemas.errors import ContentError, ContentTooLarge, ContentUnavailable, CpuLimitExceeded
from schemas.prediction import Injected, ScoredModel, ScoreFailure
from schemas.revision import Revision, RevisionRequest

# So long ORES waited for a score.
WAIT_SECONDS: Final = 15.0


class RevisionScoring:
    """Scores revisions with the models of a catalogue.

    Args:
        content: Gives the text.
        pool: Scores with the models that read it.
        inline: The scorers that are cheap enough for the event loop, by artefact.
        max_text_bytes: A larger text, or parent's text, is a recorded failure.
    """

    def __init__(
        self,
        content: RevisionSource,
        pool: ScoringPool | ScoringPools,
        inline: Mapping[str, Scorer],
        *,
        max_text_bytes: int,
    ) -> None:
        self._content = content
        self._pool = pool
        self._inline = inline
        self._max_text_bytes = max_text_bytes

    async def score(
        self,
        request: RevisionRequest,
        models: Mapping[str, ModelInfo],
        *,
        priority: Priority,
        with_features: bool = False,
        with_attribution: bool = False,
        content_seconds: float | None = None,
        injected: Injected | None = None,
        trail: Trail | None = None,
    ) -> list[ScoredModel]:
        """Score one revision.

        Args:
            request: Which revision.
            models: The models to ask, by the name they have on the wiki.
            priority: Before which others it is scored.
            with_features: Whether to give the feature values as well.
            with_attribution: Whether to give these and what moved the scores, as far as models that read
                content can tell.
            content_seconds: How long the wiki may take to give the text; for ever if None.
            injected: What is read in the place of what is computed. The scores are none of the revision
                then: give them to who asked, and keep them nowhere.
            trail: Takes note of the phases.

        Returns:
            One per model, in order. What is wrong with the revision for good (missing, hidden, too large,
            too costly …) is a failure of each model concerned.

        Raises:
            ContentUnavailable: The wiki does not answer now, or not in time; try again later.
            EngineError: Scoring processes cannot be started.
        """
        infos = models.values()
        inline = await self._score_inline(
            replace(without_content(request), injected=injected),
            [info for info in infos if not info.reads_content],
            with_features=with_features or with_attribution,
            trail=trail,
        )
        reading = [info for info in infos if info.reads_content]
        content: Iterator[ScoredModel] = iter(())
        if reading:
            revision = await self.fetch(request, content_seconds=content_seconds, trail=trail)
            if isinstance(revision, ScoreFailure):
                content = iter([ScoredModel(info.id, revision) for info in reading])
            else:
                if injected:
                    revision = replace(revision, injected=injected)
                content = iter(
                    await self._score_content(
                        revision,
                        reading,
                        with_features=with_features,
                        with_attribution=with_attribution,
                        priority=priority,
                        trail=trail,
                    )
                )
        return [replace(next(content if info.reads_content else inline), model=info.id) for info in infos]

    async def score_fetched(
        self,
        revision: Revision,
        models: Sequence[ModelInfo],
        *,
        priority: Priority,
        spent: Callable[[float], None] | None = None,
        prepared: PoolCall | None = None,
        trail: Trail | None = None,
    ) -> list[ScoredModel]:
        """Score a revision that was fetched.

        Args:
            revision: From `fetch`.
            models: Those that read content.
            priority: Before which others it is scored.
            spent: Hears how long it was scored, in seconds and without the wait.
            prepared: From `prepare`.
            trail: Takes note of the phases.

        Raises:
            EngineError: Scoring processes cannot be started.
        """
        scored = await self._score_content(
            revision, models, priority=priority, spent=spent, prepared=prepared, trail=trail
        )
        return [replace(one, model=info.id) for one, info in zip(scored, models, strict=True)]

    def prepare(self, revision: Revision, models: Sequence[ModelInfo]) -> PoolCall | None:
        """Have a text read before its parent is there; see `ScoringPool.prepare`."""
        return self._pool.prepare(revision, models)

    async def _score_content(
        self,
        revision: Revision,
        models: Sequence[ModelInfo],
        *,
        priority: Priority,
        with_features: bool = False,
        with_attribution: bool = False,
        spent: Callable[[float], None] | None = None,
        prepared: PoolCall | None = None,
        trail: Trail | None = None,
    ) -> list[ScoredModel]:
        """Score with the models that can do without what the revision lacks; the others fail."""
        failure = revision.parent_failure
        asked = [info for info in models if failure is None or info.reads_text_alone]
        scored = await self._pool.score(
            revision,
            asked,
            with_features=with_features,
            with_attribution=with_attribution,
            priority=priority,
            spent=spent,
            # It was for all models.
            prepared=prepared if failure is None else None,
            trail=trail,
        )
        if failure is None:
            return scored
        answers = iter(scored)
        return [next(answers) if info.reads_text_alone else ScoredModel(info.id, failure) for info in models]

    async def _score_inline(
        self, revision: Revision, models: Sequence[ModelInfo], *, with_features: bool, trail: Trail | None
    ) -> Iterator[ScoredModel]:
        if not models:
            return iter(())
        began = monotonic()
        scorers = [self._inline[info.artefact] for info in models]
        waits = [scorer.wait_seconds(revision) for scorer in scorers if isinstance(scorer, Waits)]
        if (seconds := max(waits, default=0)) > 0:
            await asyncio.sleep(min(seconds, WAIT_SECONDS))
            began = monotonic() if trail is None else trail.end("wait", began)
        if seconds > WAIT_SECONDS:
            failure = ScoreFailure(
                CpuLimitExceeded.code,
                f"Scoring revision {revision.rev_id} of {revision.wiki_id} was told to take {seconds:g} s: "
                f"given up after {WAIT_SECONDS:g} s.",
            )
            return iter([ScoredModel(info.id, failure) for info in models])
        scored = score_revision(scorers, revision, with_features=with_features)
        if trail is not None:
            trail.end("predict", began)
        return iter(scored)

    async def fetch(
        self,
        request: RevisionRequest,
        *,
        content_seconds: float | None = None,
        early: Callable[[Revision], None] | None = None,
        trail: Trail | None = None,
    ) -> Revision | ScoreFailure:
        """Return a revision with all that models read, or what is wrong with it for good.

        One whose parent alone cannot be had says so in ``parent_failure``.

        Args:
            request: Which.
            content_seconds: As `score`.
            early: See `EarlySource`; it hears of no text that is too large.
            trail: Takes note of the time, and has the wiki told the trace.

        Raises:
            ContentUnavailable: As `score`.
        """
        with (trail or Trail()).during("fetch"):
            return await self._fetch(request, content_seconds, early)

    async def _fetch(
        self,
        request: RevisionRequest,
        content_seconds: float | None,
        early: Callable[[Revision], None] | None,
    ) -> Revision | ScoreFailure:
        try:
            async with asyncio.timeout(content_seconds):
                wanted = replace(request, may_lack_parent=True)
                if early is not None and isinstance(self._content, EarlySource):
                    revision = await self._content.get_early(wanted, self._sized(early))
                else:
                    revision = await self._content.get(wanted)
            self._check_size(revision, revision.text)
        except TimeoutError as error:
            raise ContentUnavailable(
                f"Revision {request.rev_id} of {request.wiki_id} cannot be had now: its wiki did not answer "
                f"within {content_seconds or 0:g} s (content_wait_seconds). It is asked again later.",
                wiki_id=request.wiki_id,
                rev_id=request.rev_id,
            ) from error
        except ContentError as error:
            if error.retryable:
                raise
            return ScoreFailure(code=error.code, message=error.message)
        try:
            self._check_size(revision, revision.parent_text)
        except ContentTooLarge as error:
            failure = ScoreFailure(code=error.code, message=error.message)
            revision = replace(revision, parent_text=None, parent_failure=failure)
        return revision

    def _sized(self, early: Callable[[Revision], None]) -> Callable[[Revision], None]:
        def show(revision: Revision) -> None:
            with contextlib.suppress(ContentTooLarge):
                self._check_size(revision, revision.text)
                early(revision)

        return show

    def _check_size(self, revision: Revision, text: str | None) -> None:
        # A character takes at most four bytes, so most texts need no counting.
        if text is not None and len(text) * 4 > self._max_text_bytes:
            size_bytes = len(text.encode(errors="surrogatepass"))
            if size_bytes > self._max_text_bytes:
                raise ContentTooLarge(
                    f"Revision {revision.rev_id} of {revision.wiki_id}, or its parent, has a text of "
                    f"{size_bytes} bytes; the limit is {self._max_text_bytes} (max_text_bytes).",
                    wiki_id=revision.wiki_id,
                    rev_id=revision.rev_id,
                )


def without_content(request: RevisionRequest) -> Revision:
    """Return a revision of which only the ids mean anything."""
    return Revision(
        wiki_id=request.wiki_id,
        page_id=0,
        page_title="",
        namespace_id=0,
        rev_id=request.rev_id,
        rev_parent_id=request.rev_parent_id,
        rev_dt=datetime.fromtimestamp(0, UTC),
        content_model="wikitext",
        text="",
        parent_text=None,
        comment="",
        user=None,
    )
