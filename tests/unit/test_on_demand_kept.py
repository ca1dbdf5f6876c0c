"""Scores that clients asked for, on their way into the tables of a real embedded log."""

import asyncio
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from app.api.on_demand import ScoreRequest
from schemas.errors import ContentUnavailable, PredictionWithdrawn, RevisionNotFound
from schemas.keys import ERASURE_TOPIC
from schemas.on_demand import on_demand_topic
from schemas.prediction import Score, ScoreFailure
from tests.audit import records
from tests.pipelines import APP_ID, WIKI, RunningPipeline, edit, pipeline
from tests.unit.test_withdrawals import act, delete, erase, hide, suppress
from tests.until import until

TOPIC = on_demand_topic(APP_ID)
WITHDRAWALS = (delete, suppress, hide, erase)


async def asked(given: RunningPipeline, rev_id: int) -> Score:
    """Ask for the score of a revision."""
    (one,) = await given.on_demand.score(ScoreRequest(WIKI, rev_id, ["moss"]))
    assert isinstance(one.outcome, Score), one
    return one.outcome


async def until_kept(given: RunningPipeline, rev_id: int) -> None:
    await until(lambda: (row := given.row(rev_id)) is not None and bool(row.scores))


async def test_a_score_that_was_asked_for_is_found_by_the_next_look_up(tmp_path: Path) -> None:
    async with pipeline(tmp_path) as given:
        score = await asked(given, 1)
        await until_kept(given, 1)
        row = given.reader.revision(WIKI, 1)
        assert row is not None
        assert row == given.reader.page(WIKI, 31)
        assert [stored.outcome for stored in row.scores] == [score]
        assert row.scores[0].provenance.source_topic == TOPIC
        assert given.sent() == []


async def test_the_phases_of_scoring_on_demand_are_counted_once_for_all_who_ask(tmp_path: Path) -> None:
    async with pipeline(tmp_path) as given:
        registry = CollectorRegistry()
        registry.register(given.watch)
        await asyncio.gather(asked(given, 1), asked(given, 1))
        name = "revstream_on_demand_phase_seconds_count"
        await until(lambda: registry.get_sample_value(name, {"phase": "store"}) == 1)
        for phase in ("fetch", "wait", "features", "predict"):
            assert registry.get_sample_value(name, {"phase": phase}) == 1


async def test_a_page_change_that_comes_later_is_told_with_the_score_that_is_there(tmp_path: Path) -> None:
    async with pipeline(tmp_path) as given:
        score = await asked(given, 1)
        await until_kept(given, 1)
        given.give(edit(1))
        await given.until_done()
        (output,) = given.sent()
        assert output["scores"]["moss"]["probability"] == score.probability
        assert len(given.content.asked) == 1


async def test_a_record_that_comes_again_changes_nothing(tmp_path: Path) -> None:
    async with pipeline(tmp_path) as given:
        await asked(given, 1)
        await until_kept(given, 1)
        before = given.row(1)
        ((_, record),) = records(given.log, TOPIC)
        await given.app.producer.send(TOPIC, record.key, record.value, None, None, None)
        await until(lambda: given.keeper.counts["kept"] == 2)
        assert given.row(1) is not None
        assert given.row(1) == before


async def test_an_earlier_revision_takes_nothing_from_the_latest_of_its_page(tmp_path: Path) -> None:
    async with pipeline(tmp_path) as given:
        given.give(edit(2))
        await given.until_done()
        await asked(given, 1)
        await until_kept(given, 1)
        page = given.page()
        assert page is not None
        assert page.rev_id == 2


@pytest.mark.parametrize(
    "withdrawal", [delete, suppress, hide, erase], ids=["delete", "suppress", "hide", "erase"]
)
async def test_what_is_withdrawn_while_it_is_scored_is_neither_answered_nor_stored(
    tmp_path: Path, withdrawal: bytes
) -> None:
    async with pipeline(tmp_path) as given:
        given.content.gates[1] = asyncio.Event()
        asking = asyncio.create_task(given.on_demand.score(ScoreRequest(WIKI, 1, ["moss"])))
        await until(lambda: len(given.content.asked) == 1)
        given.give(withdrawal)
        await given.until_done()
        given.content.gates[1].set()
        with pytest.raises(PredictionWithdrawn):
            await asking
        assert list(records(given.log, TOPIC)) == []
        row = given.row(1)
        assert row is None or not row.scores


