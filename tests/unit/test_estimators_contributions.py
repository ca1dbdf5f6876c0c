"""What columns add makes up the score of published models, and is Shapley's value where one can count."""

import bz2
import itertools
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.estimators import convert_estimator, convert_scaler, load_estimator, scaled
from models.estimators.boosting import GradientBoosting
from models.estimators.contributions import contributions
from models.estimators.shapley import shapley_of_trees
from models.pickles import read_pickle
from schemas.attribution import AttributionMethod, AttributionReference, AttributionScale

GOLDEN = Path(__file__).parent.parent / "golden" / "estimators"
SUMS = ["gradient_boosting", "rf.model"]
FILES = sorted(
    path.name.removesuffix(".json")
    for path in GOLDEN.glob("*.json")
    if any(kind in path.name for kind in SUMS)
)


def published(shared: Path, name: str) -> tuple[Any, Any]:
    data = (shared / "data/models/revscoring" / name).read_bytes()
    state = read_pickle(bz2.decompress(data) if name.endswith(".bz2") else data).state
    converted = convert_estimator(state.get("estimator") or state["classifier_model"])
    return scaled([convert_scaler(state.get("feature_stats") or state.get("scaler"))], converted), json.loads(
        (GOLDEN / f"{name}.json").read_text()
    )


@pytest.mark.parametrize("name", FILES)
def test_base_and_columns_of_a_published_model_make_up_its_score(name: str, shared: Path) -> None:
    model, golden = published(shared, name)
    rows = np.array(golden["rows"])
    for row, probabilities in zip(rows, np.array(golden["probabilities"]), strict=True):
        found = contributions(model.kind, model.parameters, model.arrays, row)
        assert found is not None
        assert found.method is AttributionMethod.TREE_SHAP
        assert found.reference is AttributionReference.TRAINING
        scores = found.base + found.values.sum(axis=1)
        if found.scale is AttributionScale.PROBABILITY:
            expected = probabilities[-len(scores) :]
        else:
            estimator = load_estimator(model.kind, model.parameters, model.arrays, len(row))
            raw = estimator.decisions(row[None])
            assert raw is not None
            expected = raw[0]
        assert scores == pytest.approx(expected, rel=1e-9, abs=1e-9)
        if found.scale is AttributionScale.LOG_ODDS:
            assert 1 / (1 + math.exp(-scores[0])) == pytest.approx(probabilities[1], rel=1e-9, abs=1e-12)


class Tree:
    """A tree drawn at random, as lists to be counted over and as arrays."""

    def __init__(self, draw: Any, columns: int, depth: int) -> None:
        self.feature: list[int] = []
        self.threshold: list[float] = []
        self.left: list[int] = []
        self.right: list[int] = []
        self.value: list[float] = []
        self.cover: list[float] = []
        self._grow(draw, columns, depth)

    def _grow(self, draw: Any, columns: int, depth: int) -> int:
        here = len(self.feature)
        is_leaf = depth == 0 or draw(st.integers(0, 4)) == 0
        self.feature.append(-1 if is_leaf else draw(st.integers(0, columns - 1)))
        self.threshold.append(0.0 if is_leaf else draw(st.integers(-2, 2)) / 2)
        self.value.append(draw(st.integers(-8, 8)) / 4 if is_leaf else 0.0)
        self.cover.append(draw(st.integers(1, 9)) if is_leaf else 0.0)
        self.left.append(-1)
        self.right.append(-1)
        if not is_leaf:
            self.left[here] = self._grow(draw, columns, depth - 1)
            self.right[here] = self._grow(draw, columns, depth - 1)
            self.cover[here] = self.cover[self.left[here]] + self.cover[self.right[here]]
        return here

    def worth(self, told: frozenset[int], row: Sequence[float], node: int = 0) -> float:
        """Return the mean of the leaves that a row may end in, of which some columns are told."""
        column = self.feature[node]
        if column == -1:
            return self.value[node]
        left, right = self.left[node], self.right[node]
        if column in told:
            return self.worth(told, row, right if row[column] > self.threshold[node] else left)
        shares = [self.cover[child] / self.cover[node] for child in (left, right)]
        return shares[0] * self.worth(told, row, left) + shares[1] * self.worth(told, row, right)


def arrays_of(trees: Sequence[Tree], outputs: int) -> dict[str, Any]:
    starts = np.cumsum([0, *(len(tree.feature) for tree in trees)])
    feature = np.concatenate([tree.feature for tree in trees])

    def moved(name: str) -> Any:
        parts = [np.array(getattr(tree, name)) + start for tree, start in zip(trees, starts, strict=False)]
        return np.where(feature == -1, -1, np.concatenate(parts)).astype(np.int32)

    value = np.concatenate([tree.value for tree in trees])
    cover = np.concatenate([tree.cover for tree in trees])
    return {
        "feature": feature.astype(np.int16),
        "threshold": np.concatenate([tree.threshold for tree in trees]).astype(np.float32),
        "left": moved("left"),
        "right": moved("right"),
        "roots": starts[:-1].astype(np.int32).reshape(-1, outputs),
        "value": value[feature == -1],
        "cover": cover[feature == -1].astype(np.float32),
        "initial": np.linspace(-1, 1, outputs),
    }


