"""A RocksDB store whose rows never run ahead of the committed offsets, registered as ``committed://``.

Faust's own store writes at once, so a crash leaves rows of events that will be consumed again. Here a row
waits in memory until the offset of its event is committed; then it goes to RocksDB in one batch with the
changelog offset that it stands for. If the process dies in between, the changelog holds the row, and Faust's
recovery, which starts at the stored changelog offset, brings it in.
"""

import asyncio
import contextlib
import gc
import itertools
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, cast

import rocksdict
from faust.stores import rocksdb
from faust.types import TP, EventT, RecordMetadata

from tables.changelog import is_quiet
from tables.file_status import FileStatus, file_status
from tables.hidden_pages import HiddenPages
from tables.partition_files import OFFSET_KEY, ingest_file, named
from tables.record_runs import RunTaker
from tables.row_index import Arrival, Indexer, Stream, arrived, has_index, listed
from tables.row_index_files import open_indexed


class _Held(NamedTuple):
    """A row whose event is not committed.

    Attributes:
        number: In the order of writing, which is not that of commits where events come from several topics.
        sent: Done when the row's changelog record is in the log.
        is_quiet: Whether feeds tell nothing of it.
    """

    number: int
    source: TP
    offset: int
    key: bytes
    value: bytes | None
    sent: "asyncio.Future[RecordMetadata]"
    is_quiet: bool


class _Cell:
    """The newest value of a key, how many held writes it has, and the number of the newest one committed.

    It is quiet while all of these writes are.
    """

    __slots__ = ("committed", "is_quiet", "value", "writes")

    def __init__(self, value: bytes | None, *, is_quiet: bool) -> None:
        self.value = value
        self.is_quiet = is_quiet
        self.writes = 1
        self.committed = -1


