"""Answers that Lift Wing gave, given again by models that say the recorded scores, by both protocols."""

import gzip
import json
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from app.api.on_demand import ScoreRequest
from schemas.catalogue import Catalogue
from schemas.prediction import FeatureValue, ModelId, Score, ScoredModel, ScoreKind
from tests.rows import model_id, model_info
from tests.served import Served, served

Recorded = dict[tuple[str, int, str], ScoredModel]


class Recordings:
    """Says what was recorded."""

    def __init__(self) -> None:
        self.scores: Recorded = {}

    def add(
        self,
        wiki_id: str,
        rev_id: int,
        model: ModelId,
        said: dict[str, Any],
        features: dict[str, FeatureValue] | None = None,
    ) -> None:
        """Keep what one model said about one revision."""
        prediction = said["prediction"]
        kind = ScoreKind.BINARY if isinstance(prediction, bool) else ScoreKind.MULTICLASS
        label = str(prediction).lower() if isinstance(prediction, bool) else prediction
        score = Score(kind, (label,), said["probability"])
        self.scores[wiki_id, rev_id, model.model_name] = ScoredModel(model, score, features)

    def catalogue(self) -> Catalogue:
        """Return all models that were recorded."""
        wikis: dict[str, dict[str, Any]] = {}
        for (wiki_id, _, name), scored in self.scores.items():
            info = model_info(name, model_version=scored.model.model_version)
            wikis.setdefault(wiki_id, {})[name] = info
        return Catalogue(wikis)

    async def score(self, request: ScoreRequest, /) -> list[ScoredModel]:
        found = [self.scores[request.wiki_id, request.rev_id, name] for name in request.model_names]
        return found if request.with_features else [replace(one, features=None) for one in found]


async def asked_both_ways(running: Served, name: str, body: dict[str, Any]) -> Any:
    """Return the answer of predict, which that of infer has to equal."""
    status, answer, _ = await running.ask(f"/v1/models/{name}:predict", method="POST", json=body)
    assert status == 200
    tensor = {"inputs": [{"name": "input", "shape": [1], "datatype": "BYTES", "data": [json.dumps(body)]}]}
    status, inferred, _ = await running.ask(f"/v2/models/{name}/infer", method="POST", json=tensor)
    assert status == 200
    assert json.loads(inferred["outputs"][0]["data"][0]) == answer
    return answer


async def test_answers_of_every_kind_of_revscoring_model_come_out_equal(tmp_path: Path, shared: Path) -> None:
    recorded = json.loads((shared / "data/api/liftwing_responses.json").read_text())["responses"]
    # The older version stands for a revision of its own, and so in a server of its own.
    assert len(recorded) >= 8
    for number, document in enumerate(recorded.values()):
        ((wiki_id, of_wiki),) = document.items()
        ((name, model),) = of_wiki["models"].items()
        ((rev_id, of_revision),) = of_wiki["scores"].items()
        recordings = Recordings()
        recordings.add(wiki_id, int(rev_id), model_id(name, model["version"]), of_revision[name]["score"])
        folder = tmp_path / str(number)
        folder.mkdir()
        async with served(folder, recordings.catalogue(), on_demand=recordings) as running:
            assert await asked_both_ways(running, f"{wiki_id}-{name}", {"rev_id": int(rev_id)}) == document


async def test_extended_output_has_the_recorded_features(tmp_path: Path, shared: Path) -> None:
    recordings = Recordings()
    with gzip.open(shared / "data/api/enwiki_articlequality_recorded.jsonl.gz", "rt") as file:
        rows = [json.loads(line) for line in file][:20]
    assert rows
    for one in rows:
        model = model_id(one["model"], one["version"])
        recordings.add("enwiki", one["rev_id"], model, one["score"], one["features"])
    async with served(tmp_path, recordings.catalogue(), on_demand=recordings) as running:
        for one in rows:
            name = f"enwiki-{one['model']}"
            body = {"rev_id": one["rev_id"], "extended_output": True}
            answer = await asked_both_ways(running, name, body)
            found = answer["enwiki"]["scores"][str(one["rev_id"])][one["model"]]
            assert found == {"score": one["score"], "features": one["features"]}
        instances = [{"rev_id": one["rev_id"]} for one in rows]
        batch = await asked_both_ways(running, name, {"instances": instances})
        assert [list(each["enwiki"]["scores"]) for each in batch["predictions"]] == [
            [str(one["rev_id"])] for one in rows
        ]
