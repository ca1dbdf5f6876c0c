"""Pools of scoring processes that follow one another, as one pool."""

import asyncio
from collections import Counter
from collections.abc import Callable, Collection, Coroutine, Sequence
from functools import partial
from typing import Any

from models.pool import ScoringPool
from models.pool_call import PoolCall
from models.pool_status import PoolStatus
from models.priority import Priority
from models.trail import Trail
from schemas.catalogue import ModelInfo
from schemas.prediction import ScoredModel
from schemas.revision import Revision


class ScoringPools:
    """Scores with the newest pool; with the one before it what the newest has no models for.

    Two pools at most have their models loaded at a time: load the next one when the former has retired.

    Args:
        pool: The first one. Not started yet.
        artefacts: What it can score with.
    """

    def __init__(self, pool: ScoringPool, artefacts: Collection[str]) -> None:
        self._pool = pool
        self._known = frozenset(artefacts)
        self._next: ScoringPool | None = None
        self._former: ScoringPool | None = None
        self._gone: list[PoolStatus] = []

    async def start(self) -> None:
        """Start the first pool, see `ScoringPool.start`."""
        await self._pool.start()

    def score(
        self,
        revision: Revision,
        artefacts: Sequence[ModelInfo],
        *,
        with_features: bool = False,
        with_attribution: bool = False,
        priority: Priority = Priority.STREAM,
        spent: Callable[[float], None] | None = None,
        prepared: PoolCall | None = None,
        trail: Trail | None = None,
    ) -> Coroutine[Any, Any, list[ScoredModel]]:
        """Score a revision with each of the models, see `ScoringPool.score`."""
        pool, former = self._pool, self._former
        if former is not None:
            left = [info for info in artefacts if info.artefact not in self._known]
            if left and len(left) < len(artefacts):
                return self._score_by_both(
                    former,
                    revision,
                    artefacts,
                    with_features=with_features,
                    with_attribution=with_attribution,
                    priority=priority,
                    spent=spent,
                    trail=trail,
                )
            pool = former if left else pool
        return pool.score(
            revision,
            artefacts,
            with_features=with_features,
            with_attribution=with_attribution,
            priority=priority,
            spent=spent,
            prepared=prepared,
            trail=trail,
        )

    def prepare(self, revision: Revision, artefacts: Sequence[ModelInfo]) -> PoolCall | None:
        """Have a text read that is to be scored in a moment, see `ScoringPool.prepare`."""
        if any(info.artefact not in self._known for info in artefacts):
            return None
        return self._pool.prepare(revision, artefacts)

    async def load(self, pool: ScoringPool) -> None:
        """Start another pool while this one scores.

        Raises:
            RevstreamError: As `ScoringPool.start`; the pool is gone then, and nothing else has changed.
        """
        self._next = pool
        try:
            await pool.start()
        except BaseException:
            self._next = None
            raise

    def switch(self, artefacts: Collection[str]) -> None:
        """Score with the pool that was loaded from now on.

        Args:
            artefacts: What it can score with.
        """
        if self._next is None or self._former is not None:
            raise RuntimeError("a pool takes over once it is loaded, and the one before the last has retired")
        self._pool, self._former, self._next = self._next, self._pool, None
        self._known = frozenset(artefacts)

    async def retire(self, *, drain_seconds: float) -> None:
        """End the former pool, where there is one.

        Args:
            drain_seconds: How long running revisions may take.
        """
        former = self._former
        if former is not None:
            await former.stop(drain_seconds=drain_seconds)
            if self._former is former:
                self._gone.append(former.status())
                self._former = None

    async def stop(self, *, drain_seconds: float) -> None:
        """End all pools, see `ScoringPool.stop`."""
        pools = (self._pool, self._former, self._next)
        await asyncio.gather(*(pool.stop(drain_seconds=drain_seconds) for pool in pools if pool is not None))

    def status(self) -> PoolStatus:
        """Return how the pools are together; what they counted includes those that are gone."""
        now = self._pool.status()
        if self._former is None and not self._gone:
            return now
        former = () if self._former is None else (self._former.status(),)
        live = (now, *former)
        ever = (*live, *self._gone)
        queued: Counter[str] = Counter()
        fallbacks: Counter[str] = Counter()
        for each in live:
            queued.update(each.queued_by_priority)
        for each in ever:
            fallbacks.update(each.fallbacks)
        return PoolStatus(
            processes=now.processes,
            alive=sum(each.alive for each in live),
            busy=sum(each.busy for each in live),
            queued_by_priority={name: queued[name] for name in now.queued_by_priority},
            restarts=sum(each.restarts for each in ever),
            killed_for_cpu=sum(each.killed_for_cpu for each in ever),
            killed_for_memory=sum(each.killed_for_memory for each in ever),
            pids=tuple(sorted(pid for each in live for pid in each.pids)),
            cpu_seconds=sum(each.cpu_seconds for each in ever),
            fallbacks=dict(fallbacks),
        )

    async def _score_by_both(
        self,
        former: ScoringPool,
        revision: Revision,
        artefacts: Sequence[ModelInfo],
        *,
        with_features: bool,
        with_attribution: bool,
        priority: Priority,
        spent: Callable[[float], None] | None,
        trail: Trail | None,
    ) -> list[ScoredModel]:
        """Score with the models of both: clients joined in one revision before and after the switch."""
        known = self._known
        old = [info for info in artefacts if info.artefact not in known]
        new = [info for info in artefacts if info.artefact in known]
        score_old = partial(former.score, revision, old)
        score_new = partial(self._pool.score, revision, new, spent=spent, trail=trail)
        of_old, of_new = await asyncio.gather(
            *(
                score(with_features=with_features, with_attribution=with_attribution, priority=priority)
                for score in (score_old, score_new)
            )
        )
        by_former, by_newest = iter(of_old), iter(of_new)
        return [next(by_newest if info.artefact in known else by_former) for info in artefacts]