class CommittedStore(rocksdb.Store):
    """One RocksDB per partition, written at commit.

    Rows are written through ``hold`` only (see `tables.predictions.PredictionTable`): Faust's mapping
    interface can read but not write, because a write must name its event and its changelog record. With each
    row goes what finds it, see `tables.row_index`.

    Attributes:
        hidden: Of a table of pages, those in any partition that was open here that may be hidden.
        rows_recovered: Changelog records that recoveries have applied.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._held: defaultdict[int, list[_Held]] = defaultdict(list)
        self._cells: defaultdict[int, dict[bytes, _Cell]] = defaultdict(dict)
        self._numbers = itertools.count()
        # Of these the newest value is shown before it is committed.
        self._urgent: dict[bytes, int] = {}
        self._recovering: set[int] = set()
        self._indexers: dict[int, Indexer] = {}
        self.hidden = HiddenPages()
        self.rows_recovered = 0

    # Writing

    def hold(
        self,
        source: TP,
        offset: int,
        key: bytes,
        value: bytes | None,
        sent: "asyncio.Future[RecordMetadata]",
        *,
        is_urgent: bool = False,
        is_quiet: bool = False,
    ) -> None:
        """Take a row (None deletes) that becomes visible when its event is committed.

        Args:
            source: Partition of the event; the row belongs to the table partition of the same number.
            offset: Offset of the event.
            key: Key of the row.
            value: The row.
            sent: Gives the place of the row's changelog record once that is in the log.
            is_urgent: Show it at once, and what follows it under its key until all is committed: what
                withdraws a prediction must not wait for slower events before it.
            is_quiet: As `may_be_quiet` allows it.
        """
        partition = source.partition
        if is_urgent:
            self._urgent[key] = partition
            # It is shown before it is written, and with that listed.
            self.hidden.add(key)
        held = _Held(next(self._numbers), source, offset, key, value, sent, is_quiet)
        self._held[partition].append(held)
        cell = self._cells[partition].get(key)
        if cell is None:
            self._cells[partition][key] = _Cell(value, is_quiet=is_quiet)
        else:
            cell.value = value
            cell.is_quiet = cell.is_quiet and is_quiet
            cell.writes += 1

    def may_be_quiet(self, partition: int, key: bytes) -> bool:
        """Tell whether feeds miss nothing where the next row of a key is quiet.

        A row that builds on one that is not committed may be the only one of the two that is ever written.
        """
        cell = self._cells[partition].get(key)
        return cell is None or cell.is_quiet

    def flush_committed(self, offsets: Mapping[TP, int]) -> None:
        """Write the rows of all events below these offsets, one batch per partition.

        Args:
            offsets: Source partition to the next offset to consume, as just committed.

        Raises:
            StoreFull: The disk is full. The rows stay in the changelog.
        """
        for partition, held in self._held.items():
            ready = [one for one in held if one.offset < offsets.get(one.source, -1)]
            if ready:
                waiting = [one for one in held if one.offset >= offsets.get(one.source, -1)]
                self._write(partition, ready, _changelog_offset(ready, waiting))
                self._held[partition] = waiting

    def _write(self, partition: int, ready: list[_Held], changelog_offset: int | None) -> None:
        batch = rocksdict.WriteBatch(raw_mode=True)
        cells = self._cells[partition]
        for one in ready:
            if one.number < cells[one.key].committed:
                # An event of another topic built on this row, and was committed first.
                continue
            offset = one.sent.result().offset
            self._put(batch, partition, offset, one.key, one.value, is_quiet=one.is_quiet)
        if changelog_offset is not None:
            batch.put(self.offset_key, b"%d" % changelog_offset)
        self._write_batch(partition, batch)
        for one in ready:
            cell = cells[one.key]
            cell.committed = max(cell.committed, one.number)
            cell.writes -= 1
            if not cell.writes:
                del cells[one.key]
                self._urgent.pop(one.key, None)

    def _put(
        self,
        batch: rocksdict.WriteBatch,
        partition: int,
        offset: int,
        key: bytes,
        value: bytes | None,
        *,
        is_quiet: bool,
    ) -> None:
        """Add a row to a batch, with what finds it."""
        indexer = self._indexer(partition) if has_index(self.table_name) else None
        if value is None:
            batch.delete(key)
        else:
            batch.put(key, value)
        if indexer is not None:
            if value is None:
                indexer.drop(batch, key, self._db_for_partition(partition).get(key))
            else:
                indexer.add(batch, key, value)
            indexer.arrive(batch, partition, offset, key, is_quiet=is_quiet)

    def _indexer(self, partition: int) -> Indexer:
        indexer = self._indexers.get(partition)
        if indexer is None:
            indexer = self._indexers[partition] = Indexer(
                self.table_name, self._db_for_partition(partition).get, self.hidden
            )
        return indexer

    def _write_batch(self, partition: int, batch: rocksdict.WriteBatch) -> None:
        try:
            self._db_for_partition(partition).write(batch)
        except Exception as error:  # rocksdict raises bare Exceptions
            raise named(error, self.partition_path(partition)) from error

    def set_persisted_offset(self, tp: TP, offset: int) -> None:
        """Do nothing: the offset is only ever written in one batch with the rows it stands for."""

    def is_new(self, partition: int) -> bool:
        """Return whether a partition stands for no offset of its changelog, as after the loss of a disk."""
        return self._db_for_partition(partition).get(OFFSET_KEY) is None

    def next_offset(self, partition: int) -> int:
        """Return the offset behind the last changelog record that a partition stands for."""
        return int(self._db_for_partition(partition).get(OFFSET_KEY) or -1) + 1

    def ingest(self, partition: int, file: Path) -> None:
        """Take rows, what finds them, and the offset that they stand for into a new partition.

        Args:
            partition: One that is ours, and new.
            file: Sorted, on the same disk; it goes away.

        Raises:
            StoreError: It cannot be taken in; the partition is as it was.
        """
        self._indexers.pop(partition, None)
        db = self._db_for_partition(partition)
        ingest_file(db, self.partition_path(partition), file)
        self.hidden.load(db)

    def run_taker(self, partition: int) -> RunTaker:
        """Return what takes runs of changelog records into a partition that is recovering."""
        self._indexers.pop(partition, None)
        path = self.partition_path(partition)
        return RunTaker(
            self._db_for_partition(partition), path, self.table_name, partition, hidden=self.hidden
        )

    def apply_changelog_batch(
        self, batch: Iterable[EventT[Any]], to_key: Callable[[Any], Any], to_value: Callable[[Any], Any]
    ) -> None:
        """Write recovered rows and their changelog offset, one batch per partition."""
        batches: defaultdict[int, rocksdict.WriteBatch] = defaultdict(
            lambda: rocksdict.WriteBatch(raw_mode=True)
        )
        last: dict[int, int] = {}
        for event in batch:
            message = event.message
            self.rows_recovered += 1
            last[message.partition] = message.offset
            # A changelog record without a key cannot be ours, and rocksdict refuses it.
            key: Any = message.key
            self._put(
                batches[message.partition],
                message.partition,
                message.offset,
                key,
                cast(Any, message.value),
                is_quiet=is_quiet(cast(Any, message.headers)),
            )
        for partition, rows in batches.items():
            rows.put(self.offset_key, b"%d" % last[partition])
            self._write_batch(partition, rows)

    def _set(self, key: bytes, value: bytes | None) -> None:
        raise TypeError("rows are written by PredictionTable.upsert, which names their event")

    def _del(self, key: bytes) -> None:
        raise TypeError("rows are deleted by PredictionTable.upsert, which names their event")

    # Reading

    def newest(self, partition: int, key: bytes) -> bytes | None:
        """Return the newest row of a key, uncommitted ones included: what the next write builds on."""
        cell = self._cells[partition].get(key)
        return self._db_for_partition(partition).get(key) if cell is None else cell.value

    def committed(self, key: bytes) -> bytes | None:
        """Return the committed row of a key, wherever its partition, or the urgent one: what readers see."""
        if key in self._urgent:
            return self._cells[self._urgent[key]][key].value
        for partition, db in self._dbs.items():
            # What is half recovered may be older than what was shown before.
            row = None if partition in self._recovering else db.get(key)
            if row is not None:
                return row  # type: ignore[no-any-return]  # rocksdict does not type raw mode
        return None

    def committed_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """Return what `committed` does for each key, with one question to each partition."""
        rows: dict[bytes, bytes] = {}
        left = [key for key in keys if key not in self._urgent]
        for partition, db in self._dbs.items():
            if not left:
                break
            if partition not in self._recovering:
                found = zip(left, db.get(left), strict=True)
                rows.update((key, row) for key, row in found if row is not None)
                left = [key for key in left if key not in rows]
        return [self.committed(key) if key in self._urgent else rows.get(key) for key in keys]

    def unready(self, partition: int, key: bytes) -> bytes | None:
        """Return what a recovering partition that is open holds so far; None where it holds none."""
        row: bytes | None = self._dbs[partition].get(key) if partition in self._recovering else None
        return row

    def rows(self, partition: int, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Yield the newest rows of all keys with a prefix, uncommitted ones included, in any order."""
        cells = dict(self._cells[partition])
        for item in self._db_for_partition(partition).items(from_key=prefix):
            key, value = cast(tuple[bytes, bytes], item)
            if not key.startswith(prefix):
                break
            if key not in cells:
                yield key, value
        for key, cell in cells.items():
            if key.startswith(prefix) and cell.value is not None:
                yield key, cell.value

    def listed(self, prefix: bytes, after: bytes, limit: int) -> list[bytes]:
        """Return what `tables.row_index.RowIndex.listed` does, of the partitions that are shown."""
        found = {
            key
            for partition, db in self._dbs.items()
            if partition not in self._recovering
            for key in listed(db, prefix, after, limit)
        }
        return sorted(found)[:limit]

    def unready_listed(self, partition: int, prefix: bytes, after: bytes, limit: int) -> list[bytes]:
        """Return what `listed` does, of a recovering partition that is open."""
        return listed(self._dbs[partition], prefix, after, limit) if partition in self._recovering else []

    def heads(self) -> dict[int, int]:
        """Return how far the partitions that are shown have come: to an offset of their changelogs."""
        return {
            partition: int(db.get(OFFSET_KEY) or -1)
            for partition, db in self._dbs.items()
            if partition not in self._recovering
        }

    def floor(self, partition: int) -> int:
        """Return what `tables.row_index.RowIndex.floor` does."""
        return self._indexer(partition).floor(partition)

    def arrived(self, partition: int, after: int, limit: int) -> list[Arrival]:
        """Return what `tables.row_index.RowIndex.arrived` does."""
        db = self._dbs.get(partition)
        return [] if db is None else arrived(db, Stream(self.table_name, partition), after, limit)

    def rewrite(self, partition: int, first: bytes, last: bytes) -> None:
        """Rewrite the files that hold keys of a range, so that no older value is left in any. Blocks."""
        db = self._dbs.get(partition)
        if db is not None:
            db.flush()
            db.compact_range(first, last + b"\0")

    def _get(self, key: bytes) -> bytes | None:
        return self.committed(key)

    def _contains(self, key: bytes) -> bool:
        return self.committed(key) is not None

    def partitions(self) -> list[int]:
        """Return the partitions that are open here."""
        return sorted(self._dbs)

    def file_status(self) -> dict[int, FileStatus]:
        """Return the state of the files by partition that is open here."""
        return {partition: file_status(db) for partition, db in sorted(self._dbs.items())}

    @property
    def recovering(self) -> frozenset[int]:
        """The partitions of which no row is shown yet."""
        return frozenset(self._recovering)

    def recovered(self) -> None:
        """Show the rows of all partitions: their changelogs are applied to the end."""
        self._recovering.clear()

    # Opening and closing

    async def on_rebalance(
        self, assigned: set[TP], revoked: set[TP], newly_assigned: set[TP], generation_id: int = 0
    ) -> None:
        """Take up the partitions of a generation."""
        self.take_up()
        for partition in sorted(self._active()):
            self._db_for_partition(partition)
            await asyncio.sleep(0)

    def _active(self) -> set[int]:
        return {tp.partition for tp in self.app.assignor.assigned_actives() if self._is_ours(tp)}

    def take_up(self) -> None:
        """Close the partitions that went elsewhere, and hide those that came until they are recovered.

        Idempotent. A partition that is left to be a standby, or taken up from being one, is neither revoked
        nor new to Faust: what counts is which are active now.
        """
        active = self._active()
        topic = self.table.changelog_topic.get_topic_name()
        self.revoke_partitions(self.table, {TP(topic, gone) for gone in set(self._dbs) - active})
        self._recovering |= active - set(self._dbs)

    def _is_ours(self, tp: TP) -> bool:
        return tp.topic in self.table.changelog_topic.topics

    def revoke_partitions(self, table: Any, tps: set[TP]) -> None:
        """Close partitions, and forget the rows of events that will be consumed again elsewhere."""
        for tp in tps:
            if self._is_ours(tp):
                self._held.pop(tp.partition, None)
                self._cells.pop(tp.partition, None)
                self._urgent = {key: at for key, at in self._urgent.items() if at != tp.partition}
                self._recovering.discard(tp.partition)
                self._indexers.pop(tp.partition, None)
                db = self._dbs.pop(tp.partition, None)
                if db is not None:
                    db.close()

    def forget_uncommitted(self) -> None:
        """Forget all rows of uncommitted events, which will be consumed again."""
        self._held.clear()
        self._cells.clear()
        self._urgent.clear()

    async def _try_open_db_for_partition(self, partition: int, *_: Any, **__: Any) -> Any:
        """Open a partition, or fail at once: Faust would try for half a minute.

        The data directory is locked for this process, so that waiting for another one is in vain.
        """
        return self._db_for_partition(partition)

    def _open_for_partition(self, partition: int) -> rocksdict.Rdict:
        db = open_indexed(self.partition_path(partition), self.table_name, partition)
        self.hidden.load(db)
        return db

    async def stop(self) -> None:
        """Close all partitions. Rows still held belong to uncommitted events."""
        for db in self._dbs.values():
            # What a full disk does not let it flush is in RocksDB's own log, which the next start reads.
            with contextlib.suppress(Exception):
                db.close()
        self._dbs.clear()
        self._indexers.clear()
        gc.collect()


def _changelog_offset(ready: list[_Held], waiting: list[_Held]) -> int | None:
    """Return the changelog offset that RocksDB stands for once the ready rows are written.

    Recovery starts behind it, so it must stay below the record of every row that is still held: such a row
    may be committed later, and the process die before it is written. None where a held row's record may lie
    anywhere, its sending having been given up: then the stored offset stays as it is.
    """
    offset = max(one.sent.result().offset for one in ready)
    for one in waiting:
        if one.sent.done():
            if one.sent.cancelled() or one.sent.exception() is not None:
                return None
            offset = min(offset, one.sent.result().offset - 1)
    return offset
