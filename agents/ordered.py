"""The agent loop: many events in flight, acknowledged in order, each page's in turn.

Faust loses events in four ways that this loop closes: it acknowledges an event whose handler raised, it
commits past unfinished events when acknowledgements come out of order, it acknowledges messages that it
skips while a rebalance or a stop is under way, and its ``concurrency`` reorders events of one key.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterable, Awaitable, Callable
from typing import Any

from faust import Event
from faust.types import TP, Message

from agents.membership import MembershipLost
from schemas.errors import EngineError
from schemas.keys import same_page_key

_GIVEN_BACK_SECONDS = 0.05


class UnacknowledgedEvent(Event):
    """An event that only `OrderedWindow` acknowledges: Faust's own calls do nothing."""

    def ack(self) -> bool:
        """Do nothing: Faust calls this for messages that it skips."""
        return False

    def acknowledge(self) -> None:
        """Let the event's offset be committed."""
        super().ack()


Handler = Callable[[UnacknowledgedEvent], Awaitable[None]]
Wait = Callable[[UnacknowledgedEvent], Awaitable[bool]]


class _Slot:
    """An event in flight. ``turn_over`` is made by the next event of its key, which waits for it."""

    __slots__ = ("event", "has_ended", "is_done", "turn_over")

    def __init__(self, event: UnacknowledgedEvent) -> None:
        self.event = event
        self.is_done = False
        self.has_ended = False
        self.turn_over: asyncio.Future[None] | None = None

    def end_turn(self) -> None:
        """Let the next event of the key go on."""
        self.has_ended = True
        if self.turn_over is not None and not self.turn_over.done():
            self.turn_over.set_result(None)

    async def wait_for_turn_over(self) -> None:
        """Wait until this event is handled, or given up."""
        if not self.has_ended:
            self.turn_over = asyncio.get_running_loop().create_future()
            await self.turn_over


class Turns:
    """Whose turn it is of each key. Windows that share it never handle two events of a key at once."""

    def __init__(self) -> None:
        self._tails: dict[Any, _Slot] = {}

    def take(self, slot: _Slot) -> _Slot | None:
        """Take the next turn of the event's key; return whose turn is before it."""
        key = same_page_key(slot.event.message.key)
        before = self._tails.get(key)
        self._tails[key] = slot
        return before

    def end(self, slot: _Slot) -> None:
        """Let the next event of the key go on, whether or not a turn was taken."""
        slot.end_turn()
        key = same_page_key(slot.event.message.key)
        if self._tails.get(key) is slot:
            del self._tails[key]


