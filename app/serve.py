"""The stateless process: a replica of the predictions, and the read API over it."""

import asyncio
import contextlib
import gc
import signal
from pathlib import Path

import structlog
from msgspec.structs import replace

from agents.embedded.topics import EmbeddedTopicReader
from agents.topics import KafkaTopicReader
from app.api.asgi import create_api
from app.api.server import bind, run_server
from app.catalogue import build_catalogue, open_store
from app.kafka_access import kafka_access
from app.metrics import Metrics
from app.rules import open_rules
from app.settings import Settings
from schemas.errors import StoreLocked
from schemas.keys import PAGES_TABLE, REVISIONS_TABLE
from tables.changelog import TopicReader
from tables.follower import Follower
from tables.reader import PredictionReader

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


def open_follower(reader: TopicReader, data_dir: Path, app_id: str) -> Follower:
    """Return a follower over the first files below a data directory that no other process holds.

    Raises:
        StoreLocked: All are held.
        StoreError: The files cannot be opened.
    """
    for number in range(_REPLICAS_MOST):
        with contextlib.suppress(StoreLocked):
            return Follower(reader, data_dir / f"replica-{number}", changelog_topics(app_id))
    raise StoreLocked(
        f"{_REPLICAS_MOST} servers hold replicas below {data_dir}. Give this one a data_dir of its own.",
        path=str(data_dir),
    )


async def serve(settings: Settings) -> None:
    """Answer look-ups from a replica until SIGINT or SIGTERM.

    1. Take the address, read the catalogue and open the files: what is wrong with these is told at once.
    2. Answer, and follow the changelogs. Look-ups are ready once the replica is whole for the first time.
    3. On a signal, say that we are not ready, finish the requests that run, and close the files.

    Raises:
        PortInUse: Another process listens on the address.
        SettingsError: The file of rules cannot be read or understood.
        ModelError: A model of the settings cannot be used.
        StoreError: The replica's files cannot be opened.
    """
    listener = bind(settings.http_host, settings.http_port)  # 1
    with listener:
        catalogue = build_catalogue(settings, open_store(settings))
        topics = topic_reader(settings)
        follower = open_follower(topics, settings.data_dir, settings.app_id)
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in _SIGNALS:
            loop.add_signal_handler(number, stop.set)
        metrics = Metrics()
        api = create_api(
            reader=PredictionReader(follower),
            catalogue=catalogue,
            on_demand=None,
            readiness=lambda: ("stopping",) if stop.is_set() else (),
            metrics=metrics,
            rules=open_rules(settings, catalogue),
            ores_legacy_scores=settings.ores_legacy_scores,
        )
        # What is composed stays to the end: the collector need not walk it again and again.
        gc.freeze()
        host, port = listener.getsockname()[:2]
        _log.info("listening", host=host, port=port, broker=settings.broker)
        following = asyncio.create_task(follower.run(), name="follower")
        # A follower ends by a defect only: then the process ends as well, rather than grow old unseen.
        following.add_done_callback(lambda _: stop.set())
        try:
            await run_server(  # 2
                api,
                host,
                port,
                stop=stop,
                listener=listener,
                grace_seconds=settings.shutdown_timeout_seconds,
                refused=metrics.refused,
            )
        finally:
            for number in _SIGNALS:  # 3
                loop.remove_signal_handler(number)
            following.cancel()
            try:
                with contextlib.suppress(asyncio.CancelledError):
                    await following
            finally:
                follower.close()
                await topics.close()
