"""The Faust app of a worker: what starts before recovery, and what stops before the tables close."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from time import monotonic
from typing import Any, cast

import faust
import structlog
from faust.sensors import Monitor
from faust.tables.recovery import Recovery, ServiceStopped
from faust.transport.drivers.aiokafka import Transport as KafkaTransport
from faust.types import TP, EventT, Message, StreamT, TopicT, TransportT
from mode.utils.queues import ThrowableQueue

from agents.gapless import GaplessConsumer, GaplessKafkaConsumer
from agents.gathered_sends import GatheringProducer
from agents.ordered import OrderedWindow, UnacknowledgedEvent
from tables.predictions import CommittingTables, PredictionTable

_log = structlog.get_logger("revstream.worker")


class QuietMonitor(Monitor):
    """Faust's monitor without samples of every message: our own metrics count events."""

    def on_message_in(self, tp: TP, offset: int, message: Message) -> None:
        """Keep the offset alone: Faust's checks for stalled partitions read it."""
        self.tp_read_offsets[tp] = offset

    def on_message_out(self, tp: TP, offset: int, message: Message) -> None:
        """Do nothing."""

    def on_stream_event_in(self, tp: TP, offset: int, stream: StreamT[Any], event: EventT[Any]) -> None:
        """Do nothing."""

    def on_stream_event_out(
        self, tp: TP, offset: int, stream: StreamT[Any], event: EventT[Any], state: Any = None
    ) -> None:
        """Do nothing."""


class QuietRecovery(Recovery):
    """Faust's recovery, which says nothing where a worker stops in the midst of its end.

    Before it reads a changelog, new partitions may be filled from elsewhere. That takes long, so the
    rebalance does not wait for it; the next rebalance ends it.

    Attributes:
        fill: Fills partitions, and returns how many rows came from a checkpoint; None where nothing does.
        rows_filled: What it returned last.
        rows_filling: About how many changelog records it has yet to apply.
    """

    fill: Callable[[], Awaitable[int]] | None = None
    rows_filling: Callable[[], Mapping[TP, int]] = staticmethod(dict)
    rows_filled = 0
    _filling: asyncio.Task[None] | None = None

    async def on_rebalance(
        self, assigned: set[TP], revoked: set[TP], newly_assigned: set[TP], generation_id: int = 0
    ) -> None:
        """Begin the recovery of a generation."""
        self.rows_filled = 0
        if self.fill is None:
            await super().on_rebalance(assigned, revoked, newly_assigned, generation_id)
            return
        for tp in revoked:
            self.revoke(tp)
        filling = self._fill_first(self.fill, assigned, newly_assigned, generation_id)
        self._filling = asyncio.create_task(filling)

    async def _fill_first(
        self,
        fill: Callable[[], Awaitable[int]],
        assigned: set[TP],
        newly_assigned: set[TP],
        generation_id: int,
    ) -> None:
        try:
            self.rows_filled = await fill()
            await super().on_rebalance(assigned, set(), newly_assigned, generation_id)
        except Exception as error:
            await self.crash(error)

    def rows_left(self) -> Mapping[TP, int]:
        """Return about how many changelog records are yet to be applied."""
        return {**self.active_remaining(), **self.rows_filling()}

    def stop_filling(self) -> None:
        """End what fills partitions, at once: they may be closed."""
        if self._filling is not None:
            self._filling.cancel()
            self._filling = None

    async def on_stop(self) -> None:
        """Stop."""
        self.stop_filling()
        await super().on_stop()

    async def on_recovery_completed(self, generation_id: int = 0) -> None:
        """End recovery; nobody waits for this any more once the worker stops."""
        with contextlib.suppress(ServiceStopped):
            await super().on_recovery_completed(generation_id)


def _no_more() -> None:
    pass


class PromptTables(CommittingTables):
    """The tables of an app that has declared them all before it starts.

    Attributes:
        before_rebalance: Runs when the partitions of a generation are known, before any is opened or closed.
        after_rebalance: Runs when those that are ours are open, and the others closed.
    """

    before_rebalance: Callable[[], None] = staticmethod(_no_more)
    after_rebalance: Callable[[], None] = staticmethod(_no_more)
    _rows_before = 0
    _began = 0.0

    async def on_rebalance(
        self, assigned: set[TP], revoked: set[TP], newly_assigned: set[TP], generation_id: int = 0
    ) -> None:
        """Take up the partitions of a generation."""
        self.recovery.stop_filling()
        self.before_rebalance()
        self._began = monotonic()
        self._rows_before = self._rows_recovered()
        await super().on_rebalance(assigned, revoked, newly_assigned, generation_id)
        self.after_rebalance()

    def on_actives_ready(self) -> None:
        """Show the partitions that came, and tell what they took."""
        tables = [table.data for table in self.values() if isinstance(table, PredictionTable)]
        taken = sorted({partition for data in tables for partition in data.recovering})
        super().on_actives_ready()
        if taken:
            rows_read = self._rows_recovered() - self._rows_before
            _log.info(
                "partitions_taken",
                partitions=taken,
                rows_read=rows_read,
                rows_loaded=self.recovery.rows_filled,
                seconds=round(monotonic() - self._began, 3),
            )

    def _rows_recovered(self) -> int:
        return sum(table.data.rows_recovered for table in self.values() if isinstance(table, PredictionTable))

    @property
    def recovery(self) -> QuietRecovery:
        """Return the recovery of these tables."""
        if self._recovery is None:
            self._recovery = QuietRecovery(self.app, self, beacon=self.beacon, loop=self.loop)
        return cast(QuietRecovery, self._recovery)

    async def on_start(self) -> None:
        """Begin at once: Faust leaves a second for tables to be declared in."""
        await self._update_channels()
        await self.recovery.start()


