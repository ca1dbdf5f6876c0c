"""The files of a replica: rows and the place in the log that they stand for, moved together."""

import re
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import cast

from msgspec import Struct
from msgspec.msgpack import Decoder, Encoder
from rocksdict import BlockBasedOptions, Cache, Options, Rdict, WriteBatch

from schemas.errors import StoreError, StoreFormatUnsupported, StoreFull, StoreLocked
from schemas.keys import PAGES_TABLE, REVISIONS_TABLE
from tables.changelog import row_of
from tables.hidden_pages import HiddenPages
from tables.row_index import Arrival, Indexer, Stream, build, heads, unindexed

FORMAT_VERSION = 1
_NAME = re.compile(r"rows-(\d{6})")
_STATE_KEY = b"\0state"
_POSITION_PREFIX = b"\0position\0"
_BLOCK_CACHE_BYTES = 64 << 20
_WRITE_BUFFER_BYTES = 16 << 20
_BLOOM_BITS_PER_KEY = 10


class Position(Struct, frozen=True):
    """How far one partition has been applied.

    Attributes:
        next_offset: The first offset that is not applied.
        timestamp_ms: Of the last record applied; None where none was. It tells a log that was made anew
            under the same name from the one that was followed.
    """

    next_offset: int
    timestamp_ms: int | None = None


class ReplicaState(Struct, frozen=True):
    """What a replica remembers about itself.

    Attributes:
        format_version: Of the files.
        log_identity: Of the log that the rows come from.
        is_complete: True once everything in the log was applied for the first time.
        caught_up_unix_seconds: When everything in the log was last known to be applied; until then, when
            the first of it was.
    """

    format_version: int = FORMAT_VERSION
    log_identity: str | None = None
    is_complete: bool = False
    caught_up_unix_seconds: float | None = None


_encode = Encoder().encode
_decode_position = Decoder(Position).decode
_decode_state = Decoder(ReplicaState).decode