def counted(tree: Tree, row: Sequence[float]) -> list[float]:
    """Return Shapley's values by their definition: what a column adds, over all orders of telling them."""
    columns = range(len(row))
    values = []
    for column in columns:
        others = [each for each in columns if each != column]
        total = 0.0
        for size in range(len(others) + 1):
            weight = math.factorial(size) * math.factorial(len(row) - size - 1) / math.factorial(len(row))
            for chosen in itertools.combinations(others, size):
                told = frozenset(chosen)
                total += weight * (tree.worth(told | {column}, row) - tree.worth(told, row))
        values.append(total)
    return values


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_columns_of_random_trees_have_the_values_that_shapley_defines(data: st.DataObject) -> None:
    columns, outputs = data.draw(st.integers(1, 4)), data.draw(st.integers(1, 2))
    depth = data.draw(st.integers(0, 5))
    trees = [Tree(data.draw, columns, depth) for _ in range(outputs * data.draw(st.integers(1, 3)))]
    row = np.array([data.draw(st.integers(-3, 3)) / 2 for _ in range(columns)])
    arrays = arrays_of(trees, outputs)
    found = shapley_of_trees(arrays, arrays["value"][:, None], arrays["initial"], row)
    for output in range(outputs):
        own = trees[output::outputs]
        expected = np.sum([counted(tree, row.tolist()) for tree in own], axis=0)
        assert found.values[output] == pytest.approx(expected, abs=1e-9)
        base = arrays["initial"][output] + sum(tree.worth(frozenset(), row.tolist()) for tree in own)
        assert found.base[output] == pytest.approx(base)
    link = {"link": "logistic" if outputs == 1 else "softmax"}
    raw = GradientBoosting(arrays, columns, link).raw_scores(row[None])[0]
    assert found.base + found.values.sum(axis=1) == pytest.approx(raw)


def test_trees_that_say_nothing_of_their_training_take_all_leaves_alike() -> None:
    arrays: dict[str, Any] = {
        "feature": np.array([0, -1, 1, -1, -1], dtype=np.int16),
        "threshold": np.zeros(5, dtype=np.float32),
        "left": np.array([1, -1, 3, -1, -1], dtype=np.int32),
        "right": np.array([2, -1, 4, -1, -1], dtype=np.int32),
        "roots": np.zeros((1, 1), dtype=np.int32),
        "value": np.array([3.0, 0.0, 9.0]),
        "initial": np.zeros(1),
    }
    found = contributions("gradient_boosting", {"link": "logistic"}, arrays, np.array([1.0, 1.0]))
    assert found is not None
    assert found.reference is AttributionReference.LEAVES
    assert found.base == pytest.approx([4.0])
    assert found.base + found.values.sum(axis=1) == pytest.approx([9.0])


def test_leaves_in_which_no_training_ended_do_no_harm() -> None:
    arrays: dict[str, Any] = {
        "feature": np.array([0, -1, -1], dtype=np.int16),
        "threshold": np.zeros(3, dtype=np.float32),
        "left": np.array([1, -1, -1], dtype=np.int32),
        "right": np.array([2, -1, -1], dtype=np.int32),
        "roots": np.zeros((1, 1), dtype=np.int32),
        "value": np.array([1.0, 5.0]),
        "cover": np.zeros(2, dtype=np.float32),
        "initial": np.zeros(1),
    }
    found = contributions("gradient_boosting", {}, arrays, np.array([1.0]))
    assert found is not None
    assert found.base + found.values.sum(axis=1) == pytest.approx([5.0])


def test_a_linear_model_adds_what_is_beyond_the_mean() -> None:
    arrays = {
        "scaler0.center": np.array([10.0, 0.0]),
        "scaler0.scale": np.array([2.0, 1.0]),
        "estimator.weights": np.array([[3.0, -1.0]]),
        "estimator.intercepts": np.array([0.5]),
    }
    parameters = {
        "scalers": [{"kind": "center_scale", "parameters": {}}],
        "estimator": {"kind": "linear", "parameters": {"link": "one_vs_rest"}},
    }
    row = np.array([14.0, 2.0])
    found = contributions("scaled", parameters, arrays, row)
    assert found is not None
    assert (found.method, found.reference) == (AttributionMethod.LINEAR, AttributionReference.MEAN)
    assert found.scale is AttributionScale.LOG_ODDS
    assert found.values.tolist() == [[6.0, -2.0]]
    probability = load_estimator("scaled", parameters, arrays, 2).probabilities(row[None])[0, 1]
    assert math.log(probability / (1 - probability)) == pytest.approx(found.base[0] + found.values.sum())


def test_labels_that_stand_side_by_side_have_contributions_each() -> None:
    parts = {f"part{at}.weights": np.array([[1.0 + at]]) for at in range(3)}
    arrays = parts | {f"part{at}.intercepts": np.array([0.0]) for at in range(3)}
    part = {"kind": "linear", "parameters": {"link": "one_vs_rest"}}
    found = contributions(
        "one_vs_rest", {"is_multilabel": True, "parts": [part] * 3}, arrays, np.array([2.0])
    )
    assert found is not None
    assert found.values.tolist() == [[2.0], [4.0], [6.0]]
    assert found.scale is AttributionScale.LOG_ODDS


def test_scores_that_are_no_sums_have_no_contributions() -> None:
    assert contributions("gaussian_nb", {}, {}, np.zeros(1)) is None
    part = {"kind": "gaussian_nb", "parameters": {}}
    assert contributions("one_vs_rest", {"is_multilabel": True, "parts": [part]}, {}, np.zeros(1)) is None
