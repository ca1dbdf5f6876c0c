"""ORES's version 1, with and without the version in the path: routes, shapes and refusals."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from schemas.prediction import ScoreFailure
from tests.rows import binary, catalogue, row, stored
from tests.scorers import ReversedDigits
from tests.served import Served, served

WIKIS = catalogue({"enwiki": ("damaging", "goodfaith"), "arwiki": ("damaging",), "testwiki": ("revid",)})
ROWS = [
    row(stored("damaging", binary(0.25)), stored("goodfaith", binary(0.75)), rev_id=12345),
    row(
        stored("damaging", ScoreFailure("revision_deleted", "The text is hidden.")),
        stored("goodfaith", binary(0.75)),
        rev_id=12346,
    ),
]
DAMAGING = {"prediction": False, "probability": {"false": 0.75, "true": 0.25}}
GOODFAITH = {"prediction": True, "probability": {"false": 0.25, "true": 0.75}}
HIDDEN = {"error": {"type": "TextDeleted", "message": "TextDeleted: Text deleted (datasource.revision.text)"}}
INFO = {"type": "Made", "version": "1.0.0", "params": {}, "environment": {}, "score_schema": {}}
FORM = {"content-type": "application/x-www-form-urlencoded"}


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Served]:
    async with served(tmp_path, WIKIS, ROWS, on_demand=ReversedDigits()) as running:
        yield running


@pytest.fixture(params=["/v1/scores", "/scores"])
def start(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("", {"contexts": ["arwiki", "enwiki", "testwiki"]}),
        ("/enwiki", {"models": {"damaging": INFO, "goodfaith": INFO}}),
        ("/enwiki?models=goodfaith", {"models": {"goodfaith": INFO}}),
        ("/enwiki/damaging", INFO),
        ("/enwiki?revids=12345", {"12345": {"damaging": DAMAGING, "goodfaith": GOODFAITH}}),
        (
            "/enwiki?revids=12345|12346&models=damaging",
            {"12345": {"damaging": DAMAGING}, "12346": {"damaging": HIDDEN}},
        ),
        ("/enwiki/damaging?revids=12345|12346", {"12345": DAMAGING, "12346": HIDDEN}),
        ("/enwiki/damaging/12345", {"12345": DAMAGING}),
        (
            "/testwiki/revid/2342342",
            {"2342342": {"prediction": False, "probability": {"false": 0.76, "true": 0.24}}},
        ),
    ],
)
@pytest.mark.parametrize("slash", ["", "/"])
async def test_each_route_answers_in_its_shape(
    server: Served, start: str, path: str, expected: Any, slash: str
) -> None:
    place, _, query = path.partition("?")
    status, body, response = await server.ask(f"{start}{place}{slash}?{query}")
    assert status == 200
    assert body == expected
    assert response.headers["cache-control"] == "no-store, no-cache, max-age=0"


async def test_a_revision_may_be_asked_for_by_a_form(server: Served, start: str) -> None:
    path = f"{start}/enwiki/damaging/12345/"
    status, body, _ = await server.ask(path, method="POST", data="format=json", headers=FORM)
    assert (status, body) == (200, {"12345": DAMAGING})


@pytest.mark.parametrize("path", ["", "/enwiki", "/enwiki/damaging"])
async def test_only_the_route_of_a_revision_takes_a_form(server: Served, start: str, path: str) -> None:
    status, body, response = await server.ask(start + path, method="POST", data="", headers=FORM)
    if start + path == "/scores":  # It takes batches of our own face, and no form either.
        assert (status, body["error"]["code"]) == (400, "request_invalid")
        return
    assert status == 405
    assert set(response.headers["allow"].split(", ")) == {"GET", "HEAD"}
    if start == "/v1/scores":
        assert body["error"]["code"] == "method not allowed"


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/nowiki", (404, "not found", "No scorers available for nowiki")),
        ("/nowiki/damaging", (404, "not found", "No scorers available for nowiki")),
        ("/nowiki/damaging/1", (404, "not found", "No scorers available for nowiki")),
        (
            "/enwiki?models=a|damaging|b",
            (404, "not found", "Models ('a', 'b') not available for enwiki"),
        ),
        ("/enwiki/nosuch", (404, "not found", "Models ('nosuch',) not available for enwiki")),
        ("/enwiki/nosuch/1", (404, "not found", "Models ('nosuch',) not available for enwiki")),
        (
            "/enwiki?revids=1|x",
            (
                400,
                "bad request",
                "Could not interpret revids. invalid literal for int() with base 10: 'x'",
            ),
        ),
        (
            "/enwiki?revids=" + "|".join(map(str, range(1001))),
            (400, "bad request", "Too many values for 'revids' parameter.  Max of 1000."),
        ),
        (
            "/enwiki/damaging/503",
            (503, "server overloaded", "Too much is waiting to be scored; try again."),
        ),
    ],
)
async def test_whole_requests_are_refused_in_ores_envelope(
    server: Served, start: str, path: str, expected: tuple[int, str, str]
) -> None:
    status, body, _ = await server.ask(start + path)
    assert (status, body["error"]["code"], body["error"]["message"]) == expected
    assert body["error"].keys() == {"code", "message"}


async def test_a_revision_in_the_path_is_a_number(server: Served, start: str) -> None:
    status, body, _ = await server.ask(f"{start}/enwiki/damaging/12x")
    assert (status, body["error"]["code"]) == (404, "not found")


async def test_more_than_fifty_revisions_may_be_asked_for(server: Served, start: str) -> None:
    rev_ids = [str(rev_id) for rev_id in range(20_000, 20_060)]
    status, body, _ = await server.ask(f"{start}/testwiki/revid/?revids={'|'.join(rev_ids)}")
    assert status == 200
    assert list(body) == rev_ids


async def test_features_have_no_place_in_the_answer_and_score_nothing_anew(
    tmp_path: Path, start: str
) -> None:
    scorer = ReversedDigits()
    async with served(tmp_path, WIKIS, ROWS, on_demand=scorer) as running:
        _, body, _ = await running.ask(f"{start}/enwiki/damaging/12345?features")
    assert body == {"12345": DAMAGING}
    assert scorer.asked == []


async def test_without_a_version_numbers_are_ours_and_names_are_ores(server: Served) -> None:
    _, ours, _ = await server.ask("/scores/enwiki/12345")
    _, theirs, _ = await server.ask("/scores/enwiki/damaging/12345")
    assert ours["rev_id"] == 12345
    assert theirs == {"12345": DAMAGING}


async def test_bodies_are_indented_unless_compact_ones_are_asked_for(server: Served, start: str) -> None:
    async with server.session.get(f"{server.url}{start}/enwiki/damaging/12345") as response:
        assert (await response.text()).startswith('{\n  "12345": {\n')
    async with server.session.get(f"{server.url}{start}/enwiki/damaging/12345?format=json") as response:
        assert "\n" not in await response.text()
