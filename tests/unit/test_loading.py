"""Rows of snapshots, on their way into the tables of a real embedded log."""

from datetime import timedelta
from itertools import permutations
from pathlib import Path

import pytest

from schemas.keys import REVISIONS_TABLE, row_key
from schemas.prediction import PredictionRow, Score, ScoreFailure
from schemas.snapshot_row import SnapshotRow
from tables.row_index import Stream
from tests.loads import SCORED, chance, load, scored
from tests.pipelines import WIKI, RunningPipeline, edit, next_generation, pipeline
from tests.unit.test_withdrawals import act, delete, erase, hide, suppress, undelete
from tests.until import until

REVISIONS = Stream(REVISIONS_TABLE, 0)


def of_moss(rev_id: int, *, page_id: int = 31, probability: float = 0.25) -> SnapshotRow:
    """Return what a backfill with another version of the pipeline's model said."""
    return scored(rev_id, chance(probability), page_id=page_id, model_name="moss", model_version="9.0.0")


def told_by(row: PredictionRow | None) -> dict[tuple[str, str], str]:
    """Return who told the scores of a row, by model and version."""
    scores = () if row is None else row.scores
    return {
        (one.model.model_name, one.model.model_version): one.provenance.event_id.partition(":")[0]
        for one in scores
    }


def bytes_of(given: RunningPipeline, rev_id: int) -> bytes | None:
    return given.predictions.get(REVISIONS_TABLE, row_key(WIKI, rev_id))


async def test_a_loaded_row_is_found_says_where_it_is_from_and_no_output_tells_of_it(tmp_path: Path) -> None:
    async with pipeline(tmp_path) as given:
        await load(given, tmp_path, scored(1), scored(1, model_name="goodfaith"), scored(2))
        row = given.reader.revision(WIKI, 1)
        assert row is not None
        assert [one.model.model_name for one in row.scores] == ["damaging", "goodfaith"]
        provenance = row.scores[0].provenance
        assert provenance.event_id == "snapshot:2026-11-01"
        assert provenance.source_topic == given.loads.topic
        assert (provenance.scored_dt, provenance.event_dt) == (SCORED, row.rev_dt)
        assert (provenance.namespace_id, provenance.is_bot) == (0, False)
        page = given.reader.page(WIKI, 31)
        assert page is not None
        assert page.rev_id == 2
        assert given.sent() == []
        assert given.loads.counts == {"written": 2, "unchanged": 0, "withheld": 0, "unreadable": 0}


async def test_what_is_loaded_again_is_not_written_again(tmp_path: Path) -> None:
    async with pipeline(tmp_path) as given:
        await load(given, tmp_path, scored(1), of_moss(2))
        given.give(edit(2))
        await given.until_done()
        before = [bytes_of(given, rev_id) for rev_id in (1, 2)]
        heads = given.predictions.heads()
        await load(given, tmp_path, scored(1), of_moss(2))
        assert given.loads.counts["unchanged"] == 2
        assert [bytes_of(given, rev_id) for rev_id in (1, 2)] == before
        assert given.predictions.heads() == heads


@pytest.mark.parametrize("is_first", [True, False], ids=["loaded first", "scored first"])
async def test_what_an_event_had_scored_stays_and_the_versions_stand_side_by_side(
    tmp_path: Path, is_first: bool
) -> None:
    async with pipeline(tmp_path) as given:
        if not is_first:
            given.give(edit(1))
            await given.until_done()
            (live,) = {one.model for one in (given.row(1) or pytest.fail("no row")).scores}
        else:
            live = scored(1).model
        same = scored(1, chance(0.01), model_name="moss", model_version=live.model_version)
        await load(given, tmp_path, same, of_moss(1))
        if is_first:
            given.give(edit(1))
            await given.until_done()
        told = told_by(given.row(1))
        assert told["moss", "9.0.0"] == "snapshot"
        if not is_first:
            assert told["moss", live.model_version] != "snapshot"
        assert len(given.sent()) == 1


async def test_a_score_takes_the_place_of_a_failure_and_no_failure_that_of_a_score(tmp_path: Path) -> None:
    failure = ScoreFailure("parent_not_found", "There is none.")
    async with pipeline(tmp_path) as given:
        await load(given, tmp_path, scored(1, failure), scored(2))
        assert isinstance((given.row(1) or pytest.fail("no row")).scores[0].outcome, ScoreFailure)
        late = scored(2, failure, scored_dt=SCORED + timedelta(days=1))
        await load(given, tmp_path, scored(1), late, name="2026-12-01")
        rows = [given.row(rev_id) or pytest.fail("no row") for rev_id in (1, 2)]
        assert all(isinstance(row.scores[0].outcome, Score) for row in rows)


