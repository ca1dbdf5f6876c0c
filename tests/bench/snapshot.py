"""What it costs to write rows to chunk files, to make a snapshot of them, to verify it, and to look one up.

``python -m tests.bench.snapshot`` prints JSON. Rows are those of two models about revisions of a wiki whose
pages come in the order of a dump; every fiftieth could not be scored. Finishing is done in a process of its
own, whose peak memory is told; a look-up by revision reads one of them in a file through DuckDB.
"""

import argparse
import multiprocessing
import random
import tempfile
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import perf_counter, process_time
from typing import Any, Final

import duckdb
import pyarrow.parquet as pq

from batch.snapshot import open_snapshot
from batch.snapshot_draft import MEMORY_BYTES, SnapshotDraft
from batch.snapshot_manifest import SnapshotOrigin
from batch.snapshot_rows import write_chunk
from batch.snapshot_verify import verify_snapshot
from schemas.prediction import FeatureValue, ModelId, Outcome, Score, ScoreFailure, ScoreKind
from schemas.snapshot_row import SnapshotRow
from tests.bench.report import emit, peak_rss_bytes

MODELS: Final = tuple(ModelId(name, "0.5.1", "ab" * 64) for name in ("damaging", "goodfaith"))
CHUNK_REVISIONS: Final = 1500
PAGE_REVISIONS: Final = 30
_BEGIN: Final = datetime(2005, 1, 1, tzinfo=UTC)


def chunks(revisions: int, features: int) -> Iterator[list[SnapshotRow]]:
    """Yield the rows of as many revisions, chunk by chunk, in the order of a dump."""
    chance = random.Random(7)
    names = [f"feature.revision.number_{number}" for number in range(features)]
    rows: list[SnapshotRow] = []
    # Edits of a page lie years apart, so its revisions' ids span nearly all of the wiki's.
    ids = list(range(1, revisions + 1))
    chance.shuffle(ids)
    for start in range(0, revisions, PAGE_REVISIONS):
        page_id, parent = 7 + start // PAGE_REVISIONS * 3, None
        for rev_id in sorted(ids[start : start + PAGE_REVISIONS]):
            values: dict[str, FeatureValue] = {
                name: chance.random() if place % 3 else chance.randrange(1000)
                for place, name in enumerate(names)
            }
            rows += _scored(page_id, rev_id, parent, values or None, chance)
            parent = rev_id
        if len(rows) >= CHUNK_REVISIONS * len(MODELS):
            yield rows
            rows = []
    if rows:
        yield rows


def _scored(
    page_id: int,
    rev_id: int,
    parent: int | None,
    features: dict[str, FeatureValue] | None,
    chance: random.Random,
) -> Iterator[SnapshotRow]:
    rev_dt = _BEGIN + timedelta(seconds=61 * rev_id)
    scored_dt = datetime(2026, 11, 1, tzinfo=UTC) + timedelta(microseconds=1000 * rev_id)
    is_bot = chance.random() < 0.1
    for model in MODELS:
        true = chance.random()
        label = "true" if true > 0.5 else "false"
        outcome: Outcome = Score(ScoreKind.BINARY, (label,), {"true": true, "false": 1 - true})
        if rev_id % 50 == 0:
            outcome = ScoreFailure(
                "parent_not_found", f"revision {parent}, the parent of {rev_id}, is hidden"
            )
        missing = (
            None
            if isinstance(outcome, ScoreFailure)
            else ("feature.temporal.user.seconds_since_registration",)
        )
        yield SnapshotRow(
            "enwiki", page_id, rev_id, parent, rev_dt, 0, is_bot, model, outcome, missing, features, scored_dt
        )


def finish(folder: Path, memory_bytes: int) -> dict[str, float]:
    """Make a snapshot of the chunks that are there; return what it cost."""
    with SnapshotDraft(folder, "bench") as draft:
        before = peak_rss_bytes()
        wall, cpu = perf_counter(), process_time()
        draft.finish(SnapshotOrigin("backfill", "0", ()), memory_bytes=memory_bytes)
        return {
            "wall_seconds": perf_counter() - wall,
            "cpu_seconds": process_time() - cpu,
            "peak_rss_bytes": peak_rss_bytes(),
            "peak_rss_bytes_before": before,
        }


