"""The worker's hold on the template of the pool and on each scoring process that is forked from it.

Why not ``multiprocessing`` or ``concurrent.futures``: their spawn and forkserver run the parent's main
module again in every child (the whole command line, or pytest, or Faust's worker), start a resource
tracker, and move each call through a queue, a lock and two threads. A plain interpreter that runs
``models.pool_template`` imports only that; its forks are killed alone instead of breaking their siblings,
and cost the worker a fraction of the CPU per call (``python -m tests.bench.pool`` tells).
"""

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable

from msgspec.msgpack import Decoder

from models.pool_link import Link
from models.pool_messages import Answer, Died, End, Failed, Fork, Load, Ready, framed

# The child takes the parent's import path as it stands now: one that Python computed for itself would start
# at the working directory, where a user may well keep a folder named "models".
_BOOTSTRAP = (
    "import sys; descriptor, parent, niceness = map(int, sys.argv[1:4]); sys.path[:] = sys.argv[4:]; "
    "from models.pool_template import main; main(descriptor, parent, niceness)"
)
_POLL_SECONDS = 0.002

_answers = Decoder(Answer)
_words = Decoder(Ready | Failed | Died)


class TemplateProcess:
    """The process that loads the models and is forked, seen from the event loop that started it.

    Construct it in the loop's own thread: Linux ends it, and all that it forked, when that thread ends.

    Args:
        load: First message.
        niceness: Added to this process's own, 0 to 19.
        on_word: Called with what it tells; with None, once, when it closed its end or broke the protocol.

    Raises:
        OSError: The system refuses a process or a socket.
    """

    def __init__(
        self, load: Load, *, niceness: int, on_word: Callable[[Ready | Failed | Died | None], None]
    ) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                self._process = _start(theirs, niceness)
            except BaseException:
                ours.close()
                raise
        self._link = Link(ours, _words, on_word, lambda: on_word(None))
        self._link.send(framed(load))

    @property
    def is_open(self) -> bool:
        """False once it has closed its end, or we ours."""
        return self._link.is_open

    def fork(self, number: int, connection: socket.socket) -> None:
        """Let it fork a scoring process.

        Args:
            number: By which its death is told.
            connection: Its end of a socket pair.

        Raises:
            OSError: It has ended, or hangs.
        """
        self._link.send_with_socket(framed(Fork(number)), connection)

    def end(self, number: int) -> None:
        """End a scoring process now. Idempotent; all have ended once the template has."""
        if self.is_open:
            self._link.send(framed(End(number)))

    def kill(self) -> None:
        """End it now, and all that it forked. Idempotent."""
        self._process.kill()

    async def wait(self, grace_seconds: float) -> int:
        """Close our end, wait for it and all that it forked to end, and return its exit status.

        Args:
            grace_seconds: After which it is killed.

        Returns:
            The exit code, or the negative number of the signal that ended it.
        """
        self._link.close()
        loop = asyncio.get_running_loop()
        deadline = loop.time() + grace_seconds
        # The system is asked, not told by a watcher: deaths are rare, and every event loop does this.
        while (status := self._process.poll()) is None:
            if loop.time() >= deadline:
                self.kill()
            await asyncio.sleep(_POLL_SECONDS)
        return status


class ScoringProcess:
    """One scoring process, seen from the event loop that had it forked.

    Attributes:
        pid: Its process id; 0 until it is ready.
        loaded_bytes: Memory that it held when it was ready.
        memory_bytes: Memory that it held after its last revision.
        ended: Its exit code, or the negative number of the signal that ended it, as a future.

    Args:
        template: To fork.
        number: Of this process among those of the template.
        on_answer: Called with this process and each answer.
        on_death: Called once with this process when it closed its end or broke the protocol; not after
            ``close``.

    Raises:
        OSError: The system refuses a socket, or the template does not take orders.
    """

    def __init__(
        self,
        template: TemplateProcess,
        number: int,
        *,
        on_answer: Callable[["ScoringProcess", Answer], None],
        on_death: Callable[["ScoringProcess"], None],
    ) -> None:
        self.number = number
        self.pid = 0
        self.loaded_bytes = self.memory_bytes = 0
        self.ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._template = template
        self._on_answer = on_answer
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                template.fork(number, theirs)
            except BaseException:
                ours.close()
                raise
        self._link = Link(ours, _answers, self._hear, lambda: on_death(self))

    @property
    def is_open(self) -> bool:
        """False once the process has closed its end, or we ours."""
        return self._link.is_open

    def send(self, frames: bytearray) -> None:
        """Send jobs, framed, without waiting."""
        self._link.send(frames)

    def kill(self) -> None:
        """End the process now. Idempotent."""
        self._template.end(self.number)

    def close(self) -> None:
        """Close our end, upon which an idle process leaves. Idempotent."""
        self._link.close()

    async def wait(self, grace_seconds: float) -> int:
        """Close our end, wait for the process to end, kill it after the grace, and return its exit status.

        A template that does not even kill is ended itself.
        """
        self.close()
        for last_resort in (self.kill, self._template.kill):
            with contextlib.suppress(TimeoutError):
                return await asyncio.wait_for(asyncio.shield(self.ended), grace_seconds)
            last_resort()
        return await asyncio.shield(self.ended)

    def _hear(self, answer: Answer) -> None:
        self.memory_bytes = answer.memory_bytes
        if isinstance(answer, Ready):
            self.pid = answer.pid
            self.loaded_bytes = answer.memory_bytes
        self._on_answer(self, answer)


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
