"""A RocksDB store whose rows never run ahead of the committed offsets, registered as ``committed://``.

Faust's own store writes at once, so a crash leaves rows of events that will be consumed again. Here a row
waits in memory until the offset of its event is committed; then it goes to RocksDB in one batch with the
changelog offset that it stands for. If the process dies in between, the changelog holds the row, and Faust's
recovery, which starts at the stored changelog offset, brings it in.
"""

import asyncio
import contextlib
import gc
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, cast

import rocksdict
from faust.stores import rocksdb
from faust.types import TP, EventT, RecordMetadata

from schemas.errors import StoreError, StoreFull, StoreLocked

_BLOCK_CACHE_BYTES = 64 << 20
_WRITE_BUFFER_BYTES = 8 << 20
_BLOOM_BITS_PER_KEY = 10


class _Held(NamedTuple):
    """A row whose event is not committed. ``sent`` is done when its changelog record is in the log."""

    source: TP
    offset: int
    key: bytes
    value: bytes | None
    sent: "asyncio.Future[RecordMetadata]"


class _Cell:
    """The newest uncommitted value of a key, and how many held writes it has."""

    __slots__ = ("value", "writes")

    def __init__(self, value: bytes | None) -> None:
        self.value = value
        self.writes = 1


class CommittedStore(rocksdb.Store):
    """One RocksDB per partition, written at commit.

    Rows are written through ``hold`` only (see `tables.predictions.PredictionTable`): Faust's mapping
    interface can read but not write, because a write must name its event and its changelog record.
    """

    # One cache for all partitions of all tables: Faust's default is 2 GiB for each.
    _block_cache: rocksdict.Cache | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._held: defaultdict[int, list[_Held]] = defaultdict(list)
        self._cells: defaultdict[int, dict[bytes, _Cell]] = defaultdict(dict)
        # Of these the newest value is shown before it is committed.
        self._urgent: dict[bytes, int] = {}

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
        """
        partition = source.partition
        if is_urgent:
            self._urgent[key] = partition
        self._held[partition].append(_Held(source, offset, key, value, sent))
        cell = self._cells[partition].get(key)
        if cell is None:
            self._cells[partition][key] = _Cell(value)
        else:
            cell.value = value
            cell.writes += 1

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
        for one in ready:
            if one.value is None:
                batch.delete(one.key)
            else:
                batch.put(one.key, one.value)
        if changelog_offset is not None:
            batch.put(self.offset_key, b"%d" % changelog_offset)
        self._write_batch(partition, batch)
        cells = self._cells[partition]
        for one in ready:
            cell = cells[one.key]
            cell.writes -= 1
            if not cell.writes:
                del cells[one.key]
                self._urgent.pop(one.key, None)

    def _write_batch(self, partition: int, batch: rocksdict.WriteBatch) -> None:
        try:
            self._db_for_partition(partition).write(batch)
        except Exception as error:  # rocksdict raises bare Exceptions
            raise _named(error, self.partition_path(partition)) from error

    def set_persisted_offset(self, tp: TP, offset: int) -> None:
        """Do nothing: the offset is only ever written in one batch with the rows it stands for."""

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
            last[message.partition] = message.offset
            # A changelog record without a key cannot be ours, and rocksdict refuses it.
            key: Any = message.key
            if message.value is None:
                batches[message.partition].delete(key)
            else:
                batches[message.partition].put(key, message.value)
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
        for db in self._dbs.values():
            row = db.get(key)
            if row is not None:
                return row  # type: ignore[no-any-return]  # rocksdict does not type raw mode
        return None

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

    # Opening and closing

    def revoke_partitions(self, table: Any, tps: set[TP]) -> None:
        """Close partitions, and forget the rows of events that will be consumed again elsewhere."""
        for tp in tps:
            if tp.topic in table.changelog_topic.topics:
                self._held.pop(tp.partition, None)
                self._cells.pop(tp.partition, None)
                self._urgent = {key: at for key, at in self._urgent.items() if at != tp.partition}
        super().revoke_partitions(table, tps)

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
        path = self.partition_path(partition)
        try:
            return rocksdict.Rdict(str(path), options=self._options())
        except Exception as error:  # rocksdict raises bare Exceptions
            raise _named(error, path) from error

    @classmethod
    def _options(cls) -> rocksdict.Options:
        if cls._block_cache is None:
            cls._block_cache = rocksdict.Cache(_BLOCK_CACHE_BYTES)
        tables = rocksdict.BlockBasedOptions()
        tables.set_block_cache(cls._block_cache)
        tables.set_bloom_filter(_BLOOM_BITS_PER_KEY, block_based=False)
        tables.set_cache_index_and_filter_blocks(True)
        options = rocksdict.Options(raw_mode=True)
        options.create_if_missing(True)
        options.set_write_buffer_size(_WRITE_BUFFER_BYTES)
        options.set_max_write_buffer_number(2)
        options.set_max_open_files(256)
        options.set_block_based_table_factory(tables)
        return options

    async def stop(self) -> None:
        """Close all partitions. Rows still held belong to uncommitted events."""
        for db in self._dbs.values():
            # What a full disk does not let it flush is in RocksDB's own log, which the next start reads.
            with contextlib.suppress(Exception):
                db.close()
        self._dbs.clear()
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


def _named(error: Exception, path: Path) -> StoreError:
    """Return the typed error for a failure of RocksDB, which it describes in words only."""
    words = str(error)
    if "lock hold" in words or "While lock file" in words:
        return StoreLocked(
            f"The table {path} is open in another process. Stop that process, or use another data directory.",
            path=str(path),
        )
    if "No space left" in words:
        return StoreFull(
            f"The disk that holds {path} is full. Nothing was lost: free space and start again.",
            path=str(path),
        )
    return StoreError(
        f"The table {path} cannot be used: {words}. If it is a matter of rights, correct them; if its files "
        "are damaged, delete the directory: the next start rebuilds it from the changelog.",
        path=str(path),
    )
