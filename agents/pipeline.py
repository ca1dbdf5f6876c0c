"""What happens to one event: decode, decide, fetch, score, upsert, emit."""

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from time import monotonic
from typing import Any, Protocol

from faust.types import AppT
from msgspec import Struct

from agents.decide import (
    Decision,
    Known,
    Restore,
    ScoreWith,
    Skip,
    SkipReason,
    Withdraw,
    decide,
    same_text_rev_id,
)
from agents.known_texts import KnownTexts
from agents.ordered import UnacknowledgedEvent
from agents.outputs import Outputs
from agents.rules.book import RuleBook
from agents.rules.decide import Plan
from agents.scoring import RevisionScoring
from agents.told_revision import as_parent, told_revision
from agents.withdrawals import Withdrawals
from models.priority import Priority
from schemas.catalogue import Catalogue, ModelInfo
from schemas.dead_letter import dead_letter
from schemas.decode import decode_event
from schemas.errors import ContentError, ContentModelUnsupported, EventError, StoreError
from schemas.keys import DEAD_LETTER_TOPIC
from schemas.page_change import Canary, PageChange
from schemas.prediction import PredictionRow, Provenance, ScoredModel, ScoreFailure, StoredScore
from schemas.revision import Revision, RevisionRequest
from tables.predictions import Predictions

Settle = Callable[[Sequence[Awaitable[Any]]], Awaitable[None]]


class EventReport(Struct, frozen=True):
    """What became of one event, for the log line and the metrics.

    Attributes:
        outcome: ``scored``, ``failed`` (every model gave a failure), ``withdrawn``, ``restored`` (and
            nothing was scored), ``skipped`` or ``dead_letter``.
        began: When it was taken up, on the monotonic clock, in seconds.
        reason: Of a skip, what was withdrawn or restored, or the code of a dead letter; None otherwise.
        message: Of a dead letter: what is wrong with it and what to do; None otherwise.
        change: The event; None where it could not be decoded, or was a canary.
        scored: One per model.
        scoring_seconds: Fetching and scoring, waits included.
    """

    outcome: str
    began: float
    reason: str | None = None
    message: str | None = None
    change: PageChange | None = None
    scored: Sequence[ScoredModel] = ()
    scoring_seconds: float = 0.0


class Observer(Protocol):
    """Hears of each event handled. Must not raise."""

    def event_handled(self, report: EventReport) -> None:
        """Note what became of an event."""
        ...

    def content_retried(self, wiki_id: str, error: ContentError) -> None:
        """Note that a wiki did not answer, and will be asked again."""
        ...


class ContentRetry(Struct, frozen=True):
    """How long to go on asking a wiki that does not answer.

    Attributes:
        first_wait_seconds: Before the first repetition; doubles each time, with full jitter.
        max_wait_seconds: Longest wait between two.
        give_up_seconds: After this the revision is a recorded failure, ``content_unavailable``.
    """

    first_wait_seconds: float = 1.0
    max_wait_seconds: float = 30.0
    give_up_seconds: float = 600.0


