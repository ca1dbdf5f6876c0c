"""How far behind the scores of each wiki are."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from msgspec.structs import replace

from schemas.keys import row_key
from schemas.prediction import Withdrawal
from tables.codec import encode_row
from tests.replica_log import PAGES_TOPIC, MemoryLog
from tests.rows import REV_DT, binary, catalogue, row, stored
from tests.served import fill, served

WIKIS = catalogue({"enwiki": ("damaging",), "dewiki": ("damaging",)})
LATER = REV_DT + timedelta(hours=1)
ROWS = [
    row(stored("damaging", binary(0.25)), page_id=1, rev_id=1),
    row(
        stored("damaging", binary(0.25), scored_after=timedelta(seconds=4)), page_id=2, rev_id=2, rev_dt=LATER
    ),
]


async def test_the_newest_scored_revision_tells_how_far_behind_a_wiki_is(tmp_path: Path) -> None:
    before = datetime.now(UTC)
    async with served(tmp_path, WIKIS, ROWS) as running:
        status, body, response = await running.ask("/lag/enwiki")
        _, everything, _ = await running.ask("/lag")
    assert status == 200
    assert response.headers["cache-control"] == "no-store"
    assert body["wiki_id"] == "enwiki"
    newest = body["newest"]
    assert (newest["rev_id"], newest["rev_dt"]) == (2, "2026-11-01T13:00:00Z")
    assert newest["delay_seconds"] == 4
    assert newest["seconds_since"] >= (before - LATER).total_seconds()
    assert body["age_seconds"] >= 0
    assert everything["wikis"]["enwiki"]["newest"]["rev_id"] == 2
    assert everything["wikis"]["dewiki"]["newest"] is None


async def test_what_is_withdrawn_tells_nothing(tmp_path: Path) -> None:
    log = MemoryLog()
    fill(log, ROWS)
    hidden = Withdrawal(True, LATER + timedelta(days=1), 9)
    log.append(PAGES_TOPIC, row_key("enwiki", 2), encode_row(replace(ROWS[1], withdrawal=hidden)))
    async with served(tmp_path, WIKIS, log=log) as running:
        _, body, _ = await running.ask("/lag/enwiki")
    assert body["newest"]["rev_id"] == 1


async def test_an_unknown_wiki_and_tables_that_are_not_whole_are_told(tmp_path: Path) -> None:
    async with served(tmp_path / "whole", WIKIS, ROWS) as running:
        status, body, _ = await running.ask("/lag/nowiki")
        assert (status, body["error"]["code"]) == (404, "wiki_unknown")
    log = MemoryLog()
    log.is_reachable = False
    async with served(tmp_path / "recovering", WIKIS, log=log) as running:
        status, body, response = await running.ask("/lag/enwiki")
        assert (status, body["error"]["code"]) == (503, "not_ready")
        assert body["error"]["retry_after_seconds"] == int(response.headers["retry-after"])
