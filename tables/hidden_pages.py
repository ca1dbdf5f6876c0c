"""Pages that may be hidden, listed beside the rows, so that not every page's row need be read.

A revision is hidden where the row of its page says so, and few pages ever do. So each row that hides its page
is listed in the files that it lies in, in the same batch, under a growing number: whoever keeps up with the
files of another process reads on from the last number it has seen. Nothing is taken off the list. It only
says which rows are to be read, and those decide: a page that is shown again costs one row more.
"""

from collections import defaultdict
from collections.abc import Sequence
from typing import Final, cast

import numpy as np
import rocksdict
from numpy.typing import NDArray

from schemas.errors import StoreFormatUnsupported
from tables.codec import decode_row, is_never_withdrawn
from tables.withdrawal import is_hidden

NEXT_KEY: Final = b"\0\6hidden_next"
"""Under it lies the number of the next page that is listed."""

_LIST: Final = b"\0\6hidden\0"
_KEY_BEGINS: Final = len(_LIST) + 8
_RECENT_MOST: Final = 4096


class HiddenPages:
    """Pages that may be hidden: all that are, and some that were once. It takes eight bytes for each."""

    def __init__(self) -> None:
        self._wikis: defaultdict[bytes, _Numbers] = defaultdict(_Numbers)

    def add(self, key: bytes) -> None:
        """Add the page of a row key."""
        self._wikis[key[:-8]].add_all([key[-8:]])

    def load(self, db: rocksdict.Rdict, first: int = 0) -> int:
        """Add the pages that some files list.

        Args:
            db: The files.
            first: Number to begin with.

        Returns:
            The first number that is not read yet.
        """
        listed: defaultdict[bytes, list[bytes]] = defaultdict(list)
        for item in db.keys(from_key=list_key(first, b"")):
            key = cast(bytes, item)
            if not key.startswith(_LIST):
                break
            listed[key[_KEY_BEGINS:-8]].append(key[-8:])
            first = int.from_bytes(key[len(_LIST) : _KEY_BEGINS], "big") + 1
        for wiki, numbers in listed.items():
            self._wikis[wiki].add_all(numbers)
        return first

    def among(self, wiki_id: str, page_ids: NDArray[np.int64]) -> list[int]:
        """Return the places of those pages that may be hidden, each once, in any order."""
        numbers = self._wikis.get(wiki_id.encode() + b"\0")
        return [] if numbers is None else numbers.among(page_ids)


class _Numbers:
    """A growing set of numbers in [0, 2**63), most of them sorted."""

    def __init__(self) -> None:
        self._sorted = np.empty(0, np.int64)
        self._recent: set[int] = set()

    def add_all(self, numbers: Sequence[bytes]) -> None:
        """Add numbers in eight bytes each."""
        new = np.frombuffer(b"".join(numbers), ">i8").astype(np.int64)
        if len(new) + len(self._recent) <= _RECENT_MOST:
            self._recent.update(new.tolist())
            return
        new = np.union1d(new, np.array([*self._recent], np.int64))
        new = new[~self._has(new)]
        self._sorted = np.insert(self._sorted, self._sorted.searchsorted(new), new)
        self._recent = set()

    def among(self, numbers: NDArray[np.int64]) -> list[int]:
        found: list[int] = np.flatnonzero(self._has(numbers)).tolist()
        if self._recent:
            asked = numbers.tolist()
            if not self._recent.isdisjoint(asked):
                found += [at for at, number in enumerate(asked) if number in self._recent]
                # One may have been listed before and again lately.
                found = list(dict.fromkeys(found))
        return found

    def _has(self, numbers: NDArray[np.int64]) -> NDArray[np.bool_]:
        if not len(self._sorted):
            return np.zeros(len(numbers), np.bool_)
        places = self._sorted.searchsorted(numbers)
        is_there: NDArray[np.bool_] = self._sorted.take(places, mode="clip") == numbers
        return is_there


def may_hide(row: bytes) -> bool:
    """Tell whether the row of a page hides it, or cannot be read here."""
    if is_never_withdrawn(row):
        return False
    try:
        return is_hidden(decode_row(row))
    except StoreFormatUnsupported:
        return True


def list_key(number: int, key: bytes) -> bytes:
    """Return what lists the page of a row key under a number."""
    return _LIST + number.to_bytes(8, "big") + key
