"""HTTP on one connection: uvicorn's, with bounds and deadlines on what a client sends or leaves unread."""

import asyncio
import socket
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, Final

import httptools
import orjson
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from app.api.request_head import (
    HEAD_TOO_LARGE,
    MALFORMED,
    TOO_MANY_CONNECTIONS,
    TOO_MANY_PIPELINED,
    TOO_SLOW,
    HttpLimits,
    Refusal,
    refuse_headers,
    refuse_target,
)

_SLICE_BYTES: Final = 64 << 10
# One byte in a chunk of its own takes six on the wire.
_OVERHEAD_TIMES: Final = 8
_UPGRADES: Final = frozenset({b"connection", b"upgrade", b"http2-settings"})


class _RefusedError(Exception):
    """Stops the parser; why stands in the protocol."""


class BoundedProtocol(HttpToolsProtocol):
    """One connection.

    Heads, and bodies beside what the application reads of them, are bounded before they are kept; heads,
    bodies and unread answers have deadlines. What is refused is answered once, never into the middle of
    another answer, and the connection is closed. Offers to upgrade are passed over.

    Args:
        limits: Bounds and deadlines.
        refused: Told the status of each request that is refused here.
        config: Of uvicorn.
        server_state: Of uvicorn, shared by all connections.
        app_state: Of uvicorn.
    """

    def __init__(
        self,
        limits: HttpLimits,
        refused: Callable[[int], None],
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._limits = limits
        self._on_refused = refused
        # uvicorn begins each request with a scope of its own: whose head is whole, and who is whole.
        self._headed: object = None
        self._whole: object = None
        self._head_bytes = 0
        self._message_bytes = 0
        self._body_bytes = 0
        self._known_headers: list[tuple[bytes, bytes]] | None = None
        self._refusal: Refusal | None = None
        self._is_closing = False
        self._deadline: asyncio.TimerHandle | None = None
        self._deadline_is_of_head = False
        self._writing: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as in uvicorn
        """Take a connection, or say that there are too many."""
        super().connection_made(transport)
        _drop_unread(transport, self._limits.write_seconds)
        if len(self.connections) > self._limits.connections:
            self._refuse(TOO_MANY_CONNECTIONS)
            return
        self._await(is_head=True)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget a connection, with all its deadlines."""
        self._cancel_deadline()
        if self._writing is not None:
            self._writing.cancel()
        self._unset_keepalive_if_required()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse what has come, piece by piece, and watch over what has not."""
        if self._is_closing:
            return
        self._unset_keepalive_if_required()
        for start in range(0, len(data), _SLICE_BYTES):
            part = data[start : start + _SLICE_BYTES]
            was_in_head = self.scope is not self._headed and self.scope is not self._whole
            refusal = self._feed(part)
            if refusal is None and self.scope is not self._whole:
                refusal = self._unbounded(len(part), was_in_head=was_in_head)
            if refusal is not None:
                self._refuse(refusal)
                return
        if self.scope is not self._whole:
            self._watch()
        elif self._deadline is not None:
            self._cancel_deadline()

    @property
    def _is_in_head(self) -> bool:
        return self.scope is not self._headed and self.scope is not self._whole

    @property
    def _is_in_body(self) -> bool:
        return self.scope is self._headed and self.scope is not self._whole

    def _feed(self, data: bytes) -> Refusal | None:
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            return self._pass_over_upgrade(data[upgrade.args[0] :])
        except httptools.HttpParserError:
            return self._refusal or MALFORMED
        return None

    def _pass_over_upgrade(self, rest: bytes) -> Refusal | None:
        """Read on as if nothing had been offered: the parser stops at an offer, whose body would be lost."""
        kept = [(name, value) for name, value in self.headers if name not in _UPGRADES]
        if any(name == b"connection" and b"close" in value.lower() for name, value in self.headers):
            kept.append((b"connection", b"close"))
        version = self.parser.get_http_version().encode()
        lines = [self.parser.get_method() + b" " + self.url + b" HTTP/" + version]
        lines += [name + b": " + value for name, value in kept]
        self.parser = httptools.HttpRequestParser(self)
        return self._feed(b"\r\n".join((*lines, b"", b"")) + rest)

    def _unbounded(self, size_bytes: int, *, was_in_head: bool) -> Refusal | None:
        """Return why what has come of a message is too much; None where it is not."""
        if self._is_in_head:
            # A head may begin behind a body, in the same piece.
            self._head_bytes += size_bytes if was_in_head else 0
            if self._head_bytes > self._limits.head_bytes or len(self.headers) > self._limits.headers:
                return HEAD_TOO_LARGE
        elif self._is_in_body:
            self._message_bytes += size_bytes
            most = self._limits.head_bytes + _SLICE_BYTES + _OVERHEAD_TIMES * self._body_bytes
            if self._message_bytes > most or len(self.headers) > self._limits.headers:
                return MALFORMED
        return None

    def on_headers_complete(self) -> None:
        """Hand a request on once its head is there and bears a look."""
        if self.parser.should_upgrade() and self.parser.get_method() != b"CONNECT":
            return
        self._headed = self.scope
        self._head_bytes = self._message_bytes = self._body_bytes = 0
        # The next request on a connection mostly has the headers of the one before it.
        if self.headers != self._known_headers:
            self._require(refuse_headers(self.parser.get_http_version(), self.headers, self._limits))
            self._known_headers = self.headers
        self._require(refuse_target(self.url, self._limits))
        if len(self.pipeline) >= self._limits.pipelined:
            self._require(TOO_MANY_PIPELINED)
        try:
            super().on_headers_complete()
        except httptools.HttpParserInvalidURLError:
            self._require(MALFORMED)
        # Trailers come through the same callback; they are no headers of the request.
        self.headers = []

    def _require(self, refusal: Refusal | None) -> None:
        self._refusal = refusal
        if refusal is not None:
            raise _RefusedError

    def on_body(self, body: bytes) -> None:
        """Take a part of a body."""
        self._body_bytes += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """End a request."""
        if self._is_in_head:
            return  # An offer to upgrade, which is read again without it.
        self._whole = self.scope
        super().on_message_complete()

    def _watch(self) -> None:
        """Set the deadline of what has not come as a whole; that of a head runs from its first byte."""
        if self._deadline is None or self._deadline_is_of_head != self._is_in_head:
            self._await(is_head=self._is_in_head)

    def _await(self, *, is_head: bool) -> None:
        self._cancel_deadline()
        seconds = self._limits.head_seconds if is_head else self._limits.body_seconds
        self._deadline_is_of_head = is_head
        self._deadline = self.loop.call_later(seconds, self._late)

    def _cancel_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _late(self) -> None:
        self._deadline = None
        if self.flow.read_paused:
            # It is we who do not read.
            self._await(is_head=self._deadline_is_of_head)
        elif self._is_in_head or self._is_in_body:
            self._refuse(TOO_SLOW)
        else:
            self.transport.close()

    def _refuse(self, refusal: Refusal) -> None:
        """Answer once, and close: at once where the answer would stand amid or after another."""
        self._is_closing = True
        self._on_refused(refusal.status)
        self._cancel_deadline()
        is_awaited = self.cycle is not None and not self.cycle.response_complete
        is_of_body = is_awaited and self._is_in_body and not (self.pipeline or self.cycle.response_started)
        self.pipeline.clear()
        if not is_of_body and (is_awaited or (self._is_in_body and self._refusal is None)):
            self.transport.abort()
            return
        if is_of_body:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        self.transport.write(_refusal_bytes(refusal))
        if refusal is TOO_MANY_CONNECTIONS:
            self.transport.close()
            return
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.flow.resume_reading()
        # Closing while bytes come would reset the connection, and the refusal with it.
        self._deadline = self.loop.call_later(self._limits.linger_seconds, self.transport.abort)

    def on_response_complete(self) -> None:
        """Go on to the next request, or wait until what was written is read."""
        super().on_response_complete()
        if self.transport.is_closing():
            self._abort_unread()

    def timeout_keep_alive_handler(self) -> None:
        """Close an idle connection."""
        super().timeout_keep_alive_handler()
        self._abort_unread()

    def pause_writing(self) -> None:
        """Wait for a client that does not read, but not for ever."""
        super().pause_writing()
        self._abort_unread()

    def resume_writing(self) -> None:
        """Go on writing."""
        super().resume_writing()
        if self._writing is not None and not self.transport.is_closing():
            self._writing.cancel()
            self._writing = None

    def _abort_unread(self) -> None:
        if self._writing is None:
            self._writing = self.loop.call_later(self._limits.write_seconds, self.transport.abort)


def _refusal_bytes(refusal: Refusal) -> bytes:
    body = orjson.dumps({"error": {"code": "request_invalid", "message": refusal.reason}})
    retry = b"retry-after: 2\r\n" if refusal.status == HTTPStatus.SERVICE_UNAVAILABLE else b""
    status = HTTPStatus(refusal.status)
    return (
        b"HTTP/1.1 %d %s\r\ncontent-type: application/json\r\ncontent-length: %d\r\n"
        b"access-control-allow-origin: *\r\n%sconnection: close\r\n\r\n%s"
        % (status, status.phrase.encode(), len(body), retry, body)
    )


def _drop_unread(transport: asyncio.Transport, seconds: float) -> None:
    """Have the kernel give up a client that takes nothing of what has been written, where it can."""
    connection = transport.get_extra_info("socket")
    option = getattr(socket, "TCP_USER_TIMEOUT", None)
    if connection is not None and option is not None and connection.family != socket.AF_UNIX:
        connection.setsockopt(socket.IPPROTO_TCP, option, int(seconds * 1000))
