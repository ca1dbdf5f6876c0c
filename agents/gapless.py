"""A consumer that gives its stream every record of a partition, in order, whatever a rebalance drops.

Between the log and a stream Faust drops records in many places: it empties its queues, stops in the middle of
a batch, and goes back to the committed offsets while its fetcher runs. It takes what is missing for holes in
the log, and commits past it: those events are lost.

This consumer knows what it fetched and is told what arrived. Where a record did not arrive, it goes back and
refuses what came after. A hole that is in the log itself, as compaction and transactions leave them, it tells
by where both of its ends lie: in what was fetched without a seek in between.
"""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, cast

import uvloop
from aiokafka import TopicPartition
from aiokafka.errors import IllegalStateError
from faust.exceptions import ConsumerNotStarted
from faust.transport.consumer import Consumer
from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread
from faust.transport.drivers.aiokafka import Consumer as AIOKafkaConsumer
from faust.types import TP, Message
from mode import Service

from agents.membership import Membership

NO_GENERATION = -1
_FETCH_SECONDS = 1.0
_REBALANCING_SECONDS = 0.05
_STALL_SECONDS = 3.0
_LIVELOCK_SECONDS = 30.0


class Reading:
    """One partition, read from an offset on without a seek.

    Attributes:
        fetched_to: The offset behind the last record fetched.
        admitted_to: The offset behind the last record that arrived.
        holes: Of the log, those that no record behind them was admitted from: their ends by their beginnings.
    """

    __slots__ = ("_seen_at", "_seen_to", "admitted_to", "fetched_to", "holes")

    def __init__(self, offset: int) -> None:
        self.fetched_to = self.admitted_to = self._seen_to = offset
        self._seen_at = 0.0
        self.holes: dict[int, int] = {}

    def fetched(self, offsets: Sequence[int]) -> None:
        """Note the next records."""
        if offsets[-1] - self.fetched_to >= len(offsets):
            for offset in offsets:
                if offset > self.fetched_to:
                    self.holes[self.fetched_to] = offset
                self.fetched_to = offset + 1
        self.fetched_to = offsets[-1] + 1

    def admits(self, offset: int) -> bool:
        """Return whether a record is the next."""
        expected = self.admitted_to
        if offset != expected and self.holes.get(expected) != offset:
            return False
        self.holes.pop(expected, None)
        self.admitted_to = offset + 1
        return True

    def has_stalled(self, now: float, *, is_busy: bool = False) -> bool:
        """Return whether nothing of what was fetched has arrived for a while.

        Args:
            now: In seconds, of a monotonic clock.
            is_busy: Whether the stream takes nothing at the moment.
        """
        if is_busy or self.admitted_to == self.fetched_to or self.admitted_to != self._seen_to:
            self._seen_to, self._seen_at = self.admitted_to, now
        return now - self._seen_at > _STALL_SECONDS


