"""Keys beside the rows that find them by page, by time, and in the order in which they came.

They lie in the files of the rows and are written in the same batch, so that nothing is found that is not
there, and nothing is there that is not found. They only propose: whoever reads them reads the row as well,
which knows whether it is withdrawn, and passes over a key whose row has another time or page by now. They
hold ids and times, which the row of something suppressed keeps too, and no scores. The pages that may be
hidden, see `tables.hidden_pages`, are listed among them.

All begin with a NUL, which no key of a row does. Numbers are big-endian; where the newest is to come first,
they count down from the greatest.
"""

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from struct import Struct as Layout
from typing import Final, NamedTuple, Protocol, cast

import rocksdict

from schemas.errors import StoreFormatUnsupported
from schemas.keys import PAGES_TABLE, REVISIONS_TABLE
from tables.codec import row_head
from tables.hidden_pages import NEXT_KEY, HiddenPages, list_key, may_hide

ARRIVALS_KEPT: Final = 10_000
"""So far back, in offsets of the changelog, each partition keeps the order in which rows came."""

_BY_PAGE: Final = b"\0\1"
_BY_TIME: Final = b"\0\2"
_ARRIVAL: Final = b"\0\3"
_FLOOR: Final = b"\0\4"
_HEAD: Final = b"\0\5"
_VERSION_KEY: Final = b"\0\6index"
_VERSION: Final = b"2"
# Without a list of pages that may be hidden: of files that have no pages, and of all that were written before
# there were lists. A version from then leaves it behind, so that what it did not list is known by it.
_VERSION_WITHOUT_LIST: Final = b"1"
UNKNOWN_ROWS: Final = (_VERSION_KEY, None)
"""What belongs to rows of a later version: a key to drop, so that it makes the index anew once it runs."""

_ROWS_BEGIN: Final = b"\0\7"
_TABLES: Final = {REVISIONS_TABLE: b"r", PAGES_TABLE: b"p"}
_TRIM_EVERY: Final = ARRIVALS_KEPT // 4
_BUILD_ROWS: Final = 10_000
_MIDDLE: Final = 1 << 63
_DOWN: Final = _MIDDLE - 1
_PLACE: Final = Layout(">QQ")


class Place(NamedTuple):
    """Where a revision stands in a list, by the time of saving and then by number.

    Attributes:
        rev_dt_us: Microseconds since 1970.
        rev_id: In [0, 2**63).
    """

    rev_dt_us: int
    rev_id: int


class Stream(NamedTuple):
    """One partition of one table, whose rows come in the order of its changelog.

    Attributes:
        table: ``revisions`` or ``pages``.
        partition: From 0.
    """

    table: str
    partition: int


class Arrival(NamedTuple):
    """A row that came, or changed.

    Attributes:
        offset: Of its record in the changelog.
        key: Of the row.
        is_quiet: Whether nobody is told: it came with a snapshot.
    """

    offset: int
    key: bytes
    is_quiet: bool = False


class RowIndex(Protocol):
    """Finds rows that are shown."""

    def listed(self, prefix: bytes, after: bytes, limit: int) -> list[bytes]:
        """Return the first keys with a prefix that are greater than a key, sorted.

        Args:
            prefix: Of `page_prefix` or `time_prefix`.
            after: Begins with the prefix, or is it.
            limit: Most keys to return.
        """
        ...

    def heads(self) -> Mapping[Stream, int]:
        """Return how far each stream has come: rows of all records up to that offset are shown."""
        ...

    def floor(self, stream: Stream) -> int:
        """Return the offset up to which the order of arrival is not known any more; -1 where all is."""
        ...

    def arrived(self, stream: Stream, after: int, limit: int) -> list[Arrival]:
        """Return the first arrivals beyond an offset, in order; beyond the head there may be some."""
        ...


def page_prefix(wiki_id: str, page_id: int) -> bytes:
    """Return what the keys of a page's revisions begin with; they sort from the newest to the oldest."""
    return _BY_PAGE + wiki_id.encode() + b"\0" + (page_id + _MIDDLE).to_bytes(8, "big")


def time_prefix(wiki_id: str) -> bytes:
    """Return what the keys of a wiki's revisions begin with; they sort from the newest to the oldest."""
    return _BY_TIME + wiki_id.encode() + b"\0"


def place_bytes(place: Place) -> bytes:
    """Return what the key of a place ends with."""
    return _PLACE.pack(_DOWN - place.rev_dt_us, _DOWN - place.rev_id)


def place_of(key: bytes) -> Place:
    """Return the place that a key of either list ends with."""
    rev_dt_down, rev_id_down = _PLACE.unpack(key[-16:])
    return Place(_DOWN - rev_dt_down, _DOWN - rev_id_down)


