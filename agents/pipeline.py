"""What happens to one event: decode, decide, fetch, score, upsert, emit."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from time import monotonic
from typing import Any, Protocol

from faust.types import AppT, Message
from msgspec import Struct

from agents.change_scoring import ChangeScoring
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
from agents.homes import Homes
from agents.known_texts import KnownTexts
from agents.membership import MembershipLost
from agents.ordered import UnacknowledgedEvent
from agents.origin import Origin, origin_of, origin_of_put_off
from agents.retries import Retries
from agents.rules.book import RuleBook
from agents.rules.decide import Plan
from agents.ruling import Ruling
from agents.told_revision import as_parent, told_revision
from agents.withdrawals import Withdrawals
from models.trail import Trail
from schemas.catalogue import Catalogue
from schemas.dead_letter import dead_letter
from schemas.decode import decode_event
from schemas.errors import EventError, RevstreamError, StoreError
from schemas.keys import DEAD_LETTER_TOPIC
from schemas.on_demand import on_demand_topic
from schemas.page_change import Canary, PageChange
from schemas.prediction import (
    ModelId,
    Outcome,
    PredictionRow,
    Provenance,
    Score,
    ScoredModel,
    ScoreFailure,
    stored_scores,
)
from schemas.retry import PutOff, decode_put_off
from schemas.revision import Revision
from tables.predictions import Predictions

Settle = Callable[[Sequence[Awaitable[Any]]], Awaitable[None]]


def _ignore(_: PageChange) -> None:
    """Hear nothing."""


def untraced(_: Message) -> Trail:
    """Return a trail that is no part of a trace."""
    return Trail()


class EventReport(Struct, frozen=True):
    """What became of one event, for the log line and the metrics.

    Attributes:
        outcome: ``scored``, ``failed`` (every model gave a failure), ``withdrawn``, ``restored`` (and
            nothing was scored), ``skipped``, ``put_off`` (to be handled again later), ``moved`` (to the
            partition of its page, where it is handled) or ``dead_letter``.
        trail: What it went through, and when.
        reason: Of a skip, what was withdrawn or restored, or the code of a dead letter or of what it was put
            off for; None otherwise.
        message: Of a dead letter or of what was put off: what is wrong and what to do; None otherwise.
        change: The event; None where it could not be decoded, or was a canary.
        scored: One per model.
        scoring_seconds: Fetching and scoring, waits included.
    """

    outcome: str
    trail: Trail
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


class Pipeline:
    """Handles page changes one at a time; `agents.ordered.OrderedWindow` runs many at once.

    Args:
        app: Gives the producer.
        catalogue: The models of each wiki.
        scoring: Fetches and scores.
        predictions: The tables.
        settle: Awaits what was sent, where the engine does not carry it with the commit: an event may be
            acknowledged only when its outputs are safe.
        retries: Puts off what meets a fault that may pass.
        observer: Hears of each event.
        erases: Whether the log is one that what was suppressed can be erased from: a request follows each
            suppression. Kafka's is not, see README.md.
        texts: Keeps the texts that events carry; none where it is left out.
        heed: Hears of each change before anything is done about it. Must not raise.
        rules: Say which models score an event, and where the scores go; without any, all of the wiki do.
        begin_trail: Returns where a record's phases are noted, and its place in a trace where there is one.

    Attributes:
        homes: Brings the events of a page together; None where all of them come in one partition.
    """

    def __init__(
        self,
        app: AppT,
        *,
        catalogue: Catalogue,
        scoring: ChangeScoring,
        predictions: Predictions,
        settle: Settle,
        retries: Retries,
        observer: Observer,
        erases: bool = False,
        texts: KnownTexts | None = None,
        rules: RuleBook | None = None,
        heed: Callable[[PageChange], None] = _ignore,
        begin_trail: Callable[[Message], Trail] = untraced,
    ) -> None:
        self._app = app
        self._scoring = scoring
        self._predictions = predictions
        self._settle = settle
        self._retries = retries
        self._observer = observer
        self._heed = heed
        self._begin_trail = begin_trail
        self._on_demand_topic = on_demand_topic(app.conf.id)
        self.homes: Homes | None = None
        self._texts = texts or KnownTexts(0)
        self._withdrawals = Withdrawals(app, predictions, self._texts, erases=erases)
        self._ruling = Ruling(app, predictions, catalogue, rules)

    async def handle(self, event: UnacknowledgedEvent) -> None:
        """Handle one event of a source to its end.

        1. Decode it; what cannot be decoded goes to the dead letters, bytes and all.
        2. Decide what to do about it, by what the tables hold.
        3. Withdraw predictions, or show them again.
        4. Fetch and score. What is wrong with the revision for good becomes a failure in its row.
        5. Put the event off where a fault that may pass is in the way. After the last repetition that is a
           failure as well, and the event goes to the dead letters.
        6. Upsert the row, and tell what there is to tell, see `agents.outputs`.

        Raises:
            EngineError: Nothing can be scored, whichever the event.
            StoreError: Tables or log cannot be written.
        """
        homes = self.homes
        with self._ruling as ruling:
            await self._handle(event, origin_of(event) if homes is None else homes.origin(event), ruling)

    async def handle_put_off(self, event: UnacknowledgedEvent) -> None:
        """Handle one event of a retry topic, by what the tables hold now; see `handle`."""
        value = event.message.value or b""
        try:
            put_off = decode_put_off(value)
        except EventError as error:
            await self._bury(origin_of(event), error, self._begin_trail(event.message))
            return
        with self._ruling as ruling:
            await self._handle(event, origin_of_put_off(put_off), ruling)

    def is_over(self, event: UnacknowledgedEvent, put_off: PutOff) -> bool:
        """Return whether the tables leave nothing to be scored of an event that was put off."""
        try:
            change = decode_event(bytes(put_off.original_event))
        except EventError:
            return True
        if isinstance(change, Canary):
            return True
        *_, decision = self._decide(event, origin_of_put_off(put_off), change, self._ruling)
        return _scoring_of(decision) is None

    def switch(self, catalogue: Catalogue, rules: RuleBook | None) -> Ruling:
        """Handle events by other models and rules from the next one on.

        Returns:
            By which those are handled to their end that are under way.
        """
        former, self._ruling = self._ruling, Ruling(self._app, self._predictions, catalogue, rules)
        return former

    async def _handle(self, event: UnacknowledgedEvent, origin: Origin, ruling: Ruling) -> None:
        trail, mark = self._begin_trail(event.message), self._texts.mark()
        try:
            change = decode_event(origin.value)  # 1
        except EventError as error:
            await self._bury(origin, error, trail)
            return
        decoded = trail.end("decode", trail.began)
        if isinstance(change, Canary):
            self._observer.event_handled(_unscored(trail, None, decide(change, ruling.catalogue)))
            return
        homes = None if origin.put_off else self.homes
        if homes is not None and await self._moved(homes, event, change, trail):
            return
        self._heed(change)
        plan, known, decision = self._decide(event, origin, change, ruling)  # 2
        decided = trail.end("decide", decoded)
        sent = await self._withdrawals.apply(event, origin, change, decision)  # 3
        withdrawn = trail.end("withdraw", decided) if sent else decided
        scoring = _scoring_of(decision)
        told = told_revision(change)
        # What was put off is an older text than what its page has by now.
        is_kept = told is not None and origin.put_off is None
        if scoring is None:
            if told is not None and is_kept and _is_shown(decision):
                self._keep(told, mark)
            sent += await ruling.outputs.send(
                event, change, decision, known=known, plan=plan, headers=trail.headers("emit")
            )
            await self._settle(sent)
            trail.end("emit", withdrawn)
            self._observer.event_handled(_unscored(trail, change, decision))
            return
        async with ruling.places(plan):
            is_repetition = origin.put_off is not None
            scored, fault = await self._scoring.score(  # 4
                change, scoring, told, is_repetition=is_repetition, trail=trail
            )
        scoring_ended = monotonic()
        if told is not None and is_kept:
            self._keep(told, mark)  # Not before: until then its parent's text is wanted.
        if event.message.generation_id != self._app.consumer_generation_id:
            return  # The partition was given back meanwhile; its new owner does this again.
        if fault is not None:  # 5
            put_off = await self._retries.put_off(
                event, origin, change, plan, fault, headers=trail.headers("emit")
            )
            if put_off is not None:
                await self._settle((*sent, put_off))
                trail.end("emit", scoring_ended)
                self._observer.event_handled(
                    EventReport("put_off", trail, reason=fault.code, message=fault.message, change=change)
                )
                return
            scored = self._given_up(event, change, scored)
            sent.append(await self._send_letter(origin, fault, trail))
        sent += await self._predictions.upsert(event, _row(origin, change, scored))  # 6
        if any(isinstance(one.outcome, ScoreFailure) for one in scored):
            # Next time it may be another. Where the row is safe, this event has the same outcome again.
            await self._settle(sent)
            sent = []
        upserted = trail.end("upsert", scoring_ended)
        sent += await ruling.outputs.send(
            event, change, decision, known=known, plan=plan, scored=scored, headers=trail.headers("emit")
        )
        await self._settle(sent)
        trail.end("emit", upserted)
        outcome = "failed" if all(isinstance(one.outcome, ScoreFailure) for one in scored) else "scored"
        self._observer.event_handled(
            EventReport(
                outcome, trail, change=change, scored=scored, scoring_seconds=scoring_ended - withdrawn
            )
        )

    async def _moved(
        self, homes: Homes, event: UnacknowledgedEvent, change: PageChange, trail: Trail
    ) -> bool:
        """Move an event to the partition of its page; tell whether it was elsewhere."""
        began = monotonic()
        moved = await homes.move(event, change, trail.headers("emit"))
        if moved is None:
            return False
        await self._settle((moved,))
        trail.end("emit", began)
        self._observer.event_handled(EventReport("moved", trail, change=change))
        return True

    def _decide(
        self, event: UnacknowledgedEvent, origin: Origin, change: PageChange, ruling: Ruling
    ) -> tuple[Plan | None, Known, Decision]:
        rules = ruling.rules
        plan = None if rules is None else rules.plan(origin.value, origin.topic, change.wiki_id)
        ruled = None if plan is None else plan.models
        known = self._known(event, origin, change)
        return plan, known, decide(change, ruling.catalogue, known, ruled)

    def _known(self, event: UnacknowledgedEvent, origin: Origin, change: PageChange) -> Known:
        wiki_id, tables = change.wiki_id, self._predictions
        same_text = same_text_rev_id(change)
        revision = tables.newest_revision(event, wiki_id, change.revision.rev_id)
        return Known(
            tables.newest_page(event, wiki_id, change.page.page_id),
            revision,
            None if same_text is None else tables.newest_revision(event, wiki_id, same_text),
            {} if revision is None else self._told_before(revision, origin, change),
        )

    def _told_before(
        self, revision: PredictionRow, origin: Origin, change: PageChange
    ) -> Mapping[ModelId, Outcome]:
        """Return what a row holds of the very record that is handled now, or of clients that were faster."""
        this = (change.event_id, origin.topic, origin.partition, origin.offset)
        return {
            score.model: score.outcome
            for score in revision.scores
            if _record_of(score.provenance) == this
            or (isinstance(score.outcome, Score) and score.provenance.source_topic == self._on_demand_topic)
        }

    def _keep(self, told: Revision, mark: int) -> None:
        self._texts.keep(told.wiki_id, told.page_id, told.rev_id, as_parent(told), mark=mark)

    def _given_up(
        self, event: UnacknowledgedEvent, change: PageChange, scored: Sequence[ScoredModel]
    ) -> list[ScoredModel]:
        """Return the last word on a change: a score that is there already is not taken back."""
        row = self._predictions.newest_revision(event, change.wiki_id, change.revision.rev_id)
        held = {} if row is None else {score.model: score.outcome for score in row.scores}
        return [
            ScoredModel(one.model, kept) if isinstance(kept := held.get(one.model), Score) else one
            for one in scored
        ]

    async def _bury(self, origin: Origin, error: EventError, trail: Trail) -> None:
        decoded = trail.end("decode", trail.began)
        await self._settle((await self._send_letter(origin, error, trail),))
        trail.end("emit", decoded)
        self._observer.event_handled(
            EventReport("dead_letter", trail, reason=error.code, message=error.message)
        )

    async def _send_letter(self, origin: Origin, error: RevstreamError, trail: Trail) -> Awaitable[Any]:
        letter = dead_letter(
            error,
            origin.value,
            source_topic=origin.topic,
            source_partition=origin.partition,
            source_offset=origin.offset,
            emitter_id=self._app.conf.id,
            dt=datetime.now(UTC),
        )
        headers = trail.headers("emit") or None
        return await self._app.producer.send(DEAD_LETTER_TOPIC, letter.key, letter.value, None, None, headers)


def _is_shown(decision: Decision) -> bool:
    """Tell whether readers see the revision, though nothing is scored."""
    return isinstance(decision, Restore) or (
        isinstance(decision, Skip) and decision.reason is SkipReason.NO_RULE
    )


def _scoring_of(decision: Decision) -> ScoreWith | None:
    scoring = decision.scoring if isinstance(decision, Restore) else decision
    return scoring if isinstance(scoring, ScoreWith) else None


def _record_of(provenance: Provenance) -> tuple[str, str, int, int]:
    return (
        provenance.event_id,
        provenance.source_topic,
        provenance.source_partition,
        provenance.source_offset,
    )


def _row(origin: Origin, change: PageChange, scored: Sequence[ScoredModel]) -> PredictionRow:
    provenance = Provenance(
        event_id=change.event_id,
        source_topic=origin.topic,
        source_partition=origin.partition,
        source_offset=origin.offset,
        event_dt=change.acted_dt,
        scored_dt=datetime.now(UTC),
        namespace_id=change.page.namespace_id,
        is_bot=None if change.saved_by is None else change.saved_by.is_bot,
    )
    return PredictionRow(
        wiki_id=change.wiki_id,
        page_id=change.page.page_id,
        rev_id=change.revision.rev_id,
        rev_dt=change.revision.rev_dt,
        scores=stored_scores(((one.model, one.outcome) for one in scored), provenance),
    )


def _unscored(trail: Trail, change: PageChange | None, decision: Decision) -> EventReport:
    if isinstance(decision, Withdraw):
        reason = f"{decision.scope}_{'suppressed' if decision.is_erasure else 'hidden'}"
        return EventReport("withdrawn", trail, reason=reason, change=change)
    if isinstance(decision, Restore):
        return EventReport("restored", trail, reason=decision.scope, change=change)
    skipped = decision.reason if isinstance(decision, Skip) else None
    return EventReport("skipped", trail, reason=skipped, change=change)


async def settle_with_commit(sent: Sequence[Awaitable[Any]]) -> None:
    """Wait for nothing: the engine writes what was sent in one transaction with the event's offset."""


async def settle_by_delivery(sent: Sequence[Awaitable[Any]]) -> None:
    """Wait until the broker has everything.

    Raises:
        MembershipLost: Somebody else may have the partition by now.
        StoreError: The broker refused a record for good.
    """
    try:
        # What is sent together arrives together: once the first is there, the others are done.
        for one in sent:
            await one
    except Exception as error:
        for one in sent:
            if isinstance(one, asyncio.Future):
                one.add_done_callback(_heard)
        if isinstance(error, MembershipLost):
            raise
        raise StoreError(
            f"The broker did not take an output: {error}. Check the broker and its limits; the event is not "
            "acknowledged, and is scored again at the next start."
        ) from error


def _heard(sent: asyncio.Future[Any]) -> None:
    """Take note of an error, which asyncio would tell of as one that nobody asked for."""
    if not sent.cancelled():
        sent.exception()
