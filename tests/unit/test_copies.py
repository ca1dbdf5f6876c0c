"""Copies of changelog partitions that another worker writes."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tables.copies import Copies, Copy
from tables.partition_files import OFFSET_KEY, open_partition
from tests.replica_log import REVISIONS_TOPIC, MemoryLog, MemoryTopicReader
from tests.served import until

TABLE = "revisions"


@pytest.fixture
def log() -> MemoryLog:
    return MemoryLog(partitions=2)


def copies_of(log: MemoryLog, folder: Path) -> Copies:
    return Copies(
        MemoryTopicReader(log),
        {TABLE: REVISIONS_TOPIC},
        lambda table, partition: folder / f"{table}-{partition}.db",
        poll_seconds=0.01,
    )


@contextlib.asynccontextmanager
async def following(copies: Copies) -> AsyncIterator[Copies]:
    task = asyncio.create_task(copies.run())
    try:
        yield copies
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        await copies.close()


async def whole(copies: Copies, partition: int = 0) -> Copy:
    await until(lambda: copies.whole(TABLE, partition) is not None)
    copy = copies.whole(TABLE, partition)
    assert copy is not None
    return copy


async def test_the_last_record_of_a_key_is_its_row(log: MemoryLog, tmp_path: Path) -> None:
    for value in (b"1", b"2", b"3"):
        log.append(REVISIONS_TOPIC, b"key", value)
    log.append(REVISIONS_TOPIC, b"gone", b"1")
    log.append(REVISIONS_TOPIC, b"gone", None)
    log.append(REVISIONS_TOPIC, None, b"no row")
    async with following(copies_of(log, tmp_path)) as copies:
        copies.follow(TABLE, [0])
        copy = await whole(copies)
        assert (copy.get(b"key"), copy.get(b"gone"), copy.records_left) == (b"3", None, 0)
        log.append(REVISIONS_TOPIC, b"key", b"4")
        await until(lambda: copy.get(b"key") == b"4")
        assert copies.age_seconds(copy) < 60


async def test_only_the_partitions_asked_for_are_followed(log: MemoryLog, tmp_path: Path) -> None:
    log.append(REVISIONS_TOPIC, b"zero", b"0", partition=0)
    log.append(REVISIONS_TOPIC, b"one", b"1", partition=1)
    async with following(copies_of(log, tmp_path)) as copies:
        copies.follow(TABLE, [1])
        assert (await whole(copies, 1)).get(b"one") == b"1"
        assert list(copies.held(TABLE)) == [1]
        copies.follow(TABLE, [0])
        assert (await whole(copies, 0)).get(b"zero") == b"0"
        assert copies.whole(TABLE, 1) is None


async def test_what_is_released_can_be_opened_at_once_and_stands_for_its_offset(
    log: MemoryLog, tmp_path: Path
) -> None:
    for number in range(250):
        log.append(REVISIONS_TOPIC, b"%d" % number, b"row")
    async with following(copies_of(log, tmp_path)) as copies:
        copies.follow(TABLE, [0])
        copy = await whole(copies)
        copies.release(TABLE, [0])
        db = open_partition(copy.path)
        assert db.get(OFFSET_KEY) == b"249"
        db.put(b"249", b"written by its owner")
        db.put(OFFSET_KEY, b"250")
        db.close()
        log.append(REVISIONS_TOPIC, b"249", b"written by its owner")
        copies.follow(TABLE, [0])
        again = await whole(copies)
        assert again.next_offset == 251
        assert again.get(b"249") == b"written by its owner"


async def test_a_copy_waits_for_its_files_to_be_closed_by_the_owner_of_before(
    log: MemoryLog, tmp_path: Path
) -> None:
    log.append(REVISIONS_TOPIC, b"key", b"row")
    db = open_partition(tmp_path / f"{TABLE}-0.db")
    async with following(copies_of(log, tmp_path)) as copies:
        copies.follow(TABLE, [0])
        await asyncio.sleep(0.1)
        assert copies.whole(TABLE, 0) is None
        db.close()
        assert (await whole(copies)).get(b"key") == b"row"


async def test_a_copy_of_a_log_that_was_made_anew_begins_anew(log: MemoryLog, tmp_path: Path) -> None:
    for _ in range(5):
        log.append(REVISIONS_TOPIC, b"old", b"row")
    async with following(copies_of(log, tmp_path)) as copies:
        copies.follow(TABLE, [0])
        await whole(copies)
    other = MemoryLog(partitions=2)
    other.append(REVISIONS_TOPIC, b"new", b"row")
    async with following(copies_of(other, tmp_path)) as copies:
        copies.follow(TABLE, [0])
        copy = await whole(copies)
        assert (copy.get(b"old"), copy.get(b"new")) == (None, b"row")


async def test_a_log_out_of_reach_is_waited_for(log: MemoryLog, tmp_path: Path) -> None:
    log.append(REVISIONS_TOPIC, b"key", b"row")
    log.is_reachable = False
    async with following(copies_of(log, tmp_path)) as copies:
        copies.follow(TABLE, [0])
        await asyncio.sleep(0.05)
        assert copies.whole(TABLE, 0) is None
        log.is_reachable = True
        assert (await whole(copies)).get(b"key") == b"row"
