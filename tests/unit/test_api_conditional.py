"""Answers that may be kept, and questions whether they have changed."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from app.api.conditional import http_date, is_unchanged
from schemas.keys import row_key
from schemas.prediction import Withdrawal
from tables.codec import encode_row
from tests.replica_log import PAGES_TOPIC, MemoryLog
from tests.rows import REV_DT, binary, catalogue, row, stored
from tests.served import Served, fill, served

WIKIS = catalogue({"enwiki": ("damaging",)})
ROW = row(stored("damaging", binary(0.25)))
MODIFIED = int((REV_DT + timedelta(seconds=1)).timestamp())
PATHS = (
    "/scores/enwiki/12345",
    "/pages/enwiki/7",
    "/scores/enwiki/12345?models=damaging@1.0.0",
    "/pages/enwiki/7?provenance=1",
)


@pytest.fixture
async def replica(tmp_path: Path) -> AsyncIterator[Served]:
    async with served(tmp_path, WIKIS, [ROW]) as running:
        yield running


@pytest.mark.parametrize("path", PATHS)
async def test_an_answer_may_be_kept_for_a_short_while_by_anybody(replica: Served, path: str) -> None:
    _, _, response = await replica.ask(path)
    assert response.headers["cache-control"] == "public, max-age=10, must-revalidate"
    assert response.headers["last-modified"] == "Sun, 01 Nov 2026 12:00:01 GMT"
    assert {"age", "etag", "retry-after"} <= set(
        response.headers["access-control-expose-headers"].split(", ")
    )


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("path", PATHS)
async def test_who_has_the_answer_is_told_so_without_a_body(replica: Served, path: str, method: str) -> None:
    _, whole, first = await replica.ask(path)
    tag = first.headers["etag"]
    for headers in (
        {"if-none-match": tag},
        {"if-none-match": f'"other", W/{tag.removeprefix("W/")}'},
        {"if-none-match": "*"},
        {"if-modified-since": first.headers["last-modified"]},
        {"if-none-match": tag, "if-modified-since": http_date(MODIFIED - 9)},
    ):
        status, body, again = await replica.ask(path, method=method, headers=headers)
        assert (status, body) == (304, b"")
        for name in ("etag", "cache-control", "last-modified", "access-control-allow-origin", "age"):
            assert name in again.headers
        assert again.headers["etag"] == tag
    assert whole["scores"]


@pytest.mark.parametrize("path", PATHS)
async def test_who_has_another_answer_gets_this_one(replica: Served, path: str) -> None:
    for headers in (
        {"if-none-match": '"other"'},
        {"if-none-match": '"other"', "if-modified-since": http_date(MODIFIED)},
        {"if-modified-since": http_date(MODIFIED - 1)},
        {"if-modified-since": "yesterday"},
        {"if-modified-since": "Sun, 01 Nov 2026 12:00:01"},
        {"if-modified-since": "9" * 5000},
    ):
        status, body, _ = await replica.ask(path, headers=headers)
        assert status == 200
        assert [score["model_version"] for score in body["scores"].values()] == ["1.0.0"]


async def test_the_tag_stands_for_scores_versions_and_models_that_are_asked_for(tmp_path: Path) -> None:
    log = MemoryLog()
    fill(log, [ROW])
    async with served(tmp_path, WIKIS, log=log) as running:
        tags = {(await running.ask(path))[2].headers["etag"] for path in PATHS}
        # The page's latest revision is that revision, so both say the same.
        assert len(tags) == 3
        fill(log, [row(stored("damaging", binary(0.25), model_version="1.0.1"))])

        async def is_there() -> bool:
            return "1.0.1" in str((await running.ask(PATHS[0]))[1])

        while not await is_there():
            pass
        later = (await running.ask(PATHS[0]))[2].headers["etag"]
        assert later not in tags


async def test_freshness_changes_without_the_tag_which_says_so(replica: Served) -> None:
    _, _, response = await replica.ask("/scores/enwiki/12345?provenance=1")
    assert response.headers["etag"].startswith('W/"')
    _, _, response = await replica.ask("/scores/enwiki/12345")
    assert response.headers["etag"].startswith('"')


async def test_what_is_withdrawn_is_told_whatever_the_client_has_and_is_kept_by_nobody(
    tmp_path: Path,
) -> None:
    log = MemoryLog()
    fill(log, [ROW])
    async with served(tmp_path, WIKIS, log=log) as running:
        _, _, first = await running.ask("/scores/enwiki/12345")
        hidden = Withdrawal(True, REV_DT + timedelta(days=1), 9)
        log.append(PAGES_TOPIC, row_key("enwiki", 7), encode_row(replace(ROW, withdrawal=hidden)))
        status = 304
        while status == 304:
            headers = {"if-none-match": first.headers["etag"]}
            status, body, response = await running.ask("/scores/enwiki/12345", headers=headers)
        assert status == 410
        assert body["error"]["code"] == "prediction_withdrawn"
        assert response.headers["cache-control"] == "no-store"
        assert "etag" not in response.headers


async def test_nobody_keeps_an_error(replica: Served) -> None:
    for path in ("/scores/enwiki/99", "/pages/enwiki/99", "/pages/enwiki/x", "/models/nowiki"):
        _, _, response = await replica.ask(path)
        assert response.headers["cache-control"] == "no-store"


async def test_without_time_to_keep_answers_caches_ask_each_time(tmp_path: Path) -> None:
    async with served(tmp_path, WIKIS, [ROW], cache_seconds=0) as running:
        for path in PATHS:
            _, _, response = await running.ask(path)
            assert response.headers["cache-control"] == "public, no-cache"


async def test_what_ores_clients_are_told_about_caches_stays_as_it_is(replica: Served) -> None:
    _, _, response = await replica.ask("/v3/scores/enwiki/12345", headers={"if-none-match": "*"})
    assert response.status == 200
    assert response.headers["cache-control"] == "no-store, no-cache, max-age=0"
    assert "etag" not in response.headers


def test_a_date_counts_only_without_a_tag() -> None:
    since = (b"if-modified-since", http_date(MODIFIED).encode())
    assert is_unchanged([since], b'"a"', MODIFIED)
    assert not is_unchanged([since, (b"if-none-match", b'"b"')], b'"a"', MODIFIED)
    assert not is_unchanged([since], b'"a"', 0)
