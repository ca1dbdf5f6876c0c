"""A replica that follows the changelogs of the predictions' tables and goes on answering without them."""

import asyncio
import contextlib
import random
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import structlog
from numpy.typing import NDArray

from schemas.errors import BrokerUnavailable, EngineError, StoreError
from tables import row_index
from tables.changelog import MERGES, TopicReader, TopicRecord, apply, row_of
from tables.reader import Freshness
from tables.replica import Generations, Position, Replica, ReplicaState, discard
from tables.replica_reader import ReplicaStatus
from tables.row_index import Arrival, Stream

# Kafka drops tombstones a day after they were written (`delete.retention.ms`): whoever was away for
# longer may have missed one, and would show a withdrawn row for ever.
_LONGEST_ABSENCE_SECONDS = 20 * 3600.0
_READ_RECORDS = 1000
_ENDS_SECONDS = 1.0
_REMEMBER_SECONDS = 5.0
# How long applying records may hold the event loop: less once look-ups wait for it.
_SLICE_SECONDS = 0.05
_SLICE_SERVING_SECONDS = 0.002
_RETRY_SECONDS = 0.25
_RETRY_MOST_SECONDS = 5.0

_log = structlog.get_logger(__name__)


class _LogChanged(Exception):
    """The rows no longer stand for a prefix of the log: they are to be built anew."""


def why_rebuild(
    positions: Mapping[int, Position], starts: Mapping[int, int], ends: Mapping[int, int]
) -> str | None:
    """Return why the rows of a topic cannot be carried on from their positions; None where they can.

    Args:
        positions: Where the rows stand, by partition.
        starts: The first offset that each partition still holds.
        ends: The next offset of each partition.
    """
    for partition, position in positions.items():
        if partition not in ends or position.next_offset > ends[partition]:
            return "log_recreated"
        if position.next_offset < starts[partition]:
            return "log_trimmed"
    return None


