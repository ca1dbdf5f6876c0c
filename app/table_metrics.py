"""The files of the tables, shown to Prometheus."""

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from tables.file_status import FileStatus
from tables.row_index import Stream

_FIGURES: Final = {
    "keys": ("revstream_table_keys", "About how many keys a partition has, those that find rows included."),
    "disk_bytes": ("revstream_table_disk_bytes", "Size of a partition's files."),
    "memory_bytes": (
        "revstream_table_memory_bytes",
        "Rows not in files yet, and indexes of files, in memory.",
    ),
    "cache_bytes": ("revstream_table_cache_bytes", "Blocks of files in memory."),
    "compaction_bytes": ("revstream_table_compaction_bytes", "Files that wait to be rewritten."),
}


class TableMetrics(Collector):
    """Reads the state of the files when it is asked for. A partition that went elsewhere is told no more.

    Args:
        status: Of the partitions that are open at this moment.
    """

    def __init__(self, status: Callable[[], Mapping[Stream, FileStatus]]) -> None:
        self._status = status

    def collect(self) -> Iterable[Metric]:
        """Yield the metrics."""
        now = self._status()
        for figure, (name, meaning) in _FIGURES.items():
            family = GaugeMetricFamily(name, meaning, labels=("table", "partition"))
            for stream, files in now.items():
                family.add_metric((stream.table, str(stream.partition)), getattr(files, figure))
            yield family