class Pipeline:
    """Handles page changes one at a time; `agents.ordered.OrderedWindow` runs many at once.

    Args:
        app: Gives the producer.
        catalogue: The models of each wiki.
        scoring: Fetches and scores.
        predictions: The tables.
        settle: Awaits what was sent, where the engine does not carry it with the commit: an event may be
            acknowledged only when its outputs are safe.
        retry: For wikis that do not answer.
        observer: Hears of each event.
        erases: Whether the log is one that what was suppressed can be erased from: a request follows each
            suppression. Kafka's is not, see README.md.
        texts: Keeps the texts that events carry; none where it is left out.
        rules: Say which models score an event, and where the scores go; without any, all of the wiki do.
    """

    def __init__(
        self,
        app: AppT,
        *,
        catalogue: Catalogue,
        scoring: RevisionScoring,
        predictions: Predictions,
        settle: Settle,
        retry: ContentRetry,
        observer: Observer,
        erases: bool = False,
        texts: KnownTexts | None = None,
        rules: RuleBook | None = None,
    ) -> None:
        self._app = app
        self._catalogue = catalogue
        self._scoring = scoring
        self._predictions = predictions
        self._settle = settle
        self._retry = retry
        self._observer = observer
        self._rules = rules
        self._texts = texts or KnownTexts(0)
        self._withdrawals = Withdrawals(app, predictions, self._texts, erases=erases)
        self._outputs = Outputs(app, predictions, rules)

    async def handle(self, event: UnacknowledgedEvent) -> None:
        """Handle one event to its end.

        1. Decode it; what cannot be decoded goes to the dead letters, bytes and all.
        2. Decide what to do about it, by what the tables hold.
        3. Withdraw predictions, or show them again.
        4. Fetch and score. Whatever is wrong with the revision becomes a failure in its row.
        5. Upsert the row, and tell what there is to tell, see `agents.outputs`.

        Raises:
            EngineError: Nothing can be scored, whichever the event.
            StoreError: Tables or log cannot be written.
        """
        began, mark = monotonic(), self._texts.mark()
        value = event.message.value or b""
        try:
            change = decode_event(value)  # 1
        except EventError as error:
            await self._bury(event, value, error)
            self._observer.event_handled(
                EventReport("dead_letter", began, reason=error.code, message=error.message)
            )
            return
        if isinstance(change, Canary):
            self._observer.event_handled(_unscored(began, None, decide(change, self._catalogue)))
            return
        plan = None if self._rules is None else self._rules.plan(value, event.message.topic, change.wiki_id)
        ruled = None if plan is None else plan.models
        known = self._known(event, change)
        decision = decide(change, self._catalogue, known, ruled)  # 2
        sent = await self._withdrawals.apply(event, change, decision)  # 3
        scoring = decision.scoring if isinstance(decision, Restore) else decision
        told = told_revision(change)
        if not isinstance(scoring, ScoreWith):
            if told is not None and _is_shown(decision):
                self._keep(told, mark)
            sent += await self._outputs.send(event, change, decision, known=known, plan=plan)
            await self._settle(sent)
            self._observer.event_handled(_unscored(began, change, decision))
            return
        scoring_began = monotonic()
        async with self._places(plan):
            scored = await self._score_all(change, scoring, told)  # 4
        scoring_seconds = monotonic() - scoring_began
        if told is not None:
            self._keep(told, mark)  # Not before: until then its parent's text is wanted.
        if event.message.generation_id != self._app.consumer_generation_id:
            return  # The partition was given back meanwhile; its new owner does this again.
        sent += await self._predictions.upsert(event, _row(event, change, scored))  # 5
        sent += await self._outputs.send(event, change, decision, known=known, plan=plan, scored=scored)
        await self._settle(sent)
        is_failed = all(isinstance(one.outcome, ScoreFailure) for one in scored)
        outcome = "failed" if is_failed else "scored"
        self._observer.event_handled(
            EventReport(outcome, began, change=change, scored=scored, scoring_seconds=scoring_seconds)
        )

    def _places(self, plan: Plan | None) -> contextlib.AbstractAsyncContextManager[None]:
        if self._rules is None or plan is None:
            return contextlib.nullcontext()
        return self._rules.places(plan)

    def _known(self, event: UnacknowledgedEvent, change: PageChange) -> Known:
        wiki_id, tables = change.wiki_id, self._predictions
        same_text = same_text_rev_id(change)
        return Known(
            tables.newest_page(event, wiki_id, change.page.page_id),
            tables.newest_revision(event, wiki_id, change.revision.rev_id),
            None if same_text is None else tables.newest_revision(event, wiki_id, same_text),
        )

    def _keep(self, told: Revision, mark: int) -> None:
        self._texts.keep(told.wiki_id, told.page_id, told.rev_id, as_parent(told), mark=mark)

    async def _score_all(
        self, change: PageChange, decision: ScoreWith, told: Revision | None
    ) -> list[ScoredModel]:
        """Return an answer of each model, in their order. Asks none whose answer is carried or refused."""
        done = decision.carried.keys() | decision.refused
        asked = {name: info for name, info in decision.models.items() if name not in done}
        scored = iter(await self._score(change, asked, told) if asked else ())
        return [
            next(scored)
            if name in asked
            else ScoredModel(info.id, decision.carried.get(name) or _refusal(change, info))
            for name, info in decision.models.items()
        ]

    async def _score(self, change: PageChange, models: Any, told: Revision | None) -> list[ScoredModel]:
        """Score a change, asking again for as long as its wiki does not answer."""
        revision = change.revision
        request = RevisionRequest(
            change.wiki_id, revision.rev_id, revision.rev_parent_id, change.domain, told
        )
        give_up = monotonic() + self._retry.give_up_seconds
        wait_seconds = self._retry.first_wait_seconds
        while True:
            try:
                return await self._scoring.score(request, models, priority=Priority.STREAM)
            except ContentError as error:
                if monotonic() >= give_up:
                    return _all_failed(models.values(), error)
                self._observer.content_retried(change.wiki_id, error)
            await asyncio.sleep(random.uniform(0, wait_seconds))  # noqa: S311 - jitter, not a secret
            wait_seconds = min(wait_seconds * 2, self._retry.max_wait_seconds)

    async def _bury(self, event: UnacknowledgedEvent, value: bytes, error: EventError) -> None:
        message = event.message
        letter = dead_letter(
            error,
            value,
            source_topic=message.topic,
            source_partition=message.partition,
            source_offset=message.offset,
            dt=datetime.now(UTC),
        )
        sent = await self._app.producer.send(DEAD_LETTER_TOPIC, letter.key, letter.value, None, None, None)
        await self._settle((sent,))