class GaplessConsumer(Consumer):
    """A mixin for a driver's consumer.

    Its stream asks `admit` for each event it takes, and acknowledges those of a partition in their order:
    what is committed is what was acknowledged, and nothing is reckoned from holes.

    Attributes:
        flushes_first: Whether to have all that was sent in the log before offsets are committed.
    """

    flushes_first = True

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._readings: dict[TP, Reading] = {}
        self._rewinds: dict[TP, int] = {}
        super().__init__(*args, **kwargs)

    def admit(self, message: Message) -> bool:
        """Return whether an event may be handled: all before it in its partition were.

        What is refused comes again in its turn, or belongs to a partition that was given back.
        """
        reading = self._readings.get(message.tp)
        if reading is None:
            return False
        if reading.admits(message.offset):
            return True
        if message.offset > reading.admitted_to:
            self._rewind(message.tp, reading)
        return False

    def _rewind(self, tp: TP, reading: Reading) -> None:
        """Have the fetcher go back to where a partition's records ceased to arrive."""
        del self._readings[tp]
        self._rewinds[tp] = reading.admitted_to

    def _rewind_stalled(self) -> None:
        """Go back where nothing came behind what was dropped, which would tell of it.

        A stream may just be slow: then it is given again what its queue still holds, and takes it once.
        """
        now = self.loop.time()
        is_busy: Callable[[str], bool] = cast(Any, self.app).is_busy
        for tp, reading in list(self._readings.items()):
            if reading.has_stalled(now, is_busy=is_busy(tp.topic)):
                self._rewind(tp, reading)

    def _forget_readings(self) -> None:
        self._readings.clear()
        self._rewinds.clear()

    def lag(self, topics: Collection[str]) -> int | None:
        """Return how many events of some topics are not committed, of the partitions held here.

        Returns:
            None while it is not known: before partitions are assigned and their ends heard of.
        """
        behind = None
        try:
            for tp in self.assignment():
                if tp.topic in topics:
                    end = self.highwater(tp)
                    if end is None or tp not in self._committed_offset:
                        return None
                    behind = (behind or 0) + max(0, end - (self._committed_offset[tp] or 0))
        except (ConsumerNotStarted, IllegalStateError):
            return None
        return behind

    async def committed_all(self, topic: str, partitions: int) -> dict[int, int]:
        """Return the offset behind the last record committed of each partition, whoever holds it.

        Of those that are held here the rows are visible as well.
        """
        held = self.assignment()
        committed = {}
        for tp in (TP(topic, number) for number in range(partitions)):
            is_known = tp in held and self._committed_offset.get(tp) is not None
            offset = self._committed_offset[tp] if is_known else await self._committed_of(tp)
            committed[tp.partition] = offset or 0
        return committed

    async def _committed_of(self, tp: TP) -> int | None:
        """Return what the log knows to be committed of a partition; None where nothing is."""
        raise NotImplementedError

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """End the generation before tables forget what it left uncommitted.

        Faust lets it go on until the next is known. An event that ended in between would be acknowledged,
        its row built on what was left.
        """
        self.app.consumer_generation_id = NO_GENERATION
        self._forget_readings()
        await super().on_partitions_revoked(revoked)

    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        """Begin a generation, in which nothing is read until Faust's recovery asks for it."""
        # The end of a rebalance that this one overtook may have said that it is over.
        self.app.rebalancing = True
        self._forget_readings()
        await super().on_partitions_assigned(assigned, generation_id)

    async def perform_seek(self) -> None:
        """Have each source partition read from its committed offset, or where it ceased to arrive.

        Faust asks for it at the end of a rebalance, and where it dropped what it had fetched.
        """
        generation_id = self.app.consumer_generation_id
        if generation_id == NO_GENERATION:
            return
        await super().perform_seek()
        sources = [tp for tp in self.assignment() if not self._is_changelog_tp(tp)]
        starts = await self.earliest_offsets(*sources) if sources else {}
        if self.app.consumer_generation_id != generation_id:
            return
        for tp in sources:
            reading = self._readings.get(tp)
            if reading is not None:
                self._rewind(tp, reading)
            elif tp not in self._rewinds:
                self._rewinds[tp] = self._committed_offset[tp] or starts[tp]

    async def _begin_readings(self) -> None:
        """Go where readings shall begin. No fetch is under way, so that what comes next comes from there."""
        generation_id = self.app.consumer_generation_id
        for tp, offset in list(self._rewinds.items()):
            try:
                await self.seek_wait({tp: offset})
            except IllegalStateError:
                return  # Given back this moment: the next generation begins anew.
            if self.app.consumer_generation_id != generation_id:
                return
            if self._rewinds.pop(tp, None) is not None:
                self._readings[tp] = Reading(offset)

    async def _drain_messages(self, fetcher: Any) -> None:
        """Fetch records and give them to the conductor, until the fetcher is stopped.

        No reading begins before a rebalance is over: its last step empties the streams' queues.
        """
        try:
            while not (self.should_stop or fetcher.should_stop):
                is_rebalancing = self.app.rebalancing
                self._rewind_stalled()
                if self._rewinds and not is_rebalancing:
                    await self._begin_readings()
                seconds = _REBALANCING_SECONDS if is_rebalancing else _FETCH_SECONDS
                async for _, message in self.getmany(timeout=seconds):
                    await self.callback(message)
                await self.sleep(0)
        except asyncio.CancelledError:
            # A consumer's thread that stops cancels what is asked of it.
            if not self.app.should_stop:
                raise
        except self.consumer_stopped_errors:
            if not self.app.should_stop:
                raise

    async def _wait_next_records(self, timeout: float) -> Any:  # noqa: ASYNC109 - Faust's signature
        """Fetch of changelogs, and of the sources that are being read."""
        if not self.flow_active:
            await self.wait(cast(Any, self.can_resume_flow))
        readings = self._readings
        wanted = {tp for tp in self._get_active_partitions() if tp in readings or self._is_changelog_tp(tp)}
        if not wanted:
            await self.sleep(_REBALANCING_SECONDS)
            return None, wanted
        records = await self._getmany(active_partitions=wanted, timeout=timeout)
        for tp, fetched in records.items():
            reading = readings.get(tp)
            if reading is not None and fetched:
                reading.fetched([record.offset for record in fetched])
        return records, wanted

    async def _commit_offsets(self, offsets: Mapping[TP, int], start_new_transaction: bool = True) -> bool:
        """Commit offsets of partitions that are held still, and let tables write.

        As Faust does without transactions, but that it draws a table of them for its log, written or not.
        """
        assignment = self.assignment()
        held = {tp: offset for tp, offset in offsets.items() if tp in assignment}
        if not held:
            return False
        if self.flushes_first:
            await self.app.producer.flush()
        did_commit = await self._commit(held)
        if did_commit:
            self.app.tables.on_commit(held)
        self._committed_offset.update(held)
        self.app.monitor.on_tp_commit(held)
        return did_commit

    @Service.task
    async def _commit_livelock_detector(self) -> None:
        """Warn of partitions that stand still for minutes; Faust looks at each twice a second."""
        async for _ in self.itertimer(_LIVELOCK_SECONDS, name="livelock"):
            if not self.app.rebalancing:
                await self.verify_all_partitions_active()

    def _new_offset(self, tp: TP) -> int | None:
        """Return the offset to commit: the one behind the last event acknowledged."""
        acknowledged = self._acked[tp]
        if not acknowledged:
            return None
        offset = max(acknowledged) + 1
        acknowledged.clear()
        self._acked_index[tp].clear()
        return offset


