"""The feed's readers and events, for Prometheus."""

from collections.abc import Callable, Iterable

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from app.feed import FeedStatus


class FeedMetrics(Collector):
    """Shows what a feed has told, and to how many.

    Args:
        status: Returns it.
    """

    def __init__(self, status: Callable[[], FeedStatus]) -> None:
        self._status = status

    def collect(self) -> Iterable[Metric]:
        """Return the metrics as of now."""
        now = self._status()
        readers = GaugeMetricFamily("revstream_feed_readers", "Readers of the feed that are connected.")
        readers.add_metric((), now.readers)
        events = CounterMetricFamily(
            "revstream_feed_events", "Scores and withdrawals that the feed told, however many read them."
        )
        events.add_metric((), now.events)
        dropped = CounterMetricFamily(
            "revstream_feed_dropped", "Readers of the feed that were dropped for being too slow."
        )
        dropped.add_metric((), now.dropped)
        return readers, events, dropped