class Buffer(ThrowableQueue[Any]):
    """What was fetched for one stream and waits for it.

    Faust's consumer stops where a buffer is full, and all other streams with it. This one takes all:
    at four fifths of its size its partitions are not fetched from any more, so that it ends one round of
    fetching above that.
    """

    def full(self) -> bool:
        """Return False."""
        return False


Hook = Callable[[], Awaitable[None]]


async def _nothing() -> None:
    pass


class StreamApp(faust.App):
    """A Faust app whose events only our window acknowledges, with hooks around its life.

    Attributes:
        before_recovery: Runs first, so that the API answers while tables recover.
        before_stop: Runs while the consumer still works, so that what is done can be committed.
        after_stop: Runs last.
        failure: What stopped the worker; None while nothing did.
    """

    before_recovery: Hook
    before_stop: Hook
    after_stop: Hook
    failure: BaseException | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._windows: dict[str, OrderedWindow] = {}

    def FlowControlQueue(  # noqa: N802 - Faust's name
        self, maxsize: int | None = None, *, clear_on_resume: bool = False
    ) -> ThrowableQueue[Any]:
        """Return the buffer of a stream."""
        return Buffer(maxsize or 0, flow_control=self.flow_control, clear_on_resume=clear_on_resume)

    def take_by(self, topics: Iterable[str], window: OrderedWindow) -> None:
        """Note which window takes the events of some topics."""
        self._windows.update(dict.fromkeys(topics, window))

    def is_busy(self, topic: str) -> bool:
        """Return whether no event of a topic can be taken now: then it is no wonder that none arrives."""
        window = self._windows.get(topic)
        return window is not None and window.is_full

    def create_event(self, key: Any, value: Any, headers: Any, message: Message) -> EventT[Any]:
        """Return an event that Faust itself cannot acknowledge."""
        return UnacknowledgedEvent(self, key, value, headers, message)

    def read(self, topic: TopicT, handle: Callable[[StreamT[Any]], Awaitable[None]], *, name: str) -> None:
        """Have a function read a topic.

        As ``agent`` does, but for the note of where it stands in the source: that takes a look at the files
        of all modules, a tenth of a second.
        """
        agent = cast(Any, self.conf).Agent(
            handle, name=name, app=self, channel=topic, on_error=self._on_agent_error
        )
        self.agents[agent.name] = agent
        self.topics.beacon.add(agent)

    def admit(self, message: Message) -> bool:
        """Return whether an event is the next of its partition, and so may be handled."""
        return cast(GaplessConsumer, self.consumer).admit(message)

    def lag(self, topics: Collection[str]) -> int | None:
        """Return how many events of some topics are not done, see `agents.gapless.GaplessConsumer.lag`."""
        consumer = cast(GaplessConsumer | None, self._consumer)
        return None if consumer is None else consumer.lag(topics)

    def _new_transport(self) -> TransportT:
        transport = super()._new_transport()
        if isinstance(transport, KafkaTransport):
            transport.Consumer = GaplessKafkaConsumer  # type: ignore[misc]  # of this one transport
            transport.Producer = GatheringProducer  # type: ignore[misc]  # the same
        return transport

    async def on_start(self) -> None:
        """Start what must not wait for recovery."""
        await self.before_recovery()
        await super().on_start()

    async def on_stop(self) -> None:
        """Finish and commit what is in flight, then let Faust close."""
        await self.before_stop()
        if self.crashed and self._consumer is not None:
            # Kafka's consumer lives in a thread that a crash has ended: Faust's last commit would wait for it
            # for ever. What is done and not committed is consumed again.
            self._consumer.commit_and_end_transactions = _nothing  # type: ignore[attr-defined]  # no other way
        await super().on_stop()

    async def on_shutdown(self) -> None:
        """Stop what served to the end."""
        await super().on_shutdown()
        await self.after_stop()

    def fail(self, error: BaseException) -> None:
        """Stop the worker because of an error. The first one counts. Acknowledges nothing."""
        if self.failure is None:
            self.failure = error
            asyncio.get_running_loop().create_task(self._crash_soon(error))

    async def _crash_soon(self, error: BaseException) -> None:
        await self.crash(error)
