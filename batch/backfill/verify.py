"""Scores a share of a snapshot's revisions once more, and compares."""

import asyncio
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from batch.backfill.backfill import Means, begin, run
from batch.backfill.filters import Filters
from batch.backfill.planning import Wish
from batch.backfill.run import Progress
from batch.snapshot import Snapshot, open_snapshot
from batch.snapshot_draft import SnapshotDraft
from schemas.catalogue import ModelInfo
from schemas.errors import BackfillRefused
from schemas.snapshot_row import SnapshotRow

_Key = tuple[str, int, Any]


def rescored(
    path: Path, models: Mapping[str, Mapping[str, ModelInfo]], means: Means, *, share: float
) -> tuple[int, list[str]]:
    """Score a share of the revisions of a backfill once more, out of the same dumps.

    Args:
        path: ``FOLDER/snapshot=NAME``.
        models: By wiki and name, as they answer now; they have to be those of the snapshot.
        means: Of this machine.
        share: Of its revisions, by a hash of their ids.

    Returns:
        How many rows were compared, and what differs, in words.

    Raises:
        BackfillRefused: The snapshot was not made of dumps, or dumps or models have changed since.
        SourceError: A dump is not there any more.
    """
    snapshot = open_snapshot(path)
    with tempfile.TemporaryDirectory(prefix="revstream-verify-") as folder:
        wish = _wish(snapshot, share)
        with SnapshotDraft(Path(folder), wish.snapshot) as draft:
            plan = begin(draft, wish, models)
            told = {(one.wiki_id, one.model) for one in snapshot.manifest.origin.models}
            if {(one.wiki_id, one.id) for one in plan.models} != told:
                raise BackfillRefused(
                    f"{path} was scored by other models or versions than those that answer now; name theirs "
                    "in the setting wikis",
                    path=str(path),
                )
            checksums = {one.checksum for one in snapshot.manifest.origin.inputs}
            if {one.sha256 and f"sha256:{one.sha256}" for one in plan.inputs} != checksums:
                raise BackfillRefused(
                    f"the dumps that {path} was made of have changed since; put the same ones there",
                    path=str(path),
                )
            again = open_snapshot(asyncio.run(run(plan, draft, means, Progress())).path)
        expected = {_key(row): _bare(row) for row in again.rows()}
    compared, different = len(expected), []
    for row in snapshot.rows():
        other = expected.pop(_key(row), None)
        if other is not None and repr(other) != repr(_bare(row)):
            different.append(f"{_words(_key(row))} says {row.outcome}, and now {other.outcome}")
    different += [f"{_words(key)} is not in the snapshot" for key in expected]
    return compared, different


def _wish(snapshot: Snapshot, share: float) -> Wish:
    origin = snapshot.manifest.origin
    if origin.source != "backfill":
        raise BackfillRefused(
            f"{snapshot.path} was made by {origin.source}, so that there are no dumps to score it from"
        )
    filters = msgspec.convert(origin.plan["filters"], Filters)
    wikis = sorted({one.wiki_id for one in origin.models})
    return Wish(
        snapshot="again",
        sources=tuple(one.url for one in origin.inputs),
        wiki_id=wikis[0] if len(wikis) == 1 else None,
        model_names=tuple(sorted({one.model.model_name for one in origin.models})),
        filters=replace(filters, sample=filters.sample * share),
        users=tuple(source for source, _ in origin.plan["users"]),
        with_features=origin.plan["with_features"],
        max_text_bytes=origin.plan["max_text_bytes"],
    )


def _key(row: SnapshotRow) -> _Key:
    return row.wiki_id, row.rev_id, row.model


def _bare(row: SnapshotRow) -> SnapshotRow:
    """Return a row without what differs each time: when it was scored."""
    return replace(row, scored_dt=row.rev_dt)


def _words(key: _Key) -> str:
    return f"{key[0]} revision {key[1]} by {key[2].model_name} {key[2].model_version}"
