"""Reads server-sent events over HTTP, as a browser does."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
from msgspec import Struct


class Told(Struct, frozen=True):
    """One event.

    Attributes:
        kind: Its name.
        data: What it tells.
        last_id: The last id when it came.
    """

    kind: str
    data: Any
    last_id: str


class EventReader:
    """What one connection tells.

    Attributes:
        last_id: As a browser would show it when it comes again.
    """

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response
        self.last_id = ""

    async def next(self, *, within_seconds: float = 10.0) -> Told | None:
        """Return the next event; None at the end of the stream."""
        kind, data = "message", ""
        async with asyncio.timeout(within_seconds):
            async for line in self._response.content:
                name, _, value = line.decode().rstrip("\n").partition(": ")
                if name == "id":
                    self.last_id = value
                elif name == "event":
                    kind = value
                elif name == "data":
                    data += value
                elif not name and data:
                    return Told(kind, json.loads(data), self.last_id)
        return None

    async def begun(self) -> None:
        """Wait for the place that the stream begins at, so that what comes next is told."""
        async with asyncio.timeout(10):
            while not self.last_id:
                line = (await self._response.content.readline()).decode().rstrip("\n")
                if line.startswith("id: "):
                    self.last_id = line.removeprefix("id: ")

    async def scores(self, count: int) -> list[int]:
        """Return the revisions that the next events tell of."""
        found = []
        for _ in range(count):
            told = await self.next()
            assert told is not None
            assert told.kind == "score", told
            found.append(told.data["rev_id"])
        return found


@contextlib.asynccontextmanager
async def reading(url: str, query: str = "", *, last_id: str = "") -> AsyncIterator[EventReader]:
    """Read a feed inside; it has begun once the block does."""
    headers = {"last-event-id": last_id} if last_id else {}
    timeout = aiohttp.ClientTimeout(total=None)
    async with (
        aiohttp.ClientSession(timeout=timeout) as session,
        session.get(f"{url}/feed?{query}", headers=headers) as response,
    ):
        assert response.status == 200, await response.text()
        assert response.content_type == "text/event-stream"
        reader = EventReader(response)
        await reader.begun()
        yield reader
