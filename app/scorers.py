"""The models of one process: what answers where, and the processes that score."""

import asyncio
import functools
from collections.abc import Mapping
from typing import Final

from app.catalogue import build_catalogue, model_folders, open_store
from app.pool_limits import pool_limits
from app.settings import Settings
from models.pool import ScoringPool
from models.pools import ScoringPools
from models.scoring import Scorer
from models.store import ModelStore
from models.work import load_work
from schemas.catalogue import Catalogue, ModelInfo
from schemas.errors import ModelCorrupt

_TURNS: Final = 4


class Scorers:
    """A worker's catalogue, the pool that scores by it, and the models that need no text.

    Light by design: a worker makes it before it imports what it runs on, see `begin`.

    Args:
        settings: Of the process.

    Attributes:
        catalogue: The models of each wiki.
        pool: Scores what reads content.
        inline: Scorers by artefact, of the models that do not; to be looked up anew each time.

    Raises:
        ModelError: A model is absent, damaged or of another format.
        SettingsError: The settings or a ``models.yaml`` name what is not there.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        store = open_store(settings)
        self.catalogue: Catalogue = build_catalogue(settings, store)
        self._hashes = _hashes(self.catalogue, reads_content=True)
        self.pool = ScoringPools(self._pool(self._hashes), self._hashes)
        self.inline = _inline(self.catalogue, store)
        self._loading: asyncio.Task[None] | None = None
        self._next: tuple[dict[str, Scorer], dict[str, str]] | None = None

    def _pool(self, hashes: Mapping[str, str]) -> ScoringPool:
        settings = self._settings
        return ScoringPool(
            functools.partial(load_work, model_folders(settings), tuple(hashes), hashes),
            processes=settings.scorer_count,
            limits=pool_limits(settings),
            niceness=settings.scorer_niceness,
        )

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

    def has_loaded(self, catalogue: Catalogue) -> bool:
        """Tell whether all models of a catalogue are loaded.

        Raises:
            ModelCorrupt: One is another than the one loaded under the same version.
        """
        _require_own_versions(self.catalogue, catalogue)
        wanted = _hashes(catalogue, reads_content=True)
        is_in_pool = wanted.items() <= self._hashes.items()
        return is_in_pool and _hashes(catalogue, reads_content=False).keys() <= self.inline.keys()

    async def load(self, catalogue: Catalogue) -> None:
        """Load the models of another catalogue, beside those that score now.

        Raises:
            RevstreamError: What loading raised. Nothing has changed then.
        """
        inline = await asyncio.to_thread(_inline, catalogue, open_store(self._settings))
        hashes = _hashes(catalogue, reads_content=True)
        if not hashes.items() <= self._hashes.items():
            await self.pool.load(self._pool(hashes))
        self._next = inline, hashes

    def switch(self, catalogue: Catalogue) -> None:
        """Score by a catalogue whose models are loaded, and still with all models of the one before."""
        if self._next is not None:
            (inline, hashes), self._next = self._next, None
            if not hashes.items() <= self._hashes.items():
                self.pool.switch(hashes)
                self._hashes = hashes
            self.inline.update(inline)
        self.catalogue = catalogue

    async def retire(self) -> None:
        """Let go of the models before those that were loaded last, which nobody asks for any more."""
        known = self.catalogue.artefacts()
        for name in self.inline.keys() - known.keys():
            del self.inline[name]
        await self.pool.retire(drain_seconds=self._settings.score_wall_limit_seconds)

    async def stop(self, *, drain_seconds: float) -> None:
        """End all processes, those that still load as well. Idempotent.

        Args:
            drain_seconds: How long running revisions may take.
        """
        if self._loading is not None:
            self._loading.cancel()
            await asyncio.gather(self._loading, return_exceptions=True)
        await self.pool.stop(drain_seconds=drain_seconds)


def _hashes(catalogue: Catalogue, *, reads_content: bool) -> dict[str, str]:
    known = catalogue.artefacts().items()
    return {name: info.id.model_sha512 for name, info in known if info.reads_content is reads_content}


def _inline(catalogue: Catalogue, store: ModelStore) -> dict[str, Scorer]:
    return {name: store.load(name) for name in _hashes(catalogue, reads_content=False)}


def _require_own_versions(before: Catalogue, after: Catalogue) -> None:
    known: Mapping[str, ModelInfo] = before.artefacts()
    for name, info in after.artefacts().items():
        if name in known and known[name].id.model_sha512 != info.id.model_sha512:
            raise ModelCorrupt(
                f"artefact {name!r} was replaced under the same version since this process loaded it; give "
                "the new one a version of its own, or start again",
                path=name,
            )
