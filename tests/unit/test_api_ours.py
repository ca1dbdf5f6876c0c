"""Our own face: stored scores by revision and by page."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yarl

from schemas.keys import row_key
from schemas.prediction import ScoreFailure
from tests.replica_log import PAGES_TOPIC, REVISIONS_TOPIC, MemoryLog
from tests.rows import SHA512, binary, catalogue, row, stored
from tests.served import Served, fill, served

WIKIS = catalogue({"enwiki": ("damaging", "goodfaith"), "testwiki": ("revid",)})
FAILURE = ScoreFailure("cpu_limit_exceeded", "Scoring took more than 15 s of CPU time.")
ROW = row(stored("damaging", binary(0.25)), stored("goodfaith", FAILURE), page_id=7, rev_id=12345)
DOCUMENT = {
    "wiki_id": "enwiki",
    "page_id": 7,
    "rev_id": 12345,
    "rev_dt": "2026-11-01T12:00:00Z",
    "scores": {
        "damaging": {
            "model_version": "1.0.0",
            "prediction": False,
            "probability": {"false": 0.75, "true": 0.25},
        },
        "goodfaith": {
            "model_version": "1.0.0",
            "error": {
                "code": "cpu_limit_exceeded",
                "message": "Scoring took more than 15 s of CPU time.",
            },
        },
    },
}


@pytest.fixture
async def replica(tmp_path: Path) -> AsyncIterator[Served]:
    async with served(tmp_path, WIKIS, [ROW]) as running:
        yield running


@pytest.mark.parametrize("path", ["/scores/enwiki/12345", "/scores/enwiki/12345/", "/pages/enwiki/7"])
async def test_a_stored_revision_is_found_by_revision_and_by_page(replica: Served, path: str) -> None:
    status, body, response = await replica.ask(path)
    assert (status, body) == (200, DOCUMENT)
    assert response.content_type == "application/json"
    assert response.headers["access-control-allow-origin"] == "*"


async def test_the_quick_way_and_the_full_way_say_the_same(replica: Served) -> None:
    quick, full = (
        await replica.ask("/scores/enwiki/12345"),
        await replica.ask("/scores/enwiki/12345?provenance=0"),
    )
    assert quick[:2] == full[:2]
    ignored = {"date"}
    assert {name: value for name, value in quick[2].headers.items() if name.lower() not in ignored} == {
        name: value for name, value in full[2].headers.items() if name.lower() not in ignored
    }


async def test_provenance_is_told_when_asked_for(replica: Served) -> None:
    _, body, _ = await replica.ask("/scores/enwiki/12345?provenance=1")
    assert body["scores"]["damaging"]["provenance"] == {
        "model_sha512": SHA512,
        "event_id": "5f6c1f0e-0000-4000-8000-000000000001",
        "source_topic": "mediawiki.page_change.v1",
        "source_partition": 3,
        "source_offset": 77,
        "event_dt": "2026-11-01T12:00:00Z",
        "scored_dt": "2026-11-01T12:00:01Z",
    }
    assert body["freshness"]["reasons"] == []
    assert 0 <= body["freshness"]["age_seconds"] < 60


async def test_a_head_request_has_the_headers_and_no_body(replica: Served) -> None:
    got = await replica.ask("/scores/enwiki/12345")
    head = await replica.ask("/scores/enwiki/12345", method="HEAD")
    assert head[0] == 200
    assert head[1] == b""
    assert head[2].headers["content-length"] == got[2].headers["content-length"]


async def test_an_answer_changes_with_its_row_at_once(tmp_path: Path) -> None:
    log = MemoryLog()
    async with served(tmp_path, WIKIS, [ROW], log=log) as running:
        for _ in range(2):
            assert (await running.ask("/pages/enwiki/7"))[1]["rev_id"] == 12345
            assert (await running.ask("/v3/scores/enwiki/12345/damaging"))[0] == 200
        fill(log, [row(stored("damaging", binary(0.5)), page_id=7, rev_id=12346)])
        while (await running.ask("/scores/enwiki/12346"))[0] != 200:
            pass
        while (await running.ask("/pages/enwiki/7"))[1]["rev_id"] != 12346:
            pass
        log.append(REVISIONS_TOPIC, row_key("enwiki", 12345), None)
        log.append(PAGES_TOPIC, row_key("enwiki", 7), None)
        while (await running.ask("/scores/enwiki/12345"))[0] == 200:
            pass
        while (await running.ask("/pages/enwiki/7"))[0] == 200:
            pass
        error = (await running.ask("/v3/scores/enwiki/12345/damaging"))[1]["enwiki"]["scores"]["12345"]
        assert error["damaging"]["error"]["type"] == "ScoreNotCached"


async def test_of_several_versions_the_served_one_is_shown(tmp_path: Path) -> None:
    later = timedelta(days=1)
    several = row(
        stored("damaging", binary(0.5), model_version="0.9.0"),
        stored("damaging", binary(0.25)),
        stored("damaging", binary(0.75), model_version="2.0.0", scored_after=later),
    )
    async with served(tmp_path, WIKIS, [several]) as running:
        _, body, _ = await running.ask("/scores/enwiki/12345")
        assert body["scores"]["damaging"]["model_version"] == "1.0.0"


async def test_without_the_served_version_the_last_scored_is_shown(tmp_path: Path) -> None:
    later = timedelta(days=1)
    several = row(
        stored("damaging", binary(0.5), model_version="0.8.0", scored_after=later),
        stored("damaging", binary(0.25), model_version="0.9.0"),
    )
    async with served(tmp_path, WIKIS, [several]) as running:
        _, body, _ = await running.ask("/scores/enwiki/12345")
        assert body["scores"]["damaging"]["model_version"] == "0.8.0"


async def test_rows_of_a_wiki_that_is_not_served_any_more_are_still_given(tmp_path: Path) -> None:
    async with served(tmp_path, WIKIS, [row(stored("damaging", binary(0.5)), wiki_id="oldwiki")]) as running:
        status, body, _ = await running.ask("/scores/oldwiki/12345")
        assert status == 200
        assert body["wiki_id"] == "oldwiki"


@pytest.mark.parametrize(
    ("path", "status", "code", "fields"),
    [
        ("/scores/enwiki/99", 404, "prediction_not_found", {"wiki_id": "enwiki", "rev_id": 99}),
        ("/pages/enwiki/99", 404, "prediction_not_found", {"wiki_id": "enwiki", "page_id": 99}),
        ("/scores/nowiki/12345", 404, "wiki_unknown", {"wiki_id": "nowiki"}),
        ("/scores/enwiki/12a", 400, "request_invalid", {"parameter": "rev_id"}),
        ("/scores/enwiki/-1", 400, "request_invalid", {"parameter": "rev_id"}),
        ("/scores/enwiki/" + "9" * 5000, 400, "request_invalid", {"parameter": "rev_id"}),
        (f"/pages/enwiki/{2**63}", 400, "request_invalid", {"parameter": "page_id"}),
        ("/scores/en%00wiki/1", 400, "request_invalid", {}),
        ("/scores/enwiki/12345?provenance=yes", 400, "request_invalid", {"parameter": "provenance"}),
        ("/scores/enwiki/12345?verbose=1", 400, "request_invalid", {"parameter": "verbose"}),
        ("/nothing/here", 404, "request_invalid", {}),
    ],
)
async def test_each_refusal_has_its_code_and_says_what_it_is_about(
    replica: Served, path: str, status: int, code: str, fields: dict[str, Any]
) -> None:
    async with replica.session.get(yarl.URL(replica.url + path, encoded=True)) as response:
        body = await response.json()
        assert response.status == status
        assert response.headers["access-control-allow-origin"] == "*"
    error = body["error"]
    assert error.pop("code") == code
    assert error.pop("message")
    assert error == fields


async def test_a_method_that_a_route_does_not_know_is_refused_with_those_it_does(replica: Served) -> None:
    status, body, response = await replica.ask("/scores/enwiki/12345", method="DELETE")
    assert status == 405
    assert body["error"]["code"] == "request_invalid"
    assert set(response.headers["allow"].split(", ")) == {"GET", "HEAD"}


@pytest.mark.parametrize(
    ("path", "methods"),
    [
        ("/v1/models/x:predict", "GET, HEAD, POST"),
        ("/v1/models", "GET, HEAD"),
        ("/scores", "GET, HEAD, POST"),
        ("/scores/enwiki/12345/", "GET, HEAD"),
        ("/nothing/here", "GET, HEAD, POST"),
    ],
)
async def test_browsers_may_ask_from_anywhere(replica: Served, path: str, methods: str) -> None:
    headers = {"origin": "https://example.org", "access-control-request-method": "POST"}
    status, _, response = await replica.ask(path, method="OPTIONS", headers=headers)
    assert status == 204
    assert response.headers["access-control-allow-origin"] == "*"
    assert response.headers["access-control-allow-methods"] == methods
    assert response.headers["allow"] == f"{methods}, OPTIONS"
    allowed = set(response.headers["access-control-allow-headers"].split(", "))
    assert {"content-type", "if-none-match", "last-event-id", "authorization"} <= allowed


@pytest.mark.parametrize("path", ["/v1/events", "/v1/events/", "/peers/lookup"])
async def test_pages_are_let_through_to_nothing_that_writes_or_is_between_workers(
    replica: Served, path: str
) -> None:
    headers = {"origin": "https://example.org", "access-control-request-method": "POST"}
    _, _, response = await replica.ask(path, method="OPTIONS", headers=headers)
    assert not [name for name in response.headers if name.lower().startswith("access-control")]


async def test_a_replica_that_is_not_whole_asks_to_come_back(tmp_path: Path) -> None:
    log = MemoryLog()
    log.is_reachable = False
    async with served(tmp_path, WIKIS, log=log) as running:
        status, body, response = await running.ask("/scores/enwiki/12345")
        assert status == 503
        assert body["error"]["code"] == "not_ready"
        assert int(response.headers["retry-after"]) > 0


async def test_a_row_of_a_later_version_is_an_error_of_the_server_and_not_a_missing_row(
    tmp_path: Path,
) -> None:
    log = MemoryLog()
    log.append(REVISIONS_TOPIC, row_key("enwiki", 5), b"\xc3\x01" + bytes(8) + b"?")
    async with served(tmp_path, WIKIS, log=log) as running:
        status, body, _ = await running.ask("/scores/enwiki/5")
        assert status == 500
        assert body["error"]["code"] == "store_format_unsupported"