class _ConsumerThread(AIOKafkaConsumerThread):
    """Faust's thread of a Kafka consumer, which ends also where no broker answers."""

    async def on_thread_stop(self) -> None:
        """End the consumer.

        aiokafka waits for requests that it has cancelled itself, and goes no further where one of them was
        between two attempts.
        """
        try:
            await super().on_thread_stop()
        except asyncio.CancelledError:
            await self._ensure_consumer()._client.close()


class GaplessKafkaConsumer(GaplessConsumer, AIOKafkaConsumer):
    """Faust's Kafka consumer without gaps."""

    # An event is acknowledged once what it sent is in the log. To wait for what others send would take until
    # nobody sends anything.
    flushes_first = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._membership = Membership(self.app.conf.broker_session_timeout, beat=self._beat)

    @property
    def member_id(self) -> str:
        """Who this worker is for its group now; empty where it is no member."""
        return cast(str, self._coordinator.member_id)

    async def holds(self, member_id: str) -> bool:
        """Return what `agents.membership.Membership.holds` does."""
        return await self._membership.holds(
            member_id,
            now=lambda: "" if self.should_stop else self.member_id,
            stops=lambda: self.app.should_stop,
        )

    @property
    def _coordinator(self) -> Any:
        return self._thread._ensure_consumer()._coordinator

    async def _beat(self) -> bool:
        return cast(bool, await self._thread.call_thread(self._coordinator._do_heartbeat))

    def _new_consumer_thread(self) -> AIOKafkaConsumerThread:
        # The thread mostly waits for brokers, which costs asyncio's own loop half as much again.
        thread = _ConsumerThread(
            self, loop=self.loop, beacon=self.beacon, thread_loop=uvloop.new_event_loop()
        )
        thread._close_thread_loop_on_stop = True
        return thread

    async def _committed_of(self, tp: TP) -> int | None:
        consumer = self._thread._ensure_consumer()
        committed: int | None = await self._thread.call_thread(consumer.committed, TopicPartition(*tp))
        return committed

    async def seek_to_committed(self) -> dict[TP, int]:
        """Go back to the committed offsets; changelogs are left to recovery, which seeks them itself."""
        consumer = self._thread._ensure_consumer()
        sources = [TopicPartition(*tp) for tp in self.assignment() if not self._is_changelog_tp(tp)]
        if not sources:
            return {}
        committed: dict[TP, int] = await self._thread.call_thread(consumer.seek_to_committed, *sources)
        return committed