def verify(folder: Path) -> dict[str, float]:
    """Verify the snapshot; return what it cost."""
    wall, cpu = perf_counter(), process_time()
    findings = verify_snapshot(folder / "snapshot=bench")
    return {
        "wall_seconds": perf_counter() - wall,
        "cpu_seconds": process_time() - cpu,
        "peak_rss_bytes": peak_rss_bytes(),
        "findings": len(findings),
    }


def in_a_process_of_its_own(work: Callable[..., dict[str, float]], *arguments: Any) -> dict[str, float]:
    """Return what some work gives that is done in a new process."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(work, arguments)


def look_ups(path: Path, revisions: Sequence[int]) -> dict[str, float]:
    """Look revisions up, one by one, in the scores of one model; return the time and what it reads."""
    (file, *_) = open_snapshot(path).files(model_name="damaging", is_errors=False)
    target = path / file.path
    groups = pq.read_metadata(target).num_row_groups
    seconds = []
    read = 0
    with duckdb.connect(":memory:", config={"threads": 1}) as database:
        for rev_id in revisions:
            began = perf_counter()
            database.execute(
                "SELECT probability FROM read_parquet(?) WHERE rev_id = ?", [str(target), rev_id]
            ).fetchall()
            seconds.append(perf_counter() - began)
            probed = database.execute(
                "SELECT * FROM parquet_bloom_probe(?, 'rev_id', ?)", [str(target), rev_id]
            )
            read += sum(not excludes for *_, excludes in probed.fetchall())
    return {
        "look_ups": len(revisions),
        "median_milliseconds": sorted(seconds)[len(seconds) // 2] * 1000,
        "row_groups": groups,
        "row_groups_read_by_look_up": read / len(revisions),
    }


def measure(folder: Path, revisions: int, features: int, memory_bytes: int) -> dict[str, Any]:
    """Write, finish, verify and look up; return all figures."""
    rows = chunk_bytes = 0
    cpu = wall = 0.0
    with SnapshotDraft(folder, "bench") as draft:
        for number, chunk in enumerate(chunks(revisions, features)):
            path = draft.chunk_path(0, number)
            began, began_cpu = perf_counter(), process_time()
            write_chunk(path, chunk)
            wall, cpu = wall + perf_counter() - began, cpu + process_time() - began_cpu
            rows += len(chunk)
            chunk_bytes += path.stat().st_size
    finished = in_a_process_of_its_own(finish, folder, memory_bytes)
    verified = in_a_process_of_its_own(verify, folder)
    path = folder / "snapshot=bench"
    size = sum(file.size_bytes for file in open_snapshot(path).manifest.files)
    asked = random.Random(11).sample(range(1, revisions + 1), min(revisions, 50))
    return {
        "rows": rows,
        "features": features,
        "memory_limit_bytes": memory_bytes,
        "chunk_cpu_microseconds_per_row": cpu / rows * 1e6,
        "chunk_wall_microseconds_per_row": wall / rows * 1e6,
        "chunk_bytes_per_row": chunk_bytes / rows,
        "snapshot_bytes_per_row": size / rows,
        "finish": finished,
        "finish_cpu_microseconds_per_row": finished["cpu_seconds"] / rows * 1e6,
        "rows_per_cpu_second": rows / (cpu + finished["cpu_seconds"]),
        "verify": verified,
        "look_up": look_ups(path, asked),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--features", type=int, default=0, help="numbers a row, as columns")
    parser.add_argument("--memory-bytes", type=int, default=MEMORY_BYTES)
    parser.add_argument("--folder", type=Path, default=None, help="on the disk to measure")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        revisions = options.rows // len(MODELS)
        emit("snapshot", measure(Path(folder), revisions, options.features, options.memory_bytes))


if __name__ == "__main__":
    main()
