"""The pool of scoring processes, shown to Prometheus."""

from collections.abc import Callable, Iterable

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from models.pool_status import KillReason, PoolStatus


class PoolMetrics(Collector):
    """Reads the state of a pool when it is asked for.

    Args:
        status: Of the pool at this moment.
    """

    def __init__(self, status: Callable[[], PoolStatus]) -> None:
        self._status = status

    def collect(self) -> Iterable[Metric]:
        """Yield the metrics."""
        now = self._status()
        yield GaugeMetricFamily(
            "revstream_scorers", "Scoring processes that run with their models loaded.", value=now.alive
        )
        queue = GaugeMetricFamily(
            "revstream_scoring_queue",
            "Revisions that wait for a scoring process, by priority.",
            labels=("priority",),
        )
        for priority, number in now.queued_by_priority.items():
            queue.add_metric((priority,), number)
        yield queue
        yield CounterMetricFamily(
            "revstream_scoring_cpu_seconds", "CPU time that scoring took.", value=now.cpu_seconds
        )
        yield CounterMetricFamily(
            "revstream_scorer_restarts", "Scoring processes that ended and were replaced.", value=now.restarts
        )
        kills = CounterMetricFamily(
            "revstream_scorer_kills",
            "Scoring processes that were ended at a limit of one revision.",
            labels=("limit",),
        )
        kills.add_metric((KillReason.CPU.value,), now.killed_for_cpu)
        kills.add_metric((KillReason.MEMORY.value,), now.killed_for_memory)
        yield kills
        fallbacks = CounterMetricFamily(
            "revstream_engine_fallbacks",
            "How often revscoring's own code computed what the engine has a quicker way for.",
            labels=("way",),
        )
        for way, number in sorted(now.fallbacks.items()):
            fallbacks.add_metric((way,), number)
        yield fallbacks
