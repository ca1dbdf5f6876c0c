"""The parent's hold on one scoring process: start it, send it frames, take its answers, bury it.

Why not ``multiprocessing`` or ``concurrent.futures``: their spawn runs the parent's main module again in
every child (the whole command line, or pytest, or Faust's worker), starts a resource tracker, and moves
each call through a queue, a lock and two threads. A plain interpreter that runs one function of
``models.pool_worker`` over a socket imports only that, is killed alone instead of breaking its siblings,
and costs the parent a fraction of the CPU per call (``python -m tests.bench.pool`` tells).
"""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable

from msgspec import DecodeError
from msgspec.msgpack import Decoder, Encoder

from models.pool_worker import HEADER_BYTES, Answer, Job, Load

# The child takes the parent's import path as it stands now: one that Python computed for itself would start
# at the working directory, where a user may well keep a folder named "models".
_BOOTSTRAP = (
    "import sys; descriptor, parent, niceness = map(int, sys.argv[1:4]); sys.path[:] = sys.argv[4:]; "
    "from models.pool_worker import main; main(descriptor, parent, niceness)"
)
_READ_BYTES = 1 << 16
# Answers are some kilobytes. More is a child gone wrong, which must not fill the parent's memory.
_ANSWER_LIMIT_BYTES = 64 << 20
_POLL_SECONDS = 0.002

_encoder = Encoder()
_decoder = Decoder(Answer)


class ScoringProcess:
    """One scoring process, seen from the event loop that started it.

    Construct it in the loop's own thread: Linux ends the child when the thread that started it ends.

    Args:
        load: First message.
        niceness: Added to this process's own, 0 to 19.
        on_answer: Called with this process and each answer.
        on_death: Called once with this process when it closed its end or broke the protocol; not after
            ``close``.

    Raises:
        OSError: The system refuses a process or a socket.
    """

    def __init__(
        self,
        load: Load,
        *,
        niceness: int,
        on_answer: Callable[["ScoringProcess", Answer], None],
        on_death: Callable[["ScoringProcess"], None],
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._on_answer = on_answer
        self._on_death = on_death
        self._inbox = bytearray()
        self._outbox = memoryview(b"")
        self._is_open = True
        self._socket, theirs = socket.socketpair()
        with theirs:
            try:
                self._process = _start(theirs, niceness)
            except BaseException:
                self._socket.close()
                raise
        self._socket.setblocking(False)
        self._descriptor = self._socket.fileno()
        self._loop.add_reader(self._descriptor, self._read)
        self.send(load)

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def is_open(self) -> bool:
        """False once the process has closed its end, or we ours."""
        return self._is_open

    def send(self, message: Load | Job) -> None:
        """Send a message without waiting. The one before must have been answered.

        Raises:
            UnicodeEncodeError: A text holds a lone surrogate; nothing was sent.
        """
        frame = bytearray(HEADER_BYTES)
        _encoder.encode_into(message, frame, HEADER_BYTES)
        frame[:HEADER_BYTES] = (len(frame) - HEADER_BYTES).to_bytes(HEADER_BYTES, "big")
        self._outbox = memoryview(frame)
        self._write()
        if self._outbox:
            self._loop.add_writer(self._descriptor, self._continue_writing)

    def kill(self) -> None:
        """End the process now. Idempotent; a process that was waited for is left alone."""
        self._process.kill()

    def close(self) -> None:
        """Close our end, upon which an idle process leaves. Idempotent."""
        if not self._is_open:
            return
        self._is_open = False
        self._loop.remove_reader(self._descriptor)
        self._loop.remove_writer(self._descriptor)
        self._socket.close()
        self._outbox = memoryview(b"")

    async def wait(self, grace_seconds: float) -> int:
        """Close our end, wait for the process to end, kill it after the grace, and return its exit status.

        Returns:
            The exit code, or the negative number of the signal that ended it.
        """
        self.close()
        deadline = self._loop.time() + grace_seconds
        # The system is asked, not told by a watcher: deaths are rare, and every event loop does this.
        while (status := self._process.poll()) is None:
            if self._loop.time() >= deadline:
                self.kill()
            await asyncio.sleep(_POLL_SECONDS)
        return status

    def _write(self) -> None:
        while self._outbox:
            try:
                sent = self._socket.send(self._outbox)
            except (BlockingIOError, InterruptedError):
                return
            except OSError:
                # The child is gone. What it said last, and that it left, comes through the reader.
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
        if not data:
            self._die()
            return
        self._inbox += data
        size = int.from_bytes(self._inbox[:HEADER_BYTES], "big")
        if size > _ANSWER_LIMIT_BYTES:
            self._die()
            return
        end = HEADER_BYTES + size
        if len(self._inbox) < max(end, HEADER_BYTES + 1):
            return
        try:
            answer = _decoder.decode(memoryview(self._inbox)[HEADER_BYTES:end])
        except DecodeError:
            self._die()
            return
        # One answer per message: nothing can follow it.
        self._inbox = bytearray()
        self._on_answer(self, answer)

    def _die(self) -> None:
        self.close()
        self._on_death(self)


def describe_exit(status: int) -> str:
    """Return an exit status in words: ``was ended by SIGKILL``, ``left with exit code 1``."""
    if status >= 0:
        return f"left with exit code {status}"
    try:
        return f"was ended by {signal.Signals(-status).name}"
    except ValueError:
        return f"was ended by signal {-status}"


def _start(connection: socket.socket, niceness: int) -> "subprocess.Popen[bytes]":
    descriptor = connection.fileno()
    return subprocess.Popen(  # noqa: S603 - our own interpreter, no shell
        [
            sys.executable,
            # A crash in C code leaves the stack of the Python code above it in the log.
            *("-X", "faulthandler"),
            *(f"-W{option}" for option in sys.warnoptions),
            *("-c", _BOOTSTRAP, str(descriptor), str(os.getpid()), str(niceness)),
            *(path or os.getcwd() for path in sys.path),  # noqa: PTH109 - import paths are text
        ],
        pass_fds=(descriptor,),
        stdin=subprocess.DEVNULL,
        # What a library prints belongs in the log, not among the parent's data. 2 is our standard error.
        stdout=2,
        # Ctrl-C goes to the terminal's group, also while the child is too young to ignore it.
        process_group=0,
    )
