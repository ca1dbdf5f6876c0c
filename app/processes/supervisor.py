"""Keeps processes running: forks them, forks them again where they end, and ends them in order."""

import contextlib
import os
import select
import signal
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from time import monotonic
from typing import Final

import structlog
from msgspec import Struct

from schemas.errors import RevstreamError

_STEADY_SECONDS: Final = 10.0
_FIRST_WAIT_SECONDS: Final = 0.1
_LONGEST_WAIT_SECONDS: Final = 10.0
# For what a process does after the grace that it gives to requests.
_CLOSING_SECONDS: Final = 5.0
_STOP: Final = (signal.SIGTERM, signal.SIGINT)

_log = structlog.get_logger("revstream.supervisor")


class Job(Struct, frozen=True):
    """What a process is for.

    Attributes:
        name: For logs.
        run: Called in the process with a descriptor that becomes readable when the supervisor is gone.
        starting: Called in the supervisor before each start; where it raises, the start is tried again later.
        started: Called in the supervisor with the process's id, and whether it takes the place of another.
        ended: Called in the supervisor with the CPU seconds that the process took, and how long it is
            until the next is started.
        stage: Processes of a later stage end before those of earlier ones.
    """

    name: str
    run: Callable[[int], None]
    starting: Callable[[], None] = lambda: None
    started: Callable[[int, bool], None] = lambda *_: None
    ended: Callable[[float, float], None] = lambda *_: None
    stage: int = 0


class Restarts:
    """Says when a process is started again: at once after the first early end, then later and later."""

    def __init__(self) -> None:
        self._early = 0

    def wait_seconds(self, lived_seconds: float) -> float:
        """Return the wait before the next start, in [0, 10].

        Args:
            lived_seconds: How long the process ran that ended.
        """
        if lived_seconds >= _STEADY_SECONDS:
            self._early = 0
        self._early += 1
        if self._early == 1:
            return 0.0
        # The exponent is held low: the cap is reached long before.
        return min(_LONGEST_WAIT_SECONDS, _FIRST_WAIT_SECONDS * 2.0 ** min(self._early - 2, 60))