async def test_the_latest_of_a_page_is_the_one_saved_last_whoever_told_of_it(tmp_path: Path) -> None:
    async with pipeline(tmp_path) as given:
        given.give(edit(50))
        await given.until_done()
        await load(given, tmp_path, *(scored(rev_id) for rev_id in range(1, 100)))
        page = given.reader.page(WIKI, 31)
        assert page is not None
        # The others were saved in 2020.
        assert page.rev_id == 50


async def test_a_page_of_more_rows_than_are_written_at_once_is_loaded_whole(tmp_path: Path) -> None:
    async with pipeline(tmp_path) as given:
        await load(given, tmp_path, *(scored(rev_id) for rev_id in range(1, 301)))
        assert all(given.row(rev_id) is not None for rev_id in range(1, 301))
        assert (given.page() or pytest.fail("no row")).rev_id == 300


@pytest.mark.parametrize(
    "withdrawal", [delete, suppress, hide, erase], ids=["delete", "suppress", "hide", "erase"]
)
async def test_what_is_withdrawn_does_not_come_back_by_a_load(tmp_path: Path, withdrawal: bytes) -> None:
    async with pipeline(tmp_path) as given:
        given.give(withdrawal)
        await given.until_done()
        await load(given, tmp_path, scored(1), scored(2))
        row = given.row(1)
        if withdrawal in {suppress, erase}:
            assert row is None or row.scores == ()
            assert given.loads.counts["withheld"] >= 1
        if row is not None:
            assert given.withdrawn(1) is not None


async def test_what_was_suppressed_stays_gone_when_its_page_is_back(tmp_path: Path) -> None:
    async with pipeline(tmp_path) as given:
        given.give(suppress, undelete)
        await given.until_done()
        await load(given, tmp_path, scored(1))
        assert given.row(1) is None


@pytest.mark.parametrize("withdrawal", [delete, suppress], ids=["delete", "suppress"])
async def test_the_order_of_loads_events_and_withdrawals_does_not_matter(
    tmp_path: Path, withdrawal: bytes
) -> None:
    is_suppression = withdrawal is suppress
    orders = list(permutations(["edit", "load", "load later", "withdraw"]))
    async with pipeline(tmp_path) as given:
        for at in range(4):
            for number, order in enumerate(orders):
                page_id, rev_id = 1000 + number, 1 + number
                if order[at] == "edit":
                    given.give(edit(rev_id, page_id=page_id))
                elif order[at] == "withdraw":
                    given.give(
                        act("delete", rev_id, minute=10, page_id=page_id, is_suppression=is_suppression)
                    )
            first = [
                of_moss(1 + number, page_id=1000 + number)
                for number, order in enumerate(orders)
                if order[at] == "load"
            ]
            later = [
                scored(
                    1 + number,
                    chance(0.9),
                    page_id=1000 + number,
                    model_name="moss",
                    model_version="9.0.0",
                    scored_dt=SCORED + timedelta(days=1),
                )
                for number, order in enumerate(orders)
                if order[at] == "load later"
            ]
            await given.until_done()
            await load(given, tmp_path, *first)
            await load(given, tmp_path, *later, name="2026-12-01")
        assert {given.withdrawn(1 + number) for number in range(len(orders))} == {"page"}
        found = []
        for number in range(len(orders)):
            row = given.row(1 + number)
            loaded = [] if row is None else [one for one in row.scores if one.model.model_version == "9.0.0"]
            found.append([(one.outcome, one.provenance.event_id) for one in loaded])
        expected = [] if is_suppression else [(chance(0.9), "snapshot:2026-12-01")]
        assert found == [expected] * len(orders)


async def test_no_feed_is_told_of_what_is_loaded_and_none_misses_what_is_not(tmp_path: Path) -> None:
    async with pipeline(tmp_path) as given:
        await load(given, tmp_path, *(scored(rev_id, page_id=32) for rev_id in range(1, 101)))
        await load(given, tmp_path, of_moss(500))
        assert given.predictions.heads()[REVISIONS] == 100
        assert given.predictions.arrived(REVISIONS, -1, 10) == []
        given.give(edit(500))
        await given.until_done()
        (arrival,) = given.predictions.arrived(REVISIONS, -1, 10)
        assert arrival.key == row_key(WIKI, 500)


async def test_a_record_that_cannot_be_read_holds_nothing_up(tmp_path: Path) -> None:
    async with pipeline(tmp_path) as given:
        await (await given.app.producer.send(given.loads.topic, None, b"moss", 0, None, None))
        await load(given, tmp_path, scored(1))
        assert given.row(1) is not None
        assert given.loads.counts["unreadable"] == 1


async def test_rows_outlive_a_rebalance(tmp_path: Path) -> None:
    async with pipeline(tmp_path) as given:
        await load(given, tmp_path, *(scored(rev_id) for rev_id in range(1, 51)))
        await next_generation(given.app)
        await until(given.is_recovered)
        await load(given, tmp_path, *(scored(rev_id) for rev_id in range(51, 101)))
        await until(lambda: given.row(1) is not None and given.row(100) is not None)
