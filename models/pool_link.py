"""The worker's end of a socket to one of the pool's processes: messages in and out, on the event loop."""

import asyncio
import socket
from collections.abc import Callable
from typing import Generic, TypeVar

from msgspec import DecodeError
from msgspec.msgpack import Decoder

from models.pool_messages import FrameBuffer

_READ_BYTES = 1 << 16
# Answers are some kilobytes.
_MESSAGE_LIMIT_BYTES = 64 << 20

Message = TypeVar("Message")


class Link(Generic[Message]):
    """Sends and takes messages without waiting. Construct it on the event loop.

    Args:
        connection: Stream socket, which it closes.
        decoder: Of the messages that come.
        on_message: Called with each.
        on_close: Called once when the other side closed its end or broke the protocol; not after ``close``.
    """

    def __init__(
        self,
        connection: socket.socket,
        decoder: Decoder[Message],
        on_message: Callable[[Message], None],
        on_close: Callable[[], None],
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._socket = connection
        self._decoder = decoder
        self._on_message = on_message
        self._on_close = on_close
        self._inbox = FrameBuffer(_MESSAGE_LIMIT_BYTES)
        self._outbox = memoryview(b"")
        self._is_open = True
        connection.setblocking(False)
        self._descriptor = connection.fileno()
        self._loop.add_reader(self._descriptor, self._read)

    @property
    def is_open(self) -> bool:
        """False once the other side has closed its end, or we ours."""
        return self._is_open

    def send(self, frames: bytearray) -> None:
        """Send frames without waiting; what was sent before goes first."""
        waits = bool(self._outbox)
        self._outbox = memoryview(bytes(self._outbox) + frames) if waits else memoryview(frames)
        self._write()
        if self._outbox and not waits:
            self._loop.add_writer(self._descriptor, self._continue_writing)

    def send_with_socket(self, frame: bytearray, given: socket.socket) -> None:
        """Send a small frame with a socket beside it, when nothing waits to be sent.

        Raises:
            OSError: The other side does not take it.
        """
        if socket.send_fds(self._socket, [frame], [given.fileno()]) < len(frame):
            raise BlockingIOError("the other side does not read")

    def close(self) -> None:
        """Close our end. Idempotent."""
        if not self._is_open:
            return
        self._is_open = False
        self._loop.remove_reader(self._descriptor)
        self._loop.remove_writer(self._descriptor)
        self._socket.close()
        self._outbox = memoryview(b"")

    def _write(self) -> None:
        while self._outbox:
            try:
                sent = self._socket.send(self._outbox)
            except (BlockingIOError, InterruptedError):
                return
            except OSError:
                # The other side is gone. What it said last, and that it left, comes through the reader.
                self._outbox = memoryview(b"")
                return
            self._outbox = self._outbox[sent:]

    def _continue_writing(self) -> None:
        self._write()
        if not self._outbox:
            self._loop.remove_writer(self._descriptor)

    def _read(self) -> None:
        try:
            data = self._socket.recv(_READ_BYTES)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            data = b""
        try:
            self._inbox.feed(data)
            while data and self._is_open and (message := self._inbox.take()) is not None:
                self._on_message(self._decoder.decode(message))
        except DecodeError:
            data = b""
        if not data and self._is_open:
            self.close()
            self._on_close()
