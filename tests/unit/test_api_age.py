"""The Age header: how old a stored answer may be, whoever asks for it and however."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from app.api.on_demand import ScoreRequest
from schemas.prediction import ScoredModel
from tests.rows import binary, catalogue, model_info, row, stored
from tests.served import Served, served

WIKIS = catalogue({"enwiki": ("damaging",), "frwiki": ("damaging", "goodfaith")})
KNOWN = [row(stored("damaging", binary(0.25)), rev_id=rev_id, page_id=rev_id) for rev_id in (1, 2)]
PARTLY = row(stored("damaging", binary(0.25)), wiki_id="frwiki", rev_id=5)


class Scorer:
    """Scores at once."""

    async def score(self, request: ScoreRequest, /) -> list[ScoredModel]:
        return [ScoredModel(model_info(name).id, binary(0.5)) for name in request.model_names]


@pytest.fixture(name="replica")
async def replica_fixture(tmp_path: Path) -> AsyncIterator[Served]:
    async with served(tmp_path, WIKIS, [*KNOWN, PARTLY], on_demand=Scorer()) as running:
        yield running


@pytest.mark.parametrize(
    "path",
    [
        "/v3/scores/enwiki/1",
        "/v3/scores/enwiki/1/damaging?format=json",
        "/v3/scores/enwiki/?revids=1|2",
        # One model of two is stored.
        "/v3/scores/frwiki/5",
        "/scores/enwiki/1",
        "/scores/enwiki/1?provenance=1",
        "/scores/enwiki/99",
        "/pages/enwiki/1",
    ],
)
async def test_a_replica_says_how_old_what_it_has_stored_may_be(replica: Served, path: str) -> None:
    _, _, response = await replica.ask(path)
    assert 0 <= int(response.headers["age"]) < 60


async def test_lift_wing_says_it_too(replica: Served) -> None:
    path = "/v1/models/enwiki-damaging:predict"
    _, _, response = await replica.ask(path, method="POST", json={"rev_id": 1})
    assert 0 <= int(response.headers["age"]) < 60


@pytest.mark.parametrize("path", ["/v3/scores/enwiki/99", "/v3/scores/enwiki", "/healthz"])
async def test_what_is_made_for_the_request_has_no_age(replica: Served, path: str) -> None:
    _, _, response = await replica.ask(path)
    assert "age" not in response.headers


async def test_a_replica_that_scores_nothing_says_how_old_it_is_where_nothing_is_stored(
    tmp_path: Path,
) -> None:
    async with served(tmp_path, WIKIS, KNOWN) as running:
        _, _, response = await running.ask("/v3/scores/enwiki/99")
        assert 0 <= int(response.headers["age"]) < 60
