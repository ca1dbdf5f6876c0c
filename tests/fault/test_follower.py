"""What a replica does when the log, the disk or the process fails."""

import asyncio
import itertools
from pathlib import Path

import pytest

from schemas.errors import StoreFormatUnsupported, StoreFull, StoreLocked
from schemas.keys import PAGES_TABLE, REVISIONS_TABLE, row_key
from schemas.prediction import PredictionRow
from tables.codec import decode_row, encode_row
from tables.follower import Follower
from tables.replica import Replica, ReplicaState
from tests.replica_log import PAGES_TOPIC, REVISIONS_TOPIC, TOPICS, MemoryLog, MemoryTopicReader
from tests.rows import binary, row, stored
from tests.served import fill, following, until

HOUR_SECONDS = 3600.0


class Clock:
    """A time of day that tests move."""

    def __init__(self) -> None:
        self.now_seconds = 1_790_000_000.0

    def __call__(self) -> float:
        return self.now_seconds


def open_follower(log: MemoryLog, directory: Path, clock: Clock | None = None) -> Follower:
    reader = MemoryTopicReader(log)
    return Follower(reader, directory, TOPICS, wall=clock or Clock(), poll_seconds=0.01)


def revision(follower: Follower, rev_id: int) -> PredictionRow | None:
    found = follower.get(REVISIONS_TABLE, row_key("enwiki", rev_id))
    return None if found is None else decode_row(found)


def scored(rev_id: int, probability: float = 0.25, *, page_id: int = 7) -> PredictionRow:
    return row(stored("damaging", binary(probability)), rev_id=rev_id, page_id=page_id)