class Follower:
    """Rows of the predictions' tables, kept in files of their own and fed by the tables' changelogs.

    Every batch of rows is written together with the positions behind it, so a restart goes on where it
    stopped. Where the log was made anew, was trimmed, or moved on for longer than it keeps tombstones,
    a second generation of the files is built beside the first, which goes on answering until then.

    Args:
        reader: Of the log. The follower does not close it.
        directory: For the files; of this follower alone.
        topics: Table name to the topic that is its changelog.
        monotonic: Seconds for durations.
        wall: Unix seconds, for the age of rows across restarts.
        poll_seconds: How long one read may wait for records.
        fill: Puts rows and their positions into a replica that is new, before the log is read; None leaves
            all to the log.
        changed: Called after whatever `status` tells of has changed.

    Attributes:
        rows_changed: Called after rows were written, or others took their place.

    Raises:
        StoreError: The files cannot be opened.
    """

    def __init__(
        self,
        reader: TopicReader,
        directory: Path,
        topics: Mapping[str, str],
        *,
        monotonic: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
        poll_seconds: float = 0.5,
        fill: Callable[[Replica], Awaitable[None]] | None = None,
        changed: Callable[[], None] = lambda: None,
    ) -> None:
        self._reader = reader
        self._topics = dict(topics)
        self._monotonic = monotonic
        self._wall = wall
        self._poll_seconds = poll_seconds
        self._fill = fill
        self._changed = changed
        self.rows_changed: Callable[[], None] = _nobody
        # Never a number that an earlier follower over these files has told.
        self._batches = time.monotonic_ns()
        self._prefixes = {table: table.encode() + b"\0" for table in topics}
        self._generations = Generations(directory)
        self._answering, self._building = self._generations.open()
        self._get: Callable[[bytes], bytes | None] = _get_nothing
        self._served: Replica | None = None
        self._trouble: str | None = "starting"
        # When everything in the log was last known to be applied, by topic, on the monotonic clock.
        self._caught_up: dict[str, float] = {}
        self._catching_up: dict[str, float] = {}
        self._remembered = monotonic()
        if self._answering is None and self._building is None:
            self._building = self._generations.new()
        self._serve(self._answering or self._building)
        if self._answering is not None:
            then = self._answering.state.caught_up_unix_seconds
            away = 0.0 if then is None else max(0.0, wall() - then)
            self._caught_up = dict.fromkeys(self._topics.values(), monotonic() - away)

    def get(self, table: str, key: bytes) -> bytes | None:
        """Return the row under a key; None where there is none. Takes about 2 microseconds from memory."""
        held = self._get(self._prefixes[table] + key)
        return None if held is None else row_of(held)

    def get_many(self, table: str, keys: Sequence[bytes]) -> list[bytes | None]:
        """Return the row under each key; None where there is none."""
        prefix = self._prefixes[table]
        if self._served is None:
            return [None] * len(keys)
        held = self._served.get_all([prefix + key for key in keys])
        return [None if one is None else row_of(one) for one in held]

    def hidden_among(self, wiki_id: str, page_ids: NDArray[np.int64]) -> list[int]:
        """Return what `tables.reader.HiddenPagesSource.hidden_among` does."""
        return [] if self._served is None else self._served.hidden.among(wiki_id, page_ids)

    def listed(self, prefix: bytes, after: bytes, limit: int) -> list[bytes]:
        """Return what `tables.row_index.RowIndex.listed` does."""
        return [] if self._served is None else row_index.listed(self._served.db, prefix, after, limit)

    def heads(self) -> Mapping[Stream, int]:
        """Return what `tables.row_index.RowIndex.heads` does; nothing until the rows are complete."""
        return {} if self._answering is None else row_index.heads(self._answering.db)

    def floor(self, stream: Stream) -> int:
        """Return what `tables.row_index.RowIndex.floor` does."""
        return -1 if self._answering is None else row_index.floor(self._answering.db, stream)

    def arrived(self, stream: Stream, after: int, limit: int) -> list[Arrival]:
        """Return what `tables.row_index.RowIndex.arrived` does."""
        if self._answering is None:
            return []
        return row_index.arrived(self._answering.db, stream, after, limit)

    def freshness(self) -> Freshness:
        """Return whether the rows are complete, what is wrong, and how old they may be."""
        reasons = () if self._trouble is None else (self._trouble,)
        if self._answering is None:
            return Freshness(False, ("recovering", *reasons), None)
        if self._building is not None:
            reasons = ("rebuilding", *reasons)
        return Freshness(True, reasons, self._monotonic() - min(self._caught_up.values()))

    def status(self) -> ReplicaStatus:
        """Return what other processes need to know to read the files as well."""
        freshness = self.freshness()
        answering = self._answering
        return ReplicaStatus(
            path=None if answering is None else str(answering.path),
            batches=self._batches,
            reasons=freshness.reasons,
            caught_up=None if answering is None else min(self._caught_up.values()),
        )

    async def run(self) -> None:
        """Follow the log until cancelled; trouble with the log or the disk is waited out and told."""
        wait_seconds = _RETRY_SECONDS
        while True:
            try:
                await self._follow_all()
            except* _LogChanged as changed:
                reason = str(changed.exceptions[0])
                _log.warning("replica_rebuilds", reason=reason)
                await self._start_anew()
                wait_seconds = _RETRY_SECONDS
            except* (EngineError, StoreError) as group:
                error = group.exceptions[0]
                name = "log_unreachable" if isinstance(error, BrokerUnavailable) else "store_unwritable"
                if name != self._trouble:
                    _log.warning("replica_stands_still", reason=name, error=str(error))
                    wait_seconds = _RETRY_SECONDS
                self._trouble = name
                self._changed()
                await asyncio.sleep(wait_seconds * random.uniform(0.5, 1.0))  # noqa: S311 -- jitter only
                wait_seconds = min(wait_seconds * 2, _RETRY_MOST_SECONDS)

    def close(self) -> None:
        """Remember how fresh the rows are, and close the files. Idempotent."""
        for replica in (self._answering, self._building):
            if replica is not None:
                with contextlib.suppress(StoreError):
                    self._remember(replica)
                replica.close()
        self._answering = self._building = None
        self._serve(None)

    async def _follow_all(self) -> None:
        """Follow every topic, into the generation that is being built where there is one.

        1. Fill a new one with what is at hand.
        2. Refuse to go on from a generation of another log, or one that was away for too long.
        3. Follow each topic in a task of its own, so that a quiet one does not hold up the other.
        """
        identity = await self._reader.identity()
        replica = self._building or self._answering
        if replica is None:
            raise RuntimeError("the follower is closed")
        if replica.state.log_identity is None:
            if self._fill is not None:
                await self._fill(replica)
            # A build counts as away since it began: it read rows whose tombstones may be dropped by now.
            replica.remember(ReplicaState(log_identity=identity, caught_up_unix_seconds=self._wall()))
        self._refuse_stale(replica, identity)
        if replica is self._building:
            self._catching_up = {}
        async with asyncio.TaskGroup() as tasks:
            for table, topic in self._topics.items():
                tasks.create_task(self._follow(replica, table, topic))

    def _refuse_stale(self, replica: Replica, identity: str) -> None:
        if replica.state.log_identity != identity:
            raise _LogChanged("another_log")
        then = replica.state.caught_up_unix_seconds
        if then is not None and self._wall() - then > _LONGEST_ABSENCE_SECONDS:
            raise _LogChanged("away_too_long")

    async def _follow(self, replica: Replica, table: str, topic: str) -> None:
        positions = replica.positions(topic)
        starts = await self._reader.starts(topic)
        ends = await self._reader.ends(topic)
        if reason := why_rebuild(positions, starts, ends):
            raise _LogChanged(reason)
        await self._refuse_other_records(topic, positions, starts)
        self._trouble = None
        next_offsets = dict(starts) | {
            partition: position.next_offset for partition, position in positions.items()
        }
        replica.begin(table, next_offsets)
        asked = self._monotonic()
        target: Mapping[int, int] | None = ends
        while True:
            now = self._monotonic()
            if now - asked >= _ENDS_SECONDS:
                asked = now
                target = await self._reader.ends(topic)
                for partition, end in target.items():
                    if next_offsets.setdefault(partition, 0) > end:
                        raise _LogChanged("log_recreated")
            if target is not None and all(next_offsets[part] >= end for part, end in target.items()):
                target = None
                await self._note_caught_up(replica, topic, asked)
            now = self._monotonic()
            records = await self._reader.read(
                topic, next_offsets, limit=_READ_RECORDS, timeout_seconds=self._poll_seconds
            )
            if records:
                await self._apply(replica, table, topic, records, next_offsets)
            else:
                await self._note_caught_up(replica, topic, now)

    async def _refuse_other_records(
        self, topic: str, positions: Mapping[int, Position], starts: Mapping[int, int]
    ) -> None:
        """Refuse to go on where the last record applied is another one now: the log was made anew.

        A record that is gone says nothing, since compaction drops records.
        """
        for partition, position in positions.items():
            last = position.next_offset - 1
            if position.timestamp_ms is None or last < starts[partition]:
                continue
            found = await self._reader.read(
                topic, {partition: last}, limit=1, timeout_seconds=self._poll_seconds
            )
            if found and found[0].offset == last and found[0].timestamp_ms != position.timestamp_ms:
                raise _LogChanged("log_recreated")

    async def _apply(
        self,
        replica: Replica,
        table: str,
        topic: str,
        records: Sequence[TopicRecord],
        next_offsets: dict[int, int],
    ) -> None:
        """Apply records in slices, each written with its positions, and let look-ups in between."""
        prefix, merge = self._prefixes[table], MERGES[table]
        slice_seconds = _SLICE_SECONDS if self._answering is None else _SLICE_SERVING_SECONDS
        at = 0
        while at < len(records):
            deadline = self._monotonic() + slice_seconds
            rows: dict[bytes, bytes | None] = {}
            moved: dict[int, Position] = {}
            arrivals: list[tuple[int, Arrival]] = []
            for record in records[at:]:
                at += 1
                moved[record.partition] = Position(record.offset + 1, record.timestamp_ms)
                if record.key is not None:
                    key = prefix + record.key
                    held = rows[key] if key in rows else replica.get(key)
                    rows[key] = apply(held, record, merge)
                    arrivals.append((record.partition, Arrival(record.offset, record.key, record.is_quiet)))
                if self._monotonic() > deadline:
                    break
            replica.write(rows.items(), topic, moved, table=table, arrivals=arrivals)
            self.rows_changed()
            next_offsets.update((partition, position.next_offset) for partition, position in moved.items())
            self._batches += 1
            self._changed()
            await asyncio.sleep(0)

    async def _note_caught_up(self, replica: Replica, topic: str, then: float) -> None:
        """Note that all the log held at a moment is applied, and serve a generation that is whole by it."""
        self._trouble = None
        if replica is self._building:
            self._catching_up[topic] = then
            if len(self._catching_up) == len(self._topics):
                await self._complete(replica)
            return
        self._caught_up[topic] = then
        self._changed()
        if self._monotonic() - self._remembered >= _REMEMBER_SECONDS:
            self._remember(replica)

    async def _complete(self, replica: Replica) -> None:
        """Serve the generation that was built.

        1. Mark it complete, so that a restart serves it.
        2. Answer from it.
        3. Delete the one before.
        """
        self._caught_up = dict(self._catching_up)
        replica.remember(
            ReplicaState(
                log_identity=replica.state.log_identity,
                is_complete=True,
                caught_up_unix_seconds=self._caught_up_wall(),
            )
        )
        old, self._answering, self._building = self._answering, replica, None
        self._serve(replica)
        self.rows_changed()
        _log.info("replica_ready", path=str(replica.path))
        if old is not None:
            await asyncio.to_thread(discard, old)

    async def _start_anew(self) -> None:
        """Drop the generation that cannot be carried on, unless look-ups need it, and begin another."""
        unfit, self._building = self._building, self._generations.new()
        if self._answering is None:
            self._serve(self._building)
        if unfit is not None:
            await asyncio.to_thread(discard, unfit)

    def _serve(self, replica: Replica | None) -> None:
        self._served = replica
        self._get = _get_nothing if replica is None else replica.get

    def _remember(self, replica: Replica) -> None:
        if replica.state.is_complete and self._caught_up:
            self._remembered = self._monotonic()
            replica.remember(
                ReplicaState(
                    log_identity=replica.state.log_identity,
                    is_complete=True,
                    caught_up_unix_seconds=self._caught_up_wall(),
                )
            )

    def _caught_up_wall(self) -> float:
        return self._wall() - (self._monotonic() - min(self._caught_up.values()))


def _nobody() -> None:
    pass


def _get_nothing(_: bytes) -> None:
    return None
