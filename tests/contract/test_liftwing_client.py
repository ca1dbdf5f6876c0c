"""The `liftwing` client of PyPI, as it is, with nothing changed but the address."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from tests.client_environments import client_folder
from tests.direct_server import direct_server
from tests.kinds import write_outlinks
from tests.mediawiki_api import MediaWikiApi
from tests.mediawiki_pages import WikiPage
from tests.rows import binary, catalogue, row, stored
from tests.scorers import ReversedDigits
from tests.served import served

WIKIS = catalogue(
    {
        "enwiki": ("damaging", "revertrisk-language-agnostic", "revertrisk-multilingual"),
        "testwiki": ("revid",),
    }
)
ROWS = [
    row(
        stored("damaging", binary(0.25)),
        stored("revertrisk-language-agnostic", binary(0.25)),
        stored("revertrisk-multilingual", binary(0.75)),
        rev_id=12345,
    )
]
PROGRAM = """
import json, sys
import liftwing

address, wanted = sys.argv[1] + "/v1/models", json.loads(sys.argv[2])
answers = []
for name, arguments, payload in wanted:
    model = getattr(liftwing, name)
    if name == "RevscoringModel":
        client = model(*arguments, base_url=address)
    else:
        client = model(base_url=f"{address}/{arguments[0]}:predict")
    answers.append(client.request(payload=payload, headers={"user-agent": "a test"}))
print(json.dumps(answers))
"""


@pytest.fixture(scope="module")
def python() -> Path:
    return client_folder("liftwing") / "python"


async def session(python: Path, url: str, *wanted: tuple[str, list[str], dict[str, Any]]) -> list[Any]:
    """Return what the client gives back of each request."""
    process = await asyncio.create_subprocess_exec(
        python, "-I", "-c", PROGRAM, url, json.dumps(wanted), stdout=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(60):
        told, _ = await process.communicate()
    assert process.returncode == 0
    answers: list[Any] = json.loads(told)
    return answers


async def test_its_models_of_revisions_are_answered(python: Path, tmp_path: Path) -> None:
    revision = {"rev_id": 12345, "lang": "en"}
    async with served(tmp_path, WIKIS, ROWS, on_demand=ReversedDigits()) as running:
        plain, extended, missing, agnostic, multilingual = await session(
            python,
            running.url,
            ("RevscoringModel", ["damaging", "enwiki"], {"rev_id": 12345}),
            ("RevscoringModel", ["revid", "testwiki"], {"rev_id": 2309, "extended_output": True}),
            ("RevscoringModel", ["damaging", "enwiki"], {"rev_id": 404}),
            ("RevertRiskAPIModel", ["revertrisk-language-agnostic"], revision),
            ("RevertRiskMultilingualModel", ["revertrisk-multilingual"], revision),
        )
    assert plain["enwiki"]["scores"]["12345"]["damaging"]["score"]["probability"]["true"] == 0.25
    assert extended["testwiki"]["scores"]["2309"]["revid"]["features"]
    assert missing["error"].startswith("The MW API does not have any info related to the rev-id")
    assert (agnostic["wiki_db"], agnostic["output"]["prediction"]) == ("enwiki", False)
    assert (multilingual["wiki_db"], multilingual["output"]["prediction"]) == ("enwiki", True)


async def test_its_models_of_texts_and_links_are_answered(python: Path, tmp_path: Path) -> None:
    pytest.importorskip("fasttext", reason="the extra `fasttext` is not installed")
    write_outlinks(tmp_path)
    wiki = MediaWikiApi(
        pages=(
            WikiPage(7, "Fusée", links=("Lune", "Mars")),
            WikiPage(8, "Lune", "Q1"),
            WikiPage(9, "Mars", "Q2"),
        )
    )
    models = {"langid": "langid", "outlink-topic-model": "tiny-topics"}
    async with direct_server(tmp_path, {"frwiki": models}, wiki) as running:
        language, topics = await session(
            python,
            running.url,
            ("LanguageIdModel", ["langid"], {"text": "Der Fluss entspringt in den Bergen."}),
            ("ArticleTopicModel", ["outlink-topic-model"], {"page_title": "Fusée", "lang": "fr"}),
        )
    assert language["wikicode"] == "de"
    assert topics["prediction"]["article"] == "https://fr.wikipedia.org/wiki/Fusée"
    assert [one["topic"] for one in topics["prediction"]["results"]] == ["Space"]
