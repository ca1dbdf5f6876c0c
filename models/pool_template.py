"""The template of the pool: a process that loads the models once, and is forked into scoring processes.

A fork takes milliseconds and shares the memory of the models, where a process that loads them takes seconds
and memory of its own. Only a process without threads, locks and open stores can be forked safely. The
worker has all of these, so that a bare interpreter is started for it, which does nothing but load and fork.
"""

import contextlib
import gc
import os
import selectors
import signal
import socket
import sys
from pathlib import Path
from typing import NoReturn

from msgspec.msgpack import Decoder

from models.pool_messages import (
    HEADER_BYTES,
    Died,
    End,
    Failed,
    Fork,
    Load,
    Order,
    Ready,
    Work,
    framed,
)
from models.pool_worker import (
    Connection,
    ParentGone,
    failed,
    follow,
    leave,
    load,
    prefer_to_die,
    score_all,
)

_orders = Decoder(Order)
_LAST_NICENESS = 19


class Template:
    """Forks scoring processes and tells of their deaths.

    Args:
        worker: Blocking stream socket to the worker.
        work: With its models loaded.
        cpu_limit_seconds: Budget of each revision.
    """

    def __init__(self, worker: socket.socket, work: Work, cpu_limit_seconds: float) -> None:
        self._worker = worker
        self._work = work
        self._cpu_limit_seconds = cpu_limit_seconds
        self._pids: dict[int, int] = {}
        # A signal is written here as a byte, which ends the wait for orders.
        self._wakes, self._rings = os.pipe()

    def serve(self) -> None:
        """Carry out orders until the worker closes its end, then end all processes.

        Raises:
            ParentGone: The worker closed its end.
        """
        os.set_blocking(self._rings, False)
        os.set_blocking(self._wakes, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._rings, warn_on_full_buffer=False)
        try:
            with selectors.DefaultSelector() as selector:
                selector.register(self._worker, selectors.EVENT_READ)
                selector.register(self._wakes, selectors.EVENT_READ)
                while True:
                    ready = {key.fd for key, _ in selector.select()}
                    if self._wakes in ready:
                        os.read(self._wakes, 4096)
                        self._reap()
                    if self._worker.fileno() in ready:
                        self._obey(selector)
        finally:
            for pid in self._pids.values():
                os.kill(pid, signal.SIGKILL)
            for pid in self._pids.values():
                os.waitpid(pid, 0)

    def _obey(self, selector: selectors.BaseSelector) -> None:
        match receive_order(self._worker):
            case Fork(number=number), [descriptor]:
                self._fork(number, socket.socket(fileno=descriptor), selector)
            case End(number=number), _:
                # A pid stays this process's until it is waited for, which happens here alone.
                if number in self._pids:
                    os.kill(self._pids[number], signal.SIGKILL)

    def _fork(self, number: int, connection: socket.socket, selector: selectors.BaseSelector) -> None:
        parent_pid = os.getpid()
        with connection:
            try:
                pid = os.fork()
            except OSError as error:
                message = (
                    f"the system refuses to fork a scoring process: {error}; memory or processes have likely "
                    "run out: raise their limits, or lower the number of scoring processes"
                )
                with contextlib.suppress(OSError):
                    connection.sendall(framed(Failed("EngineError", message, {})))
                self._tell(number, 1)
                return
            if pid == 0:
                self._become_scorer(connection, selector, parent_pid)
        self._pids[number] = pid

    def _become_scorer(
        self, connection: socket.socket, selector: selectors.BaseSelector, parent_pid: int
    ) -> NoReturn:
        """Let go of all that is the template's, and score; whatever happens, never come back."""
        status = 1
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            selector.close()
            self._worker.close()
            os.close(self._wakes)
            os.close(self._rings)
            score_all(connection, self._work, self._cpu_limit_seconds, parent_pid)
        except SystemExit as error:
            status = error.code if isinstance(error.code, int) else 1
        except BaseException:
            sys.excepthook(*sys.exc_info())
        finally:
            leave(status)

    def _reap(self) -> None:
        for number, pid in tuple(self._pids.items()):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                del self._pids[number]
                self._tell(number, os.waitstatus_to_exitcode(status))

    def _tell(self, number: int, status: int) -> None:
        Connection(self._worker).send(Died(number, status))


def receive_order(worker: socket.socket) -> tuple[Order, list[int]]:
    """Wait for an order and return it with the descriptors that came beside it.

    Raises:
        ParentGone: The worker closed its end.
    """
    try:
        header, descriptors, _, _ = socket.recv_fds(worker, HEADER_BYTES, 1, socket.MSG_WAITALL)
        size = int.from_bytes(header, "big")
        message = worker.recv(size, socket.MSG_WAITALL)
    except OSError as error:
        raise ParentGone from error
    if len(header) < HEADER_BYTES or len(message) < size:
        raise ParentGone
    return _orders.decode(message), descriptors


def _settle(parent_pid: int, niceness: int) -> None:
    """Make this process, and with it those forked, one that the worker alone steers and that dies with it.

    1. Signals of the terminal and of service managers are the worker's business: it drains, then ends us.
       SIGPROF must neither be handled nor blocked, or the CPU limit would not hold.
    2. Die with the worker.
    3. Yield the processor to look-ups, and be ended before the worker when memory runs out, but after the
       scoring processes.
    4. One thread: the pool is the parallelism, and threads do not survive a fork. Read by BLAS and OpenMP
       when they load; what the worker's own environment asks for is meant for other programs.
    5. Collect no garbage while loading: next to nothing of what is made goes.
    """
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):  # 1
        signal.signal(ignored, signal.SIG_IGN)
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    follow(parent_pid)  # 2
    os.nice(niceness)  # 3
    if niceness == _LAST_NICENESS:
        # Even then whoever wakes would wait for milliseconds until the kernel takes the core away.
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    prefer_to_die(400)
    for name in ("OMP_NUM_THREADS", "OMP_THREAD_LIMIT", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):  # 4
        os.environ[name] = "1"
    # Of pyarrow, which asks nothing of it: its memory comes from another allocator.
    os.environ["JE_ARROW_MALLOC_CONF"] = "background_thread:false"
    gc.disable()  # 5


def _warn_of_threads() -> None:
    """Say in the log when loading started threads: a fork while one of them holds a lock may hang."""
    with contextlib.suppress(OSError):
        threads = len(list(Path("/proc/self/task").iterdir()))
        if threads > 1:
            sys.stderr.write(
                f"loading the models started {threads - 1} threads, which scoring processes will lack; a "
                "kind of model must be named among those loaded in each of them: report it\n"
            )


def main(descriptor: int, parent_pid: int, niceness: int) -> NoReturn:
    """Be the template.

    1. Load the models.
    2. Move all that was loaded out of the collector's sight: a collection in a scoring process would write
       to each object, and so copy the memory that is shared.
    3. Fork as told.

    Args:
        descriptor: Of the inherited socket.
        parent_pid: Process to follow into death.
        niceness: Added to the parent's, 0 to 19.
    """
    _settle(parent_pid, niceness)
    with socket.socket(fileno=descriptor) as connection, contextlib.suppress(ParentGone):
        worker = Connection(connection)
        order, _ = receive_order(connection)
        if isinstance(order, Load):
            try:
                work = load(order.make_work)  # 1
            except Exception as error:
                worker.send(failed(error, "loading the models"))
                leave(0)
            _warn_of_threads()
            gc.collect()  # 2
            gc.freeze()
            worker.send(Ready(os.getpid(), 0))
            Template(connection, work, order.cpu_seconds).serve()  # 3
    leave(0)
