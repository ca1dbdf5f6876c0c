"""Pools of scoring processes that follow one another, as one."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest

from models.pool import PoolLimits, ScoringPool
from models.pools import ScoringPools
from schemas.errors import ModelCorrupt
from schemas.prediction import Score, ScoredModel
from tests.pool_work import corrupt, lengths, model, obedient, revision, until

OLD, BOTH, NEW = (model(f"enwiki-{name}@1") for name in ("old", "both", "new"))


def pool() -> ScoringPool:
    return ScoringPool(lengths, processes=1, limits=PoolLimits())


@asynccontextmanager
async def started(first: ScoringPool) -> AsyncIterator[ScoringPools]:
    pools = ScoringPools(first, {OLD.artefact, BOTH.artefact})
    await pools.start()
    try:
        yield pools
    finally:
        await pools.stop(drain_seconds=0)


def length(answer: ScoredModel) -> float:
    assert isinstance(answer.outcome, Score)
    return answer.outcome.probability["true"]


async def test_what_was_decided_before_a_switch_is_scored_to_its_end_and_what_comes_by_the_next_pool() -> (
    None
):
    async with started(pool()) as pools:
        [before] = pools.status().pids
        await pools.load(pool())
        pools.switch({BOTH.artefact, NEW.artefact})
        assert len(pools.status().pids) == 2
        asked = [NEW, OLD, BOTH]
        answers = await pools.score(revision("moss"), asked)
        assert [answer.model.model_name for answer in answers] == [one.id.model_name for one in asked]
        assert [length(answer) for answer in answers] == [4.0] * 3
        [old] = await pools.score(revision("moss"), [OLD], with_features=True)
        [new] = await pools.score(revision("moss"), [BOTH], with_features=True)
        assert old.features is not None
        assert new.features is not None
        assert old.features["pid"] == before != new.features["pid"]
        assert pools.prepare(revision("moss"), [OLD]) is None
        spent = pools.status().cpu_seconds
        await pools.retire(drain_seconds=0)
        status = pools.status()
        assert before not in status.pids
        assert (status.alive, status.processes) == (1, 1)
        # What the former one counted is not forgotten.
        assert status.cpu_seconds >= spent > 0


async def test_a_pool_that_cannot_load_changes_nothing() -> None:
    async with started(pool()) as pools:
        pids = pools.status().pids
        with pytest.raises(ModelCorrupt):
            await pools.load(ScoringPool(partial(corrupt, "moss"), processes=1, limits=PoolLimits()))
        with pytest.raises(RuntimeError, match="once it is loaded"):
            pools.switch({NEW.artefact})
        assert pools.status().pids == pids
        [answer] = await pools.score(revision("moss"), [OLD])
        assert length(answer) == 4.0


async def test_a_former_pool_finishes_what_it_scores_before_it_leaves(tmp_path: Path) -> None:
    slow = ScoringPool(partial(obedient, str(tmp_path)), processes=1, limits=PoolLimits())
    async with started(slow) as pools:
        scoring = asyncio.create_task(pools.score(revision("sleep 0.5"), [OLD]))
        await until(lambda: pools.status().busy == 1)
        await pools.load(pool())
        pools.switch({NEW.artefact})
        await pools.retire(drain_seconds=20)
        [answer] = await scoring
        assert length(answer) == len("sleep 0.5")
