"""Many processes that answer from one replica on one address, and the one that follows for them."""

import asyncio
import contextlib
import gc
import os
import signal
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import Final

import structlog
import uvloop
from msgspec.structs import replace
from prometheus_client.registry import Collector

from app.client_classes import open_clients
from app.configuration import Configuration, read_configuration
from app.metrics import Face, FaceCounters, Metrics
from app.processes.board import Board, Note
from app.processes.listeners import Listeners
from app.processes.metrics import ProcessesMetrics
from app.processes.supervisor import Job, Supervisor
from app.reload_metrics import ReloadMetrics
from app.reloads import after_reload, before_reload
from app.serve import Followed, answer_from, following, stopped_by_signals
from app.settings import Settings
from app.topic_readers import topic_reader
from app.tracing import require_tracing
from schemas.errors import RevstreamError
from tables.replica_reader import ReplicaReader

# While a process is away for longer, no connection is to wait for it.
_HOLD_SECONDS: Final = 0.5

_log = structlog.get_logger("revstream.serve")


class Counts:
    """What the processes of one server have counted, as one of them sees it: an `app.metrics.Counted`."""

    def __init__(self, board: Board, number: int) -> None:
        self._board = board
        self.faces = board.counters(number)

    def totals(self) -> Mapping[Face, FaceCounters]:
        """Return the sums over all processes."""
        return self._board.totals()

    def collectors(self) -> Iterable[Collector]:
        """Return what tells of the processes themselves."""
        return ProcessesMetrics(self._board), ReloadMetrics(self._board.reloads)


def serve_many(settings: Settings) -> None:
    """Answer look-ups with several processes from one replica, until SIGINT or SIGTERM.

    1. Take the address and read the catalogue: what is wrong with these is told at once.
    2. Fork the process that follows the changelogs into files, and those that read these files and answer.
       Whichever ends is forked again. What is in memory by now is there once for all of them.
    3. On SIGHUP, read models and rules anew, for those that are forked later, and have all others do so.
    4. On another signal, take no more connections, let the requests that run finish, then stop following.

    Raises:
        PortInUse: Another process listens on the address.
        ModelError: A model of the settings cannot be used.
        SettingsError: The settings about Kafka, clients or traces cannot be used.
    """
    listeners = Listeners(settings.http_host, settings.http_port, settings.workers)  # 1
    topic_reader(settings)
    open_clients(settings)
    require_tracing(settings)
    server = _Server(settings, read_configuration(settings), listeners)
    gc.freeze()
    host, port = settings.http_host, listeners.port
    _log.info("listening", host=host, port=port, broker=settings.broker, processes=settings.workers)
    supervisor = Supervisor(
        server.jobs(),
        grace_seconds=settings.shutdown_delay_seconds + settings.shutdown_timeout_seconds,
        stopping=listeners.close,
        reloading=server.reload,
    )
    supervisor.run()  # 2, 3, 4


class _Server:
    """The processes of one server, and what they have in common. The last number is the follower's."""

    def __init__(self, settings: Settings, configuration: Configuration, listeners: Listeners) -> None:
        self._settings = settings
        self._configuration = configuration
        self._pid = os.getpid()
        self._listeners = listeners
        self._board = Board(settings.workers + 1)
        self._reloads = before_reload(configuration)
        self._board.tell_reloads(self._reloads)

    def reload(self) -> None:
        """Read models and rules anew, in the supervisor: for processes to come, and to count for all."""
        new: Configuration | None = None
        try:
            new = read_configuration(self._settings)
        except RevstreamError as error:
            _log.warning("configuration_refused", code=error.code, reason=error.message)
        self._configuration = new or self._configuration
        self._reloads = after_reload(self._reloads, new)
        self._board.tell_reloads(self._reloads)

    def _tell_others(self) -> None:
        # Whose supervisor is gone ends as well, and somebody else is its parent then.
        if os.getppid() == self._pid:
            os.kill(self._pid, signal.SIGHUP)

    def jobs(self) -> list[Job]:
        """Return what the supervisor is to run."""
        return [self._follower(self._settings.workers), *map(self._api, range(self._settings.workers))]

    def _api(self, number: int) -> Job:
        def ended(cpu_seconds: float, wait_seconds: float) -> None:
            self._board.ended(number, cpu_seconds)
            if wait_seconds > _HOLD_SECONDS:
                self._listeners.shut(number)

        return Job(
            f"api-{number}",
            lambda lifeline: uvloop.run(self._answer(number, lifeline)),
            starting=lambda: self._listeners.open(number),
            started=partial(self._board.started, number),
            ended=ended,
            stage=1,
        )

    def _follower(self, number: int) -> Job:
        def ended(cpu_seconds: float, _: float) -> None:
            self._board.ended(number, cpu_seconds)
            note = self._board.note()
            stopped = replace(note.replica, reasons=("follower_stopped",))
            self._board.tell(replace(note, replica=stopped))

        return Job(
            "follower",
            lambda lifeline: uvloop.run(self._follow(lifeline)),
            started=partial(self._board.started, number),
            ended=ended,
        )

    async def _follow(self, lifeline: int) -> None:
        """Follow the changelogs for all processes, until told to end."""
        self._listeners.close()
        stop = asyncio.Event()
        known: list[Followed] = []

        def tell() -> None:
            for one in known:
                self._board.tell(Note(one.follower.status(), one.workers.addresses))

        with _stopped_by(stop, lifeline):
            async with following(self._settings, stop, changed=tell) as followed:
                known.append(followed)
                tell()
                await stop.wait()

    async def _answer(self, number: int, lifeline: int) -> None:
        """Answer from the files that the follower writes, until told to end."""
        stop = asyncio.Event()
        reader = ReplicaReader(lambda: self._board.note().replica, name=f"reader-{number}")
        async with contextlib.AsyncExitStack() as held:
            listener = held.enter_context(self._listeners.take(number))
            held.enter_context(_stopped_by(stop, lifeline))
            held.callback(reader.close)
            # Before connections are taken: a process in the place of another has all rows at once.
            reader.refresh()
            reading = asyncio.create_task(reader.run(), name="reader")
            # It ends by a defect only: then the process ends as well, rather than grow old unseen.
            reading.add_done_callback(lambda _: stop.set())
            held.callback(reading.cancel)
            await answer_from(
                reader,
                self._settings,
                self._configuration,
                workers=lambda: self._board.note().workers,
                metrics=Metrics(Counts(self._board, number)),
                listener=listener,
                stop=stop,
                tell_others=self._tell_others,
            )


@contextlib.contextmanager
def _stopped_by(stop: asyncio.Event, lifeline: int) -> Iterator[None]:
    """Have a signal, and the end of the supervisor, set an event inside."""
    loop = asyncio.get_running_loop()
    loop.add_reader(lifeline, stop.set)
    try:
        with stopped_by_signals(stop):
            yield
    finally:
        loop.remove_reader(lifeline)
