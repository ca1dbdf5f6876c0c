"""A stand-in for Wikimedia's EventStreams on loopback: server-sent events out of logs kept by topic.

Ids say where to go on, as the real one's do: for each topic the time of the last event sent plus one
millisecond; for a topic that sent none, the offset it was found at, or -1 for its end.
"""

import asyncio
import contextlib
import json
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer

TOPICS = ("eqiad.mediawiki.page_change.v1", "codfw.mediawiki.page_change.v1")
Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True)
class Logged:
    """One event. ``moment`` is in milliseconds; a topic's moments may go back a little."""

    topic: str
    moment: int
    data: str


@dataclass(frozen=True)
class Connection:
    """How one connection ends.

    Attributes:
        events: Sent whole before it ends.
        end: ``close`` properly, ``cut`` in the middle of the next event, ``hang`` silently, ``ping`` with
            comments for a while, or ``error``: the server's own error event.
        chunk_bytes: Size of the pieces that leave; None for whole events.
        preamble: Sent before the first event.
    """

    events: int
    end: str = "close"
    chunk_bytes: int | None = None
    preamble: str = ":ok\n\n"


@dataclass
class EventStreamsServer:
    """The server. ``script`` is used up one entry a connection; when empty, connections stay open."""

    log: list[Logged] = field(default_factory=list)
    script: deque[Connection | Answer] = field(default_factory=deque)
    resumed_from: list[str | None] = field(default_factory=list)
    user_agents: list[str | None] = field(default_factory=list)
    newline: str = "\n"
    url: str = ""
    _grown: asyncio.Event = field(default_factory=asyncio.Event)

    def append(self, event: Logged) -> None:
        self.log.append(event)
        self._grown.set()
        self._grown = asyncio.Event()

    @asynccontextmanager
    async def serving(self) -> AsyncIterator["EventStreamsServer"]:
        app = web.Application()
        app.router.add_get("/v2/stream/{name}", self._answer)
        async with TestServer(app, host="127.0.0.1", handler_cancellation=True) as server:
            self.url = f"http://127.0.0.1:{server.port}/v2/stream/mediawiki.page_change.v1"
            yield self

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        resumed_from = request.headers.get("Last-Event-ID")
        self.resumed_from.append(resumed_from)
        self.user_agents.append(request.headers.get("User-Agent"))
        step = self.script.popleft() if self.script else Connection(1 << 60)
        if not isinstance(step, Connection):
            return await step(request)
        places = self._places(resumed_from, request.query.get("since"))
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream; charset=utf-8"})
        await response.prepare(request)
        await response.write(step.preamble.encode())
        with contextlib.suppress(ConnectionResetError):
            await self._end(request, response, places, step)
        return response

    async def _end(
        self,
        request: web.Request,
        response: web.StreamResponse,
        places: dict[str, dict[str, Any]],
        step: Connection,
    ) -> None:
        await self._send(response, places, step)
        if step.end == "hang":
            await asyncio.sleep(3600)
        elif step.end == "ping":
            for _ in range(10):
                await asyncio.sleep(0.03)
                await response.write(b":\n\n")
        elif step.end == "error":
            await response.write(b'event: error\ndata: {"message":"broker is gone"}\n\n')
        elif step.end == "cut":
            await response.write(b'event: message\nid: [{"topic":"x","partition":0,"timest')
            assert request.transport is not None
            request.transport.close()

    def _places(self, resumed_from: str | None, since: str | None) -> dict[str, dict[str, Any]]:
        """Return for each topic where in the log to start, in the form that ids have."""
        if resumed_from is not None:
            return {entry["topic"]: entry for entry in json.loads(resumed_from)}
        if since is not None:
            return {topic: {"topic": topic, "partition": 0, "timestamp": int(since)} for topic in TOPICS}
        return {topic: {"topic": topic, "partition": 0, "offset": -1} for topic in TOPICS}

    def _start(self, topic: str, place: dict[str, Any]) -> int:
        """Return the index in the whole log of the first event of a topic to be sent."""
        indexes = [index for index, event in enumerate(self.log) if event.topic == topic]
        if "offset" in place:
            return len(self.log) if place["offset"] == -1 else [*indexes, len(self.log)][place["offset"]]
        reached = (index for index in indexes if self.log[index].moment >= place["timestamp"])
        return next(reached, len(self.log))

    async def _send(
        self, response: web.StreamResponse, places: dict[str, dict[str, Any]], step: Connection
    ) -> None:
        starts = {topic: self._start(topic, place) for topic, place in places.items()}
        index = min(starts.values(), default=0)
        # What was asked for by time is known by offset from here on, until the topic sends something.
        for topic, place in places.items():
            if "timestamp" in place:
                offset = sum(event.topic == topic for event in self.log[: starts[topic]])
                places[topic] = {"topic": topic, "partition": 0, "offset": offset}
        sent = 0
        while sent < step.events:
            while index >= len(self.log):
                await self._grown.wait()
            event = self.log[index]
            index += 1
            if index - 1 < starts.get(event.topic, len(self.log)):
                continue
            places[event.topic] = {"topic": event.topic, "partition": 0, "timestamp": event.moment + 1}
            frame = f"event: message\nid: {json.dumps(list(places.values()))}\ndata: {event.data}\n\n"
            content = frame.replace("\n", self.newline).encode()
            size = step.chunk_bytes or len(content)
            for start in range(0, len(content), size):
                await response.write(content[start : start + size])
            sent += 1


def page_change(
    number: int, topic: str = TOPICS[0], moment: int | None = None, *, with_meta: bool = True
) -> Logged:
    """Return an event whose data names itself, as Kafka's copies of page changes do."""
    meta = {"id": f"event-{number}", "topic": topic, "partition": 0, "offset": number} if with_meta else {}
    data = json.dumps({"number": number, "meta": meta})
    return Logged(topic, 1_790_525_832_000 + number if moment is None else moment, data)


def status(code: int, text: str = "", headers: dict[str, str] | None = None) -> Answer:
    """A connection that is answered with a status and no events."""

    async def answer(_: web.Request) -> web.StreamResponse:
        return web.Response(status=code, text=text, headers=headers)

    return answer


async def never(_: web.Request) -> web.StreamResponse:
    """A connection that gets no answer."""
    await asyncio.sleep(3600)
    raise AssertionError
