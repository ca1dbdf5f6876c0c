"""Source events go into the log with their cursor, or not at all."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from agents.embedded.intake import LogIntake
from agents.embedded.log import Log
from agents.embedded.transport import partition_of
from agents.embedded.writer import LogWriter
from agents.intake import SourceEvent
from schemas.errors import StoreFull


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Log]:
    log = Log(tmp_path / "log.db")
    yield log
    log.close()


def events(*keys: bytes) -> list[SourceEvent]:
    return [SourceEvent(key, b"value of " + key) for key in keys]


async def test_a_source_begins_without_a_cursor(log: Log) -> None:
    assert LogIntake(log, LogWriter(log), "changes", partitions=2).cursor("source") is None


async def test_events_and_cursor_are_taken_together(log: Log, tmp_path: Path) -> None:
    await LogIntake(log, LogWriter(log), "changes", partitions=2).take(
        "source", events(b"a", b"b"), "after b"
    )
    other = Log(tmp_path / "log.db")
    assert LogIntake(other, LogWriter(other), "changes", partitions=2).cursor("source") == "after b"
    assert other.end("changes", 0) + other.end("changes", 1) == 2
    other.close()


async def test_events_of_a_page_keep_their_order_in_one_partition(log: Log) -> None:
    intake = LogIntake(log, LogWriter(log), "changes", partitions=4)
    await intake.take("source", [SourceEvent(b"page", b"%d" % number) for number in range(5)], "c")
    found = log.read("changes", partition_of(b"page", 4), 0, limit=9)
    assert [(record.key, record.value) for record in found] == [(b"page", b"%d" % n) for n in range(5)]


async def test_a_topic_that_exists_keeps_its_partitions(log: Log) -> None:
    log.create_topic("changes", 3)
    await LogIntake(log, LogWriter(log), "changes", partitions=8).take(
        "source", events(*(b"%d" % n for n in range(50))), "c"
    )
    assert log.partitions("changes") == 3
    assert sum(log.end("changes", number) for number in range(3)) == 50


async def test_a_cursor_moves_on_without_events(log: Log) -> None:
    intake = LogIntake(log, LogWriter(log), "changes", partitions=2)
    await intake.take("source", [], "heartbeat")
    assert intake.cursor("source") == "heartbeat"


async def test_sources_have_cursors_of_their_own(log: Log) -> None:
    intake = LogIntake(log, LogWriter(log), "changes", partitions=2)
    await intake.take("one", events(b"a"), "1")
    assert intake.cursor("two") is None


async def test_a_full_disk_takes_neither_events_nor_cursor(log: Log) -> None:
    intake = LogIntake(log, LogWriter(log), "changes", partitions=1)
    await intake.take("source", events(b"a"), "after a")
    pages = log._db.execute("PRAGMA page_count").fetchone()[0]
    log._db.execute(f"PRAGMA max_page_count={pages}")
    with pytest.raises(StoreFull):
        await intake.take("source", [SourceEvent(b"b", b"x" * 100_000)], "after b")
    assert intake.cursor("source") == "after a"
    assert log.end("changes", 0) == 1


async def test_there_is_room_again_once_enough_is_done(log: Log) -> None:
    done = 0
    intake = LogIntake(
        log, LogWriter(log), "changes", partitions=1, backlog=(lambda: log.end("changes", 0) - done, 3)
    )
    await asyncio.wait_for(intake.room(), 1)
    await intake.take("source", events(b"a", b"b", b"c"), "c")
    waiting = asyncio.create_task(intake.room())
    await asyncio.sleep(0.3)
    assert not waiting.done()
    done = 1
    await asyncio.wait_for(waiting, 5)
