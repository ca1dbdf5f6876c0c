"""What it costs to compare two snapshots: rows a second and peak memory, by size and by memory allowed.

``python -m tests.bench.diff`` prints JSON. Both sides hold the same revisions but for a hundredth each; every
thousandth could not be scored, and all scores moved a little. Each comparison runs in a process of its own.
"""

import argparse
import multiprocessing
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter, process_time
from typing import Any, Final

import duckdb
import msgspec

from batch.snapshot_diff import DiffOptions, diff_snapshots
from batch.snapshot_manifest import MANIFEST, Manifest, SnapshotFile, SnapshotOrigin
from batch.snapshot_rows import OutcomeCount
from batch.snapshot_writer import PartitionWriter
from tests.bench.report import emit, peak_rss_bytes

CLASSES: Final = ("B", "C", "FA", "GA", "Start", "Stub")
_PAGE_REVISIONS: Final = 30
_BATCH_ROWS: Final = 65_536


def make_snapshot(path: Path, rows: int, first_rev_id: int, seed: int, labels: int) -> None:
    """Write a snapshot of one model by the real writer.

    Args:
        path: Of the snapshot.
        rows: Scores and failures together.
        first_rev_id: Where its revisions begin.
        seed: Of how scores moved.
        labels: 2 for a model of two labels, 6 for one of six classes.
    """
    files: list[SnapshotFile] = []
    counts: list[OutcomeCount] = []
    for is_errors in (False, True):
        writer = PartitionWriter(path, "enwiki", "model", is_errors=is_errors)
        with duckdb.connect() as database:
            database.execute("SET enable_progress_bar = false")
            asked = database.sql(_rows(rows, first_rev_id, seed, labels, is_errors=is_errors))
            files += writer.write(asked.to_arrow_reader(_BATCH_ROWS))
        counts += (OutcomeCount(*key, rows=count) for key, count in writer.counts.items())
    origin = SnapshotOrigin("backfill", "0.1.0", ())
    manifest = Manifest(
        path.name.partition("=")[2], datetime.now(UTC), origin, tuple(counts), (), tuple(files)
    )
    (path / MANIFEST).write_bytes(msgspec.json.encode(manifest))


def _rows(rows: int, first_rev_id: int, seed: int, labels: int, *, is_errors: bool) -> str:
    names = ("false", "true") if labels == 2 else CLASSES[:labels]
    keys = ", ".join(f"'{name}'" for name in names)
    # Odds from hashes, so that a revision has about the same score on both sides.
    odds = ", ".join(
        f"exp(6 * (hash(rev_id * {labels} + {place}) / 1.8446744073709552e19)"
        f" + 0.2 * (hash(rev_id * {labels} + {place} + {seed} * 1000003) / 1.8446744073709552e19))"
        for place in range(labels)
    )
    outcome = (
        "'content_too_large' AS error_code, 'Too large.' AS error_message"
        if is_errors
        else f"'{'binary' if labels == 2 else 'multiclass'}' AS kind, "
        f"[[{keys}][list_position(odds, list_max(odds))]] AS prediction, "
        f"map([{keys}], list_transform(odds, lambda one: one / list_sum(odds))) AS probability, "
        "[]::VARCHAR[] AS features_missing"
    )
    return f"""
        SELECT page_id, rev_id, NULL::BIGINT AS rev_parent_id,
            make_timestamptz(1700000000000000 + rev_id * 1000000) AS rev_dt, 0::BIGINT AS namespace_id,
            false AS is_bot, '{seed}.0.0' AS model_version, '{"ab" * 64}' AS model_sha512, {outcome},
            make_timestamptz(1780000000000000) AS scored_dt, NULL::VARCHAR AS event_id,
            NULL::VARCHAR AS source_topic, NULL::INTEGER AS source_partition, NULL::BIGINT AS source_offset,
            NULL::TIMESTAMPTZ AS event_dt
        FROM (
            SELECT (rev_id // {_PAGE_REVISIONS} + 1)::BIGINT AS page_id, rev_id, [{odds}] AS odds
            FROM (SELECT unnest(range({first_rev_id}, {first_rev_id + rows}))::BIGINT AS rev_id)
            WHERE (hash(rev_id + {seed} * 7) % 1000 = 0) = {is_errors}
        ) ORDER BY page_id, rev_id
    """


def _compare(first: str, second: str, memory_mb: int) -> dict[str, Any]:
    before = peak_rss_bytes()
    wall, used = perf_counter(), process_time()
    difference = diff_snapshots(Path(first), Path(second), options=DiffOptions(memory_bytes=memory_mb << 20))
    wall, used = perf_counter() - wall, process_time() - used
    (model,) = difference.models
    rows = 2 * model.rows_both + model.rows_first + model.rows_second
    return {
        "memory_mb_allowed": memory_mb,
        "rows_of_both_sides": rows,
        "labels_told": len(model.labels),
        "wall_seconds": round(wall, 2),
        "cpu_seconds": round(used, 2),
        "rows_per_cpu_second": round(rows / used),
        "peak_rss_mb": peak_rss_bytes() >> 20,
        "rss_before_mb": before >> 20,
    }


def main() -> None:
    """Make snapshots, compare them, and print what it cost."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[1_000_000, 5_000_000], help="of one side")
    parser.add_argument("--labels", type=int, choices=(2, 6), nargs="+", default=[2, 6])
    parser.add_argument("--memory-mb", type=int, nargs="+", default=[256, 1024])
    asked = parser.parse_args()
    figures = []
    context = multiprocessing.get_context("spawn")
    for rows in asked.rows:
        for labels in asked.labels:
            with tempfile.TemporaryDirectory() as folder:
                paths = [Path(folder) / f"snapshot={name}" for name in "ab"]
                # Not here: a child's peak begins with what its parent holds.
                with context.Pool(1) as pool:
                    for path, first, seed in zip(paths, (1, 1 + rows // 100), (1, 2), strict=True):
                        pool.apply(make_snapshot, (path, rows, first, seed, labels))
                size = sum(file.stat().st_size for path in paths for file in path.rglob("*.parquet"))
                for memory_mb in asked.memory_mb:
                    with context.Pool(1) as pool:
                        told = pool.apply(_compare, (str(paths[0]), str(paths[1]), memory_mb))
                    figures.append({"labels": labels, "bytes_of_both_sides": size, **told})
    emit("diff", {"comparisons": figures})


if __name__ == "__main__":
    main()
