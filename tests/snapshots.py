"""Rows and snapshots for tests of what a backfill writes."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path

from batch.snapshot_draft import SnapshotDraft
from batch.snapshot_manifest import SnapshotInput, SnapshotModel, SnapshotOrigin
from batch.snapshot_rows import write_chunk
from schemas.prediction import FeatureValue, Outcome, ScoreFailure
from schemas.snapshot_row import SnapshotRow
from tests.rows import REV_DT, binary, model_id

FAILURE = ScoreFailure("parent_not_found", "revision 4, the parent of 5, is hidden")


def snapshot_row(
    rev_id: int = 5,
    outcome: Outcome | None = None,
    *,
    wiki_id: str = "enwiki",
    page_id: int = 7,
    model_name: str = "damaging",
    model_version: str = "1.0.0",
    features: Mapping[str, FeatureValue] | None = None,
    scored_after: timedelta = timedelta(hours=1),
) -> SnapshotRow:
    outcome = binary(0.25) if outcome is None else outcome
    return SnapshotRow(
        wiki_id,
        page_id,
        rev_id,
        rev_id - 1,
        REV_DT + timedelta(seconds=rev_id),
        0,
        False,
        model_id(model_name, model_version),
        outcome,
        None if isinstance(outcome, ScoreFailure) else ("feature.user.is_admin",),
        None if isinstance(outcome, ScoreFailure) else features,
        REV_DT + scored_after,
    )


def origin(rows: Iterable[SnapshotRow] = ()) -> SnapshotOrigin:
    models = sorted({SnapshotModel(row.wiki_id, row.model) for row in rows})
    inputs = (SnapshotInput("enwiki.xml.bz2", 12, "sha256:" + "0" * 64),)
    return SnapshotOrigin("backfill", "0.1.0", tuple(models), inputs, {"namespaces": [0]})


def write_snapshot(folder: Path, *chunks: Sequence[SnapshotRow], name: str = "2026-11-01") -> Path:
    """Write a snapshot of rows, each sequence of them in a chunk of its own."""
    with SnapshotDraft(folder, name) as draft:
        for number, rows in enumerate(chunks):
            write_chunk(draft.chunk_path(0, number), rows)
        return draft.finish(origin(row for rows in chunks for row in rows), threads=1)
