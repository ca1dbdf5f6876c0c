"""A Faust transport over the embedded log, registered as ``embedded://PATH``.

What makes it exactly-once is one rule: a record that an event produced waits in memory until the offset of
that event is committed, and goes into the log in the same transaction as the offset. A worker that dies in
between leaves neither; the event is consumed again and produces them anew. `tables.store` does the same for
rows, so that outputs, state and offsets move together.

Faust's own ``exactly_once`` is not involved: to Faust this is an at-least-once transport whose commit happens
to carry more than offsets.
"""

import asyncio
import contextlib
import itertools
import zlib
from collections.abc import Awaitable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, cast

from faust.streams import current_event
from faust.transport import base
from faust.transport.consumer import ensure_TP
from faust.transport.producer import Producer as BaseProducer
from faust.types import TP, AppT, ConsumerMessage, RecordMetadata
from mode import Service
from mode.utils.times import Seconds
from yarl import URL

from agents.embedded.headers import packed, unpacked
from agents.embedded.held import HeldRecords, Waiting
from agents.embedded.log import Log, LogRecord, NewRecord, now_ms
from agents.embedded.writer import LogWriter
from agents.gapless import NO_GENERATION, GaplessConsumer

_FETCH_RECORDS = 500
_POLL_OTHER_PROCESSES_SECONDS = 0.05
_MEMBER = "worker"


def partition_of(key: bytes, partitions: int) -> int:
    """Return the partition of a key: CRC-32 modulo the count, the same in every process."""
    return zlib.crc32(key) % partitions


