"""Runs of changelog records against the same records applied one by one."""

import random
from collections.abc import Iterator, Sequence
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace

from schemas.errors import StoreFormatUnsupported
from schemas.keys import PAGES_TABLE, REVISIONS_TABLE, row_key
from schemas.prediction import Withdrawal
from tables.changelog import TopicRecord
from tables.codec import encode_row, row_head
from tables.copies import Copy
from tables.hidden_pages import HiddenPages
from tables.partition_files import OFFSET_KEY
from tables.record_runs import Gathered, RunTaker
from tables.row_index import (
    ARRIVALS_KEPT,
    Indexer,
    Stream,
    arrived,
    listed,
    page_prefix,
    rows_of,
    time_prefix,
    unindexed,
)
from tables.row_index_files import open_indexed
from tests.rows import REV_DT, binary, row, stored

PARTITION = 3
STREAM = Stream(REVISIONS_TABLE, PARTITION)


def record(offset: int, rev_id: int, value: bytes | None, *, is_quiet: bool = False) -> TopicRecord:
    return TopicRecord(PARTITION, offset, row_key("enwiki", rev_id), value, 1000, is_quiet)


def encoded(rev_id: int, probability: float) -> bytes:
    value = row(stored("damaging", binary(probability)), rev_id=rev_id, page_id=rev_id % 7)
    return encode_row(replace(value, rev_dt=REV_DT + timedelta(seconds=rev_id)))


def emptied(rev_id: int) -> bytes:
    value = row(rev_id=rev_id, page_id=rev_id % 7)
    return encode_row(replace(value, rev_dt=REV_DT + timedelta(seconds=rev_id)))


def any_records(chance: random.Random, count: int) -> Iterator[TopicRecord]:
    """Yield records of few keys: rows, rows whose scores were erased, and tombstones, over holes."""
    offset = 0
    for _ in range(count):
        offset += chance.choice((1, 1, 1, 4))
        rev_id = chance.randrange(30)
        value = chance.choice((encoded(rev_id, chance.random()), emptied(rev_id), None))
        yield record(offset, rev_id, value, is_quiet=chance.random() < 0.3)


