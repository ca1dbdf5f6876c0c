"""Trains the two models that the engine is measured with, by revscoring alone: nothing of ours is imported.

``python -m tests.bench.engine_training FOLDER TREES`` reads revisions from standard input, a JSON list of
what ``tests.feature_revisions.inputs_of`` gives, and writes two model files of the size of enwiki's damaging
and goodfaith. Rows are features of these revisions, each several times with some noise; labels are made up.
Environment variable NLTK_DATA names the folder of NLTK's stop words.
"""

import importlib
import json
import sys
from pathlib import Path
from typing import Any

import mwtypes
import numpy as np
from revscoring.datasources import Datasource
from revscoring.dependencies import solve
from revscoring.scoring.models import GradientBoosting

# As enwiki's models were trained.
_PARAMETERS = {"max_depth": 7, "max_features": "log2", "learning_rate": 0.01, "center": True, "scale": True}
_ROWS = 4_000
_FEATURES: list[Any] = importlib.import_module("editquality.feature_lists.enwiki").damaging


def feature_rows(revisions: list[dict[str, Any]]) -> list[list[Any]]:
    """Compute the features of revisions, given by printed names of datasources."""
    rows = []
    for given in revisions:
        cache = {
            Datasource(name.removeprefix("datasource.")): (
                mwtypes.Timestamp(value["date"]) if isinstance(value, dict) else value
            )
            for name, value in given.items()
        }
        rows.append(list(solve(_FEATURES, cache=cache)))
    return rows


def labelled(rows: list[list[Any]], seed: int) -> list[tuple[list[Any], bool]]:
    """Return many rows like these with labels that some of the features hint at."""
    random = np.random.default_rng(seed)
    weights = random.normal(size=len(rows[0]))
    scales = np.array(rows, dtype=float).std(axis=0) + 1
    made = []
    for _ in range(_ROWS):
        row = rows[random.integers(len(rows))]
        values = [
            value if isinstance(value, bool) else type(value)(value + abs(random.normal()) * scale / 10)
            for value, scale in zip(row, scales, strict=True)
        ]
        hint = float(np.dot(weights, np.array(values, dtype=float) / scales))
        made.append((values, hint + random.normal() * 8 > 0))
    return made


def main(folder: Path, trees: int) -> None:
    """Train both models and write them."""
    rows = feature_rows(json.load(sys.stdin))
    for seed, name in enumerate(("damaging", "goodfaith")):
        model = GradientBoosting(
            _FEATURES,
            [True, False],
            version="0.0.1",
            n_estimators=trees,
            random_state=seed,
            **_PARAMETERS,
        )
        model.train(labelled(rows, seed))
        with (folder / f"enwiki.{name}.gradient_boosting.model").open("wb") as file:
            model.dump(file)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
