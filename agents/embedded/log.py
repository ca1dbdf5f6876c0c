"""A durable partitioned log in one SQLite file (WAL)."""

import contextlib
import fcntl
import os
import sqlite3
import threading
import time
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, TextIO, TypeVar

from schemas.errors import EngineError, LogLocked, StoreFormatUnsupported, StoreFull

FORMAT_VERSION = 1

_OFFSET_BITS = 40
_PARTITION_BITS = 12
_OFFSET_MASK = (1 << _OFFSET_BITS) - 1

# One integer primary key, topic-partition above offset: a WITHOUT ROWID table with a compound key puts
# records of 1 kB on overflow pages and takes three times the space.
_TABLES = """
CREATE TABLE IF NOT EXISTS meta(name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS topic(id INTEGER PRIMARY KEY, name TEXT UNIQUE NOT NULL,
  partitions INTEGER NOT NULL, is_compacted INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS record(id INTEGER PRIMARY KEY, timestamp_ms INTEGER NOT NULL,
  key BLOB, value BLOB, headers BLOB);
CREATE TABLE IF NOT EXISTS next_offset(partition INTEGER PRIMARY KEY, offset INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS group_offset(group_id TEXT NOT NULL, partition INTEGER NOT NULL,
  offset INTEGER NOT NULL, PRIMARY KEY(group_id, partition)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS source_cursor(source_id TEXT PRIMARY KEY, cursor TEXT NOT NULL) WITHOUT ROWID;
"""


class NewRecord(NamedTuple):
    """A record to append. ``headers`` is opaque to the log."""

    topic: str
    partition: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: bytes | None = None


class LogRecord(NamedTuple):
    """A record as it lies in the log."""

    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: bytes | None


# Topic and partition number; Faust's own TP is one.
_Place = TypeVar("_Place", bound=tuple[str, int])


class Write(NamedTuple):
    """What is written together, see `Log.transact`."""

    records: Sequence[NewRecord] = ()
    group_id: str | None = None
    offsets: Mapping[Any, int] | None = None
    cursors: Mapping[str, str] | None = None


