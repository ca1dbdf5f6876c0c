"""Pages that may be hidden are listed beside their rows, whoever wrote these."""

import random
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from msgspec.structs import replace

from schemas.keys import PAGES_TABLE, REVISIONS_TABLE, row_key
from schemas.prediction import Withdrawal
from tables.changelog import TopicRecord
from tables.codec import encode_row
from tables.copies import Copy
from tables.hidden_pages import HiddenPages, may_hide
from tables.partition_files import open_partition
from tables.predictions import Predictions
from tables.record_runs import Gathered
from tables.replica import Replica
from tables.row_index import Stream, arrived, floor
from tables.row_index_files import open_indexed
from tests.rows import REV_DT, binary, row, stored
from tests.table_apps import table_app

INDEX_VERSION = b"\0\6index"
HIDDEN = Withdrawal(True, REV_DT + timedelta(days=1), 9)
SHOWN = Withdrawal(False, REV_DT + timedelta(days=2), 10)
UNKNOWN = b"\xc3\x01" + bytes(8) + b"of a later version"
HEAD = bytes(12)


def of_page(page_id: int, withdrawal: Withdrawal | None = None) -> tuple[bytes, bytes]:
    one = row(stored("damaging", binary(0.25)), page_id=page_id, rev_id=page_id)
    return row_key("enwiki", page_id), encode_row(replace(one, withdrawal=withdrawal))


ROWS = [
    of_page(1),
    of_page(2, HIDDEN),
    of_page(3, SHOWN),
    (row_key("enwiki", 4), UNKNOWN),
    of_page(5, HIDDEN),
]
SUSPECTS = {2, 4, 5}


def among(hidden: HiddenPages, wiki_id: str = "enwiki", most: int = 9) -> set[int]:
    """Return the pages up to a number that may be hidden."""
    return set(hidden.among(wiki_id, np.arange(most)))


def test_all_that_was_added_is_found_in_its_wiki_alone() -> None:
    hidden, added = HiddenPages(), {0, 2**63 - 1}
    chosen = random.Random(7)
    for at in range(20_000):
        number = chosen.choice((chosen.randrange(2**63), chosen.randrange(30_000)))
        added.add(number)
        hidden.add(row_key("enwiki", number))
        if at % 5_000 == 0:
            hidden.add(row_key("dewiki", at))
    for number in (0, 2**63 - 1):
        hidden.add(row_key("enwiki", number))
    asked = np.array([*range(30_000), *added, *added], np.int64)
    places = hidden.among("enwiki", asked)
    assert len(places) == len(set(places))
    assert {at for at, number in enumerate(asked.tolist()) if number in added} == set(places)
    assert set(hidden.among("dewiki", asked[:30_000])) == {0, 5_000, 10_000, 15_000}
    assert hidden.among("frwiki", asked) == []
    assert hidden.among("enwiki", asked[:0]) == []


def test_a_row_that_cannot_be_read_may_hide_its_page() -> None:
    assert [may_hide(held) for _, held in ROWS] == [False, True, False, True, True]


def replica_of(path: Path) -> Replica:
    """Return a replica with some rows of pages."""
    replica = Replica(path)
    replica.write([(b"pages\0" + key, HEAD + held) for key, held in ROWS], "pages-log", {}, table=PAGES_TABLE)
    return replica


def test_a_replica_knows_its_hidden_pages_at_once_and_when_it_is_opened_again(tmp_path: Path) -> None:
    with closing(replica_of(tmp_path / "rows")) as replica:
        assert among(replica.hidden) == SUSPECTS
        key, held = of_page(6, HIDDEN)
        replica.write([(b"pages\0" + key, HEAD + held)], "pages-log", {}, table=PAGES_TABLE)
        key, held = of_page(7, HIDDEN)
        # Of a revision's row that hides it nothing is listed: it says so itself.
        replica.write([(b"revisions\0" + key, HEAD + held)], "log", {}, table=REVISIONS_TABLE)
        assert among(replica.hidden) == SUSPECTS | {6}
    with closing(Replica(tmp_path / "rows")) as again:
        assert among(again.hidden) == SUSPECTS | {6}
        key, held = of_page(8, HIDDEN)
        again.write([(b"pages\0" + key, HEAD + held)], "pages-log", {}, table=PAGES_TABLE)
    with closing(Replica(tmp_path / "rows")) as again:
        assert among(again.hidden) == SUSPECTS | {6, 8}


