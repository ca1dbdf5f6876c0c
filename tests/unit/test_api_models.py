"""What is told of the models that are served."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace

from models.statistics import describe, model_info
from schemas.catalogue import Catalogue
from tests.rows import model_info as made_model
from tests.served import Served, served

FORMULA = "maximum recall @ precision >= 0.9"


def catalogue() -> Catalogue:
    generator = np.random.default_rng(7)
    true = generator.random(2_000)
    actual = (generator.random(2_000) < true**2).astype(np.intp)
    probabilities, predicted = np.column_stack([1 - true, true]), (true >= 0.5).astype(np.intp)
    statistics = describe(actual, probabilities, predicted, (False, True))
    plain = made_model("damaging")
    document = replace(plain.document, statistics=statistics)
    damaging = replace(plain, document=document, card={"What": "Finds damage."})
    return Catalogue(
        {
            "enwiki": {"damaging": damaging, "goodfaith": made_model("goodfaith")},
            "dewiki": {"damaging": plain},
        },
        {"harm": "damaging"},
        {"enwiki": {"damaging@0.9.0": made_model("damaging", model_version="0.9.0")}},
    )


@pytest.fixture(scope="module")
def models() -> Catalogue:
    return catalogue()


@pytest.fixture
async def replica(tmp_path: Path, models: Catalogue) -> AsyncIterator[Served]:
    async with served(tmp_path, models) as running:
        yield running


async def test_all_models_are_listed_by_wiki_with_their_versions(replica: Served) -> None:
    status, body, _ = await replica.ask("/models")
    assert status == 200
    assert body["aliases"] == {"harm": "damaging"}
    assert {wiki_id: list(wiki["models"]) for wiki_id, wiki in body["wikis"].items()} == {
        "dewiki": ["damaging"],
        "enwiki": ["damaging", "goodfaith"],
    }
    assert body["wikis"]["enwiki"]["models"]["damaging"] == {
        "model_version": "1.0.0",
        "kind": "binary",
        "labels": ["false", "true"],
        "has_statistics": True,
        "versions": ["1.0.0", "0.9.0"],
    }
    _, of_wiki, _ = await replica.ask("/models/enwiki")
    assert of_wiki == {"wiki_id": "enwiki", **body["wikis"]["enwiki"]}


@pytest.mark.parametrize(
    ("name", "version"),
    [("damaging", "1.0.0"), ("damaging@1.0.0", "1.0.0"), ("damaging@0.9.0", "0.9.0"), ("harm", "1.0.0")],
)
async def test_a_card_tells_what_the_makers_say_of_the_version_asked_for(
    replica: Served, name: str, version: str
) -> None:
    _, body, _ = await replica.ask(f"/models/enwiki/{name}")
    assert (body["model_name"], body["model_version"]) == ("damaging", version)
    assert body["information"]["version"] == version
    assert body["card"] == ({"What": "Finds damage."} if version == "1.0.0" else {})
    assert "statistics" not in body["information"]


async def test_statistics_are_those_that_ores_tells(replica: Served, models: Catalogue) -> None:
    _, body, _ = await replica.ask("/models/enwiki/damaging/statistics")
    document = models.wikis["enwiki"]["damaging"].document
    assert body["statistics"] == model_info(document, "statistics")["statistics"]


async def test_thresholds_answer_ores_formulas(replica: Served, models: Catalogue) -> None:
    document = models.wikis["enwiki"]["damaging"].document
    for label in ("true", "false"):
        told = model_info(document, f'statistics.thresholds.{label}."{FORMULA}"')
        (best,) = told["statistics"]["thresholds"][label]
        params = {"label": label, "formula": FORMULA}
        _, body, _ = await replica.ask("/models/enwiki/damaging/thresholds", params=params)
        assert body["thresholds"] == {label: best}
    _, body, _ = await replica.ask("/models/enwiki/damaging/thresholds", params={"formula": FORMULA})
    assert set(body["thresholds"]) == {"true", "false"}
    _, body, _ = await replica.ask("/models/enwiki/damaging/thresholds?label=true")
    rows = model_info(document, "statistics.thresholds.true")["statistics"]["thresholds"]["true"]
    assert body["thresholds"] == {"true": rows}


async def test_a_bound_that_no_threshold_meets_is_null(replica: Served) -> None:
    params = {"label": "true", "formula": "maximum recall @ precision >= 1.1"}
    _, body, _ = await replica.ask("/models/enwiki/damaging/thresholds", params=params)
    assert body["thresholds"] == {"true": None}


@pytest.mark.parametrize(
    ("path", "status", "code", "fields"),
    [
        ("/models/nowiki", 404, "wiki_unknown", {"wiki_id": "nowiki"}),
        ("/models/nowiki/damaging", 404, "wiki_unknown", {"wiki_id": "nowiki"}),
        ("/models/enwiki/no", 404, "model_not_found", {"wiki_id": "enwiki", "model_name": "no"}),
        ("/models/enwiki/damaging@7", 404, "model_not_found", {}),
        ("/models/enwiki/goodfaith/statistics", 404, "statistics_not_found", {"model_name": "goodfaith"}),
        ("/models/enwiki/goodfaith/thresholds", 404, "statistics_not_found", {}),
        ("/models/enwiki/damaging/thresholds?label=maybe", 400, "request_invalid", {}),
        ("/models/enwiki/damaging/thresholds?formula=best", 400, "request_invalid", {"parameter": "formula"}),
        (
            "/models/enwiki/damaging/thresholds?formula=maximum%20luck%20@%20precision%20>=%200.5",
            400,
            "request_invalid",
            {},
        ),
        (f"/models/enwiki/damaging/thresholds?formula={'9' * 501}", 400, "request_invalid", {}),
        ("/models/enwiki/damaging/thresholds?label=true&label=false", 400, "request_invalid", {}),
        ("/models/enwiki?verbose=1", 400, "request_invalid", {"parameter": "verbose"}),
    ],
)
async def test_what_is_not_there_is_told_by_its_code(
    replica: Served, path: str, status: int, code: str, fields: dict[str, Any]
) -> None:
    found, body, _ = await replica.ask(path)
    assert (found, body["error"]["code"]) == (status, code)
    assert fields.items() <= body["error"].items()


async def test_what_is_told_of_models_may_be_kept_for_a_minute(replica: Served) -> None:
    _, _, response = await replica.ask("/models/enwiki/damaging")
    assert response.headers["cache-control"] == "public, max-age=60, must-revalidate"
    headers = {"if-none-match": response.headers["etag"]}
    assert (await replica.ask("/models/enwiki/damaging", headers=headers))[0] == 304
