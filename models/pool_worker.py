"""A scoring process of the pool: forked with its models loaded, it scores revisions one by one.

A revision is given a budget of CPU time by ITIMER_PROF with SIGPROF at its default action. The kernel
ends the process when the budget is spent, so the limit also holds inside C code which never lets go of the
GIL; no Python handler could run there. The limit of memory is watched by the parent, for the same reason.

Each answer leaves before the next revision begins, so that the parent knows whose fault a death is. The
process holds no state between revisions but what the work keeps.
"""

import contextlib
import ctypes
import gc
import os
import pickle
import resource
import select
import signal
import socket
import sys
import traceback
from itertools import count
from pathlib import Path
from time import monotonic
from typing import NoReturn, Protocol, runtime_checkable

from msgspec.msgpack import Decoder

from models.engine.fallbacks import FALLBACKS
from models.pool_messages import HEADER_BYTES, Answer, Died, Done, Failed, Job, Ready, Work, framed
from models.process_memory import OwnMemory
from schemas.errors import FeatureError, RevstreamError
from schemas.prediction import ScoredModel
from schemas.revision import Revision

_PR_SET_PDEATHSIG = 1
_TRACEBACK_CHARACTERS = 8_000
# Objects made since the last collection that still live: with so many, a pause without work is used to
# collect, or the next one is not waited for.
_IDLE_OBJECTS = 5_000
_BUSY_OBJECTS = 200_000
_IDLE_SECONDS = 0.002
_YOUNGEST, _OLDEST = 0, 2
# A cycle that outlived one look, and was let go since, waits so long.
_TURNS_TO_OLDEST = 64
_turns = count(1)


@runtime_checkable
class Prepares(Protocol):
    """A Work that keeps what it made of a text for the next revision of its page."""

    def prepare(self, revision: Revision, artefacts: tuple[str, ...], /) -> None:
        """Read a revision whose parent is not there yet, as far as scoring it will use that."""
        ...


@runtime_checkable
class Explains(Protocol):
    """A Work that can tell what moved its scores."""

    def explain(self, revision: Revision, artefacts: tuple[str, ...], /) -> list[ScoredModel]:
        """Return one answer per artefact, in their order, with features and what moved the score."""
        ...


@runtime_checkable
class LoadsInChild(Protocol):
    """A Work with models that cannot be shared: their libraries start threads, which no fork takes along."""

    def load_in_child(self) -> None:
        """Load those models; called once in each scoring process, before its first revision.

        Raises:
            RevstreamError: One cannot be loaded.
        """


@runtime_checkable
class Serves(Protocol):
    """A Work that is told other things than revisions, and answers with ``Told`` and ``Failed``."""

    def serve(self, parent: "Connection", cpu_limit_seconds: float) -> None:
        """Answer each message; its process ends once the parent has gone.

        Args:
            parent: Gives messages, and takes one answer for each.
            cpu_limit_seconds: Budget of a revision, see `allow`.

        Raises:
            ParentGone: The parent closed its end.
        """


class ParentGone(Exception):
    """The parent closed its end: there is nothing left to do."""


class Connection:
    """Messages from and to the parent, over a blocking stream socket."""

    def __init__(self, connection: socket.socket) -> None:
        self.socket = connection

    def receive(self) -> bytes:
        """Wait for a message and return it without its header.

        Raises:
            ParentGone: The parent closed its end.
        """
        return self._receive_exactly(int.from_bytes(self._receive_exactly(HEADER_BYTES), "big"))

    def is_quiet(self, seconds: float) -> bool:
        """Tell whether no message begins within so many seconds."""
        return not select.select([self.socket], [], [], seconds)[0]

    def _receive_exactly(self, size: int) -> bytes:
        try:
            data = self.socket.recv(size, socket.MSG_WAITALL)
            while 0 < len(data) < size:
                more = self.socket.recv(size - len(data), socket.MSG_WAITALL)
                data = data + more if more else b""
        except OSError as error:
            raise ParentGone from error
        if not data:
            raise ParentGone
        return data

    def send(self, message: Answer | Died | bytearray) -> None:
        """Send a message, or a frame that holds one.

        Raises:
            ParentGone: The parent closed its end.
        """
        try:
            self.socket.sendall(message if isinstance(message, bytearray) else framed(message))
        except OSError as error:
            raise ParentGone from error


def score_all(connection: socket.socket, work: Work, cpu_limit_seconds: float, parent_pid: int) -> NoReturn:
    """Be a scoring process: score what comes until the parent closes its end.

    Args:
        connection: To the parent of the pool.
        work: With its models loaded; garbage collection is off.
        cpu_limit_seconds: Budget of each revision.
        parent_pid: The process forked from, to follow into death.
    """
    follow(parent_pid)
    prefer_to_die(500)
    with contextlib.suppress(ParentGone):
        _serve(Connection(connection), work, cpu_limit_seconds)
    leave(0)


