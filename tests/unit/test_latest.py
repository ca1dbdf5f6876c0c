"""What was scored last, of all partitions."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from schemas.keys import row_key
from schemas.prediction import PredictionRow, Withdrawal
from tables.codec import encode_row
from tables.follower import Follower
from tables.latest import latest_scored
from tests.replica_log import PAGES_TOPIC, REVISIONS_TOPIC, TOPICS, MemoryLog, MemoryTopicReader
from tests.rows import REV_DT, binary, row, stored
from tests.served import following, until

ROWS = 2_400


def row_of(number: int) -> PredictionRow:
    """Return a revision that was scored a second after the one before it."""
    score = stored("damaging", binary(0.25), scored_after=timedelta(seconds=number))
    return row(score, rev_id=number, page_id=number % 600)


def give(log: MemoryLog, number: int, *, partition: int) -> None:
    log.append(REVISIONS_TOPIC, row_key("enwiki", number), encode_row(row_of(number)), partition=partition)


def is_any(_: PredictionRow) -> bool:
    return True


def is_of_page_7(row: PredictionRow) -> bool:
    return row.page_id == 7


def is_old(row: PredictionRow) -> bool:
    return row.rev_id <= 402


@pytest.mark.parametrize(
    ("wanted", "limit", "found"),
    [
        (is_any, 3, [2400, 2398, 2397]),
        (is_of_page_7, 2, [1807, 1207]),
        # All that is looked at, and that is not all that there is: 1,000 offsets of each of two partitions.
        (is_of_page_7, 9, [1807, 1207, 607]),
        (is_old, 9, [402, 401]),
    ],
    ids=["the newest", "further back", "as far as is looked at", "where it ends"],
)
async def test_the_latest_are_found_however_far_back_they_lie(
    tmp_path: Path, wanted: Callable[[PredictionRow], bool], limit: int, found: list[int]
) -> None:
    log = MemoryLog()
    for number in range(1, ROWS + 1):
        give(log, number, partition=number % 2)
    hidden = replace(row_of(2399), withdrawal=Withdrawal(True, REV_DT + timedelta(days=1), 9))
    log.append(PAGES_TOPIC, row_key("enwiki", 2399 % 600), encode_row(hidden))
    follower = Follower(MemoryTopicReader(log), tmp_path, TOPICS, poll_seconds=0.01)
    async with following(follower):
        await until(lambda: follower.freshness().is_ready)
        told = latest_scored(follower, wanted, limit=limit)
    assert [each.rev_id for each in told] == found


async def test_what_is_wanted_of_a_busy_partition_is_found_behind_what_is_not(tmp_path: Path) -> None:
    log = MemoryLog()
    for number in range(1, 31):
        give(log, number, partition=0)
    for number in range(101, 221):
        give(log, number, partition=1)
    follower = Follower(MemoryTopicReader(log), tmp_path, TOPICS, poll_seconds=0.01)
    async with following(follower):
        await until(lambda: follower.freshness().is_ready)
        told = latest_scored(follower, lambda row: row.rev_id < 106, limit=5)
    assert [each.rev_id for each in told] == [105, 104, 103, 102, 101]
