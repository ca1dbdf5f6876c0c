"""Topics of the log as other processes read them."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from time import monotonic

import pytest

from agents.embedded.log import Log, NewRecord
from agents.embedded.topics import EmbeddedTopicReader
from schemas.errors import BrokerUnavailable
from tables.changelog import TopicRecord


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log.db"


@pytest.fixture
def log(path: Path) -> Iterator[Log]:
    log = Log(path)
    log.create_topic("rows", 2, is_compacted=True)
    yield log
    log.close()


@pytest.fixture
async def reader(path: Path) -> AsyncIterator[EmbeddedTopicReader]:
    reader = EmbeddedTopicReader(path)
    yield reader
    await reader.close()


def append(log: Log, *values: bytes, partition: int = 0, key: bytes = b"k") -> None:
    log.transact([NewRecord("rows", partition, 7, key, value) for value in values])


async def test_records_are_read_from_the_positions_named(log: Log, reader: EmbeddedTopicReader) -> None:
    append(log, b"1", b"2", b"3")
    append(log, b"4", partition=1)
    found = await reader.read("rows", {0: 1, 1: 0}, limit=9, timeout_seconds=0)
    assert found == [
        TopicRecord(0, 1, b"k", b"2", 7),
        TopicRecord(0, 2, b"k", b"3", 7),
        TopicRecord(1, 0, b"k", b"4", 7),
    ]


async def test_partitions_that_are_not_named_are_not_read(log: Log, reader: EmbeddedTopicReader) -> None:
    append(log, b"1")
    append(log, b"2", partition=1)
    assert [one.value for one in await reader.read("rows", {1: 0}, limit=9, timeout_seconds=0)] == [b"2"]


async def test_the_limit_holds_over_all_partitions(log: Log, reader: EmbeddedTopicReader) -> None:
    for partition in (0, 1):
        append(log, b"1", b"2", b"3", partition=partition)
    assert len(await reader.read("rows", {0: 0, 1: 0}, limit=4, timeout_seconds=0)) == 4
    assert len(await reader.read("rows", {0: 0, 1: 0}, limit=3, timeout_seconds=0)) == 3


async def test_reading_waits_for_the_first_record(log: Log, reader: EmbeddedTopicReader) -> None:
    reading = asyncio.create_task(reader.read("rows", {0: 0}, limit=9, timeout_seconds=10))
    await asyncio.sleep(0.1)
    assert not reading.done()
    append(log, b"late")
    assert [one.value for one in await asyncio.wait_for(reading, 5)] == [b"late"]


async def test_reading_ends_empty_at_its_time(log: Log, reader: EmbeddedTopicReader) -> None:
    began = monotonic()
    assert await reader.read("rows", {0: 0}, limit=9, timeout_seconds=0.2) == []
    assert 0.2 <= monotonic() - began < 5


async def test_compacted_records_leave_holes(log: Log, reader: EmbeddedTopicReader) -> None:
    append(log, b"1", b"2", b"3")
    log.compact()
    assert await reader.starts("rows") == {0: 2, 1: 0}
    assert await reader.ends("rows") == {0: 3, 1: 0}
    found = await reader.read("rows", {0: 0}, limit=9, timeout_seconds=0)
    assert [(one.offset, one.value) for one in found] == [(2, b"3")]


async def test_a_topic_made_later_is_seen(log: Log, reader: EmbeddedTopicReader) -> None:
    with pytest.raises(BrokerUnavailable, match="no topic later yet"):
        await reader.partitions("later")
    log.create_topic("later", 3)
    assert await reader.partitions("later") == [0, 1, 2]


async def test_a_missing_log_is_out_of_reach_and_is_not_made(path: Path, reader: EmbeddedTopicReader) -> None:
    read = reader.read("rows", {0: 0}, limit=1, timeout_seconds=9)
    for ask in (reader.identity(), reader.ends("rows"), read):
        with pytest.raises(BrokerUnavailable, match="Start the worker"):
            await ask
    assert not path.exists()  # noqa: ASYNC240 - nothing else runs here


async def test_a_log_that_cannot_be_read_is_out_of_reach(path: Path, reader: EmbeddedTopicReader) -> None:
    path.write_bytes(b"no database" * 1000)  # noqa: ASYNC240 - nothing else runs here
    with pytest.raises(BrokerUnavailable, match="cannot be read"):
        await reader.identity()


async def test_another_log_in_its_place_is_read_and_has_another_identity(
    path: Path, reader: EmbeddedTopicReader
) -> None:
    first = Log(path)
    first.create_topic("rows", 1)
    append(first, b"old")
    before = await reader.identity()
    assert before == first.identity
    first.close()
    for file in path.parent.glob("log.db*"):
        file.unlink()
    second = Log(path)
    second.create_topic("rows", 1)
    append(second, b"new")
    assert await reader.identity() == second.identity != before
    found = await reader.read("rows", {0: 0}, limit=9, timeout_seconds=0)
    assert [one.value for one in found] == [b"new"]
    second.close()


async def test_reading_goes_on_after_close(log: Log, reader: EmbeddedTopicReader) -> None:
    append(log, b"1")
    await reader.close()
    await reader.close()
    assert len(await reader.read("rows", {0: 0}, limit=9, timeout_seconds=0)) == 1


async def test_closing_a_reader_leaves_the_log_of_its_own_process_open(path: Path) -> None:
    shared = Log.shared(path)
    shared.create_topic("rows", 1)
    reader = EmbeddedTopicReader(path)
    await reader.identity()
    await reader.close()
    assert Log.shared(path) is shared
    shared.close()
