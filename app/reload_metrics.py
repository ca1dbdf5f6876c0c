"""How reading rules and models anew went, shown to Prometheus."""

from collections.abc import Callable, Iterable

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from app.reloads import ReloadStatus


class ReloadMetrics(Collector):
    """Reads how reloads went when it is asked for.

    Args:
        status: Of a process, or of a server of several.
    """

    def __init__(self, status: Callable[[], ReloadStatus]) -> None:
        self._status = status

    def collect(self) -> Iterable[Metric]:
        """Yield the metrics."""
        now = self._status()
        reloads = CounterMetricFamily(
            "revstream_config_reloads",
            "Times that rules and models were read anew: applied, or refused and left as they were.",
            labels=("outcome",),
        )
        reloads.add_metric(("applied",), now.applied)
        reloads.add_metric(("refused",), now.refused)
        yield reloads
        yield GaugeMetricFamily(
            "revstream_config_last_reload_successful",
            "Whether rules and models could be put in force when they were read last.",
            value=float(now.was_successful),
        )
        yield GaugeMetricFamily(
            "revstream_config_last_reload_success_timestamp_seconds",
            "When the rules and models that are in force were read last.",
            value=now.applied_dt.timestamp(),
        )
        yield GaugeMetricFamily(
            "revstream_config_hash",
            "First 48 bits of the sha256 of rules and models: equal where processes go by the same.",
            value=float(now.config_hash),
        )
