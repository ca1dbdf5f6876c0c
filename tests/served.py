"""A real server over a real follower, with a client: what tests of the API start from."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any

import aiohttp

from agents.rules.book import RuleBook
from app.api.asgi import create_api
from app.api.clients import Clients
from app.api.intake import NO_INTAKE, IntakeAccess
from app.api.on_demand import OnDemand
from app.api.server import bind, run_server
from app.dead_letters import DeadLetters
from app.feed import Feed
from app.metrics import Metrics
from app.model_monitor import ModelHealth
from app.pages.wiki_links import NO_LINKS, WikiLinks
from schemas.catalogue import Catalogue
from schemas.keys import row_key
from schemas.prediction import PredictionRow
from tables.codec import encode_row
from tables.follower import Follower
from tables.reader import PredictionReader
from tests.replica_log import PAGES_TOPIC, REVISIONS_TOPIC, TOPICS, MemoryLog, MemoryTopicReader


class Served:
    """A running server; what tests ask of it."""

    def __init__(
        self, session: aiohttp.ClientSession, url: str, metrics: Metrics, feed: Feed | None = None
    ) -> None:
        self.session = session
        self.url = url
        self.metrics = metrics
        self._feed = feed

    @property
    def feed(self) -> Feed:
        """What `/feed` reads."""
        assert self._feed is not None
        return self._feed

    async def ask(
        self, path: str, *, method: str = "GET", **options: Any
    ) -> tuple[int, Any, aiohttp.ClientResponse]:
        """Return status, body (decoded where it is JSON) and response."""
        async with self.session.request(method, self.url + path, **options) as response:
            body: Any = await response.read()
            if body and response.content_type == "application/json":
                body = json.loads(body)
            return response.status, body, response


def fill(log: MemoryLog, rows: Sequence[PredictionRow]) -> None:
    """Append rows to the changelogs of both tables, as a worker does."""
    for row in rows:
        encoded = encode_row(row)
        log.append(REVISIONS_TOPIC, row_key(row.wiki_id, row.rev_id), encoded)
        log.append(PAGES_TOPIC, row_key(row.wiki_id, row.page_id), encoded)


async def until(condition: Callable[[], bool], timeout_seconds: float = 10.0) -> None:
    """Wait for something to become true."""
    async with asyncio.timeout(timeout_seconds):
        while not condition():  # noqa: ASYNC110 - conditions of any kind signal nothing
            await asyncio.sleep(0.005)


@contextlib.asynccontextmanager
async def following(follower: Follower) -> AsyncIterator[asyncio.Task[None]]:
    """Run a follower while the block runs, and close it."""
    task = asyncio.create_task(follower.run())
    try:
        yield task
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        follower.close()


@contextlib.asynccontextmanager
async def served(
    directory: Path,
    catalogue: Catalogue,
    rows: Sequence[PredictionRow] = (),
    *,
    on_demand: OnDemand | None = None,
    readiness: Callable[[], Sequence[str]] = tuple,
    log: MemoryLog | None = None,
    intake: IntakeAccess = NO_INTAKE,
    ores_legacy_scores: int | None = None,
    rules: RuleBook | None = None,
    clients: Clients | None = None,
    feed_readers: int = 100,
    cache_seconds: int = 10,
    wiki_links: WikiLinks = NO_LINKS,
    dead_letters: DeadLetters | None = None,
    health: Callable[[str, str], ModelHealth] | None = None,
) -> AsyncIterator[Served]:
    """Serve rows that came through a follower; the log is out of reach from the start where given so."""
    log = log or MemoryLog()
    fill(log, rows)
    follower = Follower(MemoryTopicReader(log), directory / "replica", TOPICS, poll_seconds=0.01)
    metrics = Metrics()
    feed = Feed(follower, catalogue, readers_most=feed_readers)
    follower.rows_changed = feed.changed
    api = create_api(
        reader=PredictionReader(follower),
        catalogue=catalogue,
        on_demand=on_demand,
        readiness=readiness,
        metrics=metrics,
        intake=intake,
        ores_legacy_scores=ores_legacy_scores,
        rules=rules,
        clients=clients,
        feed=feed,
        cache_seconds=cache_seconds,
        wiki_links=wiki_links,
        dead_letters=dead_letters,
        health=health,
    )
    started, stop = asyncio.Event(), asyncio.Event()
    listener = bind("127.0.0.1", 0)
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    async with following(follower):
        if log.is_reachable:
            await until(lambda: follower.freshness().is_ready)
        feeding = asyncio.create_task(feed.run(stop))
        server = asyncio.create_task(run_server(api, "", 0, started=started, stop=stop, listener=listener))
        await started.wait()
        try:
            async with aiohttp.ClientSession() as session:
                yield Served(session, url, metrics, feed)
        finally:
            stop.set()
            await server
            await feeding
