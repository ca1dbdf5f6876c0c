"""A real window over real Faust events, whose handling a test steers and whose acknowledgements it sees."""

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import AsyncIterator
from pathlib import Path

from faust.types import Message

from agents.embedded.transport import Transport
from agents.ordered import OrderedWindow, Turns, UnacknowledgedEvent, Wait
from app.stream_app import StreamApp

TOPIC = "changes"


class NotedMessage(Message):
    """A message that notes when its offset may be committed."""

    acknowledged: list[tuple[int, int]]

    def on_final_ack(self, consumer: object) -> bool:
        """Note the acknowledgement where Faust's own message tells the consumer."""
        self.acked = True
        self.acknowledged.append((self.partition, self.offset))
        return True


class WindowHarness:
    """Feeds a window, lets each event end when the test says, and notes all that happens."""

    def __init__(
        self, path: Path, *, size: int, turns: Turns | None = None, wait: Wait | None = None
    ) -> None:
        self.app = StreamApp("window", broker=f"embedded://{path}/log.db", web_enabled=False)
        self.generation = 1
        self.started: list[tuple[int, int]] = []
        self.handled: list[tuple[int, int]] = []
        self.acknowledged: list[tuple[int, int]] = []
        self.fatal: list[BaseException] = []
        self.gates: defaultdict[tuple[int, int], asyncio.Future[None]] = defaultdict(
            asyncio.get_running_loop().create_future
        )
        self.refused: set[int] = set()
        self.most_running = 0
        self._running = 0
        self._offsets: defaultdict[int, int] = defaultdict(int)
        self._queue: asyncio.Queue[UnacknowledgedEvent | None] = asyncio.Queue()
        self.window = OrderedWindow(
            self._handle,
            size=size,
            generation=lambda: self.generation,
            admit=lambda message: message.offset not in self.refused,
            on_fatal=self.fatal.append,
            turns=turns,
            wait=wait,
        )
        self.run = asyncio.create_task(self.window.run(self._events()))

    def event(self, key: str, *, partition: int = 0, generation: int | None = None) -> UnacknowledgedEvent:
        """Make the next event of a partition."""
        offset = self._offsets[partition]
        self._offsets[partition] = offset + 1
        name = key.encode()
        message = NotedMessage(TOPIC, partition, offset, 0.0, 0, None, name, b"", None)
        message.acknowledged = self.acknowledged
        message.generation_id = self.generation if generation is None else generation
        message.incref()
        return UnacknowledgedEvent(self.app, name, b"", None, message)

    def feed(self, *keys: str, partition: int = 0, generation: int | None = None) -> None:
        """Put events of these keys on the stream, in order."""
        for key in keys:
            self._queue.put_nowait(self.event(key, partition=partition, generation=generation))

    def seek(self, offset: int, *, partition: int = 0) -> None:
        """Go back to an offset, as a rebalance does."""
        self._offsets[partition] = offset

    async def finish(self, *offsets: int, partition: int = 0) -> None:
        """End the handling of events, in the order given."""
        for offset in offsets:
            self.gates.pop((partition, offset)).set_result(None)
            await settled()

    async def fail(self, offset: int, error: BaseException, *, partition: int = 0) -> None:
        """End the handling of an event with an error."""
        self.gates.pop((partition, offset)).set_exception(error)
        await settled()

    async def close(self) -> None:
        """Stop everything that is left."""
        await self.window.close(drain_seconds=0)
        self.run.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self.run
        transport = self.app.transport
        assert isinstance(transport, Transport)
        transport.log.close()

    async def _handle(self, event: UnacknowledgedEvent) -> None:
        place = event.message.partition, event.message.offset
        self.started.append(place)
        self._running += 1
        self.most_running = max(self.most_running, self._running)
        try:
            await self.gates[place]
            self.handled.append(place)
        finally:
            self._running -= 1

    async def _events(self) -> AsyncIterator[UnacknowledgedEvent]:
        while (event := await self._queue.get()) is not None:
            yield event


async def settled() -> None:
    """Let everything that can go on do so."""
    for _ in range(20):
        await asyncio.sleep(0)


def places(*offsets: int, partition: int = 0) -> list[tuple[int, int]]:
    """Return (partition, offset) pairs."""
    return [(partition, offset) for offset in offsets]
