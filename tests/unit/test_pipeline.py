"""What becomes of one event, over a real embedded log with real tables."""

import asyncio
import gc
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from faust.types import TP

from agents.embedded.log import NewRecord
from agents.membership import MembershipLost
from agents.pipeline import settle_by_delivery
from schemas.errors import (
    ContentError,
    ContentUnavailable,
    EngineError,
    ParentNotFound,
    RevisionNotFound,
    StoreError,
)
from schemas.keys import DEAD_LETTER_TOPIC, PAGE_CHANGE_TOPIC, REVISIONS_TABLE, row_key
from schemas.prediction import Score, ScoreFailure
from tables.codec import encode_row
from tests import rows
from tests.audit import backlog
from tests.input_events import encoded, page_change
from tests.pipelines import APP_ID, WIKI, edit, next_generation, pipeline
from tests.until import until


async def test_an_edit_becomes_a_row_for_its_revision_and_page_and_an_output(tmp_path: Path) -> None:
    async with pipeline(tmp_path) as given:
        given.give(edit(1205))
        await given.until_done()
        row = given.row(1205)
        assert row is not None
        assert row == given.page()
        assert (row.wiki_id, row.page_id, row.rev_id) == (WIKI, 31, 1205)
        (stored,) = row.scores
        assert isinstance(stored.outcome, Score)
        assert stored.outcome.probability["true"] == 0.5
        (output,) = given.sent()
        assert output["scores"]["moss"]["probability"]["true"] == 0.5
        assert output["rev_id"] == 1205
        assert "errors" not in output
        assert given.outcomes == ["scored"]


async def test_the_phases_of_an_event_are_told_and_follow_one_another(tmp_path: Path) -> None:
    async with pipeline(tmp_path) as given:
        given.give(edit(1205), edit(1206, wiki_id="enwiki"))
        await given.until_done()
        scored, skipped = sorted(given.observed.reports, key=lambda report: report.outcome)
        phases = scored.trail.phases
        named = ["decode", "decide", "fetch", "wait", "features", "predict", "upsert", "emit"]
        assert [phase for phase, *_ in phases] == named
        moments = [moment for _, *both in phases for moment in both]
        assert moments == sorted(moments)
        assert moments[0] == scored.trail.began
        assert [phase for phase, *_ in skipped.trail.phases] == ["decode", "decide", "emit"]


async def test_a_row_tells_where_it_came_from(tmp_path: Path) -> None:
    async with pipeline(tmp_path) as given:
        before = datetime.now(UTC)
        given.give(edit(1), edit(2))
        await given.until_done()
        row = given.row(2)
        assert row is not None
        provenance = row.scores[0].provenance
        assert provenance.event_id == "3b1b3a52-6d0e-4a07-9a55-000000000002"
        place = (provenance.source_topic, provenance.source_partition, provenance.source_offset)
        assert place == (PAGE_CHANGE_TOPIC, 0, 1)
        assert provenance.event_dt == datetime(2026, 11, 1, 10, 0, 2, 500_000, UTC)
        assert before <= provenance.scored_dt <= datetime.now(UTC)


async def test_a_wiki_that_answers_after_a_while_costs_no_score(tmp_path: Path) -> None:
    async with pipeline(tmp_path) as given:
        given.content.failures[7] = [ContentUnavailable("no answer"), ContentUnavailable("still none")]
        given.give(edit(7))
        await given.until_done()
        assert given.outcomes == ["put_off", "put_off", "scored"]
        assert len(given.content.asked) == 3
        assert len(given.sent()) == 1


async def test_a_wiki_that_never_answers_is_given_up_and_that_is_recorded(tmp_path: Path) -> None:
    async with pipeline(tmp_path) as given:
        given.content.failures[7] = [ContentUnavailable("The wiki does not answer.")] * 3
        given.give(edit(7), edit(8, page_id=32))
        await given.until_done()
        row = given.row(7)
        assert row is not None
        assert row.scores[0].outcome == ScoreFailure("content_unavailable", "The wiki does not answer.")
        assert sorted(given.outcomes) == ["failed", "put_off", "put_off", "scored"]
        assert [request.rev_id for request in given.content.asked].count(7) == 3


