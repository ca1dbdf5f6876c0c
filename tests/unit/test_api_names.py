"""Other names and other versions of a model, as ORES's clients ask for them."""

from pathlib import Path

from app.api.on_demand import ScoreRequest
from schemas.catalogue import Catalogue
from schemas.prediction import Score, ScoredModel
from tests.rows import binary, model_info, row, stored
from tests.served import served

REV_ID = 12345


class CountingOnDemand:
    """Scores with what the catalogue finds, and remembers what it was asked for."""

    def __init__(self, catalogue: Catalogue, score: Score) -> None:
        self.asked: list[tuple[str, ...]] = []
        self._catalogue = catalogue
        self._score = score

    async def score(self, request: ScoreRequest, /) -> list[ScoredModel]:
        self.asked.append(tuple(request.model_names))
        found = (self._catalogue.find(request.wiki_id, name) for name in request.model_names)
        return [ScoredModel(info.id, self._score) for info in found if info is not None]


def catalogue() -> Catalogue:
    current, former = (
        model_info("articlequality", model_version="0.9.2"),
        model_info("articlequality", model_version="0.8.2"),
    )
    return Catalogue(
        {"enwiki": {"articlequality": current}},
        {"wp10": "articlequality"},
        {"enwiki": {"articlequality@0.8.2": former}},
    )


async def test_a_stored_score_is_found_under_the_other_name_and_answered_under_it(tmp_path: Path) -> None:
    known = row(stored("articlequality", binary(0.25), model_version="0.9.2"), rev_id=REV_ID)
    async with served(tmp_path, catalogue(), [known]) as server:
        for asked in ("wp10", "wp10@0.9.2", "articlequality@0.9.2"):
            status, body, _ = await server.ask(f"/v3/scores/enwiki/{REV_ID}/{asked}")
            assert status == 200
            assert body["enwiki"]["models"] == {asked: {"version": "0.9.2"}}
            score = body["enwiki"]["scores"][str(REV_ID)][asked]["score"]
            assert score["probability"] == {"false": 0.75, "true": 0.25}
        status, body, _ = await server.ask(f"/v3/scores/enwiki/{REV_ID}?models=wp10|articlequality")
        assert body["enwiki"]["scores"][str(REV_ID)].keys() == {"articlequality", "wp10"}
        assert (await server.ask(f"/v3/scores/enwiki/{REV_ID}/wp9"))[0] == 404


async def test_a_version_that_is_live_is_scored_when_asked_for_and_each_model_once(tmp_path: Path) -> None:
    found = catalogue()
    on_demand = CountingOnDemand(found, binary(0.5))
    async with served(tmp_path, found, on_demand=on_demand) as server:
        asked = "articlequality|wp10|articlequality@0.8.2|wp10@0.8.2"
        status, body, _ = await server.ask(f"/v3/scores/enwiki/{REV_ID}?models={asked}")
        assert status == 200
        versions = {name: model["version"] for name, model in body["enwiki"]["models"].items()}
        assert versions == {
            "articlequality": "0.9.2",
            "articlequality@0.8.2": "0.8.2",
            "wp10": "0.9.2",
            "wp10@0.8.2": "0.8.2",
        }
        assert all("score" in score for score in body["enwiki"]["scores"][str(REV_ID)].values())
        assert (await server.ask(f"/v3/scores/enwiki/{REV_ID}/articlequality@0.7"))[0] == 404
    assert on_demand.asked == [("articlequality", "articlequality@0.8.2")]
