"""uvicorn on the loop that runs already: no signal handlers of its own, a typed error for a taken port."""

import asyncio
import contextlib
import errno
import functools
import math
import resource
import socket
from collections.abc import Callable, Iterator
from typing import cast

import uvicorn
from msgspec.structs import replace
from starlette.types import ASGIApp

from app.api.protocol import BoundedProtocol
from app.api.request_head import HttpLimits
from schemas.errors import PortInUse, SettingsError

_BACKLOG = 2048
_KEEP_ALIVE_SECONDS = 30
_DATE_SECONDS = 1.0


def bind(host: str, port: int, *, is_shared: bool = False) -> socket.socket:
    """Return a socket that is bound to an address and listens.

    Args:
        host: Name or address.
        port: 0 takes a free one.
        is_shared: Whether further sockets of this user may listen there too: each connection then goes to
            one of them.

    Raises:
        PortInUse: Another process listens there.
        SettingsError: The address is none of this machine's, or the port needs more rights.
    """
    fields: dict[str, str | int | float | None] = {"host": host, "port": port}
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except OSError as error:
        raise SettingsError(
            f"The host {host!r} cannot be resolved ({error}). Set http_host to an address of this machine.",
            **fields,
        ) from error
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if is_shared:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.bind(address)
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise PortInUse(
                f"Port {port} of {host} is taken by another process, perhaps a revstream that still runs. "
                "Stop it, or set http_port to another one.",
                **fields,
            ) from error
        raise SettingsError(
            f"Port {port} of {host} cannot be listened on ({error.strerror}). Set http_host to an address of "
            "this machine and http_port to a port above 1023.",
            **fields,
        ) from error
    listener.setblocking(False)
    return listener


async def run_server(
    app: ASGIApp,
    host: str,
    port: int,
    *,
    started: asyncio.Event | None = None,
    stop: asyncio.Event,
    parting: asyncio.Event | None = None,
    listener: socket.socket | None = None,
    grace_seconds: float = 10.0,
    limits: HttpLimits = HttpLimits(),  # noqa: B008 - frozen
    refused: Callable[[int], None] = lambda _: None,
) -> None:
    """Serve an application on the running loop until told to stop.

    1. Bind the address, so that a taken one is told before anything else happens.
    2. Serve; set ``started`` once connections are taken.
    3. From ``parting`` on: close each connection with its next answer, so that clients go elsewhere.
    4. On ``stop``: take no new connections, finish the requests that run, close the rest.

    Args:
        app: The application.
        host: Name or address to listen on.
        port: 0 takes a free one.
        started: Set once connections are taken.
        stop: Set it to stop.
        parting: Set it some time before that.
        listener: A socket from `bind`, where the caller needs to know its port; closed in the end.
        grace_seconds: How long the requests that run may take to finish; then they are cut off.
        limits: Of each connection; of connections, no more than half the files that the process may open.
        refused: Told the status of each request that the application never sees.

    Raises:
        PortInUse: As `bind`.
        SettingsError: As `bind`.
    """
    listener = listener or bind(host, port)
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    limits = replace(limits, connections=min(limits.connections, max(1, files // 2)))
    protocol = functools.partial(BoundedProtocol, limits, refused)
    config = uvicorn.Config(
        app,
        # uvicorn calls it and asks no more of it.
        http=cast(type[asyncio.Protocol], protocol),
        ws="none",
        # Not to be guessed: what it calls may be any object.
        interface="asgi3",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=math.ceil(grace_seconds),
    )
    server = _Server(config, started)
    serving = asyncio.create_task(server.serve(sockets=[listener]), name="http")
    stopping = asyncio.create_task(stop.wait(), name="http-stop")
    part = asyncio.create_task(server.part(parting), name="http-part")
    try:
        await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        server.should_exit = True
        stopping.cancel()
        part.cancel()
        await serving
        listener.close()


class _Server(uvicorn.Server):
    """A server that leaves signals to the process it runs in, and says when it has started."""

    def __init__(self, config: uvicorn.Config, started: asyncio.Event | None) -> None:
        self._exits = asyncio.Event()
        super().__init__(config)
        self._on_started = started

    @property
    def should_exit(self) -> bool:
        """Whether it is to end."""
        return self._exits.is_set()

    @should_exit.setter
    def should_exit(self, is_so: bool) -> None:
        if is_so:
            self._exits.set()
        else:
            self._exits.clear()

    async def main_loop(self) -> None:
        """Keep the date that answers carry, until it is to end.

        uvicorn looks ten times a second whether that is so, a sixth of what an idle worker does.
        """
        while not await self.on_tick(0):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._exits.wait(), _DATE_SECONDS)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self._on_started is not None:
            self._on_started.set()

    async def part(self, parting: asyncio.Event | None) -> None:
        """Wait to be told, then close each connection with its next answer."""
        if parting is not None:
            await parting.wait()
            # uvicorn makes the one of the other once a second.
            for headers in (self.config.encoded_headers, self.server_state.default_headers):
                headers.append((b"connection", b"close"))

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