def generations(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def is_ready(follower: Follower) -> bool:
    return follower.freshness().is_ready


async def test_rows_of_both_tables_come_out_as_they_went_in(tmp_path: Path) -> None:
    log = MemoryLog()
    fill(log, [scored(1), scored(2)])
    follower = open_follower(log, tmp_path)
    async with following(follower):
        await until(lambda: is_ready(follower))
        assert revision(follower, 1) == scored(1)
        assert follower.get(PAGES_TABLE, row_key("enwiki", 7)) == encode_row(scored(2))
        assert follower.freshness().reasons == ()


async def test_a_replica_is_not_ready_before_it_has_caught_up_once(tmp_path: Path) -> None:
    log = MemoryLog()
    fill(log, [scored(1)])
    log.is_reachable = False
    follower = open_follower(log, tmp_path)
    async with following(follower):
        await until(lambda: "log_unreachable" in follower.freshness().reasons)
        assert not is_ready(follower)
        assert follower.freshness().age_seconds is None
        log.is_reachable = True
        await until(lambda: is_ready(follower))
        assert revision(follower, 1) == scored(1)


async def test_a_topic_that_does_not_exist_yet_is_waited_for(tmp_path: Path) -> None:
    log = MemoryLog()
    partitions = log.topics.pop(PAGES_TOPIC)
    follower = open_follower(log, tmp_path)
    async with following(follower):
        await until(lambda: "log_unreachable" in follower.freshness().reasons)
        assert not is_ready(follower)
        log.topics[PAGES_TOPIC] = partitions
        await until(lambda: is_ready(follower))


async def test_look_ups_go_on_and_grow_old_while_the_log_is_away(tmp_path: Path) -> None:
    log = MemoryLog()
    fill(log, [scored(1)])
    follower = open_follower(log, tmp_path)
    async with following(follower):
        await until(lambda: is_ready(follower))
        log.is_reachable = False
        await until(lambda: "log_unreachable" in follower.freshness().reasons)
        then = follower.freshness().age_seconds
        await asyncio.sleep(0.05)
        now = follower.freshness().age_seconds
        assert is_ready(follower)
        assert revision(follower, 1) == scored(1)
        assert then is not None
        assert now is not None
        assert now - then >= 0.05
        fill(log, [scored(2)])
        log.is_reachable = True
        await until(lambda: revision(follower, 2) is not None)
        await until(lambda: follower.freshness().reasons == ())
        assert (follower.freshness().age_seconds or 0.0) < now


async def test_a_restart_resumes_where_the_rows_stand(tmp_path: Path) -> None:
    log = MemoryLog()
    fill(log, [scored(rev_id) for rev_id in range(1, 50)])
    first = open_follower(log, tmp_path)
    async with following(first):
        await until(lambda: is_ready(first))
    # What was applied is gone from the log but for its last record: only a resumed replica still has it.
    for topic in TOPICS.values():
        for offset in range(1, 48):
            log.remove(topic, offset)
    fill(log, [scored(100)])
    second = open_follower(log, tmp_path)
    assert is_ready(second)
    async with following(second):
        await until(lambda: revision(second, 100) is not None)
        assert revision(second, 20) == scored(20)
        assert "rebuilding" not in second.freshness().reasons


async def test_a_restart_answers_at_once_and_tells_how_old_its_rows_are(tmp_path: Path) -> None:
    log, clock = MemoryLog(), Clock()
    fill(log, [scored(1)])
    first = open_follower(log, tmp_path, clock)
    async with following(first):
        await until(lambda: is_ready(first))
    log.is_reachable = False
    clock.now_seconds += 600
    second = open_follower(log, tmp_path, clock)
    try:
        assert revision(second, 1) == scored(1)
        freshness = second.freshness()
        assert freshness.is_ready
        assert freshness.reasons == ("starting",)
        assert freshness.age_seconds == pytest.approx(600, abs=5)
    finally:
        second.close()


async def test_a_log_of_another_identity_is_followed_from_its_start(tmp_path: Path) -> None:
    log = MemoryLog(identity="old")
    fill(log, [scored(1), scored(2), scored(3)])
    first = open_follower(log, tmp_path)
    async with following(first):
        await until(lambda: is_ready(first))
    other = MemoryLog(identity="new")
    fill(other, [scored(10), scored(11), scored(12), scored(13)])
    second = open_follower(other, tmp_path)
    async with following(second):
        assert revision(second, 1) == scored(1)
        await until(lambda: revision(second, 13) is not None)
        assert revision(second, 1) is None
        await until(lambda: second.freshness().reasons == ())


async def test_a_log_that_shrank_is_followed_from_its_start(tmp_path: Path) -> None:
    log = MemoryLog()
    fill(log, [scored(1), scored(2), scored(3)])
    reader = MemoryTopicReader(log)
    follower = Follower(reader, tmp_path, TOPICS, poll_seconds=0.01)
    async with following(follower):
        await until(lambda: is_ready(follower))
        smaller = MemoryLog()
        fill(smaller, [scored(9)])
        reader.log = smaller
        await until(lambda: revision(follower, 9) is not None)
        assert revision(follower, 1) is None
        assert is_ready(follower)


async def test_a_log_made_anew_with_more_records_is_told_by_the_last_one_applied(tmp_path: Path) -> None:
    log = MemoryLog()
    fill(log, [scored(1), scored(2)])
    first = open_follower(log, tmp_path)
    async with following(first):
        await until(lambda: is_ready(first))
    other = MemoryLog()
    for number in range(10, 20):
        value = encode_row(scored(number))
        log_time_ms = 5_000_000 + number
        for topic in TOPICS.values():
            other.append(topic, row_key("enwiki", number), value, timestamp_ms=log_time_ms)
    second = open_follower(other, tmp_path)
    async with following(second):
        await until(lambda: revision(second, 19) is not None)
        assert revision(second, 10) == scored(10)
        assert revision(second, 1) is None


async def test_the_old_rows_answer_until_the_new_ones_are_whole(tmp_path: Path) -> None:
    log = MemoryLog(identity="old")
    fill(log, [scored(1)])
    first = open_follower(log, tmp_path)
    async with following(first):
        await until(lambda: is_ready(first))
    other = MemoryLog(identity="new")
    fill(other, [scored(2)])
    pages = other.topics.pop(PAGES_TOPIC)
    second = open_follower(other, tmp_path)
    async with following(second):
        await until(lambda: "rebuilding" in second.freshness().reasons)
        await until(lambda: "log_unreachable" in second.freshness().reasons)
        assert is_ready(second)
        assert revision(second, 1) == scored(1)
        assert revision(second, 2) is None
        other.topics[PAGES_TOPIC] = pages
        await until(lambda: revision(second, 2) is not None)
        assert revision(second, 1) is None


async def test_a_replica_that_missed_tombstones_is_built_anew(tmp_path: Path) -> None:
    log, clock = MemoryLog(), Clock()
    fill(log, [scored(1), scored(2)])
    first = open_follower(log, tmp_path, clock)
    async with following(first):
        await until(lambda: is_ready(first))
    # Revision 1 was withdrawn, and the log has dropped the row and its tombstone by now.
    log.remove(REVISIONS_TOPIC, 0)
    clock.now_seconds += 21 * HOUR_SECONDS
    second = open_follower(log, tmp_path, clock)
    async with following(second):
        await until(lambda: revision(second, 1) is None)
        await until(lambda: revision(second, 2) is not None)


async def test_a_short_absence_rebuilds_nothing(tmp_path: Path) -> None:
    log, clock = MemoryLog(), Clock()
    fill(log, [scored(1), scored(2)])
    first = open_follower(log, tmp_path, clock)
    async with following(first):
        await until(lambda: is_ready(first))
    before = generations(tmp_path)
    clock.now_seconds += 19 * HOUR_SECONDS
    second = open_follower(log, tmp_path, clock)
    async with following(second):
        await until(lambda: second.freshness().reasons == ())
        assert generations(tmp_path) == before


async def test_a_tombstone_removes_the_row(tmp_path: Path) -> None:
    log = MemoryLog()
    fill(log, [scored(1)])
    follower = open_follower(log, tmp_path)
    async with following(follower):
        await until(lambda: revision(follower, 1) is not None)
        log.append(REVISIONS_TOPIC, row_key("enwiki", 1), None)
        await until(lambda: revision(follower, 1) is None)


async def test_records_without_a_key_are_passed_over(tmp_path: Path) -> None:
    log = MemoryLog()
    log.append(REVISIONS_TOPIC, None, b"no row")
    fill(log, [scored(1)])
    follower = open_follower(log, tmp_path)
    async with following(follower):
        await until(lambda: revision(follower, 1) is not None)


async def test_a_partition_added_later_is_followed_from_its_start(tmp_path: Path) -> None:
    log = MemoryLog(partitions=1)
    fill(log, [scored(1)])
    follower = open_follower(log, tmp_path)
    async with following(follower):
        await until(lambda: is_ready(follower))
        log.topics[REVISIONS_TOPIC].append({})
        log.append(REVISIONS_TOPIC, row_key("enwiki", 5), encode_row(scored(5)), partition=1)
        await until(lambda: revision(follower, 5) is not None)


async def test_holes_at_the_end_of_a_log_do_not_keep_a_replica_from_being_ready(tmp_path: Path) -> None:
    log = MemoryLog()
    fill(log, [scored(1), scored(2), scored(3)])
    log.remove(REVISIONS_TOPIC, 2)
    follower = open_follower(log, tmp_path)
    async with following(follower):
        await until(lambda: is_ready(follower))
        assert revision(follower, 2) is not None


async def test_a_full_disk_stops_the_rows_and_not_the_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = MemoryLog()
    fill(log, [scored(1)])
    follower = open_follower(log, tmp_path)
    write = Replica.write
    is_full = True

    def fail(self: Replica, *arguments: object, **named: object) -> None:
        if is_full:
            raise StoreFull("The disk is full. Free space.")
        write(self, *arguments, **named)  # type: ignore[arg-type]  # passed through

    async with following(follower):
        await until(lambda: is_ready(follower))
        monkeypatch.setattr(Replica, "write", fail)
        fill(log, [scored(2)])
        await until(lambda: "store_unwritable" in follower.freshness().reasons)
        assert is_ready(follower)
        assert revision(follower, 1) == scored(1)
        is_full = False
        await until(lambda: revision(follower, 2) is not None)
        await until(lambda: follower.freshness().reasons == ())


async def test_a_crash_in_the_middle_of_the_first_fill_resumes_it(tmp_path: Path) -> None:
    log = MemoryLog()
    fill(log, [scored(rev_id) for rev_id in range(1, 3000)])
    reader = MemoryTopicReader(log)
    reader.reads_left = 3
    first = Follower(reader, tmp_path, TOPICS, poll_seconds=0.01)
    async with following(first):
        await until(lambda: "log_unreachable" in first.freshness().reasons)
        assert revision(first, 1) is not None
        assert not is_ready(first)
    second = open_follower(log, tmp_path)
    assert not is_ready(second)
    assert revision(second, 1) is not None
    async with following(second):
        await until(lambda: is_ready(second))
        assert all(revision(second, rev_id) is not None for rev_id in range(1, 3000))


async def test_look_ups_get_their_turn_while_many_records_are_applied(tmp_path: Path) -> None:
    log = MemoryLog()
    fill(log, [scored(1)])
    # A clock on which each record takes the same time, whatever the machine.
    ticks = itertools.count()
    follower = Follower(
        MemoryTopicReader(log), tmp_path, TOPICS, monotonic=lambda: next(ticks) * 1e-4, poll_seconds=0.01
    )
    async with following(follower):
        await until(lambda: is_ready(follower))
        fill(log, [scored(rev_id, page_id=rev_id) for rev_id in range(2, 1000)])
        turns = 0
        while revision(follower, 999) is None:
            turns += 1
            await asyncio.sleep(0)
        # A slice of 2 ms holds twenty such records.
        assert turns >= 998 // 21


def test_files_that_another_follower_holds_are_refused(tmp_path: Path) -> None:
    follower = open_follower(MemoryLog(), tmp_path)
    try:
        with pytest.raises(StoreLocked, match="another process"):
            open_follower(MemoryLog(), tmp_path)
    finally:
        follower.close()


def test_files_of_a_later_format_are_refused(tmp_path: Path) -> None:
    replica = Replica(tmp_path / "rows-000001")
    replica.remember(ReplicaState(format_version=2))
    replica.close()
    with pytest.raises(StoreFormatUnsupported, match="Delete the directory"):
        open_follower(MemoryLog(), tmp_path)
    with pytest.raises(StoreFormatUnsupported):
        open_follower(MemoryLog(), tmp_path)


async def test_a_closed_follower_answers_nothing(tmp_path: Path) -> None:
    log = MemoryLog()
    fill(log, [scored(1)])
    follower = open_follower(log, tmp_path)
    async with following(follower):
        await until(lambda: is_ready(follower))
    follower.close()
    assert revision(follower, 1) is None
    assert not is_ready(follower)
