"""What several processes are and took together, for Prometheus."""

from collections.abc import Iterable
from typing import Final

from prometheus_client import ProcessCollector
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from app.processes.board import Board

_CPU: Final = "process_cpu_seconds"
# What has no sum, and what stands for all.
_OF_ALL: Final = {"process_start_time_seconds": min, "process_max_fds": min}


class ProcessesMetrics(Collector):
    """Collects the processes of one server: how many run, and their memory, CPU time and files together.

    CPU time counts those that are gone as well, so that it never goes back.

    Args:
        board: Of the server.
    """

    def __init__(self, board: Board) -> None:
        self._board = board

    def collect(self) -> Iterable[Metric]:
        """Return the metrics."""
        pids = [pid for pid in self._board.pids() if pid]
        running = GaugeMetricFamily(
            "revstream_serving_processes", "Processes of this server that run, the one that follows included."
        )
        running.add_metric((), len(pids))
        restarts = CounterMetricFamily(
            "revstream_serving_restarts", "Processes of this server that took the place of one that ended."
        )
        restarts.add_metric((), self._board.restarts)
        yield running
        yield restarts
        yield from self._summed(pids)

    def _summed(self, pids: Iterable[int]) -> Iterable[Metric]:
        families: dict[str, tuple[Metric, list[float]]] = {}
        for pid in pids:
            for family in ProcessCollector(pid=lambda pid=pid: pid, registry=None).collect():  # type: ignore[misc]  # a bound default
                _, values = families.setdefault(family.name, (family, []))
                values += [sample.value for sample in family.samples]
        for name, (family, values) in families.items():
            total = _OF_ALL.get(name, sum)(values)
            if name == _CPU:
                total += self._board.gone_cpu_seconds
            summed = type(family)(name, family.documentation)  # type: ignore[call-arg]  # gauges and counters
            summed.add_metric((), total)  # type: ignore[attr-defined]  # both have it
            yield summed
