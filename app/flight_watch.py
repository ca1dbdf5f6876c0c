"""What is counted and traced of scoring on demand."""

from collections.abc import Iterable, Sequence

from msgspec import Struct
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from app.durations import PhaseMetrics
from models.trace import Trace
from models.trail import Trail
from schemas.catalogue import ModelInfo
from schemas.revision import RevisionRequest


class FlightReport(Struct, frozen=True):
    """What became of some models of one revision that were asked for together.

    Attributes:
        trail: What they went through, and when.
        request: Which revision.
        models: Which.
        code: ``ok``, or of what is wrong with the revision or kept it from being scored.
    """

    trail: Trail
    request: RevisionRequest
    models: Sequence[ModelInfo]
    code: str


class FlightWatch(Collector):
    """Hears of all that `app.flights` scores, and shows to Prometheus how long its phases take."""

    def __init__(self) -> None:
        self._phases = PhaseMetrics(
            "revstream_on_demand_phase_seconds",
            "Phases of scoring on demand; `store` ends when the log has the scores.",
        )

    def begin(self) -> Trail:
        """Return where the phases of what begins now are noted."""
        return Trail()

    def joined(self, trace: Trace) -> None:
        """Hear that somebody waits for what is under way already, in this trace."""

    def landed(self, report: FlightReport) -> None:
        """Hear what became of it, once its scores are stored or not to be stored."""
        self._phases.observe(report.trail)

    def collect(self) -> Iterable[Metric]:
        """Yield the metric."""
        return self._phases.collect()