class Indexer:
    """Adds to a batch of rows the keys that find them.

    Args:
        table: That the rows are of.
        get: Returns what is under a key of the files.
        hidden: Takes the pages that are listed, before the batch is written.
    """

    def __init__(
        self, table: str, get: Callable[[bytes], bytes | None], hidden: HiddenPages | None = None
    ) -> None:
        self._table = table
        self._get = get
        self._hidden = hidden
        self._next_hidden: int | None = None
        self._kept_from: dict[int, int] = {}
        self._quiet: dict[int, int] = {}

    def add(self, batch: rocksdict.WriteBatch, key: bytes, row: bytes) -> None:
        """Add the keys of a row; drop them where it has no score. List the page that a row hides.

        Args:
            batch: That the row is in.
            key: Of the row in its table.
            row: In bytes.
        """
        if self._table == REVISIONS_TABLE:
            try:
                keys, has_scores = _keys(key, row)
            except StoreFormatUnsupported:
                # Of a later version, which makes the index anew once it runs here.
                batch.delete(_VERSION_KEY)
                return
            for each in keys:
                if has_scores:
                    batch.put(each, b"")
                else:
                    batch.delete(each)
        elif may_hide(row):
            if self._hidden is not None:
                self._hidden.add(key)
            number = self._next_hidden
            if number is None:
                number = int(self._get(NEXT_KEY) or 1)
            batch.put(list_key(number, key), b"")
            batch.put(NEXT_KEY, b"%d" % (number + 1))
            self._next_hidden = number + 1

    def drop(self, batch: rocksdict.WriteBatch, key: bytes, former: bytes | None) -> None:
        """Drop the keys of a row that is deleted, which was ``former``."""
        if self._table == REVISIONS_TABLE and former is not None:
            with contextlib.suppress(StoreFormatUnsupported):
                for each in _keys(key, former)[0]:
                    batch.delete(each)

    def arrive(
        self,
        batch: rocksdict.WriteBatch,
        partition: int,
        offset: int,
        key: bytes,
        *,
        is_quiet: bool = False,
    ) -> None:
        """Add that a row came, and drop what came long before it.

        What is quiet is not added, and drives out nothing of what is told, as far as this process knows.
        """
        if is_quiet:
            self._quiet[partition] = self._quiet.get(partition, 0) + 1
            return
        begins = _ARRIVAL + _stream_bytes(self._table, partition)
        batch.put(begins + offset.to_bytes(8, "big"), key)
        kept_from = self._kept_from.get(partition)
        if kept_from is None:
            kept_from = self._kept_from[partition] = self.floor(partition) + 1
        quiet = self._quiet.get(partition, 0)
        first = offset - ARRIVALS_KEPT - quiet
        if first - kept_from >= _TRIM_EVERY:
            # Which of those that go were quiet is not known; too few of them only keep more.
            self._quiet[partition] = max(0, quiet - (first - kept_from))
            batch.delete_range(begins + kept_from.to_bytes(8, "big"), begins + first.to_bytes(8, "big"))
            self.set_floor(batch, partition, first - 1)

    def set_head(self, batch: rocksdict.WriteBatch, partition: int, offset: int) -> None:
        """Add how far the rows of a partition have come, for files that do not keep it elsewhere."""
        batch.put(_HEAD + _stream_bytes(self._table, partition), b"%d" % offset)

    def set_floor(self, batch: rocksdict.WriteBatch, partition: int, offset: int) -> None:
        """Add that the order of arrival is not known up to an offset."""
        self._kept_from[partition] = offset + 1
        batch.put(*noted_floor(self._table, partition, offset))

    def begin_anew(
        self, batch: rocksdict.WriteBatch, partition: int, offset: int, arrivals: Iterable[tuple[int, bytes]]
    ) -> None:
        """Add that the order of arrival is known from behind an offset, and is this: offsets and keys."""
        begins = _ARRIVAL + _stream_bytes(self._table, partition)
        if offset >= 0:
            batch.delete_range(begins, begins + (offset + 1).to_bytes(8, "big"))
        self.set_floor(batch, partition, offset)
        for at, key in arrivals:
            batch.put(begins + at.to_bytes(8, "big"), key)

    def floor(self, partition: int) -> int:
        """Return what `set_floor` told; -1 where it never did."""
        told = self._get(_FLOOR + _stream_bytes(self._table, partition))
        return -1 if told is None else int(told)


def has_index(table: str) -> bool:
    """Tell whether rows of a table are found by an index."""
    return table in _TABLES


def rows_of(db: rocksdict.Rdict) -> Iterator[tuple[bytes, bytes]]:
    """Yield all that is in some files but the keys of an index, sorted."""
    return cast(Iterator[tuple[bytes, bytes]], db.items(from_key=_ROWS_BEGIN))


