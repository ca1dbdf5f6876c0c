"""Lift Wing's revert risk of an edit before it is saved: its texts come along, nothing is fetched."""

import asyncio
import json
from collections.abc import AsyncIterator
from io import BytesIO
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from app.api.body_permits import MOST_LARGE_BODIES
from app.api.liftwing_body import LARGE_BODY_BYTES
from app.api.liftwing_names import REVERT_RISK
from app.api.liftwing_revertrisk import parse_revertrisk
from app.metrics import Face, Outcome
from models.scoring import FeatureCache
from models.store import PACKAGED_MODELS, ModelStore
from tests.direct_server import direct_server
from tests.mediawiki_api import MediaWikiApi
from tests.rows import catalogue
from tests.served import Served, served

# One server for all: its scoring process takes seconds to start.
pytestmark = pytest.mark.asyncio(loop_scope="module")

PREDICT = f"/v1/models/{REVERT_RISK}:predict"
WIKIS = {"enwiki": {REVERT_RISK: "revertrisk-small"}}
BEFORE = "An oak is a tree."
MISSING = (
    "Missing some required fields. Required fields are `id`, `lang`, `text`, `timestamp`, `bytes`, "
    "`page.id`, `page.title`, `page.first_edit_timestamp`, `parent.id`, `parent.lang`, `parent.text`, "
    "`parent.timestamp`, `parent.bytes`, `user.id`"
)
UNSAVED: dict[str, Any] = {
    "id": -1,
    "lang": "en",
    "text": "An oak is a tree. OAKS ARE STUPID HAHAHAHA",
    "timestamp": "2026-11-21T10:00:00Z",
    "bytes": 42,
    "comment": "",
    "page": {"id": 7, "title": "Oak", "first_edit_timestamp": "2004-01-01T00:00:00Z"},
    "parent": {"id": 5, "lang": "en", "text": BEFORE, "timestamp": "2026-11-20T10:00:00Z", "bytes": 17},
    "user": {"id": 0},
}


@pytest.fixture(scope="module")
def wiki() -> MediaWikiApi:
    return MediaWikiApi()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory, wiki: MediaWikiApi) -> AsyncIterator[Served]:
    folder = tmp_path_factory.mktemp("models")
    async with direct_server(folder, WIKIS, wiki, max_text_bytes=2 << 20) as running:
        yield running


async def post(running: Served, body: bytes) -> tuple[int, Any, aiohttp.ClientResponse]:
    headers = {"content-type": "application/json"}
    return await running.ask(PREDICT, method="POST", data=BytesIO(body), headers=headers)


async def ask(running: Served, data: Any) -> tuple[int, Any]:
    status, answer, _ = await post(running, json.dumps({"revision_data": data}).encode())
    return status, answer


async def test_an_edit_is_answered_in_the_shape_of_a_saved_one(server: Served, wiki: MediaWikiApi) -> None:
    counted = server.metrics.faces[Face.LIFTWING].answers
    before = counted[Outcome.SCORED]
    status, answer = await ask(server, UNSAVED)
    assert status == 200
    risk = answer["output"]["probabilities"]
    assert answer == {
        "model_name": REVERT_RISK,
        "model_version": "0.1.0",
        "wiki_db": "enwiki",
        "revision_id": -1,
        "output": {"prediction": risk["true"] > 0.5, "probabilities": risk},
    }
    assert risk["true"] + risk["false"] == pytest.approx(1)
    assert wiki.requests == []
    assert counted[Outcome.SCORED] == before + 1


async def test_the_score_is_that_of_the_same_edit_saved(server: Served) -> None:
    unsaved = parse_revertrisk({"revision_data": UNSAVED}, allows_batch=True).unsaved
    assert unsaved is not None
    score, _ = ModelStore([PACKAGED_MODELS]).load("revertrisk-small").score(unsaved, FeatureCache())
    _, answer = await ask(server, UNSAVED)
    assert answer["output"]["probabilities"] == score.probability


async def test_a_missing_field_is_refused_with_the_list_of_all(server: Served) -> None:
    for name in ("id", "lang", "text", "timestamp", "bytes", "page", "parent", "user"):
        status, answer = await ask(server, {key: value for key, value in UNSAVED.items() if key != name})
        assert status == 400, name
        assert answer["detail"] == MISSING, name


@pytest.mark.parametrize("data", [None, 5, "text", [], {}])
async def test_what_is_no_revision_is_refused(server: Served, data: Any) -> None:
    status, answer = await ask(server, data)
    assert status == 400
    assert answer["detail"] == MISSING


