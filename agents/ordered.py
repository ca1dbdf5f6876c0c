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
from faust.types import TP


class UnacknowledgedEvent(Event):
    """An event that only `OrderedWindow` acknowledges: Faust's own calls do nothing."""

    def ack(self) -> bool:
        """Do nothing: Faust calls this for messages that it skips."""
        return False

    def acknowledge(self) -> None:
        """Let the event's offset be committed."""
        super().ack()


Handler = Callable[[UnacknowledgedEvent], Awaitable[None]]


class _Slot:
    """An event in flight."""

    __slots__ = ("event", "is_done")

    def __init__(self, event: UnacknowledgedEvent) -> None:
        self.event = event
        self.is_done = False


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
        on_fatal: Called once with the first exception of the handler.
    """

    def __init__(
        self,
        handle: Handler,
        *,
        size: int,
        generation: Callable[[], int],
        on_fatal: Callable[[BaseException], None],
    ) -> None:
        self._handle = handle
        self._generation = generation
        self._on_fatal = on_fatal
        self._free = asyncio.Semaphore(size)
        self._size = size
        self._slots: dict[TP, deque[_Slot]] = {}
        self._tails: dict[Any, asyncio.Task[None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._current = 0
        self._is_closed = False
        self._has_failed = False

    @property
    def in_flight(self) -> int:
        """How many events are taken and not done."""
        return len(self._tasks)

    async def run(self, events: AsyncIterable[Any]) -> None:
        """Handle events until the stream ends or the window is closed."""
        async for event in events:
            await self._free.acquire()
            if self._is_closed:
                # Neither handled nor acknowledged: the next start consumes it again.
                self._free.release()
                continue
            self._take(event)

    def _take(self, event: UnacknowledgedEvent) -> None:
        generation = event.message.generation_id
        if generation is not None and generation != self._current:
            self._start_generation(generation)
        slot = _Slot(event)
        tp = event.message.tp
        slots = self._slots.get(tp)
        if slots is None:
            slots = self._slots[tp] = deque()
        slots.append(slot)
        key = event.message.key
        task = asyncio.create_task(self._turn(slot, slots, self._tails.get(key)))
        self._tails[key] = task
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _start_generation(self, generation: int) -> None:
        """Drop what earlier generations left: their offsets mean nothing now."""
        self._current = generation
        for slots in self._slots.values():
            for _ in slots:
                self._free.release()
        self._slots = {}

    async def _turn(self, slot: _Slot, slots: deque[_Slot], before: asyncio.Task[None] | None) -> None:
        event = slot.event
        key = event.message.key
        try:
            if before is not None and not before.done():
                await asyncio.wait((before,))
            if not self._is_stale(event):
                await self._handle(event)
        except asyncio.CancelledError:
            raise
        # Whatever it is, acknowledging it would lose the event.
        except BaseException as error:
            self._fail(error)
            return
        finally:
            if self._tails.get(key) is asyncio.current_task():
                del self._tails[key]
        slot.is_done = True
        if not self._is_stale(event):
            self._acknowledge(slots)

    def _is_stale(self, event: UnacknowledgedEvent) -> bool:
        return event.message.generation_id != self._generation() or self._current != self._generation()

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
        if self._tasks and not self._has_failed:
            await asyncio.wait(set(self._tasks), timeout=drain_seconds)
        for task in set(self._tasks):
            task.cancel()
        if self._tasks:
            await asyncio.wait(set(self._tasks))
