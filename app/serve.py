"""The process that answers from a replica of the predictions, and has workers score what is not there."""

import asyncio
import contextlib
import gc
import signal
import socket
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from functools import partial

import structlog
from msgspec import Struct

from agents.embedded.topics import EmbeddedTopicReader
from agents.worker_group import WorkerGroup
from app.api.asgi import create_api
from app.api.clients import LimitedOnDemand
from app.api.current import CurrentApi
from app.api.server import bind, run_server
from app.client_classes import open_clients
from app.cluster.known_workers import Directory, KnownWorkers
from app.cluster.on_demand import ClusterOnDemand
from app.cluster.scoring import ScoringPeers
from app.configuration import Configuration, read_configuration
from app.dead_letters import LoggedDeadLetters
from app.feed import Feed
from app.feed_metrics import FeedMetrics
from app.intake import intake_access
from app.kafka_access import kafka_access
from app.metrics import Metrics
from app.pages.wiki_links import links_of
from app.reload_metrics import ReloadMetrics
from app.reloads import GroupReloads, Reloads
from app.settings import Settings
from app.topic_readers import changelog_topics, topic_reader
from app.tracing import require_tracing, traced
from schemas.errors import StoreLocked
from tables.changelog import TopicReader
from tables.follower import Follower
from tables.lists import FollowedRows
from tables.reader import PredictionReader
from tables.replica import Replica

_REPLICAS_MOST = 64
_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_log = structlog.get_logger("revstream.serve")


def open_follower(
    reader: TopicReader, settings: Settings, *, changed: Callable[[], None] = lambda: None
) -> Follower:
    """Return a follower over the first files below the data directory that no other process holds.

    Raises:
        StoreLocked: All are held.
        StoreError: The files cannot be opened.
    """
    for number in range(_REPLICAS_MOST):
        with contextlib.suppress(StoreLocked):
            return Follower(
                reader,
                settings.data_dir / f"replica-{number}",
                changelog_topics(settings.app_id),
                fill=partial(_fill, settings) if settings.checkpoint_folder else None,
                changed=changed,
            )
    raise StoreLocked(
        f"{_REPLICAS_MOST} servers hold replicas below {settings.data_dir}. Give this one a data_dir of its "
        "own.",
        path=str(settings.data_dir),
    )


async def _fill(settings: Settings, replica: Replica) -> None:
    # Parquet's library takes 0.3 s and 55 MB, which a replica that is there already does not need.
    from app.replica_filling import fill_replica  # noqa: PLC0415

    await fill_replica(settings, replica)


def worker_directory(settings: Settings) -> Directory:
    """Return where the workers of the configured broker tell their addresses. Connects to nothing yet."""
    if settings.is_embedded:
        return EmbeddedTopicReader(settings.log_path)
    access = kafka_access(settings)
    return WorkerGroup(",".join(settings.kafka_addresses), settings.app_id, access=access)


class Followed(Struct, frozen=True):
    """What a process that follows knows.

    Attributes:
        follower: The rows.
        workers: Who scores what is not among them.
    """

    follower: Follower
    workers: KnownWorkers


@contextlib.asynccontextmanager
async def following(
    settings: Settings, stop: asyncio.Event, *, changed: Callable[[], None] = lambda: None
) -> AsyncIterator[Followed]:
    """Follow the changelogs and the workers inside; close all at the end.

    Args:
        settings: Name the log and the data directory.
        stop: Set when following ends by a defect: then the process ends as well, rather than grow old unseen.
        changed: Called after whatever is followed has changed.

    Raises:
        StoreError: The replica's files cannot be opened.
    """
    topics = topic_reader(settings)
    follower = open_follower(topics, settings, changed=changed)
    workers = KnownWorkers(worker_directory(settings), changed)
    tasks = [
        asyncio.create_task(follower.run(), name="follower"),
        asyncio.create_task(workers.run(), name="workers"),
    ]
    for task in tasks:
        task.add_done_callback(lambda _: stop.set())
    try:
        yield Followed(follower, workers)
    finally:
        for task in tasks:
            task.cancel()
        try:
            for task in tasks:
                with contextlib.suppress(asyncio.CancelledError):
                    await task
        finally:
            follower.close()
            await topics.close()
            await workers.close()


@contextlib.contextmanager
def stopped_by_signals(stop: asyncio.Event) -> Iterator[None]:
    """Have SIGINT and SIGTERM set an event inside."""
    loop = asyncio.get_running_loop()
    for number in _SIGNALS:
        loop.add_signal_handler(number, stop.set)
    try:
        yield
    finally:
        for number in _SIGNALS:
            loop.remove_signal_handler(number)


