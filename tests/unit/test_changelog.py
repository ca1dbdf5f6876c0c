"""The rule by which a record of a changelog becomes a row of a replica."""

from datetime import timedelta

import pytest

from schemas.prediction import PredictionRow
from tables.changelog import MERGES, TopicRecord, apply, row_of
from tables.codec import decode_row, encode_row
from tables.follower import why_rebuild
from tables.replica import Position
from tests.rows import REV_DT, binary, row, stored

MERGE_REVISION = MERGES["revisions"]
MERGE_PAGE = MERGES["pages"]
EARLY = row(stored("damaging", binary(0.1)), rev_id=10)
LATE = row(stored("damaging", binary(0.9)), rev_id=11, rev_dt=REV_DT + timedelta(hours=1))
OTHER_MODEL = row(stored("goodfaith", binary(0.2)), rev_id=10)


def record(value: bytes | None, *, partition: int = 0, timestamp_ms: int = 100) -> TopicRecord:
    return TopicRecord(partition, 5, b"key", value, timestamp_ms)


def held(value: PredictionRow, *, partition: int = 0, timestamp_ms: int = 100) -> bytes:
    found = apply(None, record(encode_row(value), partition=partition, timestamp_ms=timestamp_ms), MERGE_PAGE)
    assert found is not None
    return found


def test_a_first_row_is_held_as_written() -> None:
    assert row_of(held(EARLY)) == encode_row(EARLY)


def test_within_a_partition_the_later_record_replaces_the_row_even_backwards() -> None:
    found = apply(held(LATE), record(encode_row(EARLY)), MERGE_PAGE)
    assert found is not None
    assert row_of(found) == encode_row(EARLY)


@pytest.mark.parametrize("partitions", [(0, 1), (1, 0)])
def test_rows_of_two_partitions_never_take_a_page_backwards(partitions: tuple[int, int]) -> None:
    first, second = partitions
    late_first = apply(held(LATE, partition=first), record(encode_row(EARLY), partition=second), MERGE_PAGE)
    early_first = apply(held(EARLY, partition=first), record(encode_row(LATE), partition=second), MERGE_PAGE)
    assert late_first is not None
    assert early_first is not None
    assert decode_row(row_of(late_first)) == decode_row(row_of(early_first)) == LATE


def test_rows_of_two_partitions_about_one_revision_are_joined() -> None:
    found = apply(held(EARLY), record(encode_row(OTHER_MODEL), partition=1), MERGE_REVISION)
    assert found is not None
    names = [each.model.model_name for each in decode_row(row_of(found)).scores]
    assert names == ["damaging", "goodfaith"]


def test_a_tombstone_of_the_same_partition_deletes() -> None:
    assert apply(held(EARLY), record(None), MERGE_PAGE) is None


def test_a_tombstone_of_another_partition_deletes_what_was_written_before_it() -> None:
    early = held(EARLY, timestamp_ms=100)
    assert apply(early, record(None, partition=1, timestamp_ms=101), MERGE_PAGE) is None


def test_a_tombstone_of_another_partition_spares_what_was_written_after_it() -> None:
    late = held(EARLY, timestamp_ms=200)
    assert apply(late, record(None, partition=1, timestamp_ms=101), MERGE_PAGE) == late


def test_a_tombstone_for_nothing_leaves_nothing() -> None:
    assert apply(None, record(None), MERGE_PAGE) is None


@pytest.mark.parametrize(("timestamp_ms", "is_replaced"), [(99, False), (101, True)])
def test_of_rows_that_cannot_be_merged_the_later_is_passed_on_whole(
    timestamp_ms: int, is_replaced: bool
) -> None:
    unknown = b"\xc3\x01" + bytes(8) + b"written by a later version"
    before = held(EARLY, timestamp_ms=100)
    found = apply(before, record(unknown, partition=1, timestamp_ms=timestamp_ms), MERGE_PAGE)
    assert found is not None
    assert row_of(found) == (unknown if is_replaced else encode_row(EARLY))


@pytest.mark.parametrize(
    ("position", "start", "end", "reason"),
    [
        (5, 0, 5, None),
        (5, 0, 9, None),
        (5, 5, 5, None),
        (0, 0, 0, None),
        (5, 0, 4, "log_recreated"),
        (5, 6, 9, "log_trimmed"),
    ],
)
def test_rows_are_carried_on_only_from_a_place_that_the_log_still_has(
    position: int, start: int, end: int, reason: str | None
) -> None:
    assert why_rebuild({0: Position(position)}, {0: start}, {0: end}) == reason


def test_a_partition_that_is_gone_means_another_log() -> None:
    assert why_rebuild({3: Position(1)}, {0: 0}, {0: 0}) == "log_recreated"
