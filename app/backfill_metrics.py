"""The backfills that succeeded, for Prometheus: as a file, since a job that has ended cannot be asked."""

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from prometheus_client import CollectorRegistry, write_to_textfile
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from batch.snapshot import open_snapshot, snapshots
from schemas.errors import SnapshotUnusable


class BackfillMetrics(Collector):
    """Reads what succeeded from the snapshots below a folder, so that no run forgets what others did.

    Args:
        folder: Of snapshots.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def collect(self) -> Iterable[Metric]:
        """Yield the metrics, of the latest backfill of each wiki whose dumps were read to their end."""
        ended = GaugeMetricFamily(
            "revstream_backfill_last_success_timestamp_seconds",
            "When the latest whole backfill of a wiki ended; in the file of `backfill run --metrics-file`.",
            labels=("wiki_id",),
        )
        rows = GaugeMetricFamily(
            "revstream_backfill_last_success_rows",
            "Scores and errors of the latest whole backfill of a wiki; in the same file.",
            labels=("wiki_id",),
        )
        for wiki_id, (created_dt, number) in sorted(self._latest().items()):
            ended.add_metric((wiki_id,), created_dt.timestamp())
            rows.add_metric((wiki_id,), number)
        return ended, rows

    def _latest(self) -> dict[str, tuple[datetime, int]]:
        found: dict[str, tuple[datetime, int]] = {}
        for path in snapshots(self._folder):
            try:
                manifest = open_snapshot(path).manifest
            except SnapshotUnusable:
                continue
            origin = manifest.origin
            if origin.source != "backfill" or origin.plan.get("defects"):
                continue
            for wiki_id in {one.wiki_id for one in origin.models}:
                number = sum(file.rows for file in manifest.files if file.wiki_id == wiki_id)
                latest = (manifest.created_dt, number)
                found[wiki_id] = max(found.get(wiki_id, latest), latest)
        return found


def write_backfill_metrics(folder: Path, path: Path) -> None:
    """Write the metrics in Prometheus's text form, for the textfile collector of its node exporter.

    Args:
        folder: Of snapshots.
        path: Of the file, which is replaced at once.
    """
    registry = CollectorRegistry()
    registry.register(BackfillMetrics(folder))
    write_to_textfile(str(path), registry)
