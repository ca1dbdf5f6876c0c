"""Bytes to a server on loopback, and what comes back: for requests that no HTTP library sends."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

from msgspec import Struct
from starlette.types import ASGIApp, Receive, Scope, Send

from app.api.request_head import HttpLimits
from app.api.server import bind, run_server

HOST = b"Host: localhost\r\n"


class RawServer(Struct):
    """A running server.

    Attributes:
        port: On loopback.
        refused: Statuses of what the application never saw.
    """

    port: int
    refused: list[int]

    async def open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Return a new connection."""
        return await asyncio.open_connection("127.0.0.1", self.port)

    async def say(self, data: bytes, *, quiet_seconds: float = 0.25) -> tuple[list[tuple[int, bytes]], bool]:
        """Return status and body of each answer to some bytes, and whether the server then hung up."""
        reader, writer = await self.open()
        try:
            writer.write(data)
            with contextlib.suppress(ConnectionError):
                await writer.drain()
            return await answers(reader, quiet_seconds=quiet_seconds)
        finally:
            writer.close()


async def answers(
    reader: asyncio.StreamReader, *, quiet_seconds: float = 0.25
) -> tuple[list[tuple[int, bytes]], bool]:
    """Return all answers until the server hangs up or says nothing for a while, and whether it hung up."""
    found: list[tuple[int, bytes]] = []
    while True:
        try:
            async with asyncio.timeout(quiet_seconds if found else 10):
                one = await answer(reader)
        except TimeoutError:
            return found, False
        if one is None:
            return found, True
        found.append(one)


async def answer(reader: asyncio.StreamReader) -> tuple[int, bytes] | None:
    """Return status and body of the next answer; None where there is no more."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 "):
            raise AssertionError(f"no answer: {head!r}")
        lengths = [
            line.partition(b":")[2]
            for line in head.lower().split(b"\r\n")
            if line.startswith(b"content-length")
        ]
        status = int(head[9:12])
        return status, await reader.readexactly(int(lengths[0])) if lengths else b""
    except (asyncio.IncompleteReadError, ConnectionError):
        return None


class Echo:
    """Answers with what it was asked; what it saw stays in ``seen``, and whether a client left."""

    def __init__(self) -> None:
        self.seen: list[dict[str, Any]] = []
        self.left = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = b""
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                self.left += 1
                return
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        asked = {
            "method": scope["method"],
            "path": scope["path"],
            "headers": sorted(name.decode() for name, _ in scope["headers"]),
            "body": body.decode("latin-1"),
        }
        self.seen.append(asked)
        told = json.dumps(asked).encode()
        headers = [(b"content-length", b"%d" % len(told))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": told})


@contextlib.asynccontextmanager
async def raw_server(app: ASGIApp, limits: HttpLimits = HttpLimits()) -> AsyncIterator[RawServer]:  # noqa: B008 - frozen
    """Serve an application on loopback."""
    started, stop = asyncio.Event(), asyncio.Event()
    listener = bind("127.0.0.1", 0)
    running = RawServer(listener.getsockname()[1], [])
    server = asyncio.create_task(
        run_server(
            app,
            "",
            0,
            started=started,
            stop=stop,
            listener=listener,
            limits=limits,
            refused=running.refused.append,
            grace_seconds=1,
        )
    )
    await started.wait()
    try:
        yield running
    finally:
        stop.set()
        await server