def _is_shown(decision: Decision) -> bool:
    """Tell whether readers see the revision, though nothing is scored."""
    return isinstance(decision, Restore) or (
        isinstance(decision, Skip) and decision.reason is SkipReason.NO_RULE
    )


def _row(event: UnacknowledgedEvent, change: PageChange, scored: Sequence[ScoredModel]) -> PredictionRow:
    message = event.message
    provenance = Provenance(
        event_id=change.event_id,
        source_topic=message.topic,
        source_partition=message.partition,
        source_offset=message.offset,
        event_dt=change.acted_dt,
        scored_dt=datetime.now(UTC),
    )
    scores = [StoredScore(one.model, one.outcome, provenance) for one in scored]
    scores.sort(key=lambda score: (score.model.model_name, score.model.model_version))
    return PredictionRow(
        wiki_id=change.wiki_id,
        page_id=change.page.page_id,
        rev_id=change.revision.rev_id,
        rev_dt=change.revision.rev_dt,
        scores=tuple(scores),
    )


def _refusal(change: PageChange, info: ModelInfo) -> ScoreFailure:
    revision = change.revision
    return ScoreFailure(
        ContentModelUnsupported.code,
        f"revision {revision.rev_id} of {change.wiki_id} holds {revision.content_model!r}, but the model "
        f"reads {', '.join(info.content_models)} only; it cannot score this page",
    )


def _unscored(began: float, change: PageChange | None, decision: Decision) -> EventReport:
    if isinstance(decision, Withdraw):
        reason = f"{decision.scope}_{'suppressed' if decision.is_erasure else 'hidden'}"
        return EventReport("withdrawn", began, reason=reason, change=change)
    if isinstance(decision, Restore):
        return EventReport("restored", began, reason=decision.scope, change=change)
    skipped = decision.reason if isinstance(decision, Skip) else None
    return EventReport("skipped", began, reason=skipped, change=change)


def _all_failed(models: Sequence[ModelInfo], error: ContentError) -> list[ScoredModel]:
    failure = ScoreFailure(code=error.code, message=error.message)
    return [ScoredModel(info.id, failure) for info in models]


async def settle_with_commit(sent: Sequence[Awaitable[Any]]) -> None:
    """Wait for nothing: the engine writes what was sent in one transaction with the event's offset."""


async def settle_by_delivery(sent: Sequence[Awaitable[Any]]) -> None:
    """Wait until the broker has everything.

    Raises:
        StoreError: The broker refused a record for good.
    """
    try:
        await asyncio.gather(*sent)
    except Exception as error:
        raise StoreError(
            f"The broker did not take an output: {error}. Check the broker and its limits; the event is not "
            "acknowledged, and is scored again at the next start."
        ) from error
