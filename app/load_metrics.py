"""What became of rows of snapshots, shown to Prometheus."""

from collections.abc import Callable, Iterable, Mapping

from prometheus_client.metrics_core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector


class LoadMetrics(Collector):
    """Reads what became of loaded rows when it is asked for.

    Args:
        counts: Rows by outcome, see `agents.loaded_rows.OUTCOMES`.
    """

    def __init__(self, counts: Callable[[], Mapping[str, int]]) -> None:
        self._counts = counts

    def collect(self) -> Iterable[Metric]:
        """Yield the metrics."""
        family = CounterMetricFamily(
            "revstream_loaded_rows",
            "Rows of snapshots, by what became of them on their way to the tables.",
            labels=("outcome",),
        )
        for outcome, count in self._counts().items():
            family.add_metric((outcome,), count)
        yield family