class Consumer(GaplessConsumer):
    """The one consumer of the log: all partitions of every subscribed topic are its own."""

    transport: "Transport"

    def __post_init__(self) -> None:
        self._log = self.transport.log
        self._assigned: set[TP] = set()
        self._position: dict[TP, int] = {}
        self._wake = asyncio.Event()
        self._generation = 0

    async def on_start(self) -> None:
        """Take the consumer's place in the log."""
        self._log.acquire()
        self._log.listen(self._hear)
        await super().on_start()

    async def on_stop(self) -> None:
        """Commit what is done, then stop listening."""
        await super().on_stop()
        self._log.unlisten(self._hear)

    def _hear(self) -> None:
        # Commits are made in another thread, whose last may end after our loop.
        with contextlib.suppress(RuntimeError):
            self.loop.call_soon_threadsafe(self._wake.set)

    @Service.task
    async def _watch_other_processes(self) -> None:
        while not self.should_stop:
            if self._log.refresh():
                self._wake.set()
            await self.sleep(_POLL_OTHER_PROCESSES_SECONDS)

    # Membership: this process is the whole group, but Faust's tables and agents wait for its protocol.

    async def subscribe(self, topics: Iterable[str]) -> None:
        """Take all partitions of these topics, through one rebalance."""
        wanted = set(topics)
        for topic in wanted:
            self.transport.ensure_topic(topic)
        # Faust's assigned callback waits for this very call to return.
        self.add_future(self._rebalance(wanted))

    async def _rebalance(self, topics: set[str]) -> None:
        """Drive Faust through one generation.

        1. Announce it. From here to step 4 no generation is current: an event that ends meanwhile must not
           be acknowledged, because what it produced is about to be forgotten.
        2. Commit what is done, then forget what uncommitted events produced; tables do the same.
        3. Let Faust's own assignor assign, so that its table routing is right.
        4. Stamp the generation: a stream drops messages of an older one.
        5. Announce the assignment; Faust recovers tables and resumes the flow.
        """
        app = self.app
        app.on_rebalance_start()  # 1
        app.consumer_generation_id = NO_GENERATION
        if self._assigned:  # 2
            await self.commit()
            await self.on_partitions_revoked(set(self._assigned))
            cast(Producer, app.producer).drop_held()
        assignor = cast(Any, app.assignor)  # 3
        assigned = assignor.assign(self.transport, {_MEMBER: assignor.metadata(topics)})[_MEMBER]
        assignor.on_assignment(assigned)
        self._assigned = {TP(topic, number) for topic, numbers in assigned.assignment for number in numbers}
        self._position = {tp: self._committed(tp) for tp in self._assigned}
        self._generation += 1  # 4
        app.consumer_generation_id = self._generation
        await self.on_partitions_assigned(set(self._assigned), self._generation)  # 5

    def assignment(self) -> set[TP]:
        """Return all partitions held."""
        return set(self._assigned)

    # Positions

    def _committed(self, tp: TP) -> int:
        committed = self._log.committed(self.app.conf.id, *tp)
        return self._log.start(*tp) if committed is None else committed

    async def _committed_of(self, tp: TP) -> int | None:
        return self._committed(tp)

    async def seek_to_committed(self) -> Mapping[TP, int]:
        """Go back to the committed offsets; changelogs are left to recovery, which seeks them itself."""
        committed = {tp: self._committed(tp) for tp in self._assigned if not self._is_changelog_tp(tp)}
        self._position.update(committed)
        return committed

    async def _seek(self, partition: TP, offset: int) -> None:
        self._position[ensure_TP(partition)] = offset

    async def seek_wait(self, partitions: Mapping[TP, int]) -> None:
        """Go to these offsets."""
        for tp, offset in partitions.items():
            self._position[tp] = offset
            # Faust keeps "the last offset read" here, and None for "from the start".
            self._read_offset[tp] = offset if offset > 0 else None

    async def position(self, tp: TP) -> int | None:
        """Return the next offset to fetch."""
        return self._position.get(tp)

    def highwater(self, tp: TP) -> int:
        """Return the end offset."""
        return self._log.end(*tp)

    async def highwaters(self, *partitions: TP) -> Mapping[TP, int]:
        """Return the end offsets."""
        return {tp: self._log.end(*tp) for tp in partitions}

    async def earliest_offsets(self, *partitions: TP) -> Mapping[TP, int]:
        """Return the offsets of the oldest records kept."""
        return {tp: self._log.start(*tp) for tp in partitions}

    def topic_partitions(self, topic: str) -> int | None:
        """Return how many partitions a topic has."""
        return self._log.partitions(topic)

    def key_partition(self, topic: str, key: bytes | None, partition: int | None = None) -> int | None:
        """Return the partition of a key."""
        if partition is not None:
            return partition
        return None if key is None else partition_of(key, self.transport.ensure_topic(topic))

    # Fetching and committing

    async def _getmany(self, active_partitions: set[TP] | None, timeout: float) -> Any:
        deadline = self.loop.time() + timeout
        while self.flow_active:
            self._wake.clear()
            # Faust changes its set while we wait, and drops what we fetch of a partition no longer in it.
            fetched = self._fetch(self._assigned if active_partitions is None else active_partitions)
            remaining = deadline - self.loop.time()
            if fetched or remaining <= 0 or self.should_stop:
                return fetched
            try:
                await asyncio.wait_for(self._wake.wait(), remaining)
            except TimeoutError:
                return {}
        return {}

    def _fetch(self, partitions: Iterable[TP]) -> dict[TP, list[LogRecord]]:
        """Read on, no more than a round's records in all; every partition that has some gets a part."""
        behind = [tp for tp in partitions if tp in self._assigned and self._position[tp] < self._log.end(*tp)]
        limit = max(1, _FETCH_RECORDS // max(1, len(behind)))
        fetched = {}
        for tp in behind:
            records = self._log.read(*tp, self._position[tp], limit=limit)
            if records:
                fetched[tp] = records
                self._position[tp] = records[-1].offset + 1
        return fetched

    def _to_message(self, tp: TP, record: LogRecord) -> ConsumerMessage:
        return ConsumerMessage(
            tp.topic,
            tp.partition,
            record.offset,
            record.timestamp_ms / 1000.0,
            0,
            unpacked(record.headers),
            record.key,
            record.value,
            None,
            len(record.key or b""),
            len(record.value or b""),
            tp,
            generation_id=self._generation,
        )

    async def _commit(self, offsets: Mapping[TP, int]) -> bool:
        producer = cast(Producer, self.app.producer)
        await producer.commit_with_offsets(self.app.conf.id, offsets)
        return True

    def _new_topicpartition(self, topic: str, partition: int) -> TP:
        return TP(topic, partition)

    async def create_topic(
        self,
        topic: str,
        partitions: int,
        replication: int,
        *,
        config: Mapping[str, Any] | None = None,
        timeout: Seconds = 1000.0,
        retention: Seconds | None = None,
        compacting: bool | None = None,
        deleting: bool | None = None,
        ensure_created: bool = False,
    ) -> None:
        """Create a topic where it is missing; replication means nothing here."""
        self._log.create_topic(topic, partitions, is_compacted=bool(compacting))


def _tell(waiting: Sequence[Waiting], writing: "asyncio.Future[list[int]]") -> None:
    """Tell those who wait for records where they lie, or why they do not."""
    error = writing.exception()
    if error is not None:
        for one in waiting:
            one.fail(error)
        return
    for one, offset in zip(waiting, writing.result(), strict=True):
        one.resolve(offset)


class Producer(BaseProducer):
    """Appends to the log: at once outside an event, with the event's offset inside one.

    Nothing waits for the disk on the event loop. What is sent in one turn of it goes together.

    Attributes:
        writer: Writes to the log.
        held: Records of events that are not committed.
    """

    transport: "Transport"

    def __post_init__(self) -> None:
        self.writer = LogWriter(self.transport.log)
        self.held = HeldRecords()
        self._tick: list[Waiting] = []
        self._appending: set[asyncio.Future[list[int]]] = set()
        self._round_robin = itertools.count()

    async def on_stop(self) -> None:
        """Append what does not belong to an event; the rest is produced again when its event is."""
        await self.flush()
        await self.writer.close()
        await super().on_stop()

    async def send(
        self,
        topic: str,
        key: bytes | None,
        value: bytes | None,
        partition: int | None,
        timestamp: float | None,
        headers: Any,
        *,
        transactional_id: str | None = None,
    ) -> Awaitable[RecordMetadata]:
        """Append a record.

        Returns:
            A future with the record's place. Inside an event it is done when the event's offset is
            committed, so an agent must not await it before it acknowledges the event. It is never done
            for an event of an earlier generation, which is consumed again and produces its records anew.
        """
        partitions = self.transport.ensure_topic(topic)
        if partition is None:
            partition = next(self._round_robin) % partitions if key is None else partition_of(key, partitions)
        timestamp_ms = now_ms() if timestamp is None else int(timestamp * 1000)
        record = NewRecord(topic, partition, timestamp_ms, key, value, packed(headers))
        future: asyncio.Future[RecordMetadata] = self.loop.create_future()
        event = current_event()
        if event is not None:
            message = event.message
            if message.generation_id == self.app.consumer_generation_id:
                self.held.hold(Waiting(record, future, message.tp, message.offset))
        else:
            if not self._tick:
                self.loop.call_soon(self._append_tick)
            self._tick.append(Waiting(record, future))
        return future

    async def send_and_wait(
        self,
        topic: str,
        key: bytes | None,
        value: bytes | None,
        partition: int | None,
        timestamp: float | None,
        headers: Any,
        *,
        transactional_id: str | None = None,
    ) -> RecordMetadata:
        """Append a record and wait until it is durable. Never for use inside an event."""
        return await (await self.send(topic, key, value, partition, timestamp, headers))

    def _append_tick(self) -> None:
        waiting, self._tick = self._tick, []
        if waiting:
            writing = self.writer.write([one.record for one in waiting])
            self._appending.add(writing)
            writing.add_done_callback(self._appending.discard)
            writing.add_done_callback(partial(_tell, waiting))

    async def commit_with_offsets(self, group_id: str, offsets: Mapping[TP, int]) -> None:
        """Append the records of all events below these offsets, and move the offsets, in one transaction.

        Whoever is cancelled meanwhile leaves a write that goes on.

        Raises:
            StoreFull: The disk is full; nothing was written.
            EngineError: The log failed; nothing was written.
        """
        taken = self.held.take(offsets, self.app.tables.changelog_topics)

        def tell(writing: "asyncio.Future[list[int]]") -> None:
            if writing.exception() is None:
                taken.tell(writing.result())
            else:
                taken.put_back()

        writing = self.writer.write(taken.records, group_id=group_id, offsets=offsets)
        writing.add_done_callback(tell)
        await asyncio.shield(writing)

    def drop_held(self) -> None:
        """Forget the records of uncommitted events, which will be consumed again."""
        self.held.drop()

    async def flush(self) -> None:
        """Append all that does not belong to an event; return when it is durable, or has failed."""
        await self.buffer.flush()
        self._append_tick()
        if self._appending:
            await asyncio.wait(set(self._appending))

    def key_partition(self, topic: str, key: bytes) -> TP:
        """Return the partition of a key."""
        return TP(topic, partition_of(key, self.transport.ensure_topic(topic)))

    async def create_topic(
        self,
        topic: str,
        partitions: int,
        replication: int,
        *,
        config: Mapping[str, Any] | None = None,
        timeout: Seconds = 1000.0,
        retention: Seconds | None = None,
        compacting: bool | None = None,
        deleting: bool | None = None,
        ensure_created: bool = False,
    ) -> None:
        """Create a topic where it is missing; replication means nothing here."""
        self.transport.log.create_topic(topic, partitions, is_compacted=bool(compacting))

    def supports_headers(self) -> bool:
        """Return True."""
        return True


class Transport(base.Transport):
    """``embedded:///absolute/path/log.db`` or ``embedded://relative/log.db``; ``?sync=NORMAL`` if wanted.

    Faust makes it at import time, so the file is opened at first use.
    """

    Consumer = Consumer
    Producer = Producer
    driver_version = "embedded-sqlite"
    default_port = 0

    def __init__(self, url: list[URL], app: AppT, loop: asyncio.AbstractEventLoop | None = None) -> None:
        super().__init__(url, app, loop=loop)
        self._path = log_path(url[0])
        self._synchronous = url[0].query.get("sync", "FULL")
        self._log: Log | None = None

    @property
    def log(self) -> Log:
        """This process's log of that path."""
        if self._log is None:
            self._log = Log.shared(self._path, synchronous=self._synchronous)
        return self._log

    def ensure_topic(self, topic: str) -> int:
        """Return how many partitions a topic has, creating it with the app's default where it is missing."""
        partitions = self.log.partitions(topic)
        if partitions is None:
            partitions = self.app.conf.topic_partitions
            self.log.create_topic(topic, partitions)
        return partitions

    def partitions_for_topic(self, topic: str) -> set[int]:
        """Return the partition numbers of a topic: all of a cluster's metadata that Faust's assignor asks."""
        return set(range(self.log.partitions(topic) or 0))


def log_path(url: URL) -> Path:
    """Return the file that an ``embedded://`` URL names."""
    return Path(f"{url.host or ''}{url.path}")
