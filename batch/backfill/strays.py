"""Strays: revisions whose parent lies on another page, as after histories were merged or moved.

A part is read page by page, and what it holds is forgotten with the page. So each part only notes which
revisions it saw, and which parents it missed; once all parts are read, `find_strays` says which of the missed
ones are somewhere in the dump after all. Of a dump of current revisions, that is hardly any of very many.
"""

import os
from array import array
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from batch.backfill.plan import Plan, PlannedPart

_HELD: Final = 1 << 16
_BLOCK: Final = 1 << 21
"""Revisions, or missed parents, that are in memory at a time."""
_MISSED_FIELDS: Final = 3

Integers = NDArray[np.int64]


class Stray(Struct, frozen=True, order=True):
    """A revision whose parent was found on another page.

    Attributes:
        part: That the revision is in.
        chunk: Of the part, where it was scored without its parent.
        rev_id: Of the revision.
        parent_part: That the parent is in.
        rev_parent_id: Of the parent.
    """

    part: int
    chunk: int
    rev_id: int
    parent_part: int
    rev_parent_id: int


class StrayNotes:
    """What one part notes. Holds little in memory; counts only once it is kept.

    Args:
        folder: Of the run.
        part: Number of the part.
    """

    def __init__(self, folder: Path, part: int) -> None:
        self._files = [_Numbers(path) for path in _paths(folder, part)]
        self._seen, self._missed = self._files

    def saw(self, rev_id: int) -> None:
        """Note that the part has a revision."""
        self._seen.add(rev_id)

    def missed(self, rev_id: int, rev_parent_id: int, chunk: int) -> None:
        """Note that a revision is in a chunk without its parent."""
        self._missed.add(rev_id, rev_parent_id, chunk)

    def keep(self) -> None:
        """Put the notes where `find_strays` looks, at once or not at all."""
        for file in self._files:
            file.keep()

    def close(self) -> None:
        """Forget what is not kept. Idempotent."""
        for file in self._files:
            file.close()


class _Numbers:
    """A file of integers that appears whole."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._beside = path.with_name(f"{path.name}.{os.getpid()}")
        self._file = self._beside.open("wb")
        self._held = array("q")

    def add(self, *numbers: int) -> None:
        self._held.extend(numbers)
        if len(self._held) >= _HELD:
            self._write()

    def keep(self) -> None:
        self._write()
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        self._beside.replace(self._path)

    def close(self) -> None:
        self._file.close()
        self._beside.unlink(missing_ok=True)

    def _write(self) -> None:
        self._held.tofile(self._file)
        del self._held[:]


def find_strays(plan: Plan, folder: Path) -> list[Stray]:
    """Return the revisions whose parents were missed and lie on other pages, sorted.

    Args:
        plan: All its parts are read.
        folder: Of the run.
    """
    found: list[Stray] = []
    for wiki_id in sorted({one.wiki_id for one in plan.inputs}):
        parts = [part for part in plan.parts if plan.input_of(part).wiki_id == wiki_id]
        for part, missed in _missed_of(parts, folder):
            homes = _homes(np.unique(missed[:, 1]), parts, folder)
            found += (
                Stray(part, chunk, rev_id, homes[parent_id], parent_id)
                for rev_id, parent_id, chunk in missed.tolist()
                if parent_id in homes
            )
    return sorted(found)


def _missed_of(parts: Sequence[PlannedPart], folder: Path) -> Iterator[tuple[int, Integers]]:
    for part in parts:
        numbers = _read(_paths(folder, part.number)[1])
        for begin in range(0, len(numbers), _BLOCK * _MISSED_FIELDS):
            piece = np.array(numbers[begin : begin + _BLOCK * _MISSED_FIELDS])
            yield part.number, piece.reshape(-1, _MISSED_FIELDS)


def _homes(wanted: Integers, parts: Sequence[PlannedPart], folder: Path) -> dict[int, int]:
    """Return the first part that has a revision, of those that are given sorted and that any part has."""
    homes: dict[int, int] = {}
    for part in parts:
        seen = _read(_paths(folder, part.number)[0])
        for begin in range(0, len(seen), _BLOCK):
            piece = np.array(seen[begin : begin + _BLOCK])
            places = np.minimum(np.searchsorted(wanted, piece), len(wanted) - 1)
            for rev_id in piece[wanted[places] == piece].tolist():
                homes.setdefault(rev_id, part.number)
    return homes


def _paths(folder: Path, part: int) -> tuple[Path, Path]:
    return folder / f"plan-part-{part:06d}.seen", folder / f"plan-part-{part:06d}.missed"


def _read(path: Path) -> Any:
    """Return the numbers of a file, which stay there until they are asked for."""
    # A file without bytes cannot be mapped.
    return np.memmap(path, np.int64, "r") if path.stat().st_size else np.empty(0, np.int64)