def test_a_replica_of_a_version_without_lists_is_listed_when_it_is_opened(tmp_path: Path) -> None:
    with closing(replica_of(tmp_path / "rows")) as replica:
        # What such a version wrote, over the files of this one.
        replica.db.put(INDEX_VERSION, b"1")
        key, held = of_page(6, HIDDEN)
        replica.db.put(b"pages\0" + key, HEAD + held)
    with closing(Replica(tmp_path / "rows")) as replica:
        assert among(replica.hidden) == SUSPECTS | {6}
        assert replica.db.get(INDEX_VERSION) == b"2"


def test_a_partition_of_a_version_without_lists_is_listed_and_keeps_the_order_of_arrivals(
    tmp_path: Path,
) -> None:
    records = [TopicRecord(0, number, key, held, 0) for number, (key, held) in enumerate(ROWS)]
    with closing(Copy(tmp_path / "pages", PAGES_TABLE)) as copy:
        copy.apply(records)
    db = open_partition(tmp_path / "pages")
    for item in list(db.keys(from_key=b"\0\6hidden")):
        if cast(bytes, item).startswith(b"\0\6hidden"):
            db.delete(item)
    db.put(INDEX_VERSION, b"1")
    db.close()
    db = open_indexed(tmp_path / "pages", PAGES_TABLE, 0)
    hidden, stream = HiddenPages(), Stream(PAGES_TABLE, 0)
    hidden.load(db)
    assert among(hidden) == SUSPECTS
    assert [one.offset for one in arrived(db, stream, floor(db, stream), 99)] == [0, 1, 2, 3, 4]
    db.close()


def test_rows_of_revisions_are_not_indexed_again_for_a_list_that_they_do_not_have(tmp_path: Path) -> None:
    open_indexed(tmp_path / "revisions", REVISIONS_TABLE, 0).close()
    db = open_partition(tmp_path / "revisions")
    # A version without lists, which may come back, finds its own.
    assert db.get(INDEX_VERSION) == b"1"
    key, held = of_page(1)
    db.put(key, held)
    db.close()
    db = open_indexed(tmp_path / "revisions", REVISIONS_TABLE, 0)
    found = cast(list[bytes], list(db.keys()))
    assert not [key for key in found if key.startswith(b"\0\1")]
    db.close()


@pytest.fixture
async def predictions(tmp_path: Path) -> Any:
    predictions = Predictions(table_app("hidden", tmp_path, topic_partitions=1), partitions=1)
    yield predictions
    for store in predictions.stores.values():
        await store.stop()


async def test_a_standby_that_takes_over_hides_what_it_was_told_to_hide(predictions: Predictions) -> None:
    path = predictions.partition_path(PAGES_TABLE, 0)
    for offset, (key, held) in enumerate((*ROWS, of_page(2), of_page(6, HIDDEN))):
        # Each time it is opened anew.
        with closing(Copy(path, PAGES_TABLE)) as copy:
            copy.apply([TopicRecord(0, offset, key, held, 0)])
    assert predictions.hidden_among("enwiki", np.arange(9)) == []
    predictions.stores[PAGES_TABLE].newest(0, b"opens it")
    assert set(predictions.hidden_among("enwiki", np.arange(9))) == SUSPECTS | {6}


async def test_pages_of_a_checkpoint_are_hidden_as_soon_as_they_are_there(
    predictions: Predictions, tmp_path: Path
) -> None:
    store = predictions.stores[PAGES_TABLE]
    store.newest(0, b"opens it")
    gathered = Gathered(PAGES_TABLE, 0)
    gathered.add([TopicRecord(0, offset, key, held, 0) for offset, (key, held) in enumerate(ROWS)])
    gathered.write(tmp_path / "rows.sst", 8)
    store.ingest(0, tmp_path / "rows.sst")
    assert set(predictions.hidden_among("enwiki", np.arange(9))) == SUSPECTS
    assert dict(store.rows(0, b"enwiki\0")) == dict(ROWS)
    # And are so when the partition is opened the next time, with what was listed since.
    await store.stop()
    with closing(Copy(predictions.partition_path(PAGES_TABLE, 0), PAGES_TABLE)) as copy:
        key, held = of_page(6, HIDDEN)
        copy.apply([TopicRecord(0, 8, key, held, 0)])
        hidden = HiddenPages()
        hidden.load(copy._db)
        assert among(hidden) == SUSPECTS | {6}
