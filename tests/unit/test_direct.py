"""Scores of what requests bring along: what is let in, and what is not looked up."""

import asyncio

import pytest

from app.direct import WorkerDirectScoring
from models.pool import PoolLimits, ScoringPool
from schemas.errors import NotReady, RequestInvalid
from schemas.prediction import Score, ScoreFailure
from schemas.revision import PageRequest
from tests.pool_work import lengths, model, revision, running
from tests.revisions import ScriptedContent


def over(pool: ScoringPool, *, most_waiting: int = 2) -> WorkerDirectScoring:
    return WorkerDirectScoring(pool, ScriptedContent(), max_text_bytes=60, most_waiting=most_waiting)


async def test_a_revision_that_the_request_brings_is_scored_and_not_fetched() -> None:
    async with running(lengths) as pool:
        content = ScriptedContent()
        direct = WorkerDirectScoring(pool, content, max_text_bytes=60)
        scored = await direct.score(revision("four", rev_id=-1), model())
    assert isinstance(scored.outcome, Score)
    assert scored.model == model().id
    assert content.asked == []


async def test_a_text_beyond_the_limit_is_a_failure() -> None:
    async with running(lengths) as pool:
        scored = await over(pool).score(revision("x" * 61), model())
    assert isinstance(scored.outcome, ScoreFailure)
    assert scored.outcome.code == "content_too_large"


async def test_more_than_may_wait_are_refused_until_some_are_done() -> None:
    async with running(lengths) as pool:
        direct = over(pool, most_waiting=2)
        calls = [asyncio.create_task(direct.score(revision("four"), model())) for _ in range(3)]
        answers = await asyncio.gather(*calls, return_exceptions=True)
        assert [isinstance(answer, NotReady) for answer in answers] == [False, False, True]
        for _ in range(3):
            await direct.score(revision("four"), model())


async def test_a_pool_that_does_not_run_is_told_as_not_ready_and_frees_its_place() -> None:
    pool = ScoringPool(lengths, processes=1, limits=PoolLimits())
    direct = over(pool, most_waiting=1)
    for _ in range(2):
        with pytest.raises(NotReady, match="not started"):
            await direct.score(revision("four"), model())


async def test_links_are_not_to_be_had_from_a_dump() -> None:
    async with running(lengths) as pool:
        with pytest.raises(RequestInvalid, match="features_str"):
            await over(pool).outlinks(PageRequest("enwiki", page_title="Oak"))