def now_ms() -> int:
    """Return the time of day in milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


class Log:
    """A durable partitioned log in one SQLite file.

    Any number of processes may append and read; each sees what the others committed. ``acquire`` makes this
    process the only consumer. Calls block for the disk: about 0.1 ms to read 100 records, 1 to 5 ms to
    commit. Methods may be called from any thread; those that read wait for none that writes, and see what is
    committed.

    Args:
        path: The SQLite file. Its folder is made if need be.
        synchronous: SQLite's setting. FULL survives the loss of power, NORMAL may lose the last commits.

    Raises:
        StoreFormatUnsupported: The file was written in another format.
        EngineError: The file cannot be opened.
    """

    _shared: ClassVar["weakref.WeakValueDictionary[str, Log]"] = weakref.WeakValueDictionary()

    def __init__(self, path: Path, *, synchronous: str = "FULL") -> None:
        self.path = path
        # Held by whoever writes, or looks for commits of others, and by whoever reads.
        self._lock = threading.RLock()
        self._read_lock = threading.Lock()
        self._lock_file: TextIO | None = None
        self._listeners: list[Callable[[], None]] = []
        self._topics: dict[str, tuple[int, int]] = {}
        self._next: dict[int, int] = {}
        # What groups had committed before the transaction that ends just now, see `committed`.
        self._outgoing: dict[tuple[str, int], int | None] = {}
        self._data_version = -1
        with _naming_faults(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(
                path, isolation_level=None, check_same_thread=False, cached_statements=256, timeout=30
            )
            for pragma in (
                "journal_mode=WAL",
                f"synchronous={synchronous}",
                "cache_size=-16384",
                # What is removed is overwritten with zeros, on the pages that become free as well.
                "secure_delete=ON",
                "wal_autocheckpoint=4000",
            ):
                self._db.execute(f"PRAGMA {pragma}")
            self._db.executescript(_TABLES)
            self._check_format()
            self.refresh()
            # A second connection: one alone would have readers wait for the disk that a commit waits for.
            self._reads = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=30)
            for pragma in ("query_only=ON", "cache_size=-4096"):
                self._reads.execute(f"PRAGMA {pragma}")

    @classmethod
    def shared(cls, path: Path, *, synchronous: str = "FULL") -> "Log":
        """Return this process's one log of that path, opening it at the first call.

        Faust makes a transport each for its consumer and its producer; both must see one log.
        """
        key = str(path.resolve())
        log = cls._shared.get(key)
        if log is None:
            log = cls._shared[key] = cls(path, synchronous=synchronous)
        return log

    def _check_format(self) -> None:
        self._db.execute("INSERT OR IGNORE INTO meta VALUES('format', ?)", (str(FORMAT_VERSION),))
        self._db.execute("INSERT OR IGNORE INTO meta VALUES('identity', ?)", (os.urandom(16).hex(),))
        found = self._db.execute("SELECT value FROM meta WHERE name='format'").fetchone()[0]
        if found != str(FORMAT_VERSION):
            raise StoreFormatUnsupported(
                f"The log {self.path} has format {found}; this version reads {FORMAT_VERSION}. "
                "Operator action: run the version that wrote it, or move the data directory away.",
                path=str(self.path),
            )

    @property
    def identity(self) -> str:
        """A random name given to the log when it was made: another one means another history."""
        with self._read_lock, _naming_faults(self.path):
            return str(self._reads.execute("SELECT value FROM meta WHERE name='identity'").fetchone()[0])

    @property
    def worker_address(self) -> str | None:
        """Where the last worker said that it answers, whether or not it runs; None where none ever did."""
        with self._read_lock, _naming_faults(self.path):
            found = self._reads.execute("SELECT value FROM meta WHERE name='worker_address'").fetchone()
        return None if found is None else str(found[0])

    def tell_worker_address(self, address: str) -> None:
        """Say where the worker on this log answers."""
        with self._lock, _naming_faults(self.path):
            self._db.execute("INSERT OR REPLACE INTO meta VALUES('worker_address', ?)", (address,))

    def acquire(self) -> None:
        """Make this process the only consumer until ``close``. Idempotent.

        Raises:
            LogLocked: Another process is.
        """
        if self._lock_file is not None:
            return
        with _naming_faults(self.path):
            lock_file = self.path.with_name(self.path.name + ".lock").open("a+")
        try:
            fcntl.flock(lock_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock_file.close()
            raise LogLocked(
                f"Another worker runs on the log {self.path}: the embedded engine takes one. "
                "Stop that worker, or give this one a data directory of its own.",
                path=str(self.path),
            ) from None
        self._lock_file = lock_file

    def close(self) -> None:
        """Release the file and the consumer's place. Idempotent."""
        with self._lock, self._read_lock:
            self._reads.close()
            self._db.close()
            key = str(self.path.resolve())
            if self._shared.get(key) is self:
                del self._shared[key]
            if self._lock_file is not None:
                self._lock_file.close()
                self._lock_file = None

    # Topics

    def create_topic(self, topic: str, partitions: int, *, is_compacted: bool = False) -> None:
        """Create a topic; nothing happens where it exists."""
        with self._lock, _naming_faults(self.path):
            if topic in self._topics:
                return
            if not 0 < partitions < 1 << _PARTITION_BITS:
                raise ValueError(f"topic {topic!r} cannot have {partitions} partitions")
            self._db.execute(
                "INSERT OR IGNORE INTO topic(name, partitions, is_compacted) VALUES(?, ?, ?)",
                (topic, partitions, is_compacted),
            )
            # SQLite's data_version tells of other connections only.
            self._reload()

    def topics(self) -> list[str]:
        """Return the names of all topics."""
        return list(self._topics)

    def compacted_topics(self) -> list[str]:
        """Return the names of the topics of which the newest record of each key counts: changelogs."""
        with self._read_lock, _naming_faults(self.path):
            return [name for (name,) in self._reads.execute("SELECT name FROM topic WHERE is_compacted")]

    def partitions(self, topic: str) -> int | None:
        """Return how many partitions a topic has; None for an unknown topic."""
        found = self._topics.get(topic)
        return found[1] if found else None

    def _partition_id(self, topic: str, partition: int) -> int:
        topic_id, partitions = self._topics[topic]
        if not 0 <= partition < partitions:
            raise ValueError(f"topic {topic!r} has {partitions} partitions, not {partition}")
        return topic_id << _PARTITION_BITS | partition

    # Change notice

    def listen(self, listener: Callable[[], None]) -> None:
        """Call the listener after each commit of this process, in the thread that made it."""
        self._listeners.append(listener)

    def unlisten(self, listener: Callable[[], None]) -> None:
        """Stop calling the listener."""
        if listener in self._listeners:
            self._listeners.remove(listener)

    def refresh(self) -> bool:
        """Look for commits of other processes; return whether there were any.

        Where another thread writes at this moment it does not wait: a transaction looks by itself.
        """
        if not self._lock.acquire(blocking=False):
            return False
        try:
            with _naming_faults(self.path):
                data_version = self._db.execute("PRAGMA data_version").fetchone()[0]
                if data_version == self._data_version:
                    return False
                self._data_version = data_version
                self._reload()
                return True
        finally:
            self._lock.release()

    def _reload(self) -> None:
        self._topics = {
            name: (topic_id, partitions)
            for topic_id, name, partitions in self._db.execute("SELECT id, name, partitions FROM topic")
        }
        self._next = dict(self._db.execute("SELECT partition, offset FROM next_offset"))

    # Records

    def transact(
        self,
        records: Sequence[NewRecord] = (),
        *,
        group_id: str | None = None,
        offsets: Mapping[_Place, int] | None = None,
        cursors: Mapping[str, str] | None = None,
    ) -> list[int]:
        """Append records, move a group's offsets and store source cursors: all or nothing, durably.

        Args:
            records: In the order to append.
            group_id: Consumer group of ``offsets``.
            offsets: (topic, partition) to the next offset to consume.
            cursors: Source id to its cursor.

        Returns:
            The offset of each record, in order.

        Raises:
            StoreFull: The disk is full; nothing was written.
            EngineError: SQLite failed otherwise; nothing was written.
        """
        return self.transact_all((Write(records, group_id, offsets, cursors),))[0]

    def transact_all(self, writes: Sequence[Write]) -> list[list[int]]:
        """Do what `transact` does of each, in their order: all of them or none.

        Returns:
            The offsets of the records of each.

        Raises:
            StoreFull: As of `transact`.
            EngineError: As of `transact`.
        """
        with self._lock, _naming_faults(self.path):
            execute = self._db.execute
            execute("BEGIN IMMEDIATE")
            try:
                self.refresh()
                rows, appended, moved = self._place(record for write in writes for record in write.records)
                if rows:
                    self._db.executemany("INSERT INTO record VALUES(?, ?, ?, ?, ?)", rows)
                    self._db.executemany("INSERT OR REPLACE INTO next_offset VALUES(?, ?)", moved.items())
                moving = {
                    (write.group_id or "", self._partition_id(*place))
                    for write in writes
                    for place in write.offsets or ()
                }
                self._outgoing = {key: self._offset_of(self._db, *key) for key in moving}
                for write in writes:
                    self._move(write)
                execute("COMMIT")
                self._next.update(moved)
            except BaseException:
                if self._db.in_transaction:
                    execute("ROLLBACK")
                raise
            finally:
                self._outgoing = {}
        for listener in self._listeners:
            listener()
        offsets = iter(appended)
        return [[next(offsets) for _ in write.records] for write in writes]

    def _move(self, write: Write) -> None:
        """Move the offsets and cursors of a write."""
        if write.offsets:
            self._db.executemany(
                "INSERT OR REPLACE INTO group_offset VALUES(?, ?, ?)",
                [
                    (write.group_id, self._partition_id(*place), offset)
                    for place, offset in write.offsets.items()
                ],
            )
        if write.cursors:
            self._db.executemany("INSERT OR REPLACE INTO source_cursor VALUES(?, ?)", write.cursors.items())

    def _place(
        self, records: Iterable[NewRecord]
    ) -> tuple[list[tuple[int, int, bytes | None, bytes | None, bytes | None]], list[int], dict[int, int]]:
        rows, appended, moved = [], [], dict[int, int]()
        for topic, partition, timestamp_ms, key, value, headers in records:
            partition_id = self._partition_id(topic, partition)
            offset = moved.get(partition_id)
            if offset is None:
                offset = self._next.get(partition_id, 0)
            rows.append((partition_id << _OFFSET_BITS | offset, timestamp_ms, key, value, headers))
            appended.append(offset)
            moved[partition_id] = offset + 1
        return rows, appended, moved

    def read(self, topic: str, partition: int, offset: int, *, limit: int) -> list[LogRecord]:
        """Return up to ``limit`` records from ``offset`` on, in order; offsets may have holes."""
        first = self._partition_id(topic, partition) << _OFFSET_BITS
        with self._read_lock, _naming_faults(self.path):
            found = self._reads.execute(
                "SELECT id & ?1, timestamp_ms, key, value, headers FROM record"
                " WHERE id BETWEEN ?2 AND ?3 ORDER BY id LIMIT ?4",
                (_OFFSET_MASK, first | offset, first | _OFFSET_MASK, limit),
            ).fetchall()
        return [LogRecord(*row) for row in found]

    def end(self, topic: str, partition: int) -> int:
        """Return the offset that the next record will get."""
        return self._next.get(self._partition_id(topic, partition), 0)

    def start(self, topic: str, partition: int) -> int:
        """Return the offset of the oldest record kept; the end where there is none."""
        first = self._partition_id(topic, partition) << _OFFSET_BITS
        with self._read_lock, _naming_faults(self.path):
            oldest = self._reads.execute(
                "SELECT min(id) FROM record WHERE id BETWEEN ? AND ?", (first, first | _OFFSET_MASK)
            ).fetchone()[0]
        return self.end(topic, partition) if oldest is None else oldest & _OFFSET_MASK

    def committed(self, group_id: str, topic: str, partition: int) -> int | None:
        """Return the next offset that the group will consume; None before its first commit.

        Never further than `end` tells of what was appended in the same transaction.
        """
        key = group_id, self._partition_id(topic, partition)
        with self._read_lock, _naming_faults(self.path):
            offset = self._offset_of(self._reads, *key)
        return self._outgoing.get(key, offset)

    @staticmethod
    def _offset_of(db: sqlite3.Connection, group_id: str, partition_id: int) -> int | None:
        found = db.execute(
            "SELECT offset FROM group_offset WHERE group_id=? AND partition=?", (group_id, partition_id)
        ).fetchone()
        return found[0] if found else None

    def cursor(self, source_id: str) -> str | None:
        """Return the cursor stored for a source; None before its first."""
        with self._read_lock, _naming_faults(self.path):
            found = self._reads.execute(
                "SELECT cursor FROM source_cursor WHERE source_id=?", (source_id,)
            ).fetchone()
        return found[0] if found else None

    # Housekeeping

    def compact(self) -> int:
        """Keep the newest record of each key in every compacted topic; return how many were removed."""
        removed = 0
        with self._read_lock, _naming_faults(self.path):
            compacted = self._reads.execute("SELECT id, partitions FROM topic WHERE is_compacted").fetchall()
        for topic_id, partitions in compacted:
            for partition in range(partitions):
                first = (topic_id << _PARTITION_BITS | partition) << _OFFSET_BITS
                # Each by itself, so that whoever writes waits for one partition at most.
                with self._lock, _naming_faults(self.path):
                    removed += self._db.execute(
                        "DELETE FROM record WHERE id BETWEEN ?1 AND ?2 AND id NOT IN"
                        " (SELECT max(id) FROM record WHERE id BETWEEN ?1 AND ?2 GROUP BY key)",
                        (first, first | _OFFSET_MASK),
                    ).rowcount
        return removed

    def trim(self, topic: str, partition: int, *, before_offset: int) -> int:
        """Remove the records below an offset; return how many were removed."""
        first = self._partition_id(topic, partition) << _OFFSET_BITS
        with self._lock, _naming_faults(self.path):
            return self._db.execute(
                "DELETE FROM record WHERE id >= ? AND id < ?", (first, first | before_offset)
            ).rowcount

    def remove(self, topic: str, partition: int, offsets: Iterable[int]) -> None:
        """Remove some records; those behind and before them keep their offsets."""
        first = self._partition_id(topic, partition) << _OFFSET_BITS
        with self._lock, _naming_faults(self.path):
            self._db.execute("BEGIN IMMEDIATE")
            try:
                self._db.executemany("DELETE FROM record WHERE id=?", ((first | at,) for at in offsets))
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise

    def scrub(self, *, is_thorough: bool = False) -> bool:
        """Leave nothing of removed records in the files.

        Args:
            is_thorough: Write the whole file anew as well, which blocks writers: about 10 s per gigabyte.
                Pages that another build of SQLite, or a crash, left behind are gone then, too.

        Returns:
            False where a reader of another process still holds older pages: try again.
        """
        with self._lock, _naming_faults(self.path):
            if is_thorough:
                self._db.execute("VACUUM")
            return not self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]

    def oldest_kept(self, topic: str, partition: int, *, since_ms: int, below_offset: int) -> int:
        """Return the first offset to keep: the oldest record since ``since_ms``, at most ``below_offset``."""
        first = self._partition_id(topic, partition) << _OFFSET_BITS
        with self._read_lock, _naming_faults(self.path):
            found = self._reads.execute(
                "SELECT min(id) FROM record WHERE id BETWEEN ? AND ? AND timestamp_ms >= ?",
                (first, first | _OFFSET_MASK, since_ms),
            ).fetchone()[0]
        return below_offset if found is None else min(below_offset, found & _OFFSET_MASK)


@contextlib.contextmanager
def _naming_faults(path: Path) -> Iterator[None]:
    """Turn SQLite's and the disk's failures into our typed errors."""
    try:
        yield
    except sqlite3.Error as error:
        if getattr(error, "sqlite_errorname", "").startswith("SQLITE_FULL"):
            raise _full(path, error) from error
        raise EngineError(
            f"The log {path} failed: {error}. If the file is damaged or is no log of ours, move the data "
            "directory away and start anew, or restore both from a copy; if the disk fails, replace it.",
            path=str(path),
        ) from error
    except OSError as error:
        if error.errno == 28:  # ENOSPC
            raise _full(path, error) from error
        raise EngineError(
            f"The log {path} cannot be opened: {error}. Check the data directory and its rights.",
            path=str(path),
        ) from error


def _full(path: Path, error: Any) -> StoreFull:
    return StoreFull(
        f"The disk that holds {path} is full ({error}). Nothing was lost: free space and start again.",
        path=str(path),
    )
