"""ORES's parameter ``model_info``: what MediaWiki's extension and tools ask about a model."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace

from models.statistics import describe
from schemas.catalogue import Catalogue
from tests.rows import binary, model_info, row, stored
from tests.served import Served, served

FORMULA = "maximum recall @ precision >= 0.9"


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Served]:
    random = np.random.default_rng(5)
    true = random.random(2_000)
    actual = (random.random(2_000) < true**2).astype(np.intp)
    statistics = describe(
        actual, np.column_stack([1 - true, true]), (true >= 0.5).astype(np.intp), (False, True)
    )
    plain = model_info("damaging")
    damaging = replace(plain, document=replace(plain.document, statistics=statistics))
    rows = [row(stored("damaging", binary(0.25)), rev_id=12345)]
    async with served(tmp_path, Catalogue({"enwiki": {"damaging": damaging}}), rows) as running:
        yield running


async def asked(server: Served, paths: str, place: str = "enwiki") -> tuple[int, Any]:
    status, body, _ = await server.ask(
        f"/v3/scores/{place}", params={"models": "damaging", "model_info": paths}
    )
    return status, body["enwiki"]["models"]["damaging"] if status == 200 else body["error"]


async def test_thresholds_come_as_the_extension_asks_for_them(server: Served) -> None:
    paths = "|".join(f'statistics.thresholds.{label}."{FORMULA}"' for label in ("true", "false"))
    status, info = await asked(server, paths)
    assert status == 200
    (best,) = info["statistics"]["thresholds"]["true"]
    assert best["precision"] >= 0.9
    assert best["threshold"] in {entry["threshold"] for entry in (await table(server))}
    better = [entry for entry in await table(server) if (entry["precision"] or 0) >= 0.9]
    assert best["recall"] == max(entry["recall"] for entry in better)


async def table(server: Served) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = (await asked(server, "statistics.thresholds.true"))[1]["statistics"][
        "thresholds"
    ]["true"]
    return entries


async def test_a_bound_that_cannot_be_met_is_null(server: Served) -> None:
    _, info = await asked(server, 'statistics.thresholds.true."maximum recall @ precision >= 1.1"')
    assert info == {"statistics": {"thresholds": {"true": [None]}}}


async def test_empty_gives_all_sections_but_no_thresholds(server: Served) -> None:
    _, info = await asked(server, "")
    assert {"type", "version", "params", "environment", "statistics", "score_schema"} == set(info)
    assert "thresholds" not in info["statistics"]
    assert info["statistics"]["counts"]["n"] == 2_000


async def test_it_stands_beside_scores_too(server: Served) -> None:
    _, body, _ = await server.ask(
        "/v3/scores/enwiki/12345", params={"model_info": "statistics.recall.labels"}
    )
    assert set(body["enwiki"]["models"]["damaging"]["statistics"]["recall"]["labels"]) == {"true", "false"}
    assert "score" in body["enwiki"]["scores"]["12345"]["damaging"]


@pytest.mark.parametrize(
    ("paths", "status", "code"),
    [
        ("foo", 400, "bad request"),
        ("statistics.foo", 400, "bad request"),
        ('statistics.thresholds.true."maximum recall @"', 500, "internal server error"),
    ],
)
async def test_what_cannot_be_told_is_refused_as_ores_does(
    server: Served, paths: str, status: int, code: str
) -> None:
    answered, error = await asked(server, paths)
    assert (answered, error["code"]) == (status, code)


async def test_the_unknown_is_named(server: Served) -> None:
    assert (await asked(server, "foo"))[1]["message"] == "Model information could not be retrieved for 'foo'"


async def test_version_1_tells_the_usual_information_and_version_2_what_is_asked_for(server: Served) -> None:
    _, usual = await asked(server, "")
    assert usual["statistics"].keys() >= {"counts", "rates", "recall", "roc_auc"}
    assert "thresholds" not in usual["statistics"]
    for path in ("/v1/scores/enwiki/damaging", "/scores/enwiki/damaging?model_info=version"):
        assert (await server.ask(path))[1] == usual
    _, body, _ = await server.ask("/v1/scores/enwiki")
    assert body == {"models": {"damaging": usual}}
    path = f'statistics.thresholds.true."{FORMULA}"'
    _, told = await asked(server, path)
    _, body, _ = await server.ask("/v2/scores/enwiki/damaging", params={"model_info": path})
    assert body["scores"]["enwiki"]["damaging"]["info"] == told
