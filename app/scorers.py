"""The models of one process: what answers where, and the processes that score."""

import asyncio
import functools
from collections.abc import Mapping
from typing import Final

from app.catalogue import build_catalogue, model_folders, open_store
from app.settings import Settings
from models.pool import PoolLimits, ScoringPool
from models.scoring import Scorer
from models.work import load_work
from schemas.catalogue import Catalogue

_TURNS: Final = 4


class Scorers:
    """A worker's catalogue, the pool that scores by it, and the models that need no text.

    Light by design: a worker makes it before it imports what it runs on, see `begin`.

    Args:
        settings: Of the process.

    Attributes:
        catalogue: The models of each wiki.
        pool: Scores what reads content.
        inline: Scorers by artefact, of the models that do not.

    Raises:
        ModelError: A model is absent, damaged or of another format.
        SettingsError: The settings or a ``models.yaml`` name what is not there.
    """

    def __init__(self, settings: Settings) -> None:
        store = open_store(settings)
        self.catalogue: Catalogue = build_catalogue(settings, store)
        known = self.catalogue.artefacts()
        hashes = {name: info.id.model_sha512 for name, info in known.items() if info.reads_content}
        self.pool = ScoringPool(
            functools.partial(load_work, model_folders(settings), tuple(hashes), hashes),
            processes=settings.scorer_count,
            limits=pool_limits(settings),
        )
        self.inline: Mapping[str, Scorer] = {
            name: store.load(name) for name, info in known.items() if not info.reads_content
        }
        self._loading: asyncio.Task[None] | None = None

    @property
    def is_ready(self) -> bool:
        """Whether every process has loaded its models, or one has failed to."""
        return self._loading is not None and self._loading.done()

    async def begin(self) -> None:
        """Start the processes, and return while they load their models. Idempotent."""
        if self._loading is None:
            self._loading = asyncio.create_task(self.pool.start())
            # The pool, its crew and the first process take a turn of the loop each.
            for _ in range(_TURNS):
                await asyncio.sleep(0)

    async def ready(self) -> None:
        """Wait until every process has loaded its models.

        Raises:
            RevstreamError: What loading raised in a process.
            EngineError: A process could not be started, died while loading, or took too long.
        """
        if self._loading is None:
            raise RuntimeError("scores were asked for before the scoring processes were started")
        await asyncio.shield(self._loading)

    async def stop(self, *, drain_seconds: float) -> None:
        """End all processes, those that still load as well. Idempotent.

        Args:
            drain_seconds: How long running revisions may take.
        """
        if self._loading is not None:
            self._loading.cancel()
            await asyncio.gather(self._loading, return_exceptions=True)
        await self.pool.stop(drain_seconds=drain_seconds)


def pool_limits(settings: Settings) -> PoolLimits:
    """Return what one revision may take."""
    return PoolLimits(
        cpu_seconds=settings.score_cpu_limit_seconds,
        wall_seconds=settings.score_wall_limit_seconds,
        memory_bytes=settings.score_memory_limit_mb << 20,
    )