@pytest.mark.parametrize(
    "withdrawal", [delete, suppress, hide, erase], ids=["delete", "suppress", "hide", "erase"]
)
async def test_what_is_withdrawn_between_the_answer_and_the_tables_is_not_stored(
    tmp_path: Path, withdrawal: bytes
) -> None:
    async with pipeline(tmp_path) as given:
        await asked(given, 1)
        await until_kept(given, 1)
        ((_, record),) = records(given.log, TOPIC)
        given.give(withdrawal)
        await given.until_done()
        # As from a worker that has not heard of it.
        await given.app.producer.send(TOPIC, record.key, record.value, None, None, None)
        await until(lambda: given.keeper.counts["withdrawn"] == 1)
        assert given.withdrawn(1) is not None
        is_erased = withdrawal in {suppress, erase}
        row = given.row(1)
        assert row is not None
        assert bool(row.scores) is not is_erased
        # One for the suppression, one for the record that came after it.
        await until(lambda: len(list(records(given.log, ERASURE_TOPIC))) == 2 * is_erased)


async def test_a_withdrawal_from_before_the_question_hides_what_was_asked(tmp_path: Path) -> None:
    """The wiki's replicas may be behind, and give a text that is suppressed already."""
    async with pipeline(tmp_path) as given:
        await asked(given, 1)
        await until_kept(given, 1)
        given.give(erase)
        await given.until_done()
        row = given.row(1)
        assert row is not None
        assert row.scores == ()


async def test_all_who_ask_at_once_share_one_fetch_and_one_score(tmp_path: Path) -> None:
    async with pipeline(tmp_path) as given:
        answers = await asyncio.gather(
            *(given.on_demand.score(ScoreRequest("fernwiki", 1, [name])) for name in ("moss", "fern") * 5)
        )
        assert len({str(answer[0].outcome) for answer in answers}) == 1
        assert [answer[0].model.model_name for answer in answers] == ["moss", "fern"] * 5
        assert len(given.content.asked) == 1
        assert given.flights.counts == {"scored": 2, "joined": 8, "recent": 0}
        await until(lambda: given.keeper.counts["kept"] == 1)
        ((_, record),) = records(given.log, TOPIC)
        assert b"moss" in (record.value or b"")
        assert b"fern" in (record.value or b"")


async def test_a_missing_revision_is_asked_for_once_until_an_event_tells_of_it(tmp_path: Path) -> None:
    async with pipeline(tmp_path) as given:
        given.content.failures[1] = [RevisionNotFound("There is none.")]
        for _ in range(3):
            (one,) = await given.on_demand.score(ScoreRequest(WIKI, 1, ["moss"]))
            assert isinstance(one.outcome, ScoreFailure)
            assert one.outcome.code == "revision_not_found"
        assert len(given.content.asked) == 1
        given.give(edit(1))
        await given.until_done()
        await asked(given, 1)


async def test_a_wiki_that_does_not_answer_is_asked_again_by_the_next(tmp_path: Path) -> None:
    async with pipeline(tmp_path) as given:
        given.content.failures[1] = [ContentUnavailable("no answer")]
        waiting = [
            asyncio.create_task(given.on_demand.score(ScoreRequest(WIKI, 1, ["moss"]))) for _ in range(2)
        ]
        for each in waiting:
            with pytest.raises(ContentUnavailable):
                await each
        await asked(given, 1)


async def test_whoever_goes_away_takes_nothing_from_the_others(tmp_path: Path) -> None:
    async with pipeline(tmp_path) as given:
        given.content.gates[1] = asyncio.Event()
        first = asyncio.create_task(given.on_demand.score(ScoreRequest(WIKI, 1, ["moss"])))
        second = asyncio.create_task(asked(given, 1))
        await until(lambda: len(given.content.asked) == 1)
        first.cancel()
        given.content.gates[1].set()
        assert (await second).probability
        await until_kept(given, 1)


async def test_a_recent_answer_is_forgotten_when_its_page_is_deleted(tmp_path: Path) -> None:
    async with pipeline(tmp_path) as given:
        await asked(given, 1)
        given.give(act("delete", 2, minute=10))
        await given.until_done()
        with pytest.raises(PredictionWithdrawn):
            await given.on_demand.score(ScoreRequest(WIKI, 1, ["moss"]))
