"""Writes to the embedded log from an event loop: together, in order, durable before they are told."""

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from faust.types import TP

from agents.embedded.log import Log, NewRecord
from agents.embedded.writer import LogWriter
from schemas.errors import EngineError, StoreFull

ROOT = Path(__file__).resolve().parents[2]
CHANGES = TP("changes", 0)


@pytest.fixture
async def log(tmp_path: Path) -> AsyncIterator[Log]:
    log = Log(tmp_path / "log.db")
    log.create_topic("changes", 2)
    yield log
    log.close()


@pytest.fixture
async def writer(log: Log) -> AsyncIterator[LogWriter]:
    writer = LogWriter(log)
    yield writer
    await writer.close()


def record(value: bytes, partition: int = 0) -> NewRecord:
    return NewRecord("changes", partition, 5, b"page", value)


def values(log: Log, partition: int = 0) -> list[bytes | None]:
    return [one.value for one in log.read("changes", partition, 0, limit=10_000)]


async def test_writes_lie_in_the_log_in_their_order(log: Log, writer: LogWriter) -> None:
    writing = [writer.write([record(b"%d" % number, number % 2)]) for number in range(100)]
    assert await asyncio.gather(*writing) == [[number // 2] for number in range(100)]
    assert values(log) == [b"%d" % number for number in range(0, 100, 2)]
    assert values(log, 1) == [b"%d" % number for number in range(1, 100, 2)]


async def test_what_waits_is_committed_together(log: Log, writer: LogWriter) -> None:
    commits: list[int] = []
    log.listen(lambda: commits.append(1))
    with log._lock:
        first = writer.write([record(b"first")])
        await asyncio.sleep(0.05)
        others = [writer.write([record(b"%d" % number)]) for number in range(50)]
        await asyncio.sleep(0.05)
        assert not any(one.done() for one in (first, *others))
    await asyncio.gather(first, *others)
    assert len(commits) == 2
    assert len(values(log)) == 51


async def test_the_loop_turns_and_reads_while_the_disk_keeps_a_write_waiting(
    log: Log, writer: LogWriter, tmp_path: Path
) -> None:
    log.transact([record(b"before")])
    other = sqlite3.connect(tmp_path / "log.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    writing = writer.write([record(b"after")], group_id="g", offsets={CHANGES: 1})
    for _ in range(20):
        await asyncio.sleep(0.005)
        assert values(log) == [b"before"]
        assert log.committed("g", *CHANGES) is None
        assert log.refresh() is False
    assert not writing.done()
    other.execute("COMMIT")
    other.close()
    assert await asyncio.wait_for(writing, 10) == [1]
    assert log.committed("g", *CHANGES) == 1


async def test_readers_see_what_is_told_to_be_written(log: Log, writer: LogWriter, tmp_path: Path) -> None:
    other = Log(tmp_path / "log.db")
    for number in range(20):
        await writer.write([record(b"%d" % number)], cursors={"source": str(number)})
        assert log.end(*CHANGES) == number + 1
        assert values(log)[-1] == b"%d" % number
        assert other.cursor("source") == str(number)
    other.close()


async def test_nobody_sees_an_offset_move_without_what_was_appended_with_it(
    log: Log, writer: LogWriter
) -> None:
    """One record is handed from partition to partition, so that one is always left to be consumed."""
    await writer.write([record(b"0")])
    left: set[int] = set()
    for number in range(1, 200):
        place = TP("changes", (number - 1) % 2)
        writing = writer.write(
            [record(b"%d" % number, number % 2)], group_id="g", offsets={place: (number + 1) // 2}
        )
        while not writing.done():
            committed = sum(log.committed("g", "changes", partition) or 0 for partition in range(2))
            left.add(sum(log.end("changes", partition) for partition in range(2)) - committed)
            await asyncio.sleep(0)
    assert left <= {1, 2}, "one is left, or counted twice for a moment"


async def test_a_write_that_fails_takes_no_other_with_it(log: Log, writer: LogWriter) -> None:
    with log._lock:
        writer.write([record(b"0")])
        await asyncio.sleep(0.05)
        good = writer.write([record(b"1")])
        bad = writer.write([record(b"2"), record(b"3", partition=9)])
        last = writer.write([record(b"4")])
    assert await good == [1]
    with pytest.raises(ValueError, match="partitions"):
        await bad
    assert await last == [2]
    assert values(log) == [b"0", b"1", b"4"]


async def test_a_full_disk_is_told_to_each_that_it_concerns(log: Log, writer: LogWriter) -> None:
    pages = log._db.execute("PRAGMA page_count").fetchone()[0]
    log._db.execute(f"PRAGMA max_page_count={pages}")
    writing = [writer.write([record(b"x" * 100_000)], group_id="g", offsets={CHANGES: 1}) for _ in range(3)]
    for one in writing:
        with pytest.raises(StoreFull, match="Nothing was lost"):
            await one
    assert (values(log), log.committed("g", *CHANGES)) == ([], None)


async def test_a_broken_log_is_told_by_name(log: Log, writer: LogWriter) -> None:
    log._db.close()
    with pytest.raises(EngineError, match="failed"):
        await writer.write([record(b"1")])


async def test_who_is_cancelled_leaves_a_write_that_goes_on(log: Log, writer: LogWriter) -> None:
    with log._lock:
        writing = [writer.write([record(b"%d" % number)]) for number in range(3)]
        await asyncio.sleep(0.05)
        for one in writing[:2]:
            one.cancel()
    assert await writing[2] == [2]
    assert values(log) == [b"0", b"1", b"2"]


async def test_closing_waits_for_all_writes_and_ends_the_thread(log: Log, writer: LogWriter) -> None:
    writing = [writer.write([record(b"%d" % number)]) for number in range(10)]
    await asyncio.sleep(0)
    writing += [writer.write([record(b"%d" % number)]) for number in range(10, 20)]
    await writer.close()
    assert len(values(log)) == 20
    assert all(one.done() for one in writing)
    await writer.close()
    assert await writer.write([record(b"late")]) == [20], "one that comes late is written all the same"


_KILLED = """
import asyncio, sys
from pathlib import Path
from agents.embedded.log import Log, NewRecord
from agents.embedded.writer import LogWriter

async def run():
    writer = LogWriter(Log(Path(sys.argv[1])))
    number = 0

    async def one(number):
        ((offset,)) = await writer.write([NewRecord("changes", number % 2, 5, b"page", b"%d" % number)])
        print(number, offset, flush=True)

    while True:
        asyncio.create_task(one(number))
        number += 1
        await asyncio.sleep(0.0005)

asyncio.run(run())
"""


def test_nothing_that_was_told_to_be_written_is_lost_when_the_process_is_killed(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    log = Log(path)
    log.create_topic("changes", 2)
    for told in (30, 200):
        with subprocess.Popen(
            [sys.executable, "-c", _KILLED, str(path)], stdout=subprocess.PIPE, text=True, cwd=ROOT
        ) as process:
            assert process.stdout is not None
            lines = [process.stdout.readline() for _ in range(told)]
            os.kill(process.pid, signal.SIGKILL)
            lines += process.stdout.readlines()
        acknowledged = [tuple(map(int, line.split())) for line in lines if line.endswith("\n")]
        assert len(acknowledged) >= told
        for number, offset in acknowledged:
            (found,) = log.read("changes", number % 2, offset, limit=1)
            assert (found.offset, found.value) == (offset, b"%d" % number)
    log.refresh()
    for partition in range(2):
        offsets = [one.offset for one in log.read("changes", partition, 0, limit=100_000)]
        assert offsets == list(range(log.end("changes", partition))), "without a hole"
    log.close()
