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
from msgspec.structs import replace

from agents.embedded.topics import EmbeddedTopicReader
from agents.topics import KafkaTopicReader
from agents.worker_group import WorkerGroup
from app.api.asgi import create_api
from app.api.clients import LimitedOnDemand
from app.api.server import bind, run_server
from app.catalogue import build_catalogue, open_store
from app.client_classes import open_clients
from app.cluster.known_workers import Directory, KnownWorkers
from app.cluster.on_demand import ClusterOnDemand
from app.cluster.scoring import ScoringPeers
from app.dead_letters import LoggedDeadLetters
from app.feed import Feed
from app.feed_metrics import FeedMetrics
from app.kafka_access import kafka_access
from app.metrics import Metrics
from app.pages.wiki_links import links_of
from app.rules import open_rules
from app.settings import Settings
from schemas.catalogue import Catalogue
from schemas.errors import StoreLocked
from schemas.keys import PAGES_TABLE, REVISIONS_TABLE
from tables.changelog import TopicReader
from tables.follower import Follower
from tables.lists import FollowedRows
from tables.reader import PredictionReader
from tables.replica import Replica

_REPLICAS_MOST = 64
_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_log = structlog.get_logger("revstream.serve")


def topic_reader(settings: Settings, *, patience_seconds: float = 0.0) -> TopicReader:
    """Return a reader of the configured broker's topics. Connects to nothing yet.

    Args:
        settings: Of the process.
        patience_seconds: See `agents.topics.KafkaTopicReader`.

    Raises:
        SettingsError: The settings about Kafka contradict each other, or name a file that cannot be used.
    """
    if settings.is_embedded:
        return EmbeddedTopicReader(settings.log_path)
    access = kafka_access(settings)
    if not settings.kafka_client_id:
        access = replace(access, client_id=f"{settings.app_id}-serve")
    return KafkaTopicReader(
        ",".join(settings.kafka_addresses), access=access, patience_seconds=patience_seconds
    )


def changelog_topics(app_id: str) -> dict[str, str]:
    """Return table name to changelog topic, as a worker of that name writes them."""
    return {table: f"{app_id}-{table}-changelog" for table in (REVISIONS_TABLE, PAGES_TABLE)}


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
        SettingsError: The file of rules cannot be read or understood.
        ModelError: A model of the settings cannot be used.
        StoreError: The replica's files cannot be opened.
    """
    with bind(settings.http_host, settings.http_port) as listener:  # 1
        catalogue = build_catalogue(settings, open_store(settings))
        stop = asyncio.Event()
        async with following(settings, stop) as followed:
            with stopped_by_signals(stop):
                host, port = listener.getsockname()[:2]
                _log.info("listening", host=host, port=port, broker=settings.broker)
                await answer_from(  # 2, 3
                    followed.follower,
                    settings,
                    catalogue,
                    workers=lambda: followed.workers.addresses,
                    metrics=Metrics(),
                    listener=listener,
                    stop=stop,
                )


async def answer_from(
    rows: FollowedRows,
    settings: Settings,
    catalogue: Catalogue,
    *,
    workers: Callable[[], Sequence[str]],
    metrics: Metrics,
    listener: socket.socket,
    stop: asyncio.Event,
) -> None:
    """Answer look-ups from a replica until told to stop.

    Args:
        rows: The replica.
        settings: Of the server.
        catalogue: The models that are served.
        workers: Returns the addresses of those who score what is not stored.
        metrics: Where requests are counted.
        listener: Where they come in.
        stop: Set it to stop, ``shutdown_delay_seconds`` later; requests that run are finished.
    """
    ended = asyncio.Event()
    ending = asyncio.create_task(_set_later(stop, settings.shutdown_delay_seconds, ended), name="http-end")
    feed = Feed(rows, catalogue, readers_most=settings.feed_readers)
    metrics.registry.register(FeedMetrics(feed.status))
    rows.rows_changed = feed.changed
    feeding = asyncio.create_task(feed.run(stop), name="feed")
    async with contextlib.aclosing(ScoringPeers()) as peers:
        api = create_api(
            reader=PredictionReader(rows),
            catalogue=catalogue,
            on_demand=LimitedOnDemand(ClusterOnDemand(workers, peers, catalogue)),
            clients=open_clients(settings),
            readiness=lambda: ("stopping",) if stop.is_set() else (),
            metrics=metrics,
            rules=open_rules(settings, catalogue),
            ores_legacy_scores=settings.ores_legacy_scores,
            feed=feed,
            cache_seconds=settings.cache_seconds,
            wiki_links=links_of(settings),
            dead_letters=LoggedDeadLetters(settings.log_path) if settings.is_embedded else None,
        )
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
        ending.cancel()


async def _set_later(first: asyncio.Event, seconds: float, second: asyncio.Event) -> None:
    await first.wait()
    await asyncio.sleep(seconds)
    second.set()