class Replica:
    """One RocksDB with the rows of all tables, its positions and its state.

    Args:
        path: Its directory; made where absent.

    Attributes:
        db: The files.
        hidden: The pages that may be hidden.

    Raises:
        StoreLocked: Another process has it open.
        StoreFormatUnsupported: Its files are of another format version.
        StoreError: It cannot be opened for another reason.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self.db = Rdict(str(path), replica_options())
        except Exception as error:
            raise named(error, path) from error
        self.get_all = cast(Callable[[list[bytes]], list[bytes | None]], self.db.get)
        self.get = cast(Callable[[bytes], bytes | None], self.db.get)
        self.hidden = HiddenPages()
        self._indexers = {
            table: Indexer(table, self.db.get, self.hidden) for table in (REVISIONS_TABLE, PAGES_TABLE)
        }
        stored = self.db.get(_STATE_KEY)
        self.state = ReplicaState() if stored is None else _decode_state(stored)
        if self.state.format_version != FORMAT_VERSION:
            self.db.close()
            raise StoreFormatUnsupported(
                f"The replica in {path} has format {self.state.format_version}; this version reads "
                f"{FORMAT_VERSION}. Delete the directory: the replica fills itself from the log again.",
                path=str(path),
            )
        if tables := unindexed(self.db, self._indexers):
            self._build_index(tables)
        self.hidden.load(self.db)

    def _build_index(self, tables: Iterable[str]) -> None:
        """Index what was written before there were indexes of these tables."""

        def rows(table: str) -> Iterator[tuple[bytes, bytes]]:
            prefix = table.encode() + b"\0"
            for item in self.db.items(from_key=prefix):
                key, value = cast(tuple[bytes, bytes], item)
                if not key.startswith(prefix):
                    break
                yield key[len(prefix) :], row_of(value)

        try:
            build(self.db, [(self._indexers[table], rows(table)) for table in tables])
        except Exception as error:
            self.db.close()
            raise named(error, self.path) from error

    def positions(self, topic: str) -> dict[int, Position]:
        """Return how far each partition of a topic is applied; empty at first."""
        prefix = _POSITION_PREFIX + topic.encode() + b"\0"
        found: dict[int, Position] = {}
        for item in self.db.items(from_key=prefix):
            key, value = cast(tuple[bytes, bytes], item)
            if not key.startswith(prefix):
                break
            found[int.from_bytes(key[len(prefix) :], "big")] = _decode_position(value)
        return found

    def write(
        self,
        rows: Iterable[tuple[bytes, bytes | None]],
        topic: str,
        positions: Mapping[int, Position],
        *,
        table: str | None = None,
        arrivals: Iterable[tuple[int, Arrival]] = (),
    ) -> None:
        """Write rows and positions, and what finds the rows, all or nothing.

        Args:
            rows: Key and value; a value of None deletes.
            topic: Where they come from.
            positions: Of the partitions that moved.
            table: Whose rows they are; None where they are of none.
            arrivals: In which order they came, by partition.

        Raises:
            StoreFull: The disk is full.
            StoreError: The files cannot be written for another reason.
        """
        batch = WriteBatch(raw_mode=True)
        indexer, prefix_bytes = self._indexers.get(table or ""), len(table or "") + 1
        for key, value in rows:
            if value is None:
                batch.delete(key)
            else:
                batch.put(key, value)
            if indexer is not None:
                named = key[prefix_bytes:]
                if value is None:
                    held = self.get(key)
                    indexer.drop(batch, named, None if held is None else row_of(held))
                else:
                    indexer.add(batch, named, row_of(value))
        for partition, arrival in arrivals:
            if indexer is not None:
                offset, key, is_quiet = arrival
                indexer.arrive(batch, partition, offset, key, is_quiet=is_quiet)
                indexer.set_head(batch, partition, arrival.offset)
        prefix = _POSITION_PREFIX + topic.encode() + b"\0"
        for partition, position in positions.items():
            batch.put(prefix + partition.to_bytes(4, "big"), _encode(position))
        self._write(batch)

    def begin(self, table: str, next_offsets: Mapping[int, int]) -> None:
        """Note from where on the order is known in which rows of partitions come that had none yet.

        Raises:
            StoreError: As `write`.
        """
        known, indexer = heads(self.db), self._indexers[table]
        batch = WriteBatch(raw_mode=True)
        for partition, next_offset in next_offsets.items():
            if Stream(table, partition) not in known:
                indexer.set_head(batch, partition, next_offset - 1)
                indexer.set_floor(batch, partition, next_offset - 1)
        self._write(batch)

    def remember(self, state: ReplicaState) -> None:
        """Replace the state; errors as `write`."""
        batch = WriteBatch(raw_mode=True)
        batch.put(_STATE_KEY, _encode(state))
        self._write(batch)
        self.state = state

    def close(self) -> None:
        """Flush and close the files. Idempotent."""
        self.db.close()

    def _write(self, batch: WriteBatch) -> None:
        try:
            self.db.write(batch)
        except Exception as error:
            raise named(error, self.path) from error


class Generations:
    """The replicas below one directory: the one that answers, and the one that is being built beside it.

    Args:
        directory: Holds one subdirectory per generation.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def open(self) -> tuple[Replica | None, Replica | None]:
        """Open the newest complete generation, and the newer one that is being built, where there are any.

        Returns:
            The generation to answer from and the one to go on building; older ones are deleted.

        Raises:
            StoreError: As `Replica`.
        """
        building: Replica | None = None
        answering: Replica | None = None
        for _, path in sorted(self._found(), reverse=True):
            if answering is not None:
                shutil.rmtree(path)
                continue
            replica = Replica(path)
            if replica.state.is_complete:
                answering = replica
            elif building is None:
                building = replica
            else:
                replica.close()
                shutil.rmtree(path)
        return answering, building

    def new(self) -> Replica:
        """Return a new, empty generation, newer than all others."""
        number = max((number for number, _ in self._found()), default=0) + 1
        return Replica(self._directory / f"rows-{number:06d}")

    def _found(self) -> list[tuple[int, Path]]:
        if not self._directory.is_dir():
            return []
        matches = ((_NAME.fullmatch(path.name), path) for path in self._directory.iterdir())
        return [(int(match[1]), path) for match, path in matches if match]


def discard(replica: Replica) -> None:
    """Close a replica and delete its files. Blocks for the disk."""
    replica.close()
    shutil.rmtree(replica.path, ignore_errors=True)


def replica_options() -> Options:
    """Return how the files of a replica are kept."""
    blocks = BlockBasedOptions()
    blocks.set_block_cache(Cache(_BLOCK_CACHE_BYTES))
    blocks.set_bloom_filter(_BLOOM_BITS_PER_KEY, False)
    blocks.set_cache_index_and_filter_blocks(True)
    options = Options(raw_mode=True)
    options.create_if_missing(True)
    options.set_block_based_table_factory(blocks)
    options.set_write_buffer_size(_WRITE_BUFFER_BYTES)
    options.set_keep_log_file_num(2)
    return options


def named(error: Exception, path: Path) -> StoreError:
    """Return the typed error for one of RocksDB, which has a single class and tells kinds by text."""
    text = str(error)
    if "lock" in text.lower():
        return StoreLocked(
            f"The replica in {path} is open in another process. Stop it, or give this one a data "
            "directory of its own.",
            path=str(path),
        )
    if "No space left" in text:
        return StoreFull(
            f"The disk that holds the replica in {path} is full. Free space: it goes on by itself.",
            path=str(path),
        )
    return StoreError(f"The replica in {path} cannot be used: {text}.", path=str(path))
