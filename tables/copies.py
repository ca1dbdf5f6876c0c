"""Copies of changelog partitions that others write: standbys of tables, and where their rows lie.

Faust can follow standbys itself, through the queue of its recovery. That queue is emptied whenever the flow
is resumed, and what was in it is taken for applied: a standby that takes over would lack those rows for good.
So Faust only says who holds which standby, and they are followed here.
"""

import asyncio
import contextlib
import random
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, cast

import rocksdict
import structlog

from schemas.errors import BrokerUnavailable, EngineError, StoreError, StoreLocked
from tables.changelog import TopicReader, TopicRecord
from tables.partition_files import OFFSET_KEY, ingest_file, named, write_sorted
from tables.record_runs import RunTaker
from tables.row_index import Indexer, has_index, listed, rows_of
from tables.row_index_files import open_indexed

_READ_RECORDS: Final = 1000
_ENDS_SECONDS: Final = 1.0
_SLICE_SECONDS: Final = 0.005
_RETRY_SECONDS: Final = 0.25
_RETRY_MOST_SECONDS: Final = 5.0

_log = structlog.get_logger(__name__)


class Copy:
    """One partition of one changelog, applied in its order: the last record of a key is its row.

    Args:
        path: Its directory; made where absent. It may hold what a worker left there as owner.
        table: Whose rows it has; those of a table with an index are indexed.
        partition: Its number.

    Attributes:
        next_offset: The first offset that is not applied.
        caught_up: When all that the log held was last known to be applied, on the monotonic clock; None
            while that was never so since it was opened.
        records_left: About how many records lie behind `next_offset`; None while nobody has looked.

    Raises:
        StoreError: It cannot be opened.
    """

    def __init__(self, path: Path, table: str = "", partition: int = 0) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._table = table
        self._partition = partition
        self._open()
        self.caught_up: float | None = None
        self.records_left: int | None = None
        self.next_offset = self._stored_offset()

    def _open(self) -> None:
        self._db = open_indexed(self.path, self._table, self._partition)
        self._indexer = Indexer(self._table, self._db.get) if has_index(self._table) else None

    def _stored_offset(self) -> int:
        stored = self._db.get(OFFSET_KEY)
        return 0 if stored is None else int(stored) + 1

    def get(self, key: bytes) -> bytes | None:
        """Return the row under a key; None where there is none."""
        row: bytes | None = self._db.get(key)
        return row

    def rows(self) -> Iterator[tuple[bytes, bytes]]:
        """Yield keys and rows, sorted by key."""
        for key, row in rows_of(self._db):
            if key != OFFSET_KEY:
                yield key, row

    def run_taker(self) -> RunTaker:
        """Return what takes runs of records in, behind `next_offset`."""
        return RunTaker(self._db, self.path, self._table, self._partition)

    def dump(self, file: Path) -> None:
        """Write all that `ingest` takes in. Blocks.

        Raises:
            StoreError: It cannot be written.
        """
        self._db.put(OFFSET_KEY, b"%d" % (self.next_offset - 1))
        write_sorted(file, cast(Iterable[tuple[bytes, bytes]], self._db.items()))

    def listed(self, prefix: bytes, after: bytes, limit: int) -> list[bytes]:
        """Return what `tables.row_index.RowIndex.listed` does."""
        return listed(self._db, prefix, after, limit)

    def ingest(self, file: Path) -> None:
        """Take in a sorted file of rows with the offset that they stand for; the file goes away.

        Raises:
            StoreError: It cannot be taken in.
        """
        ingest_file(self._db, self.path, file)
        self.next_offset = self._stored_offset()

    def apply(self, records: Sequence[TopicRecord]) -> None:
        """Write records with the offset behind them, all or nothing.

        Raises:
            StoreError: They cannot be written.
        """
        batch = rocksdict.WriteBatch(raw_mode=True)
        for record in records:
            if record.key is None:
                continue
            if record.value is None:
                batch.delete(record.key)
            else:
                batch.put(record.key, record.value)
            if self._indexer is not None:
                if record.value is None:
                    self._indexer.drop(batch, record.key, self.get(record.key))
                else:
                    self._indexer.add(batch, record.key, record.value)
                self._indexer.arrive(
                    batch, self._partition, record.offset, record.key, is_quiet=record.is_quiet
                )
        batch.put(OFFSET_KEY, b"%d" % records[-1].offset)
        try:
            self._db.write(batch)
        except Exception as error:  # rocksdict raises bare Exceptions
            raise named(error, self.path) from error
        self.next_offset = records[-1].offset + 1

    def note(self, moment: float, end: int) -> None:
        """Note where the log ended at a moment."""
        self.records_left = max(0, end - self.next_offset)
        if not self.records_left:
            self.caught_up = max(moment, moment if self.caught_up is None else self.caught_up)

    def clear(self) -> None:
        """Begin anew, without a row."""
        self.close()
        shutil.rmtree(self.path, ignore_errors=True)
        self._open()
        self.next_offset = 0
        self.caught_up = None

    def close(self) -> None:
        """Flush and close the files. Idempotent."""
        with contextlib.suppress(Exception):  # A full disk: RocksDB's own log keeps what it cannot flush.
            self._db.close()


