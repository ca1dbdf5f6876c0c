"""Names of wikis that are hosts, and events that name hosts: no request makes the server ask one of them."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import pytest_asyncio

from agents.mediawiki import MediaWikiSettings, MediaWikiSource
from schemas.errors import ContentUnavailable
from schemas.revision import RevisionRequest
from tests.direct_server import direct_server
from tests.kinds import write_outlinks
from tests.mediawiki_api import USER_AGENT, MediaWikiApi
from tests.mediawiki_pages import WikiPage
from tests.rows import catalogue
from tests.scorers import ReversedDigits
from tests.served import Served, served

pytestmark = pytest.mark.asyncio(loop_scope="module")

FORGED = [
    "localhost",
    "127.0.0.1",
    "169.254.169.254",
    "elsewhere.example",
    "elsewhere.example#enwiki",
    "elsewhere.example?wiki",
    "elsewhere.example:80@enwiki",
    "enwiki@elsewhere.example",
    "en\r\nHost: elsewhere.example",
    "http://elsewhere.example/wiki",
    "[::1]wiki",
    "..wiki",
    "elsewhere.examplewiki",
]
PREDICT = "/v1/models/outlink-topic-model:predict"
WIKI = MediaWikiApi(pages=(WikiPage(7, "Fusée", links=("Lune",)), WikiPage(8, "Lune", "Q1")))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    pytest.importorskip("fasttext", reason="the extra `fasttext` is not installed")
    folder = tmp_path_factory.mktemp("models")
    write_outlinks(folder)
    async with direct_server(folder, {"frwiki": {"outlink-topic-model": "tiny-topics"}}, WIKI) as running:
        yield running


@pytest.mark.parametrize("name", FORGED)
@pytest.mark.parametrize("key", ["lang", "wiki_id"])
async def test_links_are_looked_up_at_no_forged_host(server: Served, key: str, name: str) -> None:
    WIKI.paths.clear()
    body: dict[str, Any] = {key: name, "page_id": 7}
    status, _, _ = await server.ask(PREDICT, method="POST", json=body)
    assert status == 400
    assert WIKI.paths == []


async def test_the_host_that_an_event_names_is_not_the_one_that_is_asked(server: Served) -> None:
    WIKI.paths.clear()
    event = {
        "$schema": "/mediawiki/page/change/1.2.0",
        "wiki_id": "frwiki",
        "meta": {"domain": "wikipedia.elsewhere.example"},
        "page": {"page_id": 7},
    }
    status, _, _ = await server.ask(PREDICT, method="POST", json={"event": event})
    assert status == 200
    assert {path.split("/")[1] for path in WIKI.paths} == {"fr.example.org"}


@pytest.mark.parametrize("name", FORGED)
async def test_no_wiki_that_is_not_configured_reaches_a_scorer(tmp_path: Path, name: str) -> None:
    scorer = ReversedDigits()
    wikis = catalogue({"enwiki": ("damaging", "revertrisk-language-agnostic")})
    async with served(tmp_path, wikis, on_demand=scorer) as running:
        place = quote(name, safe="")
        for path in (
            f"/v3/scores/{place}/5",
            f"/v1/scores/{place}/damaging/5",
            f"/v2/scores/{place}/damaging/5",
        ):
            assert (await running.ask(path))[0] in {400, 404}
        revert_risk = "/v1/models/revertrisk-language-agnostic:predict"
        for path, body in (
            (f"/v1/models/{place}-damaging:predict", {"rev_id": 5}),
            (revert_risk, {"rev_id": 5, "lang": name}),
            (revert_risk, {"instances": [{"rev_id": 5, "lang": name}]}),
        ):
            assert (await running.ask(path, method="POST", json=body))[0] in {400, 404}
    assert scorer.asked == []


@pytest.mark.parametrize("name", [*FORGED, "dewiki"])
async def test_a_wiki_without_a_configured_host_is_not_asked_at_one(name: str) -> None:
    settings = MediaWikiSettings(user_agent=USER_AGENT, domains={"enwiki": "en.wikipedia.org"})
    source = MediaWikiSource(settings)
    with pytest.raises(ContentUnavailable):
        await source.get(RevisionRequest(name, 5, None))
    await source.close()
