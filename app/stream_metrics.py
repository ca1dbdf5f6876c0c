"""How far the stream is behind, shown to Prometheus."""

from collections.abc import Callable, Iterable, Mapping

from msgspec import Struct
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector


class StreamStatus(Struct, frozen=True):
    """The stream at one moment.

    Attributes:
        lag_events: Events of this worker's partitions that are not done, by kind of topic: ``source`` and
            ``retry``; None while it is not known.
        waiting_events: Put-off events in memory that wait for their time.
        wikis_let_alone: Wikis that are not asked for now, because they did not answer.
    """

    lag_events: Mapping[str, int | None]
    waiting_events: int
    wikis_let_alone: int


class StreamMetrics(Collector):
    """Reads the state of the stream when it is asked for.

    Args:
        status: Of the stream at this moment.
    """

    def __init__(self, status: Callable[[], StreamStatus]) -> None:
        self._status = status

    def collect(self) -> Iterable[Metric]:
        """Yield the metrics."""
        now = self._status()
        lag = GaugeMetricFamily(
            "revstream_lag_events",
            "Events of this worker's partitions that are not done: of sources, or put off.",
            labels=("topics",),
        )
        for topics, events in now.lag_events.items():
            if events is not None:
                lag.add_metric((topics,), events)
        yield lag
        yield GaugeMetricFamily(
            "revstream_put_off_events_held",
            "Put-off events that are held in memory until they are due.",
            value=now.waiting_events,
        )
        yield GaugeMetricFamily(
            "revstream_wikis_let_alone",
            "Wikis that did not answer several times in a row, and are tried now and then.",
            value=now.wikis_let_alone,
        )
