"""What is said and counted of each event."""

from collections.abc import Sequence
from datetime import UTC, datetime
from time import monotonic
from typing import Any, TextIO

import structlog
from prometheus_client import CollectorRegistry
from prometheus_client import Counter as Counted

from agents.pipeline import EventReport
from app.durations import DurationMetrics, PhaseMetrics
from schemas.page_change import PageChange
from schemas.prediction import Score, ScoredModel

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60)
_DELAY_SECONDS = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200, 43200)


class StreamObserver:
    """Counts events, logs one canonical line each, and shows scores on a person's screen.

    Args:
        registry: Where the metrics are registered.
        screen: Where scores are shown as they arrive; None for no show.
        log: Where events are logged, a structlog logger; the process's usual one if None.
        logs_events: Whether to log a line for each event, too.
    """

    def __init__(
        self,
        registry: CollectorRegistry,
        screen: TextIO | None = None,
        *,
        log: Any = None,
        logs_events: bool = True,
    ) -> None:
        # Bound once: a logger that binds itself anew for each line costs twice as much.
        self._log = structlog.get_logger().bind() if log is None else log
        self._children: dict[tuple[str, ...], Counted] = {}
        self._screen = screen
        self._logs_events = logs_events
        self._address = ""
        self._events = Counted(
            "revstream_events_total",
            "Events handled, by what became of them.",
            ("outcome", "reason"),
            registry=registry,
        )
        self._scores = Counted(
            "revstream_scores_total",
            "Scores and failures, by wiki, model and code (`ok` for a score).",
            ("wiki_id", "model_name", "code"),
            registry=registry,
        )
        self._scoring_seconds = DurationMetrics(
            "revstream_scoring_seconds", "Fetching and scoring of an event.", _SECONDS
        )
        self._event_seconds = DurationMetrics(
            "revstream_event_seconds", "An event, from decoding to its last send.", _SECONDS
        )
        self._delay_seconds = DurationMetrics(
            "revstream_event_delay_seconds",
            "From the production of an event (`meta.dt`) to its end here, by the clocks of two machines.",
            _DELAY_SECONDS,
        )
        self._phases = PhaseMetrics(
            "revstream_event_phase_seconds",
            "Phases of an event; `wait` is for a scoring process, `features` what its models share.",
        )
        for each in (self._scoring_seconds, self._event_seconds, self._delay_seconds, self._phases):
            registry.register(each)

    def event_handled(self, report: EventReport) -> None:
        """Count and log an event."""
        seconds = monotonic() - report.trail.began
        self._count(self._events, report.outcome, report.reason or "")
        self._event_seconds.observe(seconds)
        self._phases.observe(report.trail)
        change = report.change
        if report.message is not None or change is None or not report.scored:
            self._log_unscored(report)
            return
        self._scoring_seconds.observe(report.scoring_seconds)
        if change.meta_dt is not None:
            self._delay_seconds.observe(max(0.0, (datetime.now(UTC) - change.meta_dt).total_seconds()))
        for one in report.scored:
            self._count(self._scores, change.wiki_id, one.model.model_name, _code(one))
        if self._logs_events:
            self._log_event(report, change, seconds)
        self._show(change, report.scored)

    def _count(self, counter: Counted, *labels: str) -> None:
        # The label sets are closed, and looking one up here takes a tenth of what the library does.
        child = self._children.get(labels)
        if child is None:
            child = self._children[labels] = counter.labels(*labels)
        child.inc()

    def _log_unscored(self, report: EventReport) -> None:
        change = report.change
        told = _trace_of(report)
        if report.message is not None:
            told["message"] = report.message
        log = self._log.debug if report.message is None else self._log.warning
        log(
            "event",
            outcome=report.outcome,
            reason=report.reason,
            wiki_id=change.wiki_id if change else None,
            rev_id=change.revision.rev_id if change else None,
            event_id=change.event_id if change else None,
            request_id=change.request_id if change else None,
            **told,
        )

    def _log_event(self, report: EventReport, change: PageChange, seconds: float) -> None:
        self._log.info(
            "event",
            outcome=report.outcome,
            wiki_id=change.wiki_id,
            page_id=change.page.page_id,
            rev_id=change.revision.rev_id,
            kind=change.page_change_kind.value,
            codes={one.model.model_name: _code(one) for one in report.scored},
            scoring_seconds=round(report.scoring_seconds, 4),
            seconds=round(seconds, 4),
            event_id=change.event_id,
            request_id=change.request_id,
            **_trace_of(report),
        )

    def serve_at(self, address: str) -> None:
        """Show once, with the first score, where to look it up."""
        self._address = address

    def _show(self, change: PageChange, scored: Sequence[ScoredModel]) -> None:
        if self._screen is None:
            return
        for one in scored:
            self._screen.write(_shown(change, one))
        if self._address and any(isinstance(one.outcome, Score) for one in scored):
            where = f"{self._address}/scores/{change.wiki_id}/{change.revision.rev_id}"
            self._screen.write(f"Look it up: curl {where}\n")
            self._address = ""
        self._screen.flush()


def _trace_of(report: EventReport) -> dict[str, str]:
    trace = report.trail.trace
    return {} if trace is None else {"trace_id": trace.trace_id}


def _code(one: ScoredModel) -> str:
    return "ok" if isinstance(one.outcome, Score) else one.outcome.code


def _shown(change: PageChange, one: ScoredModel) -> str:
    where = f"{change.wiki_id} revision {change.revision.rev_id} {one.model.model_name}"
    if not isinstance(one.outcome, Score):
        return f"{where}: {one.outcome.code}\n"
    probability = one.outcome.probability
    label = "true" if "true" in probability else max(probability, key=probability.__getitem__)
    return f"{where}: {label} {probability[label]:.3f}\n"
