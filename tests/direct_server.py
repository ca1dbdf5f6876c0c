"""A server that scores what requests bring along: real models in a real pool, over a stand-in wiki."""

import asyncio
import functools
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
from msgspec.structs import replace

from agents.mediawiki import MediaWikiSettings, MediaWikiSource
from app.api.asgi import create_api
from app.api.on_demand import DirectScoring
from app.api.server import bind, run_server
from app.direct import MOST_WAITING, WorkerDirectScoring
from app.metrics import Metrics
from models.pool import PoolLimits, ScoringPool
from models.store import PACKAGED_MODELS, ModelStore
from models.work import load_work
from schemas.catalogue import Catalogue
from tables.reader import Freshness, PredictionReader
from tests.mediawiki_api import USER_AGENT, MediaWikiApi
from tests.served import Served


class NoRows:
    """Complete tables that hold nothing."""

    def get(self, table: str, key: bytes) -> bytes | None:
        return None

    def freshness(self) -> Freshness:
        return Freshness(is_ready=True, reasons=(), age_seconds=None)


@asynccontextmanager
async def direct_server(
    folder: Path,
    wikis: Mapping[str, Mapping[str, str]],
    api: MediaWikiApi | None = None,
    *,
    max_text_bytes: int = 4 << 20,
    most_waiting: int = MOST_WAITING,
    starts_pool: bool = True,
) -> AsyncIterator[Served]:
    """Serve models by wiki and name from a folder of artefacts and the packaged ones."""
    folders = (folder, PACKAGED_MODELS)
    store = ModelStore(folders)
    catalogue = Catalogue(
        {
            wiki_id: {
                name: replace(info, id=replace(info.id, model_name=name))
                for name, info in ((name, store.info(artefact)) for name, artefact in models.items())
            }
            for wiki_id, models in wikis.items()
        }
    )
    pool = ScoringPool(
        functools.partial(load_work, folders, tuple(catalogue.artefacts())),
        processes=1,
        limits=PoolLimits(cpu_seconds=15, wall_seconds=60),
    )
    api = api or MediaWikiApi()
    async with api.serving():
        content = MediaWikiSource(
            MediaWikiSettings(
                user_agent=USER_AGENT,
                url_template=api.url,
                domains={wiki_id: f"{wiki_id.removesuffix('wiki')}.example.org" for wiki_id in wikis},
            )
        )
        direct = WorkerDirectScoring(pool, content, max_text_bytes=max_text_bytes, most_waiting=most_waiting)
        try:
            if starts_pool:
                await pool.start()
            async with _serving(catalogue, direct) as running:
                yield running
        finally:
            await pool.stop(drain_seconds=0)
            await content.close()


@asynccontextmanager
async def _serving(catalogue: Catalogue, direct: DirectScoring) -> AsyncIterator[Served]:
    metrics = Metrics()
    app = create_api(
        reader=PredictionReader(NoRows()),
        catalogue=catalogue,
        on_demand=None,
        readiness=tuple,
        metrics=metrics,
        direct=direct,
    )
    started, stop = asyncio.Event(), asyncio.Event()
    listener = bind("127.0.0.1", 0)
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    server = asyncio.create_task(run_server(app, "", 0, started=started, stop=stop, listener=listener))
    try:
        await started.wait()
        async with aiohttp.ClientSession() as session:
            yield Served(session, url, metrics)
    finally:
        stop.set()
        await server
