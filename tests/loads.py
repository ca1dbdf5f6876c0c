"""Snapshots for tests of loading, made of rows that a test names."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any
from uuid import uuid4

from agents.embedded.house import backlog
from batch.loaded_records import load_records
from batch.snapshot import open_snapshot
from batch.snapshot_draft import SnapshotDraft
from batch.snapshot_manifest import SnapshotOrigin
from batch.snapshot_rows import write_chunk
from schemas.prediction import ModelId, Outcome, Score, ScoreKind
from schemas.snapshot_row import SnapshotRow
from tests.pipelines import RunningPipeline
from tests.until import until

SCORED = datetime(2026, 11, 2, 12, tzinfo=UTC)
SAVED = datetime(2020, 1, 1, tzinfo=UTC)
_CHUNK_ROWS = 20_000


def chance(probability: float) -> Score:
    """Return the answer of a binary model."""
    label = "true" if probability > 0.5 else "false"
    return Score(ScoreKind.BINARY, (label,), {"false": 1 - probability, "true": probability})


def scored(
    rev_id: int,
    outcome: Outcome | None = None,
    *,
    page_id: int = 31,
    model_name: str = "damaging",
    model_version: str = "0.5.1",
    **fields: Any,
) -> SnapshotRow:
    """Return what a model of a backfill said of a revision, saved as many seconds into 2020 as its number."""
    given: dict[str, Any] = {
        "wiki_id": "mosswiki",
        "page_id": page_id,
        "rev_id": rev_id,
        "rev_parent_id": None,
        "rev_dt": SAVED + timedelta(seconds=rev_id),
        "namespace_id": 0,
        "is_bot": False,
        "model": ModelId(model_name, model_version, "ab" * 64),
        "outcome": chance((rev_id % 997) / 997) if outcome is None else outcome,
        "features_missing": (),
        "features": None,
        "scored_dt": SCORED,
    }
    return SnapshotRow(**(given | fields))


async def load(given: RunningPipeline, folder: Path, *rows: SnapshotRow, name: str = "2026-11-01") -> None:
    """Take the rows of a snapshot into the tables of a pipeline, by way of its log."""
    path = write_snapshot(folder / f"snapshots-{uuid4()}", name, rows)
    for one in load_records(open_snapshot(path), lambda *_: 0, with_errors=True):
        await (await given.app.producer.send(given.loads.topic, None, one.record, one.partition, None, None))
    await until(lambda: backlog(given.log, given.loads.topic, given.app.conf.id) == 0)
    await given.until_done()


def write_snapshot(folder: Path, name: str, rows: Iterable[SnapshotRow]) -> Path:
    """Write a snapshot; return where it is."""
    with SnapshotDraft(folder, name) as draft:
        for number, some in enumerate(_chunks(iter(rows))):
            write_chunk(draft.chunk_path(0, number), some)
        return draft.finish(SnapshotOrigin("backfill", "0.1.0", ()))


def _chunks(rows: Iterator[SnapshotRow]) -> Iterator[list[SnapshotRow]]:
    while some := list(islice(rows, _CHUNK_ROWS)):
        yield some