@pytest.mark.parametrize(
    "changes",
    [
        {"page": {**UNSAVED["page"], "id": 1 << 70}},
        {"parent": {**UNSAVED["parent"], "id": -1 << 70}},
        {"user": {"id": 1 << 63}},
        {"timestamp": "0001-01-01T00:00:00+23:00"},
        {"parent": {**UNSAVED["parent"], "timestamp": "9999-12-31T23:59:59-23:00"}},
        {"text": "\ud800"},
    ],
    ids=["page id", "parent id", "user id", "too early", "too late", "surrogate"],
)
@pytest.mark.parametrize("padding", ["", "x" * (1 << 20)], ids=["small", "large"])
async def test_values_that_no_wiki_has_are_refused(
    server: Served, changes: dict[str, Any], padding: str
) -> None:
    status, answer = await ask(server, {**UNSAVED, **changes, "comment": padding})
    assert status == 400
    assert isinstance(answer.get("error", answer.get("detail")), str)
    assert (await ask(server, UNSAVED))[0] == 200


async def test_a_language_without_the_model_is_refused_as_its_clients_know_it(server: Served) -> None:
    assert await ask(server, {**UNSAVED, "lang": "xx"}) == (
        400,
        {"error": "lang 'xx' does not exist in the canonical Wikipedia language list."},
    )


async def test_a_text_beyond_the_limit_is_a_failure_of_its_own(server: Served) -> None:
    status, answer = await ask(server, {**UNSAVED, "text": "x" * ((2 << 20) + 1)})
    assert status == 422
    assert answer["detail"].endswith("Reason: ['content_too_large']")


async def test_large_articles_are_scored_and_all_else_in_their_bodies_passed_over(server: Served) -> None:
    long = "An oak is a tree of the north. " * 40_000
    data = {**UNSAVED, "text": long + "HAHA", "parent": {**UNSAVED["parent"], "text": long}}
    body = {"junk": [[]] * 10_000, "revision_data": data}
    status, answer, _ = await post(server, json.dumps(body).encode())
    assert (status, answer["revision_id"]) == (200, -1)


@pytest.mark.parametrize(
    "body",
    [
        b'{"revision_data": ' + b"[" * (2 << 20),
        b'{"revision_data": {"user": {"id": 1, "groups": [' + b'"ab",' * 400_000 + b'"a"]}}}',
        b'{"rev_id": 5, "lang": "en", "x": "' + b"x" * (2 << 20) + b'"}',
        b" " * (2 << 20) + b"[]",
        b"\xff" * (2 << 20),
    ],
    ids=["deep", "wide", "no texts", "no object", "no text"],
)
async def test_large_bodies_of_another_shape_are_refused(server: Served, body: bytes) -> None:
    status, answer, _ = await post(server, body)
    assert status == 400
    assert isinstance(answer.get("error", answer.get("detail")), str)


async def test_bodies_beyond_the_limit_or_of_unknown_length_are_refused(server: Served) -> None:
    long = json.dumps({"revision_data": {**UNSAVED, "text": "x" * LARGE_BODY_BYTES}}).encode()
    status, answer, _ = await post(server, long)
    assert status == 413
    assert str(LARGE_BODY_BYTES) in answer["error"]

    async def in_pieces() -> AsyncIterator[bytes]:
        for start in range(0, 2 << 20, 1 << 16):
            yield long[start : start + (1 << 16)]

    assert (await server.ask(PREDICT, method="POST", data=in_pieces()))[0] == 413


async def test_few_large_bodies_are_taken_at_a_time_and_small_ones_always(server: Served) -> None:
    body = json.dumps({"revision_data": {**UNSAVED, "comment": "x" * (1 << 20)}}).encode()
    held = []
    for _ in range(MOST_LARGE_BODIES):
        _, writer = await asyncio.open_connection("127.0.0.1", int(server.url.rsplit(":", 1)[1]))
        head = f"POST {PREDICT} HTTP/1.1\r\nhost: x\r\ncontent-length: {len(body)}\r\n\r\n"
        writer.write(head.encode() + body[:100])
        await writer.drain()
        held.append(writer)

    async def becomes(wanted: int) -> None:
        async with asyncio.timeout(10):
            status = 0
            while status != wanted:
                status, _, response = await post(server, body)
                assert status == 200 or int(response.headers["retry-after"]) > 0

    await becomes(503)
    assert (await ask(server, UNSAVED))[0] == 200
    for writer in held:
        writer.close()
        await writer.wait_closed()
    await becomes(200)


async def test_a_server_that_does_not_score_says_so(tmp_path: Path) -> None:
    async with served(tmp_path, catalogue({"enwiki": (REVERT_RISK,)})) as replica:
        status, answer = await ask(replica, UNSAVED)
    assert status == 503
    assert answer["error"].startswith(f"Model with name {REVERT_RISK} is not ready.")
