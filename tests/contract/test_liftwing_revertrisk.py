"""Lift Wing's revertrisk-language-agnostic: one revision, an event, up to twenty, and what is refused."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from schemas.prediction import ScoreFailure
from tests.rows import binary, catalogue, row, stored
from tests.scorers import ReversedDigits
from tests.served import Served, served

MODEL = "revertrisk-language-agnostic"
MULTILINGUAL = "revertrisk-multilingual"
WIKIS = catalogue({"enwiki": (MODEL, MULTILINGUAL), "dewiki": ("damaging",)})
FIRST = ScoreFailure("parent_not_found", "the first")
ROWS = [
    row(stored(MODEL, binary(0.25)), stored(MULTILINGUAL, binary(0.25)), rev_id=12345),
    row(stored(MODEL, FIRST), stored(MULTILINGUAL, FIRST), rev_id=1),
]
ANSWER = {
    "model_name": MODEL,
    "model_version": "1.0.0",
    "wiki_db": "enwiki",
    "revision_id": 12345,
    "output": {"prediction": False, "probabilities": {"true": 0.25, "false": 0.75}},
}


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Served]:
    async with served(tmp_path, WIKIS, ROWS, on_demand=ReversedDigits()) as running:
        yield running


async def ask(server: Served, body: Any, model: str = MODEL) -> tuple[int, Any]:
    status, answer, _ = await server.ask(f"/v1/models/{model}:predict", method="POST", json=body)
    return status, answer


async def test_the_multilingual_model_answers_one_revision_and_words_its_failure_so(server: Served) -> None:
    asked = {"rev_id": 12345, "lang": "en"}
    assert await ask(server, asked, MULTILINGUAL) == (200, {**ANSWER, "model_name": MULTILINGUAL})
    assert await ask(server, {"rev_id": 1, "lang": "en"}, MULTILINGUAL) == (
        422,
        {"detail": "Could not make prediction for revision 1 (en). Reason: parent_revision_missing"},
    )
    assert await ask(server, {"instances": [asked]}, MULTILINGUAL) == (
        400,
        {"error": "The parameter lang is required."},
    )


async def test_a_revision_that_the_wiki_does_not_have_is_told_as_missing(server: Served) -> None:
    assert await ask(server, {"rev_id": 404, "lang": "en"}) == (
        422,
        {
            "detail": "Could not make prediction for revisions dict_keys([(404, 'en')]). "
            "Reason: ['revision_missing']"
        },
    )


async def test_one_revision_is_answered(server: Served) -> None:
    assert await ask(server, {"rev_id": 12345, "lang": "en"}) == (200, ANSWER)


async def test_a_batch_tells_what_succeeded_and_why_the_rest_did_not(server: Served) -> None:
    status, answer = await ask(
        server, {"instances": [{"rev_id": 12345, "lang": "en"}, {"rev_id": 1, "lang": "en"}]}
    )
    assert status == 200
    assert answer["predictions"] == [ANSWER]
    assert answer["errors"] == [
        "Could not make prediction for revision 1 (en). Reason: parent_revision_missing"
    ]


async def test_where_nothing_can_be_scored_the_status_is_422(server: Served) -> None:
    status, answer = await ask(server, {"rev_id": 1, "lang": "en"})
    assert status == 422
    assert answer == {
        "detail": "Could not make prediction for revisions dict_keys([(1, 'en')]). "
        "Reason: ['parent_revision_missing']"
    }


async def test_what_is_not_stored_is_scored_now(server: Served) -> None:
    status, answer = await ask(server, {"rev_id": 1205, "lang": "en"})
    assert status == 200
    assert answer["output"]["probabilities"]["true"] == 0.5


@pytest.mark.parametrize("lang", ["de", "xx", "tlh"])
async def test_a_wiki_without_the_model_is_refused_as_its_clients_know_it(server: Served, lang: str) -> None:
    status, answer = await ask(server, {"rev_id": 5, "lang": lang})
    assert status == 400
    assert f"lang {lang!r} does not exist in the canonical Wikipedia language list." in answer["error"]


async def test_more_than_twenty_are_refused(server: Served) -> None:
    instances = [{"rev_id": 100 + number, "lang": "en"} for number in range(21)]
    status, answer = await ask(server, {"instances": instances})
    assert (status, answer) == (400, {"error": "Only accept a maximum of 20 rev_ids in the request."})