class Copies:
    """Follows the changelog partitions that it is told to, each into files of its own.

    Args:
        reader: Of the log. Closed by `close`.
        topics: Table name to the topic that is its changelog.
        path: Gives the directory of a table's partition.
        monotonic: Seconds for durations.
        poll_seconds: How long one read may wait for records.
    """

    def __init__(
        self,
        reader: TopicReader,
        topics: Mapping[str, str],
        path: Callable[[str, int], Path],
        *,
        monotonic: Callable[[], float] = time.monotonic,
        poll_seconds: float = 0.5,
    ) -> None:
        self._reader = reader
        self._topics = dict(topics)
        self._path = path
        self._monotonic = monotonic
        self._poll_seconds = poll_seconds
        self._wanted: dict[str, frozenset[int]] = dict.fromkeys(topics, frozenset())
        self._held: dict[str, dict[int, Copy]] = {table: {} for table in topics}
        self._changed = {table: asyncio.Event() for table in topics}

    # What is held

    def release(self, table: str, partitions: Iterable[int]) -> None:
        """Close partitions at once, and follow them no more: their files are free for another owner."""
        gone = frozenset(partitions)
        self._wanted[table] -= gone
        for partition in gone:
            copy = self._held[table].pop(partition, None)
            if copy is not None:
                copy.close()

    def follow(self, table: str, partitions: Iterable[int]) -> None:
        """Follow just these partitions of a table from now on."""
        wanted = frozenset(partitions)
        self.release(table, set(self._held[table]) - wanted)
        if wanted != self._wanted[table]:
            self._wanted[table] = wanted
            self._changed[table].set()

    def whole(self, table: str, partition: int) -> Copy | None:
        """Return a copy that had once all that its log held; None where there is none yet."""
        copy = self._held[table].get(partition)
        return None if copy is None or copy.caught_up is None else copy

    def age_seconds(self, copy: Copy) -> float:
        """Return how long ago all of the log was applied to a copy that is whole."""
        if copy.caught_up is None:
            raise RuntimeError("the copy was never whole")
        return self._monotonic() - copy.caught_up

    def held(self, table: str) -> Mapping[int, Copy]:
        """Return the copies of a table, whole or not, by partition."""
        return self._held[table]

    def wanted(self, table: str) -> frozenset[int]:
        """Return the partitions that are to be followed."""
        return self._wanted[table]

    # Following

    async def run(self) -> None:
        """Follow until cancelled; trouble with the log or the disk is waited out and told."""
        async with asyncio.TaskGroup() as tasks:
            for table in self._topics:
                tasks.create_task(self._follow_steadily(table))

    async def close(self) -> None:
        """Close the files and the reader."""
        for table, copies in self._held.items():
            self.release(table, list(copies))
        await self._reader.close()

    async def _follow_steadily(self, table: str) -> None:
        wait_seconds = _RETRY_SECONDS
        while True:
            try:
                await self._follow(table)
            except (EngineError, StoreError) as error:
                # Whoever has had the partition last closes it in a moment.
                if not isinstance(error, StoreLocked | BrokerUnavailable) or wait_seconds > 1:
                    _log.warning("copy_stands_still", table=table, code=error.code, error=str(error))
                await asyncio.sleep(wait_seconds * random.uniform(0.5, 1.0))  # noqa: S311 -- jitter only
                wait_seconds = min(wait_seconds * 2, _RETRY_MOST_SECONDS)
            else:
                wait_seconds = _RETRY_SECONDS

    async def _follow(self, table: str) -> None:
        """Follow what is wanted now, until that changes.

        1. Open the partitions that are new, and drop what does not belong to this log.
        2. Ask for the ends now and then: by them a copy is known to be whole.
        3. Read and apply. What was given back meanwhile is left alone.
        """
        topic, changed = self._topics[table], self._changed[table]
        changed.clear()
        wanted, held = self._wanted[table], self._held[table]
        if not wanted:
            await changed.wait()
            return
        for partition in wanted - held.keys():  # 1
            held[partition] = Copy(self._path(table, partition), table, partition)
        await self._drop_foreign(topic, held)
        asked_at, ends = float("-inf"), dict[int, int]()
        while held and not changed.is_set():
            now = self._monotonic()
            if now - asked_at >= _ENDS_SECONDS:  # 2
                asked_at, ends = now, dict(await self._reader.ends(topic))
            for partition, copy in held.items():
                copy.note(asked_at, ends.get(partition, 0))
            positions = {partition: copy.next_offset for partition, copy in held.items()}
            before = self._monotonic()
            records = await self._reader.read(
                topic, positions, limit=_READ_RECORDS, timeout_seconds=self._poll_seconds
            )
            if not records:
                for partition in positions.keys() & held.keys():
                    held[partition].note(before, positions[partition])
            await self._apply(held, records)  # 3

    async def _apply(self, held: Mapping[int, Copy], records: Sequence[TopicRecord]) -> None:
        by_partition: dict[int, list[TopicRecord]] = {}
        for record in records:
            by_partition.setdefault(record.partition, []).append(record)
        deadline = self._monotonic() + _SLICE_SECONDS
        for partition, ours in by_partition.items():
            for start in range(0, len(ours), 100):
                copy = held.get(partition)
                if copy is None or copy.next_offset > ours[start].offset:
                    break
                copy.apply(ours[start : start + 100])
                if self._monotonic() > deadline:
                    await asyncio.sleep(0)
                    deadline = self._monotonic() + _SLICE_SECONDS

    async def _drop_foreign(self, topic: str, held: Mapping[int, Copy]) -> None:
        """Empty the copies that cannot be carried on: their log was made anew, or lacks what follows."""
        starts, ends = await self._reader.starts(topic), await self._reader.ends(topic)
        for partition, copy in held.items():
            end, start = ends.get(partition, 0), starts.get(partition, 0)
            if copy.next_offset > end or 0 < copy.next_offset < start:
                _log.warning("copy_begins_anew", topic=topic, partition=partition)
                copy.clear()
            copy.next_offset = max(copy.next_offset, start)
