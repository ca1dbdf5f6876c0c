"""ORES's ``precache``: events of new revisions posted by ChangeProp, scored where rules say so."""

import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from msgspec.structs import replace

from agents.rules.book import RuleBook
from agents.rules.file import parse_rules
from schemas.catalogue import Catalogue
from tests.rows import binary, model_info, row, stored
from tests.scorers import ReversedDigits
from tests.served import Served, served

REVID = replace(model_info("revid"), reads_content=False)
WIKIS = Catalogue(
    {
        "enwiki": {"damaging": model_info("damaging"), "goodfaith": model_info("goodfaith")},
        "testwiki": {"revid": REVID},
    }
)
ROWS = [row(stored("damaging", binary(0.25)), stored("goodfaith", binary(0.75)), rev_id=12345)]
RULES = """
rules:
  people:
    topics: [mediawiki.revision-create]
    match: {database: enwiki}
    on: nonbot_edit
    models: [damaging]
"""
PRECACHE = "/v3/precache"


def event(**changes: Any) -> dict[str, Any]:
    return {
        "database": "enwiki",
        "rev_id": 12345,
        "rev_parent_id": 12344,
        "page_namespace": 0,
        "performer": {"user_groups": ["*", "user"]},
        "meta": {"stream": "mediawiki.revision-create", "domain": "en.wikipedia.org"},
        **changes,
    }


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Served]:
    rules = RuleBook(parse_rules(RULES, "rules.yaml"), WIKIS)
    async with served(tmp_path, WIKIS, ROWS, on_demand=ReversedDigits(), rules=rules) as running:
        yield running


async def post(server: Served, body: Any, path: str = PRECACHE) -> tuple[int, Any]:
    return (await server.ask(path, method="POST", json=body))[:2]


@pytest.mark.parametrize("path", [PRECACHE, f"{PRECACHE}/"])
async def test_the_models_of_the_rules_that_take_an_event_answer(server: Served, path: str) -> None:
    status, body = await post(server, event(), path)
    assert status == 200
    assert body == {
        "enwiki": {
            "models": {"damaging": {"version": "1.0.0"}},
            "scores": {
                "12345": {
                    "damaging": {"score": {"prediction": False, "probability": {"false": 0.75, "true": 0.25}}}
                }
            },
        }
    }


async def test_what_is_not_stored_is_scored(server: Served) -> None:
    status, body = await post(server, event(rev_id=2309))
    assert status == 200
    assert body["enwiki"]["scores"]["2309"]["damaging"]["score"]["probability"]["true"] == 0.9


@pytest.mark.parametrize(
    "changes",
    [
        {"performer": {"user_groups": ["bot", "user"]}},
        {"database": "nowiki"},
        {"database": "nowiki", "meta": None},
        {"database": "testwiki"},
        {"meta": {"stream": "mediawiki.page-delete"}},
    ],
)
async def test_an_event_that_no_rule_takes_is_answered_with_nothing(
    server: Served, changes: dict[str, Any]
) -> None:
    status, body, response = await server.ask(PRECACHE, method="POST", json=event(**changes))
    assert (status, body) == (204, b"")
    assert response.headers["cache-control"] == "no-store, no-cache, max-age=0"


async def test_without_rules_models_that_read_nothing_answer_and_no_others(tmp_path: Path) -> None:
    async with served(tmp_path, WIKIS, ROWS, on_demand=ReversedDigits()) as server:
        assert (await post(server, event()))[0] == 204
        assert (await post(server, event(database="testwiki", meta={"stream": "other"})))[0] == 204
        status, body = await post(server, event(database="testwiki", rev_id=813852458))
        assert status == 200
        assert body["testwiki"]["scores"]["813852458"]["revid"]["score"] == {
            "prediction": True,
            "probability": {"false": 0.15000000000000002, "true": 0.85},
        }


async def test_precache_answers_post_alone(server: Served) -> None:
    assert (await server.ask(PRECACHE))[0] == 405


@pytest.mark.parametrize("name", ["database", "rev_id", "meta"])
async def test_a_lacking_field_is_named(server: Served, name: str) -> None:
    lacking = event()
    del lacking[name]
    status, body = await post(server, lacking)
    assert (status, body["error"]["message"]) == (400, f"Must provide the '{name}' parameter")


@pytest.mark.parametrize("rev_id", ["12345", 1.5, True, -1, 2**63, None])
async def test_a_revision_that_is_no_id_is_none(server: Served, rev_id: Any) -> None:
    status, body = await post(server, event(rev_id=rev_id))
    assert (status, body["error"]["message"]) == (400, "Must provide the 'rev_id' parameter")


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (json.dumps(event()).encode(), "text/plain"),
        (b"", "application/json"),
        (b"{", "application/json"),
        (b"[]", "application/json"),
        (b"[" * 100_000, "application/json"),
        (b"\xff", "application/json"),
    ],
)
async def test_a_body_that_is_no_event_is_refused_in_words_of_ores(
    server: Served, body: bytes, content_type: str
) -> None:
    status, answer, _ = await server.ask(
        PRECACHE, method="POST", data=body, headers={"content-type": content_type}
    )
    assert status == 400
    assert answer == {"error": {"code": "bad request", "message": "Must provide a POST'ed json as an event"}}


V2 = "/v2/precache"
V2_SCORES = {
    "scores": {
        "enwiki": {
            "damaging": {
                "version": "1.0.0",
                "scores": {"12345": {"prediction": False, "probability": {"false": 0.75, "true": 0.25}}},
            }
        }
    }
}


@pytest.mark.parametrize("path", [V2, f"{V2}/"])
@pytest.mark.parametrize("escape", [str, quote])
async def test_version_2_takes_the_event_in_the_query_escaped_once_or_twice(
    server: Served, path: str, escape: Callable[[str], str]
) -> None:
    query = {"event": escape(json.dumps(event(comment="100% sure %7B")))}
    status, body, _ = await server.ask(path, params=query)
    assert (status, body) == (200, V2_SCORES)


async def test_version_2_answers_an_event_that_no_rule_takes_with_nothing(server: Served) -> None:
    query = {"event": json.dumps(event(database="nowiki"))}
    assert (await server.ask(V2, params=query))[:2] == (204, b"")


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ({}, "Must provide an 'event' parameter"),
        ({"event": ""}, "Can not parse event argument as JSON blob"),
        ({"event": "{"}, "Can not parse event argument as JSON blob"),
        ({"event": "[" * 10_000}, "Can not parse event argument as JSON blob"),
        ({"event": '{"rev_id": 1}'}, "Must provide the 'database' parameter"),
    ],
)
async def test_version_2_says_what_the_event_lacks(
    server: Served, query: dict[str, str], message: str
) -> None:
    status, body, _ = await server.ask(V2, params=query)
    assert (status, body) == (400, {"error": {"code": "bad request", "message": message}})


async def test_version_2_takes_no_posted_event(server: Served) -> None:
    assert (await server.ask(V2, method="POST", json=event()))[0] == 405
