"""Starting anew in place: the same process, the same listening socket, and what models.yaml says by now.

Clients that connect meanwhile wait in the socket's queue; none is refused, and those alone are cut off that
connect in the moment at which the process ends. The socket is handed on as systemd
hands one to a service (``LISTEN_FDS``).
"""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Callable
from typing import Final

import structlog

from schemas.errors import NotReady, RevstreamError

_FIRST_FD: Final = 3
_PID, _COUNT = "LISTEN_PID", "LISTEN_FDS"

_log = structlog.get_logger("revstream.worker")


def inherited_listener() -> socket.socket | None:
    """Return the socket that this process was started with; None where there is none. Ask once."""
    if os.environ.pop(_PID, "") != str(os.getpid()) or os.environ.pop(_COUNT, "") != "1":
        return None
    return socket.socket(fileno=_FIRST_FD)


class InPlace:
    """Has a process end as by SIGTERM, and begin anew.

    Args:
        check: Reads what the process would serve; raises where that cannot be.
        listener: Returns where it listens.
    """

    def __init__(self, check: Callable[[], object], listener: Callable[[], socket.socket]) -> None:
        self._check = check
        self._listener = listener
        self._kept: socket.socket | None = None

    @property
    def has_begun(self) -> bool:
        """Whether the process ends in order to begin anew."""
        return self._kept is not None

    async def begin(self) -> None:
        """Begin to start anew.

        Raises:
            NotReady: What is on the disk cannot be served; all stays as it is.
        """
        try:
            await asyncio.to_thread(self._check)
        except RevstreamError as error:
            raise NotReady(f"The process goes on as it is: {error.message}") from error
        if self._kept is None:
            self._kept = self._listener().dup()
            _log.info("starting_anew")
            os.kill(os.getpid(), signal.SIGTERM)

    def go_on(self) -> None:
        """Take the place of this process, which has ended its work, if that was asked for."""
        if self._kept is None:
            return
        sys.stdout.flush()
        sys.stderr.flush()
        # Whatever else has that number is closed by the next line.
        os.dup2(self._kept.fileno(), _FIRST_FD, inheritable=True)
        environment = {**os.environ, _PID: str(os.getpid()), _COUNT: "1"}
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], environment)  # noqa: S606 - ourselves
