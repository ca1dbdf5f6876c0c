"""The texts that events carried and that are kept, shown to Prometheus."""

from collections.abc import Callable, Iterable

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from agents.known_texts import KnownTextsStatus


class TextMetrics(Collector):
    """Reads what is kept when it is asked for.

    Args:
        status: Of the texts at this moment.
    """

    def __init__(self, status: Callable[[], KnownTextsStatus]) -> None:
        self._status = status

    def collect(self) -> Iterable[Metric]:
        """Yield the metrics."""
        now = self._status()
        yield GaugeMetricFamily(
            "revstream_known_texts_bytes",
            "Memory that the kept texts of pages take whose events carry them.",
            value=now.size_bytes,
        )
        parents = CounterMetricFamily(
            "revstream_told_parents",
            "Parents wanted for revisions whose events carry the text, by where they came from.",
            labels=("origin",),
        )
        parents.add_metric(("kept",), now.found)
        parents.add_metric(("wiki",), now.missed)
        yield parents
