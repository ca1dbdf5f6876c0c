"""Pairs of snapshots to compare, from outcomes by revision."""

from collections.abc import Mapping
from pathlib import Path

from schemas.prediction import Outcome
from tests.snapshots import snapshot_row, write_snapshot

Outcomes = Mapping[int, Outcome]


def snapshot_of(
    folder: Path,
    name: str,
    outcomes: Outcomes,
    *,
    wiki_id: str = "enwiki",
    model_name: str = "damaging",
    model_version: str = "1.0.0",
) -> Path:
    """Write a snapshot of one model of one wiki; revisions of a hundred are of one page."""
    rows = [
        snapshot_row(
            rev_id,
            outcome,
            wiki_id=wiki_id,
            page_id=rev_id // 100 + 1,
            model_name=model_name,
            model_version=model_version,
        )
        for rev_id, outcome in outcomes.items()
    ]
    return write_snapshot(folder, rows, name=name)