def unindexed(db: rocksdict.Rdict, tables: Iterable[str]) -> list[str]:
    """Return those of the tables in some files of which these have no whole index."""
    version = db.get(_VERSION_KEY)
    if version == _VERSION:
        return []
    return [table for table in tables if version != _VERSION_WITHOUT_LIST or table != REVISIONS_TABLE]


def keeps_arrivals(db: rocksdict.Rdict) -> bool:
    """Return whether some files have any index, and so the order in which rows came."""
    return db.get(_VERSION_KEY) is not None


def has_hidden_pages(db: rocksdict.Rdict) -> bool:
    """Return whether some files list all pages that may be hidden."""
    return db.get(_VERSION_KEY) == _VERSION


def build(
    db: rocksdict.Rdict,
    indexers: Iterable[tuple[Indexer, Iterable[tuple[bytes, bytes]]]],
    *,
    has_pages: bool = True,
) -> int:
    """Make the index of rows that lie in some files, and return how many there were. Blocks.

    Takes about 5 s a million. Whoever dies in between begins again.

    Args:
        db: The files.
        indexers: Of each table in them that `unindexed` told, with its rows: key and row.
        has_pages: Whether rows of pages lie in them.
    """
    count = 0
    batch = rocksdict.WriteBatch(raw_mode=True)
    for indexer, rows in indexers:
        for key, row in rows:
            indexer.add(batch, key, row)
            count += 1
            if count % _BUILD_ROWS == 0:
                db.write(batch)
                batch = rocksdict.WriteBatch(raw_mode=True)
    batch.put(_VERSION_KEY, _VERSION if has_pages else _VERSION_WITHOUT_LIST)
    db.write(batch)
    return count


def found_by(table: str, key: bytes, row: bytes) -> Mapping[bytes, bytes | None]:
    """Return what `Indexer.add` adds for a row; None where it drops a key.

    Raises:
        StoreFormatUnsupported: The row is of a later version: `UNKNOWN_ROWS` belongs to it.
    """
    if table != REVISIONS_TABLE:
        # Who takes the files in reads the list from its beginning.
        return {list_key(0, key): b""} if may_hide(row) else {}
    keys, has_scores = _keys(key, row)
    return dict.fromkeys(keys, b"" if has_scores else None)


def noted_floor(table: str, partition: int, offset: int) -> tuple[bytes, bytes]:
    """Return what `Indexer.set_floor` adds."""
    return _FLOOR + _stream_bytes(table, partition), b"%d" % offset


def heads(db: rocksdict.Rdict) -> dict[Stream, int]:
    """Return what `Indexer.set_head` has told, of some files."""
    tables = {letter: table for table, letter in _TABLES.items()}
    found = {}
    for item in db.items(from_key=_HEAD):
        key, value = cast(tuple[bytes, bytes], item)
        if not key.startswith(_HEAD):
            break
        name = key[len(_HEAD) :]
        found[Stream(tables[name[:1]], int.from_bytes(name[1:], "big"))] = int(value)
    return found


def floor(db: rocksdict.Rdict, stream: Stream) -> int:
    """Return what `RowIndex.floor` does, of some files."""
    told = db.get(_FLOOR + _stream_bytes(*stream))
    return -1 if told is None else int(told)


def listed(db: rocksdict.Rdict, prefix: bytes, after: bytes, limit: int) -> list[bytes]:
    """Return what `RowIndex.listed` does, of some files."""
    found: list[bytes] = []
    for item in db.keys(from_key=after + b"\0" if after > prefix else prefix):
        key = cast(bytes, item)
        if len(found) == limit or not key.startswith(prefix):
            break
        found.append(key)
    return found


def arrived(db: rocksdict.Rdict, stream: Stream, after: int, limit: int) -> list[Arrival]:
    """Return what `RowIndex.arrived` does, of some files."""
    begins = _ARRIVAL + _stream_bytes(*stream)
    found: list[Arrival] = []
    for item in db.items(from_key=begins + (after + 1).to_bytes(8, "big")):
        key, value = cast(tuple[bytes, bytes], item)
        if len(found) == limit or not key.startswith(begins):
            break
        found.append(Arrival(int.from_bytes(key[len(begins) :], "big"), value))
    return found


def _keys(key: bytes, row: bytes) -> tuple[tuple[bytes, bytes], bool]:
    page_id, rev_dt_us, has_scores = row_head(row)
    wiki = key[:-8]
    place = _PLACE.pack(_DOWN - rev_dt_us, _DOWN - int.from_bytes(key[-8:], "big"))
    by_page = _BY_PAGE + wiki + (page_id + _MIDDLE).to_bytes(8, "big") + place
    return (by_page, _BY_TIME + wiki + place), has_scores


def _stream_bytes(table: str, partition: int) -> bytes:
    return _TABLES[table] + partition.to_bytes(4, "big")