class Files:
    """One partition that takes runs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / "runs"
        self.db = open_indexed(self.path, REVISIONS_TABLE, PARTITION)
        self.taker = RunTaker(self.db, self.path, REVISIONS_TABLE, PARTITION)

    def take(self, records: Sequence[TopicRecord], next_offset: int) -> None:
        gathered = Gathered(REVISIONS_TABLE, PARTITION)
        gathered.add(records)
        file = self.folder / "run.sst"
        self.taker.take(gathered.write(file, next_offset), file)
        assert not file.exists()

    def floor(self) -> int:
        return Indexer(REVISIONS_TABLE, self.db.get).floor(PARTITION)


@pytest.fixture
def files(tmp_path: Path) -> Iterator[Files]:
    files = Files(tmp_path)
    yield files
    files.db.close()


@pytest.mark.parametrize("seed", range(8))
def test_runs_leave_what_their_records_leave_one_by_one(files: Files, tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    records = list(any_records(chance, 200))
    copy = Copy(tmp_path / "copy", REVISIONS_TABLE, PARTITION)
    for one in records:
        copy.apply([one])
    for first, last in pairwise([0, *sorted(chance.sample(range(1, 200), 3)), 200]):
        files.take(records[first:last], records[last - 1].offset + 1)
    files.taker.finish()
    found = dict(rows_of(files.db))
    offset = found.pop(OFFSET_KEY)
    assert found == dict(copy.rows())
    assert int(offset) == copy.next_offset - 1
    for prefix in (time_prefix("enwiki"), *(page_prefix("enwiki", page_id) for page_id in range(7))):
        assert listed(files.db, prefix, prefix, 100) == copy.listed(prefix, prefix, 100)
    told = [(one.offset, one.key) for one in records if not one.is_quiet]
    assert [(one.offset, one.key) for one in arrived(files.db, STREAM, -1, 300)] == told
    assert files.floor() == -1
    copy.close()


def test_no_order_of_arrival_is_known_before_all_runs_are_taken(files: Files) -> None:
    files.take([record(offset, offset, encoded(offset, 0.5)) for offset in range(10)], 10)
    # Who dies now begins behind the run, and has not its arrivals.
    assert (files.db.get(OFFSET_KEY), files.floor()) == (b"9", 9)
    again = RunTaker(files.db, files.path, REVISIONS_TABLE, PARTITION)
    files.taker = again
    files.take([record(offset, offset, encoded(offset, 0.5)) for offset in range(10, 15)], 15)
    again.finish()
    assert files.floor() == 9
    assert [one.offset for one in arrived(files.db, STREAM, 9, 100)] == [10, 11, 12, 13, 14]


def test_rows_of_a_snapshot_leave_the_order_of_arrival_known(files: Files) -> None:
    files.take([record(offset, offset, encoded(offset, 0.5), is_quiet=True) for offset in range(9)], 9)
    files.taker.finish()
    assert files.floor() == -1
    assert arrived(files.db, STREAM, -1, 10) == []


def test_what_came_long_ago_is_dropped_from_the_order_of_arrival(files: Files) -> None:
    count = ARRIVALS_KEPT + 500
    value = emptied(1)
    for first in range(0, count, 3000):
        last = min(first + 3000, count)
        files.take([record(offset, 1, value) for offset in range(first, last)], last)
    files.taker.finish()
    assert files.floor() == 499
    known = arrived(files.db, STREAM, -1, 2 * count)
    assert (known[0].offset, len(known)) == (500, ARRIVALS_KEPT)


def test_rows_of_a_later_version_have_the_index_made_anew(files: Files) -> None:
    later = b"\xc3\x01" + b"\xff" * 8
    with pytest.raises(StoreFormatUnsupported):
        row_head(later)
    assert not unindexed(files.db, [REVISIONS_TABLE])
    files.take([record(0, 1, later), record(1, 2, encoded(2, 0.5))], 2)
    assert unindexed(files.db, [REVISIONS_TABLE])
    assert files.db.get(row_key("enwiki", 1)) == later


def test_pages_that_a_run_hides_are_listed_as_such(tmp_path: Path) -> None:
    path, hidden = tmp_path / "pages", HiddenPages()
    db = open_indexed(path, PAGES_TABLE, 0)
    taker = RunTaker(db, path, PAGES_TABLE, 0, hidden=hidden)
    acted = Withdrawal(is_hidden=True, acted_dt=REV_DT, source_offset=9)
    gathered = Gathered(PAGES_TABLE, 0)
    gathered.add(
        [
            record(4, 7, encoded(7, 0.5)),
            record(5, 8, encode_row(replace(row(page_id=8, rev_id=1), withdrawal=acted))),
        ]
    )
    taker.take(gathered.write(tmp_path / "run.sst", 6), tmp_path / "run.sst")
    assert hidden.among("enwiki", np.array([7, 8])) == [1]
    again = HiddenPages()
    again.load(db)
    assert again.among("enwiki", np.array([7, 8])) == [1]
    db.close()


def test_rows_of_pages_come_without_lists(tmp_path: Path) -> None:
    db = open_indexed(tmp_path / "pages", PAGES_TABLE, 0)
    taker = RunTaker(db, tmp_path / "pages", PAGES_TABLE, 0)
    gathered = Gathered(PAGES_TABLE, 0)
    gathered.add([record(4, 7, encoded(7, 0.5)), TopicRecord(0, 5, None, b"no row", 1000)])
    taker.take(gathered.write(tmp_path / "run.sst", 6), tmp_path / "run.sst")
    taker.finish()
    assert (db.get(row_key("enwiki", 7)), db.get(OFFSET_KEY)) == (encoded(7, 0.5), b"5")
    assert listed(db, time_prefix("enwiki"), time_prefix("enwiki"), 10) == []
    assert [one.offset for one in arrived(db, Stream(PAGES_TABLE, 0), -1, 10)] == [4]
    db.close()
