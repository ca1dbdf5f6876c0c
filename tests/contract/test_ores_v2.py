"""ORES's version 2: routes, shapes and refusals."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from schemas.prediction import ScoreFailure
from tests.rows import binary, catalogue, row, stored
from tests.scorers import ReversedDigits
from tests.served import Served, served

WIKIS = catalogue({"enwiki": ("damaging", "goodfaith"), "testwiki": ("revid",)})
ROWS = [
    row(stored("damaging", binary(0.25)), stored("goodfaith", binary(0.75)), rev_id=12345),
    row(
        stored("damaging", ScoreFailure("revision_deleted", "The text is hidden.")),
        stored("goodfaith", binary(0.75)),
        rev_id=12346,
    ),
]
VERSION = {"version": "1.0.0"}
DAMAGING = {"prediction": False, "probability": {"false": 0.75, "true": 0.25}}
GOODFAITH = {"prediction": True, "probability": {"false": 0.25, "true": 0.75}}
HIDDEN = {"error": {"type": "TextDeleted", "message": "TextDeleted: Text deleted (datasource.revision.text)"}}
FORM = {"content-type": "application/x-www-form-urlencoded"}


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Served]:
    async with served(tmp_path, WIKIS, ROWS, on_demand=ReversedDigits()) as running:
        yield running


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (
            "",
            {"enwiki": {"damaging": VERSION, "goodfaith": VERSION}, "testwiki": {"revid": VERSION}},
        ),
        ("/enwiki", {"enwiki": {"damaging": VERSION, "goodfaith": VERSION}}),
        ("/enwiki?models=goodfaith", {"enwiki": {"goodfaith": VERSION}}),
        ("/enwiki/damaging", {"enwiki": {"damaging": VERSION}}),
        (
            "/enwiki/damaging?model_info=type",
            {"enwiki": {"damaging": {**VERSION, "info": {"type": "Made"}}}},
        ),
        (
            "/enwiki?revids=12345",
            {
                "enwiki": {
                    "damaging": {**VERSION, "scores": {"12345": DAMAGING}},
                    "goodfaith": {**VERSION, "scores": {"12345": GOODFAITH}},
                }
            },
        ),
        (
            "/enwiki/damaging?revids=12345|12346",
            {"enwiki": {"damaging": {**VERSION, "scores": {"12345": DAMAGING, "12346": HIDDEN}}}},
        ),
        (
            "/enwiki/damaging/12345?model_info=version",
            {"enwiki": {"damaging": {**VERSION, "info": VERSION, "scores": {"12345": DAMAGING}}}},
        ),
        (
            "/testwiki/revid/2342342",
            {
                "testwiki": {
                    "revid": {
                        **VERSION,
                        "scores": {
                            "2342342": {"prediction": False, "probability": {"false": 0.76, "true": 0.24}}
                        },
                    }
                }
            },
        ),
    ],
)
@pytest.mark.parametrize("slash", ["", "/"])
async def test_each_route_answers_in_the_one_shape(
    server: Served, path: str, expected: Any, slash: str
) -> None:
    place, _, query = path.partition("?")
    status, body, response = await server.ask(f"/v2/scores{place}{slash}?{query}")
    assert status == 200
    assert body == {"scores": expected}
    assert response.headers["cache-control"] == "no-store, no-cache, max-age=0"


async def test_an_empty_model_info_asks_for_the_usual_sections(server: Served) -> None:
    _, body, _ = await server.ask("/v2/scores/enwiki/damaging/?model_info")
    info = body["scores"]["enwiki"]["damaging"]["info"]
    assert info == {"type": "Made", "version": "1.0.0", "params": {}, "environment": {}, "score_schema": {}}


async def test_the_list_of_wikis_tells_of_their_models_when_asked(server: Served) -> None:
    _, body, _ = await server.ask("/v2/scores/?model_info=type")
    assert body["scores"]["testwiki"] == {"revid": {"version": "1.0.0", "info": {"type": "Made"}}}


async def test_features_stand_beside_the_scores_of_a_model(server: Served) -> None:
    _, body, _ = await server.ask("/v2/scores/testwiki/revid/?revids=1205|404&features")
    model = body["scores"]["testwiki"]["revid"]
    assert model["features"] == {"1205": {"feature.revision.reversed_last_two_in_rev_id": 50}}
    assert model["scores"] == {
        "1205": {"prediction": False, "probability": {"false": 0.5, "true": 0.5}},
        "404": {
            "error": {
                "type": "RevisionNotFound",
                "message": "RevisionNotFound: Could not find revision ({revision}:404)",
            }
        },
    }


async def test_a_revision_may_be_asked_for_by_a_form(server: Served) -> None:
    status, body, _ = await server.ask(
        "/v2/scores/enwiki/damaging/12345/", method="POST", data="model_info=type", headers=FORM
    )
    assert status == 200
    assert body["scores"]["enwiki"]["damaging"]["info"] == {"type": "Made"}


@pytest.mark.parametrize("path", ["", "/enwiki", "/enwiki/damaging"])
async def test_only_the_route_of_a_revision_takes_a_form(server: Served, path: str) -> None:
    status, body, _ = await server.ask(f"/v2/scores{path}", method="POST", data="", headers=FORM)
    assert (status, body["error"]["code"]) == (405, "method not allowed")


@pytest.mark.parametrize(
    ("path", "status", "code", "message"),
    [
        ("/nowiki", 404, "not found", "No scorers available for nowiki"),
        ("/enwiki?models=nosuch", 404, "not found", "Models ('nosuch',) not available for enwiki"),
        ("/enwiki/nosuch/1", 404, "not found", "Models ('nosuch',) not available for enwiki"),
        (
            "/enwiki/damaging?model_info=foo",
            400,
            "bad request",
            "Model information could not be retrieved for 'foo'",
        ),
        ("/enwiki/damaging/503", 503, "server overloaded", "Too much is waiting to be scored; try again."),
    ],
)
async def test_whole_requests_are_refused_in_ores_envelope(
    server: Served, path: str, status: int, code: str, message: str
) -> None:
    got, body, _ = await server.ask(f"/v2/scores{path}")
    assert (got, body) == (status, {"error": {"code": code, "message": message}})