@pytest.mark.parametrize("kind", [RevisionNotFound, ParentNotFound])
async def test_what_is_wrong_for_good_is_recorded_at_once_and_told(
    kind: type[ContentError], tmp_path: Path
) -> None:
    async with pipeline(tmp_path) as given:
        given.content.failures[7] = [kind("It is gone.")]
        given.give(edit(7))
        await given.until_done()
        row = given.row(7)
        assert row is not None
        assert row.scores[0].outcome == ScoreFailure(kind.code, "It is gone.")
        (output,) = given.sent()
        assert output["errors"]["moss"]["type"] == kind.code
        assert "scores" not in output
        assert given.outcomes == ["failed"]
        assert len(given.content.asked) == 1


async def test_each_model_has_an_output_and_fails_alone(tmp_path: Path) -> None:
    async with pipeline(tmp_path) as given:
        given.give(edit(9, wiki_id="plainwiki"))
        await given.until_done()
        assert len(given.sent("mediawiki.revision_score_moss")) == 1
        assert len(given.sent("mediawiki.revision_score_revid")) == 1
        (report,) = given.observed.reports
        assert [one.model.model_name for one in report.scored] == ["moss", "revid"]


async def test_what_cannot_be_decoded_is_set_aside_with_its_bytes_and_the_stream_goes_on(
    tmp_path: Path,
) -> None:
    async with pipeline(tmp_path) as given:
        given.give(b'{"broken', edit(5))
        await given.until_done()
        (letter,) = given.sent(DEAD_LETTER_TOPIC)
        assert letter["code"] == "event_undecodable"
        assert letter["raw_event"].encode() == b'{"broken'
        assert (letter["source_topic"], letter["source_offset"]) == (PAGE_CHANGE_TOPIC, 0)
        assert sorted(given.outcomes) == ["dead_letter", "scored"]
        assert given.row(5) is not None


async def test_what_is_skipped_is_reported_and_leaves_nothing(tmp_path: Path) -> None:
    canary = encoded(page_change(meta={"domain": "canary"}))
    async with pipeline(tmp_path) as given:
        given.give(canary, edit(5, wiki_id="enwiki"), edit(6, page_change_kind="later"))
        await given.until_done()
        found = {(report.reason, report.change is None) for report in given.observed.reports}
        assert found == {("canary", True), ("wiki_unknown", False), ("kind_not_scored", False)}
        assert set(given.outcomes) == {"skipped"}
        assert given.sent() == given.content.asked == []
        assert given.row(6) is None


async def test_edits_of_one_page_are_handled_in_turn_and_others_meanwhile(tmp_path: Path) -> None:
    async with pipeline(tmp_path) as given:
        gate = given.content.gates[1] = asyncio.Event()
        given.give(edit(1), edit(2), edit(3, page_id=32))
        await until(lambda: given.outcomes == ["scored"])
        assert [request.rev_id for request in given.content.asked] == [1, 3]
        # Finished, and yet not committed: an earlier event of the partition is not.
        assert given.row(3) is None
        gate.set()
        await given.until_done()
        page = given.page(31)
        assert page is not None
        assert page.rev_id == 2


async def test_an_event_of_a_partition_that_was_given_back_writes_nothing_and_is_done_anew(
    tmp_path: Path,
) -> None:
    async with pipeline(tmp_path) as given:
        gate = given.content.gates[1] = asyncio.Event()
        given.give(edit(1))
        await until(lambda: len(given.content.asked) == 1)
        await next_generation(given.app)
        gate.set()
        await given.until_done()
        assert [request.rev_id for request in given.content.asked] == [1, 1]
        assert given.outcomes == ["scored"]
        assert len(given.sent()) == 1
        assert given.row(1) is not None


