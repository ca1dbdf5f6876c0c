"""Lift Wing's outlink-topic-model: links are given or looked up, topics go back."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from app.metrics import Face, Outcome
from models.artefact import open_artefact
from models.kinds.outlinks import load
from tests.direct_server import direct_server
from tests.kinds import write_outlinks
from tests.mediawiki_api import MediaWikiApi, WikiRevision, answer_with
from tests.mediawiki_pages import WikiPage
from tests.rows import catalogue
from tests.served import Served, served

pytest.importorskip("fasttext", reason="the extra `fasttext` is not installed")

# One server for all: its scoring process takes seconds to start.
pytestmark = pytest.mark.asyncio(loop_scope="module")

MODEL = "outlink-topic-model"
PREDICT = f"/v1/models/{MODEL}:predict"
WIKIS = {"enwiki": {MODEL: "tiny-topics"}, "frwiki": {MODEL: "tiny-topics"}}
PAGES = (
    WikiPage(7, "Fusée", links=("Lune", "Mars", "Boue")),
    WikiPage(8, "Lune", "Q1"),
    WikiPage(9, "Mars", "Q2"),
    WikiPage(10, "Boue"),
    WikiPage(11, "Ballon", "Q3"),
    WikiPage(12, "Seule", "Q5"),
)
REVISIONS = (
    WikiRevision(50, page_id=7, links=("Ballon",)),
    WikiRevision(51, page_id=7, is_text_hidden=True),
)
EVENT = {
    "$schema": "/mediawiki/page/change/1.2.0",
    "wiki_id": "frwiki",
    "meta": {"domain": "fr.wikipedia.org"},
    "page": {"page_id": 7, "page_title": "Fusée"},
    "revision": {"rev_id": 50},
}


WIKI = MediaWikiApi(REVISIONS, pages=PAGES)


@pytest.fixture
def wiki() -> MediaWikiApi:
    WIKI.requests.clear()
    WIKI.paths.clear()
    return WIKI


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    write_outlinks(folder)
    return folder


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(folder: Path) -> AsyncIterator[Served]:
    async with direct_server(folder, WIKIS, WIKI) as running:
        yield running


async def ask(running: Served, body: Any) -> tuple[int, Any]:
    status, answer, _ = await running.ask(PREDICT, method="POST", json=body)
    return status, answer


def topics(answer: dict[str, Any]) -> list[str]:
    return [one["topic"] for one in answer["prediction"]["results"]]


@pytest.mark.parametrize(
    ("body", "article"),
    [
        ({"page_title": "Fusée"}, "https://fr.wikipedia.org/wiki/Fusée"),
        ({"page_id": 7}, "https://fr.wikipedia.org/wiki?curid=7"),
    ],
)
async def test_the_links_of_a_page_are_looked_up(
    server: Served, wiki: MediaWikiApi, body: dict[str, Any], article: str
) -> None:
    counted = server.metrics.faces[Face.LIFTWING].answers
    before = counted[Outcome.SCORED]
    status, answer = await ask(server, {"lang": "fr", **body})
    assert (status, topics(answer), answer["prediction"]["article"]) == (200, ["Space"], article)
    assert [path.split("/")[1] for path in wiki.paths] == ["fr.example.org"]
    assert counted[Outcome.SCORED] == before + 1


async def test_the_links_of_a_revision_are_looked_up(server: Served) -> None:
    status, answer = await ask(server, {"lang": "fr", "page_title": "Fusée", "revision_id": 50})
    assert (status, topics(answer)) == (200, ["Sport"])


async def test_an_event_names_the_revision(server: Served) -> None:
    status, answer = await ask(server, {"event": EVENT})
    assert (status, topics(answer)) == (200, ["Sport"])
    assert answer["prediction"]["article"] == "https://fr.wikipedia.org/wiki?curid=7"


async def test_links_that_the_request_gives_are_not_looked_up(server: Served, wiki: MediaWikiApi) -> None:
    body = {"lang": "en", "page_title": "Rocket", "features_str": "Q3 Q4", "threshold": 0.5}
    status, answer = await ask(server, body)
    assert (status, topics(answer)) == (200, ["Sport"])
    assert wiki.requests == []


async def test_debug_answers_all_topics_likeliest_first(server: Served) -> None:
    _, answer = await ask(server, {"lang": "fr", "page_id": 7, "debug": True})
    scores = [one["score"] for one in answer["prediction"]["results"]]
    assert sorted(topics(answer)) == ["Music.Opera", "Space", "Sport"]
    assert scores == sorted(scores, reverse=True)


async def test_a_page_without_links_has_no_topics(server: Served) -> None:
    assert await ask(server, {"lang": "fr", "page_title": "Seule"}) == (
        200,
        {"prediction": {"article": "https://fr.wikipedia.org/wiki/Seule", "results": []}},
    )


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        (
            {"page_id": 7, "revision_id": 404},
            "Cannot fetch revision 404 on fr.wikipedia.org: MediaWiki API error 'nosuchrevid'.",
        ),
        (
            {"page_id": 7, "revision_id": 51},
            "Cannot fetch revision 51 on fr.wikipedia.org: MediaWiki API error 'permissiondenied'.",
        ),
        (
            {"page_title": "Rien"},
            "Cannot fetch page Rien on fr.wikipedia.org: MediaWiki API error 'missingtitle'.",
        ),
        (
            {"page_title": "A|B"},
            "Cannot fetch page A|B on fr.wikipedia.org: MediaWiki API error 'invalidtitle'.",
        ),
        ({"page_id": 99}, "Cannot fetch page 99 on fr.wikipedia.org: MediaWiki API error 'nosuchpageid'."),
    ],
)
async def test_what_the_wiki_does_not_have_is_told_in_its_own_word(
    server: Served, body: dict[str, Any], detail: str
) -> None:
    assert await ask(server, {"lang": "fr", **body}) == (400, {"detail": detail})


async def test_a_wiki_that_does_not_answer_is_an_error_of_the_server(
    server: Served, wiki: MediaWikiApi
) -> None:
    wiki.faults.append(answer_with(403, "no"))
    status, answer, response = await server.ask(PREDICT, method="POST", json={"lang": "fr", "page_id": 7})
    assert status == 500
    assert answer["error"].startswith(
        "An unexpected error has occurred while trying to get outlinks from MW API"
    )
    assert int(response.headers["retry-after"]) > 0


async def test_an_event_of_another_project_is_refused_in_a_detail(server: Served) -> None:
    event = {**EVENT, "wiki_id": "frwiktionary", "meta": {"domain": "fr.wiktionary.org"}}
    status, answer = await ask(server, {"event": event})
    assert status == 400
    assert answer["detail"].startswith("This model is not recommended for use in projects outside of Wikip")


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({"lang": "fr"}, "You must pass either `page_title` or `page_id`."),
        ({"page_id": 1}, 'Missing "lang" in input data.'),
        ({"lang": "fr", "page_id": 1, "threshold": 1}, 'Expected "threshold" to be a float'),
        ({"lang": "de", "page_id": 1}, "Unsupported lang: de."),
        ({"wiki_id": "dewiki", "page_id": 1}, "Unknown wiki_id: dewiki"),
        ({"wiki_id": "no wiki", "page_id": 1}, "Unknown wiki_id: no wiki"),
        ({"event": {**EVENT, "wiki_id": "dewiki"}}, "Unknown wiki_id: dewiki"),
    ],
)
async def test_a_wrong_request_is_told_what_is_wrong(server: Served, body: Any, text: str) -> None:
    assert await ask(server, body) == (400, {"error": text})


async def test_links_that_are_no_items_are_refused(server: Served) -> None:
    status, answer = await ask(server, {"lang": "fr", "page_id": 7, "features_str": "Q1 oak"})
    assert status == 400
    assert "'oak'" in answer["error"]


async def test_the_score_is_that_of_the_model(server: Served, folder: Path) -> None:
    expected = load(open_artefact(folder / "tiny-topics/1")).classify(["Q1", "Q2"]).probability
    _, answer = await ask(server, {"lang": "fr", "page_title": "Fusée", "debug": True})
    assert {one["topic"]: one["score"] for one in answer["prediction"]["results"]} == expected


async def test_without_the_model_there_is_none(tmp_path: Path) -> None:
    async with direct_server(tmp_path, {"testwiki": {"revid": "testwiki-revid"}}) as running:
        answer = await ask(running, {"lang": "fr", "page_id": 1})
    assert answer == (404, {"error": f"Model with name {MODEL} does not exist."})


async def test_a_server_that_does_not_score_says_so(tmp_path: Path) -> None:
    async with served(tmp_path, catalogue({"enwiki": (MODEL,)})) as replica:
        status, answer = await ask(replica, {"lang": "en", "page_id": 1})
        ready = await replica.ask(f"/v1/models/{MODEL}")
    assert status == 503
    assert answer["error"].startswith(f"Model with name {MODEL} is not ready.")
    assert ready[:2] == (503, {"error": f"Model with name {MODEL} is not ready."})
