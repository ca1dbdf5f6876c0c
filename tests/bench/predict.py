"""How fast 700 trees answer from arrays, beside the same trees in scikit-learn.

``python -m tests.bench.predict`` prints JSON, for trees of several depths: published models have 3 to 7.
``ours`` is what an artefact loads, in C where that is built; beside it the same after a scaler, and in numpy.
Rounds of either take turns, so that both meet the same neighbours; figures are the best of all rounds, as CPU
time; the ratio is that of the medians of all rounds.
"""

import argparse
import gc
import pickle
import time
from collections.abc import Callable
from statistics import median
from typing import Any
from unittest.mock import patch

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import GradientBoostingClassifier

from models.estimators import ConvertedScaler, convert_estimator, load_estimator, scaled, tree_walk
from models.estimators.estimator import ConvertedEstimator, Estimator
from models.native import native
from models.pickles import read_pickle
from tests.bench.report import emit

# As the largest published models were trained.
_COLUMNS = 80
_TRAINED = {"n_estimators": 700, "max_features": "log2", "learning_rate": 0.01}

Answer = Callable[[NDArray[np.float64]], NDArray[np.float64]]


def train(rows: int, depth: int) -> GradientBoostingClassifier:
    """Train on generated rows; the shape of the trees is that of a production model."""
    random = np.random.default_rng(0)
    table = np.round(random.normal(size=(rows, _COLUMNS)), 2)
    is_true = table[:, 0] * table[:, 1] + table[:, 2] + random.normal(size=rows) > 0
    return GradientBoostingClassifier(**_TRAINED, max_depth=depth, random_state=0).fit(table, is_true)


def seconds_per_row(answer: Answer, table: NDArray[np.float64], at_once: int, calls: int) -> float:
    """Return CPU seconds per row over a number of calls, each with the next rows of a table."""
    starts = [call * at_once % (len(table) - at_once + 1) for call in range(calls)]
    began = time.process_time()
    for start in starts:
        answer(table[start : start + at_once])
    return (time.process_time() - began) / calls / at_once


def load(converted: ConvertedEstimator) -> Estimator:
    """Load as a scorer does."""
    return load_estimator(converted.kind, converted.parameters, converted.arrays, _COLUMNS)


def compare(rounds: int, train_rows: int, depth: int) -> dict[str, Any]:
    """Compare the two, after a check that they agree to the last bit."""
    model = train(train_rows, depth)
    converted = convert_estimator(read_pickle(pickle.dumps(model)))
    began = time.process_time()
    estimator = load(converted)
    load_seconds = time.process_time() - began
    random = np.random.default_rng(2)
    scaler = {"center": random.normal(size=_COLUMNS), "scale": random.uniform(1, 2, size=_COLUMNS)}
    after_scaler = load(scaled([ConvertedScaler("center_scale", {}, scaler)], converted))
    with patch.object(tree_walk, "native", None):
        in_numpy = load(converted)
    table = np.random.default_rng(1).normal(size=(4096, _COLUMNS))
    expected = model.predict_proba(table)
    for loaded in (estimator, in_numpy):
        if not np.array_equal(loaded.probabilities(table), expected):
            raise SystemExit("the ways disagree: their figures would be worthless")
    plans = {"single_row": (1, 300), "batch_of_1024": (1024, 2)}
    ways: dict[str, Answer] = {
        "scikit_learn": model.predict_proba,
        "ours": estimator.probabilities,
        "ours_after_scaler": after_scaler.probabilities,
        "ours_in_numpy": in_numpy.probabilities,
    }
    seen: dict[str, dict[str, list[float]]] = {plan: {way: [] for way in ways} for plan in plans}
    gc.freeze()
    for _ in range(rounds):
        for plan, (at_once, calls) in plans.items():
            for way, answer in ways.items():
                seen[plan][way].append(seconds_per_row(answer, table, at_once, calls))
    results: dict[str, Any] = {}
    for plan, found in seen.items():
        results[plan] = {f"{way}_us_per_row": min(spent) * 1e6 for way, spent in found.items()}
        results[plan]["times_faster"] = median(found["scikit_learn"]) / median(found["ours"])
    return {
        "trees": int(np.size(model.estimators_)),
        "nodes": sum(tree.tree_.node_count for tree in model.estimators_.ravel()),
        "arrays_bytes": sum(found.nbytes for found in converted.arrays.values()),
        "load_seconds": load_seconds,
        "results": results,
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--depths", type=int, nargs="+", default=[3, 5, 7])
    parser.add_argument("--train-rows", type=int, default=6_000)
    given = parser.parse_args()
    by_depth = {f"depth_{depth}": compare(given.rounds, given.train_rows, depth) for depth in given.depths}
    shared = {"is_native": native is not None, "columns": _COLUMNS, "rounds": given.rounds}
    emit("predict", shared | by_depth)
