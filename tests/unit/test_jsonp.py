"""Answers as scripts, for pages of before CORS."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from schemas.prediction import Score, ScoreKind
from tests.rows import binary, catalogue, row, stored
from tests.served import Served, served

WIKIS = catalogue({"enwiki": ("damaging", "topic")})
LABELS = Score(ScoreKind.MULTICLASS, ("a\u2028b",), {"a\u2028b": 1.0})
ROW = row(stored("damaging", binary(0.25)), stored("topic", LABELS))


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Served]:
    async with served(tmp_path, WIKIS, [ROW]) as running:
        yield running


@pytest.mark.parametrize("callback", ["show", "$", "_", "jQuery1124_1700000000", "mw.scores.show", "a" * 128])
@pytest.mark.parametrize(
    "path",
    [
        "/v1/scores/enwiki/damaging/12345/",
        "/v2/scores/enwiki/damaging/12345/",
        "/v3/scores/enwiki/12345/damaging/",
        "/scores/",
        "/v3/spec/",
    ],
)
async def test_the_answer_calls_the_function_that_is_named(server: Served, path: str, callback: str) -> None:
    _, plain, _ = await server.ask(path)
    status, script, response = await server.ask(path, params={"callback": callback})
    start = f"/**/{callback}("
    assert status == 200
    assert script.decode().startswith(start)
    assert script.decode().endswith(");")
    assert json.loads(script.decode()[len(start) : -2]) == plain
    assert response.headers["content-type"] == "application/javascript; charset=utf-8"
    assert response.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    "callback",
    ["alert(1)", "a b", "1a", "a.", ".a", "a..b", "a;b", "a<b", "é", "a\n", "a" * 129, "a[0]", "../a"],
)
async def test_what_is_more_than_a_name_is_refused_as_json(server: Served, callback: str) -> None:
    status, body, response = await server.ask("/v3/scores/enwiki", params={"callback": callback})
    assert status == 400
    assert body["error"]["code"] == "bad request"
    assert response.content_type == "application/json"


async def test_an_empty_name_asks_for_json(server: Served) -> None:
    status, body, _ = await server.ask("/scores/?callback=")
    assert (status, body) == (200, {"contexts": ["enwiki"]})


@pytest.mark.parametrize(
    ("path", "status"), [("/v3/scores/nowiki", 404), ("/v2/scores/a/b/c", 404), ("/v3/nothing", 404)]
)
async def test_errors_come_as_scripts_too(server: Served, path: str, status: int) -> None:
    got, script, _ = await server.ask(path, params={"callback": "f"})
    assert got == status
    assert json.loads(script.decode()[6:-2])["error"]["code"] == "not found"


async def test_separators_that_old_scripts_refuse_are_escaped(server: Served) -> None:
    _, script, _ = await server.ask("/v3/scores/enwiki/12345/topic?callback=f")
    assert "\u2028" not in script.decode()
    assert "a\\u2028b" in script.decode()


async def test_pages_and_our_own_answers_take_no_callback(server: Served) -> None:
    _, page, response = await server.ask("/ui/?callback=f")
    assert response.content_type == "text/html"
    assert page.startswith(b"<!doctype html>")
    status, body, _ = await server.ask("/scores/enwiki/12345?callback=f")
    assert (status, body["error"]["code"]) == (400, "request_invalid")
