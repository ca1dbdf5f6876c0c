"""The history of a page and the newest scores of a wiki, over a replica."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from msgspec.structs import replace

from schemas.prediction import PredictionRow, Score, ScoreFailure, ScoreKind, Withdrawal
from tests.replica_log import MemoryLog
from tests.rows import REV_DT, binary, catalogue, model_info, row, stored
from tests.served import Served, served

HIDDEN = Withdrawal(is_hidden=True, acted_dt=REV_DT, source_offset=1)
QUALITY = Score(ScoreKind.MULTICLASS, ("FA",), {"FA": 0.7, "GA": 0.2, "B": 0.1})


def revision(
    rev_id: int, probability: float = 0.5, *, page_id: int = 7, hours: int = 0, **told: Any
) -> PredictionRow:
    score = stored("damaging", binary(probability), **told)
    return row(score, rev_id=rev_id, page_id=page_id, rev_dt=REV_DT + timedelta(hours=hours))


MODELS = catalogue({"enwiki": ("damaging", "articlequality"), "dewiki": ("damaging",)})
MODELS.wikis["enwiki"]["articlequality"] = replace(  # type: ignore[index]  # a plain dict, made above
    model_info("articlequality", ScoreKind.MULTICLASS), labels=("FA", "GA", "B")
)
ROWS = [
    revision(1, 0.1, hours=1, namespace_id=0, is_bot=False),
    revision(2, 0.95, hours=2, namespace_id=0, is_bot=True),
    # Scored late: it stands where its time puts it.
    revision(5, 0.91, hours=0, page_id=8, namespace_id=2),
    revision(3, 0.99, hours=3, namespace_id=-1, is_bot=False),
    row(
        stored("articlequality", QUALITY),
        stored("damaging", ScoreFailure("feature_error", "why")),
        rev_id=4,
        page_id=9,
        rev_dt=REV_DT + timedelta(hours=4),
    ),
    replace(revision(6, 0.99, page_id=7, hours=6), withdrawal=HIDDEN),
]


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Served]:
    async with served(tmp_path, MODELS, ROWS) as server:
        yield server


def ids(body: Any) -> list[int]:
    return [each["rev_id"] for each in body["revisions"]]


async def newest(server: Served, query: str) -> list[int]:
    status, body, _ = await server.ask("/scores/enwiki?" + (query or "limit=50"))
    assert status == 200, body
    return ids(body)


async def test_the_history_of_a_page_is_told_from_the_newest_and_without_what_is_withdrawn(
    tmp_path: Path,
) -> None:
    async with served(tmp_path, MODELS, ROWS[:4]) as server:
        status, body, response = await server.ask("/pages/enwiki/7/history")
        assert (status, ids(body), body["next"]) == (200, [3, 2, 1], None)
        assert body["revisions"][0] == {
            "wiki_id": "enwiki",
            "page_id": 7,
            "rev_id": 3,
            "rev_dt": "2026-11-01T15:00:00Z",
            "scores": {
                "damaging": {
                    "model_version": "1.0.0",
                    "prediction": True,
                    "probability": {"false": pytest.approx(0.01), "true": 0.99},
                }
            },
            "namespace_id": -1,
            "is_bot": False,
        }
        assert response.headers["age"]


async def test_a_history_is_taken_in_parts_by_a_cursor(tmp_path: Path) -> None:
    async with served(tmp_path, MODELS, [revision(number, hours=number) for number in range(1, 8)]) as server:
        found, path = [], "/pages/enwiki/7/history?limit=3"
        for expected in ([7, 6, 5], [4, 3, 2], [1]):
            status, body, _ = await server.ask(path)
            assert status == 200
            assert ids(body) == expected
            found += ids(body)
            path = f"/pages/enwiki/7/history?limit=3&cursor={body['next']}"
        assert body["next"] is None


async def test_a_hidden_page_has_no_history_and_an_unknown_one_neither(tmp_path: Path) -> None:
    hidden = replace(revision(1), withdrawal=HIDDEN)
    async with served(tmp_path, MODELS, [hidden]) as server:
        status, body, _ = await server.ask("/pages/enwiki/7/history")
        assert (status, body["error"]["code"]) == (410, "prediction_withdrawn")
        status, body, _ = await server.ask("/pages/enwiki/8/history")
        assert (status, body["error"]["code"]) == (404, "prediction_not_found")
        status, body, _ = await server.ask("/pages/frwiki/8/history")
        assert (status, body["error"]["code"]) == (404, "wiki_unknown")
        assert await newest(server, "") == []


async def test_the_newest_are_told_by_the_time_of_saving(server: Served) -> None:
    # The page of all but two was hidden with its last revision.
    assert await newest(server, "") == [4, 5]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", [4, 3, 2, 1, 5]),
        ("score=damaging>0.9", [3, 2, 5]),
        (f"score={quote('damaging>0.9')}", [3, 2, 5]),
        ("score=damaging>=0.95", [3, 2]),
        (f"score={quote('damaging>=0.95', safe='')}", [3, 2]),
        ("damaging>0.9", [3, 2, 5]),
        (quote("damaging>=0.95", safe=""), [3, 2]),
        ("damaging>=0.95", [3, 2]),
        ("score=damaging<0.5", [1]),
        ("score=damaging.false>=0.9", [1]),
        ("score=damaging=true", [3, 2, 5]),
        ("score=damaging>0.9&score=damaging<0.97", [2, 5]),
        ("score=articlequality.FA>0.6", [4]),
        ("score=articlequality=FA", [4]),
        ("score=articlequality=GA", []),
        ("namespace=0", [2, 1]),
        ("namespace=2|-1", [3, 5]),
        ("namespace=2&namespace=-1", [3, 5]),
        ("bots=none", [4, 3, 1, 5]),
        ("bots=only", [2]),
        ("since=2026-11-01T14:00:00Z", [4, 3, 2]),
        ("since=2026-11-01T15:00:00+01:00", [4, 3, 2]),
        ("since=2026-11-01T14:00:00.000001Z", [4, 3]),
        ("limit=2", [4, 3]),
        ("score=damaging>0.9&namespace=0&bots=only&since=2026-11-01T12:00:00Z&limit=5", [2]),
    ],
)
async def test_conditions_survive_the_encoding_of_a_query(
    query: str, expected: list[int], tmp_path: Path
) -> None:
    async with served(tmp_path, MODELS, ROWS[:5]) as server:
        assert await newest(server, query) == expected


async def test_the_newest_are_taken_in_parts_and_each_revision_once(tmp_path: Path) -> None:
    rows = [revision(number, page_id=number, hours=number % 5) for number in range(1, 40)]
    async with served(tmp_path, MODELS, rows) as server:
        found: list[int] = []
        cursor = ""
        while True:
            _, body, _ = await server.ask(f"/scores/enwiki?limit=7{cursor}")
            found += ids(body)
            if body["next"] is None:
                break
            cursor = f"&cursor={body['next']}"
        assert sorted(found) == list(range(1, 40))
        assert found == sorted(found, key=lambda number: (number % 5, number), reverse=True)


@pytest.mark.parametrize(
    ("path", "status", "code", "word"),
    [
        ("/scores/enwiki?limit=5&damaging=0.9", 400, "request_invalid", "score=damaging>0.9"),
        ("/scores/enwiki?score=damaging", 400, "request_invalid", "MODEL>PROBABILITY"),
        ("/scores/enwiki?score=damaging>2", 400, "request_invalid", "[0, 1]"),
        ("/scores/enwiki?score=damaging>nan", 400, "request_invalid", "[0, 1]"),
        ("/scores/enwiki?score=articlequality>0.5", 400, "request_invalid", "B, FA, GA"),
        ("/scores/enwiki?score=goodfaith>0.5", 404, "model_not_found", "goodfaith"),
        ("/scores/enwiki?namespace=talk", 400, "request_invalid", "whole number"),
        ("/scores/enwiki?bots=some", 400, "request_invalid", "only"),
        ("/scores/enwiki?since=yesterday", 400, "request_invalid", "zone"),
        ("/scores/enwiki?since=2026-11-01T12:00:00", 400, "request_invalid", "zone"),
        ("/scores/enwiki?limit=0", 400, "request_invalid", "1 to 500"),
        ("/scores/enwiki?limit=501", 400, "request_invalid", "1 to 500"),
        ("/scores/enwiki?limit=1&limit=2", 400, "request_invalid", "twice"),
        ("/scores/enwiki?cursor=x", 400, "request_invalid", "next"),
        (
            "/scores/enwiki?" + "&".join(f"score=damaging>0.{n}" for n in range(9)),
            400,
            "request_invalid",
            "8",
        ),
        ("/scores/frwiki?limit=5", 404, "wiki_unknown", "frwiki"),
        ("/pages/enwiki/7/history?since=2026-11-01T12:00:00Z", 400, "request_invalid", "limit, cursor"),
        ("/pages/enwiki/x/history", 400, "request_invalid", "page_id"),
    ],
)
async def test_what_is_wrong_with_a_query_is_said(
    path: str, status: int, code: str, word: str, tmp_path: Path
) -> None:
    async with served(tmp_path, MODELS) as server:
        answered, body, _ = await server.ask(path)
        assert (answered, body["error"]["code"]) == (status, code)
        assert word in body["error"]["message"]


async def test_a_replica_that_is_not_complete_has_no_lists_yet(tmp_path: Path) -> None:
    log = MemoryLog()
    log.is_reachable = False
    async with served(tmp_path, MODELS, log=log) as server:
        for path in ("/scores/enwiki?limit=50", "/pages/enwiki/7/history", "/feed"):
            status, body, response = await server.ask(path)
            assert (status, body["error"]["code"]) == (503, "not_ready")
            assert response.headers["retry-after"]