async def test_events_that_come_while_a_recovery_ends_are_neither_lost_nor_doubled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with pipeline(tmp_path) as given:
        await until(given.is_recovered, 20)
        consumer = given.app.consumer
        seek, resume = consumer.perform_seek, consumer.resume_partitions
        resumed: set[TP] = set()
        gate, is_sought = asyncio.Event(), asyncio.Event()
        given.content.gates = dict.fromkeys(range(1, 31), gate)

        async def seek_slowly() -> None:
            await seek()
            if resumed and not given.taken:
                given.give(*(edit(rev_id, page_id=rev_id) for rev_id in range(1, 31)))
                # Longer than the fetcher takes to find them, if it is let.
                await asyncio.sleep(1)
                is_sought.set()

        def resume_and_note(partitions: Iterable[TP]) -> None:
            partitions = list(partitions)
            resumed.update(tp for tp in partitions if tp.topic == PAGE_CHANGE_TOPIC)
            resume(partitions)

        # Something to recover, or else there is no recovery that could end.
        changelog = given.predictions.changelog_topics[REVISIONS_TABLE]
        given.log.transact([NewRecord(changelog, 0, 0, row_key(WIKI, 99), encode_row(rows.row(rev_id=99)))])
        monkeypatch.setattr(consumer, "perform_seek", seek_slowly)
        monkeypatch.setattr(consumer, "resume_partitions", resume_and_note)
        await next_generation(given.app)
        # Until the recovery is over the window is full, and the rest waits in Faust's queue.
        await is_sought.wait()
        await until(given.is_recovered)
        gate.set()
        await given.until_done()
        assert sorted(output["rev_id"] for output in given.sent()) == list(range(1, 31))


async def test_the_same_event_again_gives_the_same_output_and_row(tmp_path: Path) -> None:
    async with pipeline(tmp_path) as given:
        given.give(edit(1), edit(2), edit(1))
        await given.until_done()
        first, _, again = given.sent()
        assert first == again
        page = given.page()
        assert page is not None
        # A replay does not take a page back.
        assert page.rev_id == 2


async def test_a_failure_whose_row_was_safe_before_a_crash_is_told_again(tmp_path: Path) -> None:
    async with pipeline(tmp_path / "crashed") as given:
        given.content.failures[7] = [RevisionNotFound("It is gone.")]
        given.give(edit(7))
        await given.until_done()
        row = given.row(7)
        (told,) = given.sent()
    assert row is not None
    async with pipeline(tmp_path / "again") as given:
        await until(given.is_recovered, 20)
        changelog = given.predictions.changelog_topics[REVISIONS_TABLE]
        given.log.transact([NewRecord(changelog, 0, 0, row_key(WIKI, 7), encode_row(row))])
        await next_generation(given.app)
        await until(given.is_recovered, 20)
        given.give(edit(7), edit(7))
        await given.until_done()
        first, posted_anew = given.sent()
        assert first == told
        assert "scores" in posted_anew
        assert len(given.content.asked) == 1


async def test_an_engine_that_fails_stops_the_worker_and_acknowledges_nothing(tmp_path: Path) -> None:
    async with pipeline(tmp_path) as given:
        broken = EngineError("no scoring process can be started")
        given.content.failures[1] = [broken]
        given.give(edit(1), edit(2))
        await until(lambda: given.app.failure is not None)
        assert given.app.failure is broken
        assert backlog(given.log, APP_ID) == 2
        assert given.sent() == []


async def test_what_the_broker_refuses_is_no_output() -> None:
    async def delivered() -> None:
        pass

    async def refused() -> None:
        raise OSError("message too large")

    await settle_by_delivery([delivered(), delivered()])
    with pytest.raises(StoreError, match="message too large"):
        await settle_by_delivery([delivered(), refused()])


async def test_a_partition_that_is_lost_is_not_taken_for_a_fault_of_the_broker() -> None:
    async def lost() -> None:
        raise MembershipLost

    with pytest.raises(MembershipLost):
        await settle_by_delivery([lost()])


async def test_of_all_that_the_broker_refuses_the_first_is_told_and_none_is_left_over() -> None:
    loop, complaints = asyncio.get_running_loop(), list[Any]()
    loop.set_exception_handler(lambda _, complaint: complaints.append(complaint))
    sent = [loop.create_future() for _ in range(3)]
    sent[2].set_exception(OSError("the last"))
    loop.call_soon(sent[0].set_result, None)
    loop.call_soon(sent[1].set_exception, OSError("the first"))
    with pytest.raises(StoreError, match="the first"):
        await settle_by_delivery(sent)
    await asyncio.sleep(0)
    del sent
    gc.collect()
    assert complaints == []
