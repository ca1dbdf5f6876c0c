"""Runs of changelog records, turned into sorted files that RocksDB takes in whole.

A record that is written by itself goes through RocksDB's log and its memory; a run of a hundred thousand is
sorted once, by whoever has the time, and costs the process that owns the partition next to nothing. The last
record of a key in a run is its row. What finds the rows and the offset that they stand for lie in the same
file, so that a crash leaves all of a run or nothing.
"""

from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import rocksdict
from msgspec import Struct

from schemas.errors import StoreFormatUnsupported
from tables.changelog import TopicReader, TopicRecord
from tables.hidden_pages import HiddenPages
from tables.partition_files import OFFSET_KEY, ingest_file, named, write_sorted
from tables.row_index import ARRIVALS_KEPT, UNKNOWN_ROWS, Indexer, found_by, has_index, noted_floor

_READ_RECORDS: Final = 5000
_READ_SECONDS: Final = 1.0
_RECORDS_MOST: Final = 200_000
_BYTES_MOST: Final = 64 << 20


class Stretch(Struct, frozen=True):
    """What is to be read of one partition of one changelog.

    Attributes:
        table: Whose changelog it is.
        topic: The changelog.
        partition: From 0.
        first: Offset of the first record.
        end: Offset behind the last one.
    """

    table: str
    topic: str
    partition: int
    first: int
    end: int


class Run(Struct, frozen=True):
    """What a run of records came to, beside the file of its rows.

    Attributes:
        next_offset: The first offset behind it.
        records: How many there were.
        deleted: Keys of the rows that it deletes.
        arrivals: The last of those of which feeds tell: offset and key.
        told: How many of those there were in all.
    """

    next_offset: int
    records: int
    deleted: Sequence[bytes]
    arrivals: Sequence[tuple[int, bytes]]
    told: int


class Gathered:
    """Records of one partition as they are gathered for one file.

    Args:
        table: That they are of.
        partition: Its number.
    """

    def __init__(self, table: str, partition: int) -> None:
        self._table = table
        self._partition = partition
        self._rows: dict[bytes, bytes | None] = {}
        self._arrivals: deque[tuple[int, bytes]] = deque(maxlen=ARRIVALS_KEPT)
        self._records = self._told = self._bytes = 0

    @property
    def is_full(self) -> bool:
        """Whether memory is short for more."""
        return self._records >= _RECORDS_MOST or self._bytes >= _BYTES_MOST

    def add(self, records: Sequence[TopicRecord]) -> None:
        """Add the next records."""
        rows, arrivals = self._rows, self._arrivals
        for record in records:
            key = record.key
            if key is None:
                continue
            rows[key] = record.value
            self._bytes += len(key) + len(record.value or b"")
            if not record.is_quiet:
                arrivals.append((record.offset, key))
                self._told += 1
        self._records += len(records)

    def write(self, path: Path, next_offset: int) -> Run:
        """Write the file. Blocks for about 10 µs a record.

        Args:
            path: Of the file.
            next_offset: The first offset that is not in it, at least 1.

        Raises:
            StoreError: It cannot be written.
        """
        rows = self._rows
        found: dict[bytes, bytes | None] = {}
        if has_index(self._table):
            # Until the arrivals are told as well, see `RunTaker.finish`, nobody may count on those before.
            found.update((noted_floor(self._table, self._partition, next_offset - 1),))
            for key, row in rows.items():
                if row is not None:
                    try:
                        found.update(found_by(self._table, key, row))
                    except StoreFormatUnsupported:
                        found.update((UNKNOWN_ROWS,))
        deleted = [key for key, row in rows.items() if row is None]
        found[OFFSET_KEY] = b"%d" % (next_offset - 1)
        write_sorted(path, sorted((rows | found).items()))
        return Run(next_offset, self._records, deleted, list(self._arrivals), self._told)


async def gather(reader: TopicReader, stretch: Stretch) -> tuple[Gathered, int]:
    """Read records from the beginning of a stretch until memory is short, or all are read.

    Returns:
        The records, and the offset behind them.

    Raises:
        BrokerUnavailable: The log cannot be read.
    """
    gathered, at = Gathered(stretch.table, stretch.partition), stretch.first
    while at < stretch.end and not gathered.is_full:
        records = await reader.read(
            stretch.topic, {stretch.partition: at}, limit=_READ_RECORDS, timeout_seconds=_READ_SECONDS
        )
        below = [record for record in records if record.offset < stretch.end]
        if not below:
            return gathered, stretch.end  # The rest was compacted away.
        gathered.add(below)
        at = below[-1].offset + 1
    return gathered, at


class RunTaker:
    """Takes runs into the files of one partition, in their order.

    Args:
        db: The files. What they hold already, stays.
        path: Of the files.
        table: That they are of.
        partition: Its number.
        hidden: Takes the pages that are listed as hidden.
    """

    def __init__(
        self,
        db: rocksdict.Rdict,
        path: Path,
        table: str,
        partition: int,
        *,
        hidden: HiddenPages | None = None,
    ) -> None:
        self._db = db
        self._hidden = hidden
        self._path = path
        self._partition = partition
        self._indexer = Indexer(table, db.get) if has_index(table) else None
        self._floor = -1 if self._indexer is None else self._indexer.floor(partition)
        self._arrivals: deque[tuple[int, bytes]] = deque(maxlen=ARRIVALS_KEPT)
        self._told = 0

    def take(self, run: Run, file: Path) -> None:
        """Take a run in, all or nothing.

        Args:
            run: The next.
            file: Its rows, on the same disk; it goes away.

        Raises:
            StoreError: It cannot be taken in.
        """
        if self._indexer is not None and run.deleted:
            # What finds a row is known from the row alone. Who dies now finds the same again: nothing.
            batch = rocksdict.WriteBatch(raw_mode=True)
            for key in run.deleted:
                self._indexer.drop(batch, key, self._db.get(key))
            self._write(batch)
        ingest_file(self._db, self._path, file)
        if self._hidden is not None:
            self._hidden.load(self._db)
        self._arrivals += run.arrivals
        self._told += run.told

    def finish(self) -> None:
        """Tell in which order the last rows came. Before this, nobody knows of any.

        Raises:
            StoreError: It cannot be written.
        """
        if self._indexer is not None:
            if self._told > len(self._arrivals):
                self._floor = self._arrivals[0][0] - 1
            batch = rocksdict.WriteBatch(raw_mode=True)
            self._indexer.begin_anew(batch, self._partition, self._floor, self._arrivals)
            self._write(batch)

    def _write(self, batch: rocksdict.WriteBatch) -> None:
        try:
            self._db.write(batch)
        except Exception as error:  # rocksdict raises bare Exceptions
            raise named(error, self._path) from error
