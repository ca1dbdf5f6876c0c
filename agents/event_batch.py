"""Events on their way from a stream into the log."""

from collections.abc import Callable

from agents.intake import Intake, SourceEvent
from agents.lines import refusal
from agents.sse import ServerSentEvent
from agents.stream_position import StreamPosition


class EventBatch:
    """Gathers events and takes them together with the place after them.

    Args:
        intake: Takes them.
        source_id: Of the stream.
        key_of: Gives the topic key of an event.
        position: Goes on with every event.
        max_events: A batch of so many is taken at once.
        batch_seconds: How long its first event waits for others.
        monotonic: Clock in seconds.
    """

    def __init__(
        self,
        intake: Intake,
        source_id: str,
        key_of: Callable[[bytes], bytes],
        position: StreamPosition,
        *,
        max_events: int,
        batch_seconds: float,
        monotonic: Callable[[], float],
    ) -> None:
        self._intake = intake
        self._source_id = source_id
        self._key_of = key_of
        self._position = position
        self._max_events = max_events
        self._batch_seconds = batch_seconds
        self._monotonic = monotonic
        self._events: list[SourceEvent] = []
        self._due = 0.0

    async def add(self, event: ServerSentEvent) -> None:
        """Gather one event, unless it was taken before."""
        if not self._position.note(event.last_event_id, event.data):
            return
        value = event.data
        if not event.is_whole:
            value = refusal(self._source_id, event.last_event_id, event.size_bytes, event.data)
        if not self._events:
            self._due = self._monotonic() + self._batch_seconds
        self._events.append(SourceEvent(self._key_of(value), value))
        if len(self._events) >= self._max_events:
            await self.flush()

    async def room(self) -> None:
        """Wait while too much that was taken is not done yet."""
        await self._intake.room()

    def seconds_left(self) -> float | None:
        """Return how long the batch may still wait; None where it is empty."""
        return max(0.0, self._due - self._monotonic()) if self._events else None

    async def flush(self) -> None:
        """Take what is gathered."""
        if self._events:
            events, self._events = self._events, []
            await self._intake.take(self._source_id, events, self._position.cursor())
