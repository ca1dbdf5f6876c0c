"""The child side of the pool: one process that loads the models once and scores revisions one by one.

Both sides speak frames over one Unix socket: four bytes of length, big-endian, then a MessagePack struct
of this module. The parent sends Load once and then Jobs; the child answers each with Ready, Done or
Failed, in that order and one at a time. The child holds no state between revisions but what the work keeps.

A revision is given a budget of CPU time by ITIMER_PROF with SIGPROF at its default action. The kernel
ends the process when the budget is spent, so the limit also holds inside C code which never lets go of the
GIL; no Python handler could run there.
"""

import contextlib
import ctypes
import gc
import os
import pickle
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from msgspec import Struct
from msgspec.msgpack import Decoder, Encoder

from schemas.errors import FeatureError, RevstreamError
from schemas.prediction import ScoredModel
from schemas.revision import Revision

Work = Callable[[Revision, tuple[str, ...], bool], list[ScoredModel]]
"""Scores one revision: (revision, artefact names, with features) to one answer per artefact, in order."""

HEADER_BYTES = 4
_PR_SET_PDEATHSIG = 1
_TRACEBACK_CHARACTERS = 8_000


class Load(Struct, frozen=True, tag=True):
    """First message to a child.

    Attributes:
        make_work: Pickle of a callable that loads the models and returns the Work. It comes from the
            parent process alone; model files are never unpickled.
        cpu_seconds: Budget of each revision.
    """

    make_work: bytes
    cpu_seconds: float


class Job(Struct, frozen=True, tag=True):
    """One revision to score with the named artefacts."""

    revision: Revision
    artefacts: tuple[str, ...]
    with_features: bool


class Ready(Struct, frozen=True, tag=True):
    """The models are loaded."""


class Done(Struct, frozen=True, tag=True):
    """One answer per artefact, in order, and the CPU seconds that they took."""

    scored: list[ScoredModel]
    cpu_seconds: float


class Failed(Struct, frozen=True, tag=True):
    """Loading or scoring raised.

    Attributes:
        kind: Name of the class in ``schemas.errors``; empty where nobody named the error.
        message: Of the error.
        fields: Of the error.
        cpu_seconds: What it took.
    """

    kind: str
    message: str
    fields: dict[str, str | int | float]
    cpu_seconds: float


Answer = Ready | Done | Failed


class ParentGone(Exception):
    """The parent closed its end: there is nothing left to do."""


def serve(connection: socket.socket) -> None:
    """Load the models, then score what comes until the parent closes its end.

    Args:
        connection: Blocking stream socket to the parent.

    Raises:
        ParentGone: The parent closed its end.
    """
    load = _receive(connection, Decoder(Load))
    try:
        work: Work = pickle.loads(load.make_work)()  # noqa: S301 - written by our own parent process
    except Exception as error:
        _send(connection, _failed(error, "loading the models", 0.0))
        return
    # Models live as long as the process: no collection needs to walk them again.
    gc.collect()
    gc.freeze()
    _send(connection, Ready())
    jobs = Decoder(Job)
    while True:
        _send(connection, _score(work, jobs, _receive_frame(connection), load.cpu_seconds))