def _serve(parent: Connection, work: Work, cpu_limit_seconds: float) -> None:
    if isinstance(work, LoadsInChild):
        try:
            work.load_in_child()
        except Exception as error:
            parent.send(failed(error, "loading the models"))
            return
    memory = OwnMemory()
    parent.send(Ready(os.getpid(), memory.read()))
    if isinstance(work, Serves):
        work.serve(parent, cpu_limit_seconds)
        return
    jobs = Decoder(Job)
    tidy_seconds = 0.0
    while True:
        message = parent.receive()
        parent.send(_score(work, jobs, message, cpu_limit_seconds, memory, tidy_seconds=tidy_seconds))
        began = cpu_seconds()
        _tidy(parent)
        tidy_seconds = cpu_seconds() - began


def _tidy(parent: Connection) -> None:
    """Collect garbage between revisions, which it would otherwise interrupt every few hundred objects.

    What a revision leaves is looked at while nothing is to be done; under full load, once it has become
    much. Objects that came with the models are never looked at: the template froze them.
    """
    if not collect_if_much() and gc.get_count()[0] > _IDLE_OBJECTS and parent.is_quiet(_IDLE_SECONDS):
        _collect()


def collect_if_much() -> bool:
    """Collect garbage where so much has been made that a busy process has to; tell whether it was."""
    is_much = gc.get_count()[0] > _BUSY_OBJECTS
    if is_much:
        _collect()
    return is_much


def _collect() -> None:
    """Look at what is new; seldom also at what is kept of pages and words, which takes as long as a score."""
    gc.collect(_YOUNGEST if next(_turns) % _TURNS_TO_OLDEST else _OLDEST)


def _score(
    work: Work,
    jobs: Decoder[Job],
    message: bytes,
    cpu_limit_seconds: float,
    memory: OwnMemory,
    *,
    tidy_seconds: float,
) -> bytearray:
    """Score one message within the budget and return the answer's frame.

    Decoding and encoding count: hostile text must not find a way around the budget. What it took to tidy up
    after the revision before is told with this one's time, as an interpreter left alone would tidy up amid
    the work, but is not of its budget.
    """
    allow(cpu_limit_seconds)
    began = cpu_seconds() - tidy_seconds
    subject = "a revision"
    try:
        job = jobs.decode(message)
        subject = f"{job.revision.wiki_id} revision {job.revision.rev_id}"
        if job.is_preparation:
            if isinstance(work, Prepares):
                work.prepare(job.revision, job.artefacts)
            return framed(Done([], cpu_seconds() - began, memory.read(), FALLBACKS.take()))
        started = monotonic()
        if job.with_attribution and isinstance(work, Explains):
            scored = work.explain(job.revision, job.artefacts)
        else:
            scored = work(job.revision, job.artefacts, job.with_features)
        if len(scored) == len(job.artefacts):
            seconds = monotonic() - started
            shared: float = getattr(work, "features_seconds", 0.0)
            took = cpu_seconds() - began
            return framed(Done(scored, took, memory.read(), FALLBACKS.take(), shared, seconds - shared))
        error = FeatureError(miscount(f"scoring {subject}", len(scored), len(job.artefacts)))
        return framed(failed(error, "", cpu_seconds() - began, memory.read()))
    except Exception as error:
        return framed(failed(error, f"scoring {subject}", cpu_seconds() - began, memory.read()))
    finally:
        allow(0)


def miscount(action: str, answers: int, models: int) -> str:
    """Return what is told of a work that gave another number of answers than it was asked for."""
    return f"{action} gave {answers} answers for {models} models; this is a defect of the scorer: report it"


def allow(seconds: float) -> None:
    """Let the kernel end this process after so much CPU time from now; 0 for never."""
    signal.setitimer(signal.ITIMER_PROF, seconds)


def cpu_seconds() -> float:
    """Return the CPU time of this process so far, in seconds.

    While a timer of CPU time runs, the process's own clock stands still between the kernel's ticks.
    """
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def load(make_work: bytes) -> Work:
    """Load the models.

    Args:
        make_work: Pickle that our own parent process wrote.
    """
    work: Work = pickle.loads(make_work)()  # noqa: S301 - written by our own parent process
    return work


def failed(error: Exception, action: str, cpu_seconds: float = 0.0, held_bytes: int = 0) -> Failed:
    """Return the error as a message; one that nobody named is a defect, and goes to the log as well.

    The text of an unnamed error stays out of the message: it may quote the page, and rows keep messages.
    """
    if isinstance(error, RevstreamError):
        return Failed(type(error).__name__, error.message, error.fields, cpu_seconds, held_bytes)
    trace = "".join(traceback.format_exception(error))[-_TRACEBACK_CHARACTERS:]
    sys.stderr.write(f"{action} raised {type(error).__name__}\n{trace}")
    sys.stderr.flush()
    message = (
        f"{action} raised {type(error).__name__}, a defect of a model or a feature; "
        "its traceback is in the worker's log: report it"
    )
    return Failed("", message, {}, cpu_seconds, held_bytes)


def follow(parent_pid: int) -> None:
    """Die with the parent, even inside C code that does not come back to read the socket."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent_pid:
        leave(0)


def prefer_to_die(adjustment: int) -> None:
    """Be ended by the kernel before others when memory runs out: the worker with its tables comes last.

    Args:
        adjustment: 0 to 1,000, the most likely to go.
    """
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(str(adjustment), encoding="ascii")


def leave(status: int) -> NoReturn:
    """End this process without tearing down an interpreter full of models, which takes long."""
    sys.stderr.flush()
    os._exit(status)
