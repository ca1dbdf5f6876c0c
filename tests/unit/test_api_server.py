"""The server itself: its address, its start and its end."""

import asyncio
import signal
import socket
from pathlib import Path

import pytest
from starlette.types import Receive, Scope, Send

from app.api.server import bind, run_server
from schemas.errors import PortInUse, SettingsError
from tests.rows import binary, catalogue, row, stored
from tests.served import served

HEAD = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"


async def slow(scope: Scope, receive: Receive, send: Send) -> None:
    await asyncio.sleep(0.3)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


def test_a_port_in_use_is_named_with_its_cure() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(PortInUse, match=rf"Port {port} of 127\.0\.0\.1 is taken") as caught:
            bind("127.0.0.1", port)
    assert caught.value.fields == {"host": "127.0.0.1", "port": port}


def test_an_address_of_another_machine_is_refused() -> None:
    with pytest.raises(SettingsError, match="http_host"):
        bind("203.0.113.7", 0)


async def test_a_port_in_use_is_told_before_anything_is_served() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        started = asyncio.Event()
        with pytest.raises(PortInUse):
            await run_server(slow, "127.0.0.1", other.getsockname()[1], started=started, stop=asyncio.Event())
        assert not started.is_set()


async def test_signal_handlers_stay_those_of_the_process() -> None:
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    started, stop = asyncio.Event(), asyncio.Event()
    server = asyncio.create_task(run_server(slow, "127.0.0.1", 0, started=started, stop=stop))
    await started.wait()
    during = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    stop.set()
    await server
    assert during == before


async def test_a_request_that_runs_is_finished_before_the_server_ends() -> None:
    started, stop = asyncio.Event(), asyncio.Event()
    listener = bind("127.0.0.1", 0)
    port = listener.getsockname()[1]
    server = asyncio.create_task(run_server(slow, "", 0, started=started, stop=stop, listener=listener))
    await started.wait()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(HEAD)
    await asyncio.sleep(0.1)
    stop.set()
    answer = await reader.read()
    assert answer.startswith(b"HTTP/1.1 200 OK")
    assert answer.endswith(b"ok")
    writer.close()
    await writer.wait_closed()
    await server
    with pytest.raises(OSError, match=r"refused|Connect"):
        await asyncio.open_connection("127.0.0.1", port)


async def test_idle_connections_do_not_hold_up_the_end() -> None:
    started, stop = asyncio.Event(), asyncio.Event()
    listener = bind("127.0.0.1", 0)
    server = asyncio.create_task(run_server(slow, "", 0, started=started, stop=stop, listener=listener))
    await started.wait()
    reader, writer = await asyncio.open_connection("127.0.0.1", listener.getsockname()[1])
    stop.set()
    async with asyncio.timeout(5):
        await server
    assert await reader.read() == b""
    writer.close()
    await writer.wait_closed()


async def test_many_requests_on_one_connection_are_answered_in_order(tmp_path: Path) -> None:
    rows = [row(stored("damaging", binary(0.25)), rev_id=rev_id) for rev_id in range(1, 21)]
    async with served(tmp_path, catalogue({"enwiki": ("damaging",)}), rows) as running:
        port = int(running.url.rsplit(":", 1)[1])
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(
            b"".join(b"GET /scores/enwiki/%d HTTP/1.1\r\nHost: x\r\n\r\n" % rev_id for rev_id in range(1, 21))
        )
        for rev_id in range(1, 21):
            head = await reader.readuntil(b"\r\n\r\n")
            size = int(head.lower().split(b"content-length: ")[1].split(b"\r")[0])
            assert b'"rev_id":%d,' % rev_id in await reader.readexactly(size)
        writer.close()
        await writer.wait_closed()