async def serve(settings: Settings) -> None:
    """Answer look-ups from a replica, in this one process, until SIGINT or SIGTERM.

    1. Take the address, read the catalogue and open the files: what is wrong with these is told at once.
    2. Answer, and follow the changelogs. Look-ups are ready once the replica is whole for the first time.
    3. On a signal, say that we are not ready, finish the requests that run, and close the files.

    Raises:
        PortInUse: Another process listens on the address.
        SettingsError: The file of rules cannot be read or understood, or traces cannot be sent.
        ModelError: A model of the settings cannot be used.
        StoreError: The replica's files cannot be opened.
    """
    with bind(settings.http_host, settings.http_port) as listener:  # 1
        require_tracing(settings)
        configuration = read_configuration(settings)
        stop = asyncio.Event()
        async with following(settings, stop) as followed:
            with stopped_by_signals(stop):
                host, port = listener.getsockname()[:2]
                _log.info("listening", host=host, port=port, broker=settings.broker)
                await answer_from(  # 2, 3
                    followed.follower,
                    settings,
                    configuration,
                    workers=lambda: followed.workers.addresses,
                    metrics=Metrics(),
                    listener=listener,
                    stop=stop,
                )


async def answer_from(
    rows: FollowedRows,
    settings: Settings,
    configuration: Configuration,
    *,
    workers: Callable[[], Sequence[str]],
    metrics: Metrics,
    listener: socket.socket,
    stop: asyncio.Event,
    tell_others: Callable[[], None] | None = None,
) -> None:
    """Answer look-ups from a replica until told to stop; SIGHUP has it read models and rules anew.

    Args:
        rows: The replica.
        settings: Of the server.
        configuration: The models that are served, and the rules.
        workers: Returns the addresses of those who score what is not stored.
        metrics: Where requests are counted.
        listener: Where they come in.
        stop: Set it to stop, ``shutdown_delay_seconds`` later; requests that run are finished.
        tell_others: Has the other processes of this server reload; None where there are none.
    """
    ended = asyncio.Event()
    ending = asyncio.create_task(_set_later(stop, settings.shutdown_delay_seconds, ended), name="http-end")
    catalogue = configuration.catalogue
    feed = Feed(rows, catalogue, readers_most=settings.feed_readers)
    metrics.registry.register(FeedMetrics(feed.status))
    rows.rows_changed = feed.changed
    feeding = asyncio.create_task(feed.run(stop), name="feed")
    async with contextlib.aclosing(ScoringPeers()) as peers, traced(settings) as tracing:
        on_demand = ClusterOnDemand(workers, peers, catalogue)

        async def take_over(new: Configuration) -> None:
            answering = api.made(new.catalogue, new.book())
            on_demand.catalogue = feed.catalogue = new.catalogue
            api.switch(answering)

        reloads = Reloads(partial(read_configuration, settings), configuration, take_over)
        if tell_others is None:
            metrics.registry.register(ReloadMetrics(reloads.status))
        reloading = reloads if tell_others is None else GroupReloads(reloads, tell_others)
        make = partial(
            create_api,
            reader=PredictionReader(rows),
            on_demand=LimitedOnDemand(on_demand),
            clients=open_clients(settings),
            readiness=lambda: ("stopping",) if stop.is_set() else (),
            metrics=metrics,
            intake=intake_access(settings, None, reloads=reloading),
            ores_legacy_scores=settings.ores_legacy_scores,
            feed=feed,
            cache_seconds=settings.cache_seconds,
            wiki_links=links_of(settings),
            dead_letters=LoggedDeadLetters(settings.log_path) if settings.is_embedded else None,
            tracing=tracing,
            logs_requests=settings.log_level == "debug",
        )
        api = CurrentApi(make, catalogue, configuration.book())
        reloads.on_signal(asyncio.get_running_loop())
        # What is composed stays to the end: the collector need not walk it again and again.
        gc.freeze()
        host, port = listener.getsockname()[:2]
        await run_server(
            api,
            host,
            port,
            stop=ended,
            parting=stop,
            listener=listener,
            grace_seconds=settings.shutdown_timeout_seconds,
            refused=metrics.refused,
        )
        await feeding
        await reloads.stop()
        ending.cancel()


async def _set_later(first: asyncio.Event, seconds: float, second: asyncio.Event) -> None:
    await first.wait()
    await asyncio.sleep(seconds)
    second.set()
