"""A model that the installed revscoring trains and saves, imported."""

import json
import subprocess
import sys
from pathlib import Path

from models.importer import import_model
from models.scoring import FeatureCache
from models.store import ModelStore
from schemas.prediction import Score
from tests.model_revisions import edit

TRAIN = """
import json, random, sys, warnings
warnings.simplefilter("ignore")
from revscoring.features import temporal, wikitext
from revscoring.scoring.models import GradientBoosting
features = [
    temporal.revision.day_of_week,
    temporal.revision.hour_of_day,
    temporal.revision.user.seconds_since_registration,
    wikitext.revision.chars,
    wikitext.revision.parent.words,
]
chance = random.Random(1)
rows = [[chance.randrange(limit) for limit in (7, 24, 9999, 99, 99)] for _ in range(80)]
model = GradientBoosting(features, [True, False], version="1.2.3", n_estimators=5, random_state=1)
model.train([(row, row[3] > 50) for row in rows])
with open(sys.argv[1], "wb") as file:
    model.dump(file)
values = json.load(sys.stdin)
print(json.dumps(model.score(values)["probability"][True]))
"""


def test_a_model_of_the_installed_revscoring_that_reads_dates_loads_and_scores(tmp_path: Path) -> None:
    # The first of January 2021 was a Friday; the account was made on that of 2020, a leap year.
    revision = edit()
    values = [4, 0, 366 * 86_400, len(revision.text), 10]
    file = tmp_path / "enwiki.damaging.gradient_boosting.model"
    trained = subprocess.run(
        [sys.executable, "-c", TRAIN, str(file)],
        input=json.dumps(values),
        capture_output=True,
        text=True,
        check=False,
    )
    assert trained.returncode == 0, trained.stderr
    manifest = import_model(file, tmp_path / "models")
    scorer = ModelStore([tmp_path / "models"]).load(manifest.name)
    score, features = scorer.score(revision, FeatureCache())
    assert isinstance(score, Score)
    assert list(features.values()) == values
    assert score.probability["true"] == json.loads(trained.stdout)
