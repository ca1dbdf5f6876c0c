"""Lift Wing's langid: a text comes with the request, and its language goes back."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from app.metrics import Face, Outcome
from schemas.catalogue import Catalogue
from schemas.prediction import ScoreKind
from tests.direct_server import direct_server
from tests.rows import model_info
from tests.served import Served, served

pytest.importorskip("fasttext", reason="the extra `fasttext` is not installed")

# One server for all: its scoring process takes seconds to start.
pytestmark = pytest.mark.asyncio(loop_scope="module")

PREDICT = "/v1/models/langid:predict"
GERMAN = "Der Fluss entspringt in den Bergen und fließt durch drei Länder ins Meer."


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    wikis = {"enwiki": {"langid": "langid"}}
    async with direct_server(tmp_path_factory.mktemp("models"), wikis) as running:
        yield running


async def ask(running: Served, body: Any) -> tuple[int, Any]:
    status, answer, _ = await running.ask(PREDICT, method="POST", json=body)
    return status, answer


async def test_a_text_is_answered_with_its_language_and_counted(server: Served) -> None:
    counted = server.metrics.faces[Face.LIFTWING].answers
    before = counted[Outcome.SCORED]
    status, answer = await ask(server, {"text": GERMAN})
    assert status == 200
    assert answer.pop("score") > 0.9
    assert answer == {"language": "de", "wikicode": "de", "languagename": "German"}
    assert counted[Outcome.SCORED] == before + 1


async def test_signs_that_are_markup_in_a_page_are_part_of_a_text(server: Served) -> None:
    # Without what stands in braces and brackets, nothing of this text were left.
    status, answer = await ask(server, {"text": "{{" + GERMAN + "}}"})
    assert (status, answer["language"]) == (200, "de")


async def test_only_the_first_hundred_characters_count(server: Served) -> None:
    begin = (GERMAN + " " + GERMAN)[:100]
    _, alone = await ask(server, {"text": begin})
    _, followed = await ask(server, {"text": begin + " The river rises in the mountains." * 500})
    assert followed == alone


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({}, "The parameter text is required."),
        ({"text": None}, "The parameter text is required."),
        ({"text": 5}, 'Expected "text" to be a string.'),
        ([GERMAN], "Please verify that request input is a json dict"),
    ],
)
async def test_a_wrong_request_is_told_what_is_wrong(server: Served, body: Any, text: str) -> None:
    assert await ask(server, body) == (400, {"error": text})


async def test_a_text_is_answered_whatever_it_holds(server: Served) -> None:
    for text in ("", " ", "\0", "12345", "\n\n", "🙂"):
        status, answer = await ask(server, {"text": text})
        assert status == 200, text
        assert 0 <= answer["score"] <= 1


async def test_the_model_is_listed_and_ready(server: Served) -> None:
    _, body, _ = await server.ask("/v1/models")
    assert "langid" in body["models"]
    status, body, _ = await server.ask("/v1/models/langid")
    assert (status, body["name"], body["ready"]) == (200, "langid", True)


async def test_without_the_model_there_is_none(tmp_path: Path) -> None:
    async with direct_server(tmp_path, {"testwiki": {"revid": "testwiki-revid"}}) as running:
        missing = (404, {"error": "Model with name langid does not exist."})
        assert await ask(running, {"text": GERMAN}) == missing
        assert (await running.ask("/v1/models/langid"))[:2] == missing


async def test_too_many_at_once_are_refused_at_once(tmp_path: Path) -> None:
    async with direct_server(tmp_path, {"enwiki": {"langid": "langid"}}, most_waiting=0) as running:
        status, answer, response = await running.ask(PREDICT, method="POST", json={"text": GERMAN})
    assert status == 503
    assert "waiting" in answer["error"]
    assert int(response.headers["retry-after"]) > 0


async def test_while_the_models_load_the_answer_is_to_ask_again(tmp_path: Path) -> None:
    async with direct_server(tmp_path, {"enwiki": {"langid": "langid"}}, starts_pool=False) as running:
        status, answer, response = await running.ask(PREDICT, method="POST", json={"text": GERMAN})
    assert status == 503
    assert answer["error"].startswith("Model with name langid is not ready")
    assert int(response.headers["retry-after"]) > 0


async def test_a_server_that_does_not_score_says_so(tmp_path: Path) -> None:
    wikis = {"enwiki": {"langid": model_info("langid", ScoreKind.MULTICLASS)}}
    async with served(tmp_path, Catalogue(wikis)) as replica:
        status, answer = await ask(replica, {"text": GERMAN})
        ready = await replica.ask("/v1/models/langid")
    assert status == 503
    assert answer["error"].startswith("Model with name langid is not ready.")
    assert ready[:2] == (503, {"error": "Model with name langid is not ready."})