class OrderedWindow:
    """Handles events concurrently within a bounded window.

    - At most ``size`` events are taken and not acknowledged, so a crash repeats at most that many.
    - Events of one key are handled one after the other, in the order of the stream.
    - An event is acknowledged when it and all before it in its partition are done.
    - An exception of the handler acknowledges nothing more, ever, and is given to ``on_fatal``.

    Args:
        handle: Handles one event to its end. Raises only for faults that no later event would escape.
        size: Events in flight.
        generation: Returns the current generation of the consumer group. Events of an earlier one belong
            to partitions that were given back: they are dropped, and consumed again by their new owner.
        admit: Returns whether an event is the next of its partition. What is refused is dropped.
        on_fatal: Called once with the first exception of the handler.
        turns: Shared with other windows over the same tables; its own if None.
        wait: Holds an event up before its turn, and returns whether it is to be handled then, or is done.
            What waits holds up no other event, and is given up at once when the window closes.
    """

    def __init__(
        self,
        handle: Handler,
        *,
        size: int,
        generation: Callable[[], int],
        admit: Callable[[Message], bool],
        on_fatal: Callable[[BaseException], None],
        turns: Turns | None = None,
        wait: Wait | None = None,
    ) -> None:
        self._handle = handle
        self._turns = turns or Turns()
        self._wait = wait
        self._waiting: dict[asyncio.Future[bool], UnacknowledgedEvent] = {}
        self._generation = generation
        self._admit = admit
        self._on_fatal = on_fatal
        self._free = asyncio.Semaphore(size)
        self._size = size
        self._slots: dict[TP, deque[_Slot]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._current = 0
        self._is_closed = False
        self._has_failed = False

    @property
    def in_flight(self) -> int:
        """How many events are taken and not done."""
        return len(self._tasks)

    @property
    def waiting(self) -> int:
        """How many of these wait for their time."""
        return len(self._waiting)

    @property
    def is_full(self) -> bool:
        """Whether no further event can be taken now."""
        return self._free.locked()

    async def run(self, events: AsyncIterable[Any]) -> None:
        """Handle events until the stream ends or the window is closed."""
        async for event in events:
            self.drop_stale()
            await self._free.acquire()
            self.drop_stale()
            if self._is_closed:
                # Neither handled nor acknowledged: the next start consumes it again.
                self._free.release()
                return
            if self._is_stale(event) or not self._admit(event.message):
                self._free.release()
            else:
                self._take(event)

    def _take(self, event: UnacknowledgedEvent) -> None:
        slot = _Slot(event)
        tp = event.message.tp
        slots = self._slots.get(tp)
        if slots is None:
            slots = self._slots[tp] = deque()
        slots.append(slot)
        before = self._turns.take(slot) if self._wait is None else None
        task = asyncio.create_task(self._turn(slot, slots, before))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def drop_stale(self) -> None:
        """Forget what earlier generations left: their offsets mean nothing now.

        Events that are done and wait for one before them give their places back here; those still handled
        do so as they end, so that ``size`` bounds what runs whatever the generation.

        Called by itself as events come and end. Call it when a generation begins, too: the window may be
        full of events that wait for one slow event of the last.
        """
        generation = self._generation()
        if generation == self._current:
            return
        self._current = generation
        for slots in self._slots.values():
            for slot in slots:
                if slot.is_done:
                    self._free.release()
        self._slots = {}
        for waiting, event in self._waiting.items():
            if self._is_stale(event):
                waiting.cancel()

    async def _turn(self, slot: _Slot, slots: deque[_Slot], before: _Slot | None) -> None:
        event = slot.event
        is_due = True
        try:
            if self._wait is not None:
                is_due = await self._waited(self._wait, event)
                before = self._turns.take(slot) if is_due else None
            if before is not None:
                await before.wait_for_turn_over()
            if self._has_failed:
                return
            if is_due and not self._is_stale(event):
                await self._handled(event)
        except asyncio.CancelledError:
            # Nobody but `close` cancels us: the handler waited for something that was given up. Without an
            # end to this event its partition would stand still, and nobody would know.
            if not self._is_closed:
                self._fail(
                    EngineError(
                        f"The handling of {event.message} was cancelled from within, a defect: report it."
                    )
                )
            raise
        # Whatever it is, acknowledging it would lose the event.
        except BaseException as error:
            self._fail(error)
            return
        finally:
            self._turns.end(slot)
        self.drop_stale()
        if self._slots.get(event.message.tp) is not slots:
            self._free.release()
            return
        slot.is_done = True
        self._acknowledge(slots)

    async def _handled(self, event: UnacknowledgedEvent) -> None:
        """Handle an event; where its partition is lost, wait until the group says so, so that it is stale."""
        try:
            await self._handle(event)
        except MembershipLost:
            while not self._is_stale(event):  # noqa: ASYNC110 - nothing signals it
                await asyncio.sleep(_GIVEN_BACK_SECONDS)

    async def _waited(self, wait: Wait, event: UnacknowledgedEvent) -> bool:
        """Wait for an event's time; return whether it is to be handled.

        Raises:
            CancelledError: The window was closed meanwhile: nothing is done about the event.
        """
        waiting = asyncio.ensure_future(wait(event))
        self._waiting[waiting] = event
        try:
            await asyncio.wait((waiting,))
        finally:
            waiting.cancel()
            del self._waiting[waiting]
        if waiting.cancelled() and self._is_stale(event) and not self._is_closed:
            return False
        return waiting.result()

    def _is_stale(self, event: UnacknowledgedEvent) -> bool:
        return event.message.generation_id != self._generation()

    def _acknowledge(self, slots: deque[_Slot]) -> None:
        while slots and slots[0].is_done and not self._has_failed:
            slots.popleft().event.acknowledge()
            self._free.release()

    def _fail(self, error: BaseException) -> None:
        if not self._has_failed:
            self._is_closed = self._has_failed = True
            self._on_fatal(error)

    async def close(self, *, drain_seconds: float) -> None:
        """Take no more events; wait for those in flight up to the limit, then cancel them. Idempotent.

        What was cancelled is not acknowledged: it is consumed again at the next start.
        """
        self._is_closed = True
        for waiting in list(self._waiting):
            waiting.cancel()
        if self._tasks and not self._has_failed:
            await asyncio.wait(set(self._tasks), timeout=drain_seconds)
        for task in set(self._tasks):
            task.cancel()
        if self._tasks:
            await asyncio.wait(set(self._tasks))
