"""Clients that send slowly, stop in the middle, or leave their answers unread: given up, and all is freed."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator

import pytest
from starlette.types import Receive, Scope, Send

from app.api.request_head import HttpLimits
from tests.raw_http import HOST, Echo, RawServer, answers, raw_server
from tests.served import until

QUICK = HttpLimits(head_seconds=0.3, body_seconds=0.3, write_seconds=0.3, linger_seconds=0.1, connections=8)
WHOLE = b"GET / HTTP/1.1\r\n" + HOST + b"\r\n"


@pytest.fixture
def echo() -> Echo:
    return Echo()


@pytest.fixture
async def server(echo: Echo) -> AsyncIterator[RawServer]:
    async with raw_server(echo, QUICK) as running:
        yield running


@pytest.mark.parametrize(
    ("data", "statuses"),
    [
        (b"", []),
        (b"G", [408]),
        (b"GET / HTTP/1.1\r\n" + HOST, [408]),
        (WHOLE + b"GET / HTT", [200, 408]),
        (b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 10\r\n\r\n", [408]),
        (b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 10\r\n\r\nabc", [408]),
        (b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", [408]),
    ],
    ids=["nothing", "a letter", "half a head", "a second head", "no body", "half a body", "half the chunks"],
)
async def test_a_client_that_stops_in_the_middle_is_given_up(
    server: RawServer, echo: Echo, data: bytes, statuses: list[int]
) -> None:
    found, has_hung_up = await server.say(data, quiet_seconds=5)
    assert ([status for status, _ in found], has_hung_up) == (statuses, True)
    if b"POST" in data:
        await until(lambda: echo.left == 1)


@pytest.mark.parametrize(
    "start", [b"GET / HTTP/1.1\r\nHost: ", b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 99999\r\n\r\n"]
)
async def test_a_byte_now_and_then_wins_no_time(server: RawServer, start: bytes) -> None:
    reader, writer = await server.open()
    writer.write(start)

    async def drip() -> None:
        while True:
            writer.write(b"x")
            await asyncio.sleep(0.02)

    dripping = asyncio.create_task(drip())
    found, has_hung_up = await answers(reader)
    dripping.cancel()
    writer.close()
    assert ([status for status, _ in found], has_hung_up) == ([408], True)


async def test_a_client_that_comes_in_time_is_answered_on_and_on(server: RawServer) -> None:
    reader, writer = await server.open()
    for _ in range(5):
        writer.write(WHOLE[:10])
        await asyncio.sleep(0.1)
        writer.write(WHOLE[10:])
        found, has_hung_up = await answers(reader, quiet_seconds=0.05)
        assert ([status for status, _ in found], has_hung_up) == ([200], False)
    writer.close()


class Endless:
    """Writes as much as is taken; counts who was given up."""

    def __init__(self, most_bytes: int) -> None:
        self.most_bytes = most_bytes
        self.written_bytes = 0
        self.ended = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        piece = b"x" * 65536
        gone = asyncio.create_task(self._gone(receive))
        while self.written_bytes < self.most_bytes and not gone.done():
            await send({"type": "http.response.body", "body": piece, "more_body": True})
            self.written_bytes += len(piece)
        await gone
        self.ended += 1

    async def _gone(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass


def deaf_socket(port: int) -> socket.socket:
    """Return a connection with a small window, which nobody will read from."""
    deaf = socket.socket()
    deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    deaf.connect(("127.0.0.1", port))
    deaf.sendall(WHOLE)
    return deaf


async def test_an_answer_that_nobody_reads_is_given_up_with_its_memory() -> None:
    app = Endless(1 << 30)
    async with raw_server(app, QUICK) as server:
        deaf = deaf_socket(server.port)
        await until(lambda: app.ended == 1, 20)
        deaf.close()
    # The kernel takes some megabytes for itself.
    assert app.written_bytes < 64 << 20


async def test_the_last_bytes_of_an_answer_hold_no_connection() -> None:
    async def large(scope: Scope, receive: Receive, send: Send) -> None:
        body = b"x" * (16 << 20)
        headers = [(b"content-length", b"%d" % len(body)), (b"connection", b"close")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async with raw_server(large, QUICK) as server:
        deaf = [deaf_socket(server.port) for _ in range(QUICK.connections)]
        refused = await server.say(WHOLE)
        assert refused[0][0][0] == 503
        await _room(server)
        for one in deaf:
            one.close()


async def _room(server: RawServer) -> None:
    """Wait until a connection is taken again: each that was held is given up in turn."""
    async with asyncio.timeout(20):
        while await _status(server) == 503:  # noqa: ASYNC110 - the server signals nothing
            await asyncio.sleep(0.05)


async def _status(server: RawServer) -> int:
    reader, writer = await server.open()
    try:
        writer.write(WHOLE)
        return int((await reader.readline()).split()[1])
    finally:
        writer.transport.abort()


async def test_connections_beyond_the_limit_are_told_so_and_room_comes_back(
    server: RawServer, echo: Echo
) -> None:
    held = [await server.open() for _ in range(QUICK.connections)]
    ((status, body),), has_hung_up = await server.say(WHOLE)
    assert (status, has_hung_up) == (503, True)
    assert "connections" in json.loads(body)["error"]["message"]
    await _room(server)
    for _, writer in held:
        writer.close()


async def test_a_refused_client_that_goes_on_sending_can_read_why(server: RawServer) -> None:
    reader, writer = await server.open()
    writer.write(b"GET / HTTP/1.1\r\n" + HOST + b"A: " + b"x" * 5_000_000)
    found, has_hung_up = await answers(reader)
    writer.close()
    assert ([status for status, _ in found], has_hung_up) == ([431], True)