class _Place:
    """Where one job stands."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.restarts = Restarts()
        self.pid: int | None = None
        self.started_at = 0.0
        self.due_at: float | None = 0.0
        self.runs = 0


class Supervisor:
    """Runs jobs until SIGTERM or SIGINT. Fork it from a process without threads.

    Args:
        jobs: The earlier is started first.
        grace_seconds: How long a process may take to finish what it is at; then it is killed.
        stopping: Called once, before the processes are told to end.
        reloading: Called on SIGHUP, which is then passed on. Processes have it blocked until they want it.
    """

    def __init__(
        self,
        jobs: Sequence[Job],
        *,
        grace_seconds: float,
        stopping: Callable[[], None] = lambda: None,
        reloading: Callable[[], None] = lambda: None,
    ) -> None:
        self._places = [_Place(job) for job in jobs]
        self._grace_seconds = grace_seconds + _CLOSING_SECONDS
        self._stopping = stopping
        self._reloading = reloading
        self._is_to_reload = False
        self._is_stopping = False
        self._wake, self._woken = socket.socketpair()
        # Nothing is ever written to it: it ends with the supervisor, however that ends.
        self._lifeline, self._life = os.pipe()

    def run(self) -> None:
        """Run to the end."""
        with self._signals(), self._wake, self._woken:
            while not self._is_stopping:
                self._start_due()
                self._wait(self._next_due())
                self._reap()
                if self._is_to_reload:
                    self._is_to_reload = False
                    self._reloading()
                    self._send(self._places, signal.SIGHUP)
            self._stopping()
            self._end()

    # Signals

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        self._wake.setblocking(False)
        self._woken.setblocking(False)
        former = {number: signal.signal(number, self._stop) for number in _STOP}
        former[signal.SIGCHLD] = signal.signal(signal.SIGCHLD, lambda *_: None)
        former[signal.SIGHUP] = signal.signal(signal.SIGHUP, self._reload)
        former_wake = signal.set_wakeup_fd(self._woken.fileno(), warn_on_full_buffer=False)
        try:
            yield
        finally:
            signal.set_wakeup_fd(former_wake)
            for number, handler in former.items():
                signal.signal(number, handler)

    def _stop(self, *_: object) -> None:
        self._is_stopping = True

    def _reload(self, *_: object) -> None:
        self._is_to_reload = True

    def _wait(self, seconds: float | None) -> None:
        select.select([self._wake], [], [], seconds)
        with contextlib.suppress(BlockingIOError):
            while self._wake.recv(4096):
                pass

    def _next_due(self) -> float | None:
        dues = [place.due_at for place in self._places if place.due_at is not None]
        return max(0.0, min(dues) - monotonic()) if dues else None

    # Processes

    def _start_due(self) -> None:
        for place in self._places:
            if place.due_at is not None and place.due_at <= monotonic():
                self._start(place)

    def _start(self, place: _Place) -> None:
        try:
            place.job.starting()
        except RevstreamError as error:
            _log.warning("process_not_started", process=place.job.name, code=error.code, error=error.message)
            place.due_at = monotonic() + place.restarts.wait_seconds(0.0)
            return
        # Before a process writes to them, lest both write what was left in them.
        sys.stdout.flush()
        sys.stderr.flush()
        signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGHUP,))
        pid = os.fork()
        if pid == 0:
            self._be(place.job)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGHUP,))
        place.pid, place.started_at, place.due_at = pid, monotonic(), None
        place.runs += 1
        place.job.started(pid, place.runs > 1)

    def _be(self, job: Job) -> None:
        """Be the process; does not return."""
        code = 1
        try:
            signal.set_wakeup_fd(-1)
            for number in (*_STOP, signal.SIGCHLD, signal.SIGHUP):
                signal.signal(number, signal.SIG_DFL)
            self._wake.close()
            self._woken.close()
            os.close(self._life)
            job.run(self._lifeline)
            code = 0
        except RevstreamError as error:
            _log.error("process_failed", process=job.name, code=error.code, error=error.message)
        except BaseException:
            _log.exception("process_crashed", process=job.name)
        finally:
            with contextlib.suppress(Exception):
                sys.stdout.flush()
                sys.stderr.flush()
            # Not the supervisor's own way out.
            os._exit(code)

    def _reap(self) -> None:
        for place in self._places:
            if place.pid is None:
                continue
            pid, status, usage = os.wait4(place.pid, os.WNOHANG)
            if not pid:
                continue
            lived_seconds = monotonic() - place.started_at
            wait_seconds = place.restarts.wait_seconds(lived_seconds)
            place.pid, place.due_at = None, monotonic() + wait_seconds
            place.job.ended(usage.ru_utime + usage.ru_stime, wait_seconds)
            if not self._is_stopping:
                _log.warning(
                    "process_ended",
                    process=place.job.name,
                    code=os.waitstatus_to_exitcode(status),
                    lived_seconds=round(lived_seconds, 1),
                    starts_again_in_seconds=wait_seconds,
                )

    def _end(self) -> None:
        """End the processes, the later stages first; kill what does not end in time."""
        for stage in sorted({place.job.stage for place in self._places}, reverse=True):
            places = [place for place in self._places if place.job.stage == stage]
            self._send(places, signal.SIGTERM)
            deadline = monotonic() + self._grace_seconds
            while any(place.pid for place in places):
                left_seconds = deadline - monotonic()
                if left_seconds <= 0:
                    self._send(places, signal.SIGKILL)
                self._wait(max(0.1, left_seconds))
                self._reap()

    def _send(self, places: Sequence[_Place], number: signal.Signals) -> None:
        for place in places:
            if place.pid is not None:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(place.pid, number)
