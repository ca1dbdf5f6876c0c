"""Lists of predictions: of the revisions of a page, and of the newest revisions of a wiki."""

import asyncio
from collections.abc import Callable, Mapping
from functools import lru_cache
from time import monotonic
from typing import Final, Protocol, runtime_checkable

from msgspec import Struct

from schemas.keys import PAGES_TABLE, REVISIONS_TABLE, row_key
from schemas.prediction import PredictionRow
from tables.codec import decode_row, microseconds
from tables.reader import RowSource
from tables.row_index import Place, RowIndex, page_prefix, place_bytes, place_of, time_prefix
from tables.withdrawal import is_hidden, withdrawn

# So many rows are looked at for one list, however few of them belong to it.
_LOOKED_AT_MOST: Final = 5000
# So many of a page's revisions may be withdrawn before the answer says to go on asking.
_WITHDRAWN_MOST: Final = 200
_CHUNK_KEYS: Final = 200
# How long it may hold the event loop.
_SLICE_SECONDS: Final = 0.005


class ListedRows(RowSource, Protocol):
    """Rows that are found in lists as well."""

    def listed(self, prefix: bytes, after: bytes, limit: int) -> list[bytes]:
        """Return what `tables.row_index.RowIndex.listed` does."""
        ...


@runtime_checkable
class IndexedRows(ListedRows, RowIndex, Protocol):
    """Rows that are found in lists, and in the order in which they came."""


class FollowedRows(IndexedRows, Protocol):
    """Such rows, which tell when there are others.

    Attributes:
        rows_changed: Called after rows became visible, or went.
    """

    rows_changed: Callable[[], None]


class RowList(Struct, frozen=True):
    """A part of a list.

    Attributes:
        rows: From the newest to the oldest, each with a score at least. None of them is withdrawn.
        next: Where the list goes on; None at its end. There may be more even where `rows` is empty.
    """

    rows: tuple[PredictionRow, ...]
    next: Place | None


class PredictionLists:
    """Reads lists of predictions.

    The order is that of saving: a revision that was scored late stands where its time puts it.

    Args:
        rows: Where the rows lie.
    """

    def __init__(self, rows: ListedRows) -> None:
        self._rows = rows

    def of_page(
        self, wiki_id: str, page_id: int, *, after: Place | None = None, limit: int
    ) -> RowList | None:
        """Return the scored revisions of a page.

        Args:
            wiki_id: Database name.
            page_id: In [0, 2**63).
            after: Where the part before ended; from the newest on where there was none.
            limit: Most rows, at least 1.

        Returns:
            None where nothing is known of the page.

        Raises:
            PredictionWithdrawn: The page is deleted or hidden.
            ValueError: The ids make no key.
            StoreFormatUnsupported: A row was written by a later version than this one.
        """
        if self._is_page_hidden(wiki_id, page_id):
            raise withdrawn(wiki_id, "page", page_id=page_id)
        prefix, rows = page_prefix(wiki_id, page_id), list[PredictionRow]()
        keys = self._rows.listed(prefix, _key(prefix, after), limit + _WITHDRAWN_MOST)
        # A revision that went to another page may be there before anything is known of that page itself.
        if not keys and self._rows.get(PAGES_TABLE, row_key(wiki_id, page_id)) is None:
            return None
        for number, key in enumerate(keys, 1):
            row = self._shown(wiki_id, place_of(key))
            if row is not None and row.page_id == page_id:
                rows.append(row)
            if len(rows) == limit or number == limit + _WITHDRAWN_MOST:
                is_more = bool(self._rows.listed(prefix, key, 1))
                return RowList(tuple(rows), place_of(key) if is_more else None)
        return RowList(tuple(rows), None)

    async def newest(
        self,
        wiki_id: str,
        wanted: Callable[[PredictionRow], bool],
        *,
        since_us: int | None = None,
        after: Place | None = None,
        limit: int,
    ) -> RowList:
        """Return the newest scored revisions of a wiki that meet a condition.

        At most 5,000 rows are looked at: `RowList.next` says where to go on.

        Args:
            wiki_id: Database name.
            wanted: The condition.
            since_us: Only what was saved at that time or later, in microseconds since 1970.
            after: As of `of_page`.
            limit: As of `of_page`.

        Raises:
            ValueError: As `of_page`.
            StoreFormatUnsupported: As `of_page`.
        """

        def shown(place: Place) -> PredictionRow | None:
            row = self._shown(wiki_id, place)
            if row is None or not wanted(row) or self._is_page_hidden(wiki_id, row.page_id):
                return None
            return row

        return await self._list(time_prefix(wiki_id), after, limit, shown, since_us=since_us)

    async def _list(
        self,
        prefix: bytes,
        after: Place | None,
        limit: int,
        shown: Callable[[Place], PredictionRow | None],
        *,
        since_us: int | None = None,
    ) -> RowList:
        """Collect the rows of a list; those withdrawn while others had their turn are left out in the end."""
        key = _key(prefix, after)
        rows: dict[Place, PredictionRow] = {}
        looked_at, has_waited = 0, False
        deadline = monotonic() + _SLICE_SECONDS
        next_place: Place | None = None
        while next_place is None and (keys := self._rows.listed(prefix, key, _CHUNK_KEYS)):
            for key in keys:
                place = place_of(key)
                if since_us is not None and place.rev_dt_us < since_us:
                    return RowList(_still_shown(rows, shown, has_waited=has_waited), None)
                row = shown(place)
                if row is not None:
                    rows[place] = row
                looked_at += 1
                if len(rows) == limit or looked_at == _LOOKED_AT_MOST:
                    next_place = place
                    break
                if monotonic() > deadline:
                    has_waited = True
                    await asyncio.sleep(0)
                    deadline = monotonic() + _SLICE_SECONDS
        if next_place is not None and not self._rows.listed(prefix, key, 1):
            next_place = None
        return RowList(_still_shown(rows, shown, has_waited=has_waited), next_place)

    def _shown(self, wiki_id: str, place: Place) -> PredictionRow | None:
        """Return a row by its place in a list; None where it has another place by now, or is withdrawn."""
        held = self._rows.get(REVISIONS_TABLE, row_key(wiki_id, place.rev_id))
        row = None if held is None else decode_row(held)
        if row is None or not row.scores or is_hidden(row) or microseconds(row.rev_dt) != place.rev_dt_us:
            return None
        return row

    def _is_page_hidden(self, wiki_id: str, page_id: int) -> bool:
        page = self._rows.get(PAGES_TABLE, row_key(wiki_id, page_id))
        return page is not None and _says_hidden(page)


def _key(prefix: bytes, after: Place | None) -> bytes:
    return prefix if after is None else prefix + place_bytes(after)


# A page's revisions stand close together.
@lru_cache(maxsize=256)
def _says_hidden(row: bytes) -> bool:
    return is_hidden(decode_row(row))


def _still_shown(
    rows: Mapping[Place, PredictionRow], shown: Callable[[Place], PredictionRow | None], *, has_waited: bool
) -> tuple[PredictionRow, ...]:
    if not has_waited:
        return tuple(rows.values())
    return tuple(row for place in rows if (row := shown(place)) is not None)
