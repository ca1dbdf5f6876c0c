"""What lies below a folder of snapshots that was never finished, and how it goes away."""

import os
import shutil
from collections.abc import Collection
from pathlib import Path

from msgspec import Struct

from batch.snapshot_draft import UNDONE_PREFIX, locked
from batch.snapshot_manifest import PREFIX
from schemas.errors import SnapshotUnusable


class Draft(Struct, frozen=True):
    """What lies of a snapshot that was never finished.

    Attributes:
        path: Of the draft.
        is_held: Whether a process makes it now.
        chunks: How many chunk files it has.
    """

    path: Path
    is_held: bool
    chunks: int


def drafts(folder: Path) -> list[Draft]:
    """Return the drafts below a folder of snapshots, sorted by name."""
    found = []
    for path in sorted(folder.glob(f"{UNDONE_PREFIX}{PREFIX}*")):
        try:
            os.close(locked(path))
            is_held = False
        except SnapshotUnusable:
            is_held = True
        found.append(Draft(path, is_held, sum(1 for _ in path.glob("chunks/*/*.chunk"))))
    return found


def prune_drafts(folder: Path, names: Collection[str] | None = None) -> list[Path]:
    """Delete drafts that no process makes, with all work that is in them.

    Args:
        folder: Of snapshots.
        names: Of the snapshots that they were to be; None for all that nobody makes.

    Returns:
        What was deleted.

    Raises:
        SnapshotUnusable: One that is named is not there, or a process makes it. Nothing was deleted.
    """
    found = {draft.path.name.removeprefix(UNDONE_PREFIX + PREFIX): draft for draft in drafts(folder)}
    wanted = [name for name in found if not found[name].is_held] if names is None else list(names)
    for name in wanted:
        if name not in found or found[name].is_held:
            raise SnapshotUnusable(
                f"{folder} has no draft of {name} that could be deleted: there is none, or a process makes "
                "it. `revstream snapshot list` names those that there are.",
                name=name,
            )
    gone = [found[name].path for name in wanted]
    for path in gone:
        shutil.rmtree(path)
    return gone
