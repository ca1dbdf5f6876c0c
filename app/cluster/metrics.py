"""The partitions that are here, and how far they are, for Prometheus."""

from collections.abc import Callable, Iterable, Mapping

from msgspec import Struct
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector


class ClusterStatus(Struct, frozen=True):
    """What one worker has.

    Attributes:
        partitions: By role: ``owned``, ``recovering``, ``standby``.
        rows_left: Changelog records to apply, by role: ``owner``, ``standby``.
        standby_age_seconds: Of the oldest standby; None without one.
        questions: To other workers, by outcome: ``answered``, ``failed``.
    """

    partitions: Mapping[str, int] = {}
    rows_left: Mapping[str, int] = {}
    standby_age_seconds: float | None = None
    questions: Mapping[str, int] = {}


class ClusterMetrics(Collector):
    """Collects the status of a worker's partitions.

    Args:
        status: Returns it.
    """

    def __init__(self, status: Callable[[], ClusterStatus]) -> None:
        self._status = status

    def collect(self) -> Iterable[Metric]:
        """Return the metrics."""
        status = self._status()
        partitions = GaugeMetricFamily(
            "revstream_partitions", "Partitions of the tables that are here, by role.", labels=("role",)
        )
        left = GaugeMetricFamily(
            "revstream_recovery_rows_left", "Changelog records to apply, by role.", labels=("role",)
        )
        age = GaugeMetricFamily(
            "revstream_standby_age_seconds", "How old the oldest standby may be; absent without one."
        )
        questions = CounterMetricFamily(
            "revstream_peer_questions", "Questions to other workers about rows.", labels=("outcome",)
        )
        for family, counts in (
            (partitions, status.partitions),
            (left, status.rows_left),
            (questions, status.questions),
        ):
            for label, count in counts.items():
                family.add_metric((label,), count)
        if status.standby_age_seconds is not None:
            age.add_metric((), status.standby_age_seconds)
        return partitions, left, age, questions