def _score(work: Work, jobs: Decoder[Job], frame: bytes, cpu_limit_seconds: float) -> bytearray:
    """Score one frame within the budget and return the answer's frame.

    Decoding and encoding count: hostile text must not find a way around the budget.
    """
    signal.setitimer(signal.ITIMER_PROF, cpu_limit_seconds)
    began = time.process_time()
    subject = "a revision"
    try:
        job = jobs.decode(frame)
        subject = f"{job.revision.wiki_id} revision {job.revision.rev_id}"
        scored = work(job.revision, job.artefacts, job.with_features)
        if len(scored) == len(job.artefacts):
            return _frame(Done(scored, time.process_time() - began))
        miscount = FeatureError(
            f"scoring {subject} gave {len(scored)} answers for {len(job.artefacts)} models; this is a defect "
            "of the scorer: report it"
        )
        return _frame(_failed(miscount, "", time.process_time() - began))
    except Exception as error:
        return _frame(_failed(error, f"scoring {subject}", time.process_time() - began))
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def _failed(error: Exception, action: str, cpu_seconds: float) -> Failed:
    """Return the error as a message; one that nobody named is a defect, and goes to the log as well.

    The text of an unnamed error stays out of the message: it may quote the page, and rows keep messages.
    """
    if isinstance(error, RevstreamError):
        return Failed(type(error).__name__, error.message, error.fields, cpu_seconds)
    trace = "".join(traceback.format_exception(error))[-_TRACEBACK_CHARACTERS:]
    sys.stderr.write(f"{action} raised {type(error).__name__}\n{trace}")
    sys.stderr.flush()
    message = (
        f"{action} raised {type(error).__name__}, a defect of a model or a feature; "
        "its traceback is in the worker's log: report it"
    )
    return Failed("", message, {}, cpu_seconds)


def _plain(value: object) -> Any:
    """Return a NumPy scalar, which features and probabilities often are, as a Python one."""
    item = getattr(value, "item", None)
    if item is None:
        raise TypeError(f"an answer holds a {type(value).__name__}, which is not a value of a feature")
    return item()


_encoder = Encoder(enc_hook=_plain)


def _frame(answer: Answer) -> bytearray:
    frame = bytearray(HEADER_BYTES)
    _encoder.encode_into(answer, frame, HEADER_BYTES)
    frame[:HEADER_BYTES] = (len(frame) - HEADER_BYTES).to_bytes(HEADER_BYTES, "big")
    return frame


def _send(connection: socket.socket, answer: Answer | bytearray) -> None:
    try:
        connection.sendall(answer if isinstance(answer, bytearray) else _frame(answer))
    except OSError as error:
        raise ParentGone from error


def _receive(connection: socket.socket, decoder: Decoder[Load]) -> Load:
    return decoder.decode(_receive_frame(connection))


def _receive_frame(connection: socket.socket) -> bytes:
    length = int.from_bytes(_receive_exactly(connection, HEADER_BYTES), "big")
    return _receive_exactly(connection, length)


def _receive_exactly(connection: socket.socket, size: int) -> bytes:
    try:
        data = connection.recv(size, socket.MSG_WAITALL)
        while 0 < len(data) < size:
            more = connection.recv(size - len(data), socket.MSG_WAITALL)
            data = data + more if more else b""
    except OSError as error:
        raise ParentGone from error
    if not data:
        raise ParentGone
    return data


def _settle(parent_pid: int, niceness: int) -> None:
    """Make this process one that the parent alone steers, and that never outlives it.

    1. Signals of the terminal and of service managers are the parent's business: it drains, then ends us.
       SIGPROF must neither be handled nor blocked, or the CPU limit would not hold.
    2. Die with the parent, even inside C code that does not come back to read the socket.
    3. Yield the processor to look-ups, and be the one that the kernel ends when memory runs out, not the
       parent with its tables.
    4. One thread: the pool is the parallelism. Read by BLAS and OpenMP when they load.
    """
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):  # 1
        signal.signal(ignored, signal.SIG_IGN)
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    if sys.platform == "linux":  # 2
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent_pid:
        _leave(0)
    os.nice(niceness)  # 3
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("500", encoding="ascii")
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):  # 4
        os.environ.setdefault(name, "1")


def _leave(status: int) -> NoReturn:
    # Tearing down an interpreter full of models takes longer than the parent should wait.
    sys.stderr.flush()
    os._exit(status)


def main(descriptor: int, parent_pid: int, niceness: int) -> NoReturn:
    """Be a scoring process.

    Args:
        descriptor: Of the inherited socket.
        parent_pid: Process to follow into death.
        niceness: Added to the parent's, 0 to 19.
    """
    _settle(parent_pid, niceness)
    with socket.socket(fileno=descriptor) as connection, contextlib.suppress(ParentGone):
        serve(connection)
    _leave(0)
