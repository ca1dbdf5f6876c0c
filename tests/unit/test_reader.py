"""Predictions read by revision and by page."""

import pytest

from schemas.errors import StoreFormatUnsupported
from schemas.keys import row_key
from tables.codec import encode_row
from tables.reader import Freshness, PredictionReader
from tests.rows import binary, row, stored

ROW = row(stored("damaging", binary(0.3)))


class Rows:
    """Rows in memory."""

    def __init__(self) -> None:
        self.tables: dict[str, dict[bytes, bytes]] = {"revisions": {}, "pages": {}}

    def get(self, table: str, key: bytes) -> bytes | None:
        return self.tables[table].get(key)

    def freshness(self) -> Freshness:
        return Freshness(False, ("recovering",), 1.5)


@pytest.fixture
def rows() -> Rows:
    return Rows()


def test_a_revision_and_a_page_of_one_number_are_told_apart(rows: Rows) -> None:
    rows.tables["revisions"][row_key("enwiki", 7)] = encode_row(ROW)
    reader = PredictionReader(rows)
    assert reader.revision("enwiki", 7) == ROW
    assert reader.page("enwiki", 7) is None


def test_wikis_are_told_apart(rows: Rows) -> None:
    rows.tables["pages"][row_key("enwiki", 7)] = encode_row(ROW)
    reader = PredictionReader(rows)
    assert reader.page("enwiki", 7) == ROW
    assert reader.page("dewiki", 7) is None


def test_a_row_of_a_later_version_is_told_from_a_missing_one(rows: Rows) -> None:
    rows.tables["revisions"][row_key("enwiki", 7)] = b"\xc3\x01" + bytes(8) + b"?"
    with pytest.raises(StoreFormatUnsupported):
        PredictionReader(rows).revision("enwiki", 7)


@pytest.mark.parametrize(("wiki_id", "number"), [("en\0wiki", 1), ("enwiki", -1), ("enwiki", 1 << 63)])
def test_ids_that_make_no_key_are_refused(rows: Rows, wiki_id: str, number: int) -> None:
    with pytest.raises(ValueError, match=r"NUL|no id"):
        PredictionReader(rows).revision(wiki_id, number)


def test_the_freshness_is_that_of_the_rows(rows: Rows) -> None:
    assert PredictionReader(rows).freshness() == rows.freshness()
