"""Posted events into a worker's own log: durable when it says so, counted while they wait."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import pytest

from app.intake import WorkerIntake
from schemas.errors import EngineError, NotReady
from schemas.keys import PAGE_CHANGE_TOPIC
from schemas.posted import PostedEvent, posted_event
from tests.audit import records
from tests.pipelines import RunningPipeline, edit, pipeline
from tests.until import until

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)


def events(*rev_ids: int) -> list[PostedEvent]:
    return [posted_event(edit(rev_id), received_dt=NOW) for rev_id in rev_ids]


def intake(given: RunningPipeline, *, reasons: tuple[str, ...] = (), most_waiting: int = 10) -> WorkerIntake:
    return WorkerIntake(
        given.app,
        topic=PAGE_CHANGE_TOPIC,
        not_ready=lambda: reasons,
        most_waiting=most_waiting,
    )


async def test_what_is_taken_is_in_the_log_in_its_order_and_is_scored(tmp_path: Path) -> None:
    async with pipeline(tmp_path) as given:
        await until(given.is_recovered)
        given_events = events(1, 2, 3)
        assert await intake(given).take(given_events) == [None, None, None]
        kept = [record.value for _, record in records(given.log, PAGE_CHANGE_TOPIC)]
        assert kept == [event.value for event in given_events]
        await given.until_done()
        assert given.outcomes == ["scored"] * 3
        assert intake(given).waiting() == 0


async def test_what_waits_is_counted_until_it_is_committed_and_too_much_refused(tmp_path: Path) -> None:
    async with pipeline(tmp_path) as given:
        await until(given.is_recovered)
        gate = given.content.gates[1] = asyncio.Event()
        taking = intake(given, most_waiting=2)
        taking.check()
        await taking.take(events(1, 2))
        assert taking.waiting() == 2
        with pytest.raises(NotReady, match="2 events wait"):
            taking.check()
        gate.set()
        await given.until_done()
        taking.check()


async def test_a_worker_that_is_not_ready_names_why(tmp_path: Path) -> None:
    async with pipeline(tmp_path) as given:
        with pytest.raises(NotReady, match="recovering, models_loading"):
            intake(given, reasons=("recovering", "models_loading")).check()


async def test_a_log_that_fails_is_told_for_each_event(tmp_path: Path) -> None:
    async with pipeline(tmp_path) as given:
        await until(given.is_recovered)
        given.log._db.execute("DROP TABLE next_offset")
        failures = await intake(given).take(events(1, 2))
        assert [type(failure) for failure in failures] == [EngineError, EngineError]
        given.log._db.execute(
            "CREATE TABLE next_offset(partition INTEGER PRIMARY KEY, offset INTEGER NOT NULL) WITHOUT ROWID"
        )
