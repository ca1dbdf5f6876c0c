"""On-demand scoring, shown to Prometheus."""

from collections.abc import Callable, Iterable, Mapping

from msgspec import Struct
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector


class OnDemandStatus(Struct, frozen=True):
    """On-demand scoring at one moment.

    Attributes:
        answers: By where they came from, see `app.flights.Flights`.
        refused: By what stood against it: ``queue``, or a limit of the client.
        stored: By what became of scores on their way to the tables.
        waiting_seconds: Estimated time that scoring what is admitted and not done takes.
        revisions: How many that are.
    """

    answers: Mapping[str, int] = {}
    refused: Mapping[str, int] = {}
    stored: Mapping[str, int] = {}
    waiting_seconds: float = 0.0
    revisions: int = 0


class OnDemandMetrics(Collector):
    """Reads the state of on-demand scoring when it is asked for.

    Args:
        status: At this moment.
    """

    def __init__(self, status: Callable[[], OnDemandStatus]) -> None:
        self._status = status

    def collect(self) -> Iterable[Metric]:
        """Yield the metrics."""
        now = self._status()
        yield _by(
            "revstream_on_demand_answers",
            "Answers about one model for one revision that was not stored: scored for the request, joined to "
            "work under way, or recent.",
            "origin",
            now.answers,
        )
        yield _by(
            "revstream_on_demand_refused",
            "Revisions that were not scored on demand, by the limit that stood against it.",
            "limit",
            now.refused,
        )
        yield _by(
            "revstream_on_demand_stored",
            "Revisions scored on demand, by what became of the scores on their way to the tables.",
            "outcome",
            now.stored,
        )
        yield GaugeMetricFamily(
            "revstream_on_demand_waiting_seconds",
            "Estimated time that scoring takes what clients wait for, on one process.",
            value=now.waiting_seconds,
        )
        yield GaugeMetricFamily(
            "revstream_on_demand_revisions", "Revisions that clients wait for.", value=now.revisions
        )


def _by(name: str, meaning: str, label: str, numbers: Mapping[str, int]) -> CounterMetricFamily:
    family = CounterMetricFamily(name, meaning, labels=(label,))
    for value, number in numbers.items():
        family.add_metric((value,), number)
    return family
