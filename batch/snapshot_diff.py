"""Comparing two snapshots: two versions of a model over the same revisions, or two months of one."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

import duckdb
from msgspec import Struct
from msgspec.structs import asdict

from batch.snapshot import Snapshot, open_snapshot
from batch.snapshot_difference import Difference, ModelDifference, ModelPlace, SideModel
from batch.snapshot_files import file_sha256
from batch.snapshot_pairs import ModelFiles, Pairs, score_forms, scratch_database
from batch.snapshot_shift import label_shift
from schemas.errors import SnapshotUnusable
from schemas.prediction import ScoreKind

THRESHOLDS: Final = (0.5, 0.9)
MEMORY_BYTES: Final = 1 << 30
MOST_FLIPS: Final = 100
LARGEST: Final = 20


class DiffOptions(Struct, frozen=True):
    """What is compared, and how much is told.

    Attributes:
        wiki_ids: Wikis to compare; empty for all.
        model_names: Models to compare; empty for all.
        first_version: Of the models in the first snapshot, where it holds several.
        second_version: Of those in the second.
        thresholds: Of which to tell the share above, in [0, 1].
        largest: Revisions to list for each model.
        memory_bytes: What DuckDB may hold before it writes to the scratch folder; about 150 MB come on top.
        scratch: Where the joined rows lie meanwhile; None for the system's temporary folder.
    """

    wiki_ids: tuple[str, ...] = ()
    model_names: tuple[str, ...] = ()
    first_version: str | None = None
    second_version: str | None = None
    thresholds: tuple[float, ...] = THRESHOLDS
    largest: int = LARGEST
    memory_bytes: int = MEMORY_BYTES
    scratch: Path | None = None


_DEFAULTS: Final = DiffOptions()


def diff_snapshots(
    first: Path,
    second: Path,
    *,
    options: DiffOptions = _DEFAULTS,
    tell: Callable[[str], None] | None = None,
) -> Difference:
    """Compare two snapshots.

    Args:
        first: Folder of a snapshot.
        second: Folder of another, or the same where versions are compared.
        options: What to compare.
        tell: Called with a line for each model before it is compared.

    Returns:
        What differs, sorted by wiki and model. Swapped snapshots give the same with sides swapped.

    Raises:
        SnapshotUnusable: One is damaged or no snapshot, or holds several versions of a model of which none is
            chosen; or both have no model of a wiki in common.
        StoreFull: The disk of the scratch folder is full.
        StoreError: The memory allowed is too little.
    """
    snapshots = [open_snapshot(folder) for folder in (first, second)]
    versions = (options.first_version, options.second_version)
    sides = [
        {place: _files(snapshot, place, version, flag) for place in _places(snapshot, options)}
        for snapshot, version, flag in zip(snapshots, versions, ("first", "second"), strict=True)
    ]
    shared = sorted(sides[0].keys() & sides[1].keys())
    if not shared:
        held = " and ".join(
            f"{one.path} holds {_listed(side)}" for one, side in zip(snapshots, sides, strict=True)
        )
        raise SnapshotUnusable(
            f"There is nothing to compare: {held}. Name two snapshots that share a model of a wiki, and no "
            "wiki or model that they lack.",
            path=str(first),
        )
    with scratch_database(options.scratch, memory_bytes=options.memory_bytes) as database:
        models = []
        for place in shared:
            if tell is not None:
                tell(f"comparing {place.model_name} of {place.wiki_id}")
            models.append(_model(database, place, sides[0][place], sides[1][place], options))
    return Difference(
        first=snapshots[0].manifest.name,
        second=snapshots[1].manifest.name,
        models=tuple(models),
        only_first=tuple(sorted(sides[0].keys() - sides[1].keys())),
        only_second=tuple(sorted(sides[1].keys() - sides[0].keys())),
    )


def _model(
    database: duckdb.DuckDBPyConnection,
    place: ModelPlace,
    first: ModelFiles,
    second: ModelFiles,
    options: DiffOptions,
) -> ModelDifference:
    for side in (first, second):
        _check(side)
    forms = [score_forms(database, side) for side in (first, second)]
    labels = tuple(dict.fromkeys(label for form in forms for label in form.labels))
    pairs = Pairs(database, first, second, labels)
    shown = labels
    if {kind for form in forms for kind in form.kinds} == {ScoreKind.BINARY} and "true" in labels:
        shown = ("true",)
    flips, left_out = pairs.flips(MOST_FLIPS)
    return ModelDifference(
        wiki_id=place.wiki_id,
        model_name=place.model_name,
        first=first.model,
        second=second.model,
        **asdict(pairs.counts()),
        outcomes=pairs.outcomes(),
        flips=flips,
        flips_left_out=left_out,
        labels=tuple(label_shift(pairs, label, options.thresholds) for label in shown),
        largest=pairs.largest(shown, options.largest),
    )


def _places(snapshot: Snapshot, options: DiffOptions) -> list[ModelPlace]:
    found = {ModelPlace(file.wiki_id, file.model_name) for file in snapshot.files()}
    return sorted(
        place
        for place in found
        if (not options.wiki_ids or place.wiki_id in options.wiki_ids)
        and (not options.model_names or place.model_name in options.model_names)
    )


def _files(snapshot: Snapshot, place: ModelPlace, version: str | None, flag: str) -> ModelFiles:
    held = sorted(
        {
            (count.model.model_version, count.model.model_sha512)
            for count in snapshot.manifest.counts
            if (count.wiki_id, count.model.model_name) == (place.wiki_id, place.model_name)
        }
    )
    versions = {one for one, _ in held if version in {None, one}}
    if len(versions) != 1:
        known = ", ".join(dict.fromkeys(one for one, _ in held))
        raise SnapshotUnusable(
            f"{snapshot.path} holds {'several versions' if versions else 'no such version'} of "
            f"{place.model_name} of {place.wiki_id}: it has {known}. "
            f"Choose one with --{flag}-version, and the model with --model.",
            path=str(snapshot.path),
        )
    (chosen,) = versions
    return ModelFiles(
        snapshot.path,
        tuple(snapshot.files(wiki_id=place.wiki_id, model_name=place.model_name)),
        SideModel(chosen, tuple(sha512 for one, sha512 in held if one == chosen)),
    )


def _check(side: ModelFiles) -> None:
    """Raise where a file is not the one that was written: silent damage would read as a change of scores."""
    for file in side.files:
        path = side.snapshot / file.path
        try:
            is_whole = path.stat().st_size == file.size_bytes and file_sha256(path) == file.sha256
        except FileNotFoundError:
            is_whole = False
        if not is_whole:
            raise SnapshotUnusable(
                f"{path} is missing, or not what the manifest of its snapshot says. Copy the snapshot again, "
                "or make it anew.",
                path=str(path),
            )


def _listed(side: Iterable[ModelPlace]) -> str:
    return (
        ", ".join(f"{place.model_name} of {place.wiki_id}" for place in side) or "none of what is asked for"
    )
