"""Boosting of our own training, with thresholds in float64 and values by node, is read as well."""

from typing import Any

import numpy as np
import pytest

from models.estimators.boosting import GradientBoosting, of_raw_scores
from schemas.errors import ModelCorrupt


def stump() -> dict[str, Any]:
    """One tree of one question: is column 1 not above 0.5?"""
    return {
        "feature": np.array([1, -1, -1], dtype=np.int16),
        "threshold": np.array([0.5, 0.0, 0.0]),
        "left": np.array([1, -1, -1], dtype=np.int32),
        "right": np.array([2, -1, -1], dtype=np.int32),
        "value": np.array([0.0, -2.0, 3.0]),
        "roots": np.array([[0]], dtype=np.int32),
        "initial": np.array([0.25]),
    }


def test_a_stump_adds_its_leaf_to_the_initial_score() -> None:
    raw = GradientBoosting(stump(), columns=2).raw_scores(np.array([[9.0, 0.5], [9.0, 0.6]]))
    assert raw.tolist() == [[-1.75], [3.25]]


def test_a_tree_of_one_leaf_answers_without_asking() -> None:
    arrays = stump() | {"feature": np.array([-1, -1, -1], dtype=np.int16)}
    assert GradientBoosting(arrays, columns=2).raw_scores(np.zeros((1, 2))).tolist() == [[0.25]]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("feature", np.array([2, -1, -1], dtype=np.int16)),
        ("feature", np.array([-2, -1, -1], dtype=np.int16)),
        ("feature", np.array([1, -1, -1], dtype=np.int64)),
        ("left", np.array([0, -1, -1], dtype=np.int32)),
        ("right", np.array([3, -1, -1], dtype=np.int32)),
        ("roots", np.array([[3]], dtype=np.int32)),
        ("roots", np.array([[-1]], dtype=np.int32)),
        ("roots", np.array([0], dtype=np.int32)),
        ("value", np.array([0.0, np.nan, 3.0])),
        ("threshold", np.array([0.5])),
        ("initial", np.array([0.25, 0.25])),
        ("initial", np.array([])),
    ],
)
def test_arrays_that_point_outside_are_refused(name: str, value: Any) -> None:
    with pytest.raises(ModelCorrupt, match="train it anew"):
        GradientBoosting(stump() | {name: value}, columns=2)


@pytest.mark.parametrize("name", list(stump()))
def test_a_missing_array_is_named(name: str) -> None:
    arrays = stump()
    del arrays[name]
    with pytest.raises(ModelCorrupt, match=name):
        GradientBoosting(arrays, columns=2)


def test_scores_far_out_give_0_and_1() -> None:
    assert of_raw_scores(np.array([[-1e4], [1e4]]), "logistic").tolist() == [[1.0, 0.0], [0.0, 1.0]]
    for link in ("softmax", "normalised"):
        assert of_raw_scores(np.array([[-1e4, 0.0, 1e4]]), link).tolist() == [[0.0, 0.0, 1.0]]
