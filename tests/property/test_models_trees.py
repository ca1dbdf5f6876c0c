"""Predictions from arrays against scikit-learn's own."""

from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.ensemble import GradientBoostingClassifier

from models.trees import TreeEnsemble

COLUMNS = 4
ROWS = st.lists(
    st.lists(
        st.floats(-1e30, 1e30, allow_nan=False) | st.integers(-3, 3).map(float),
        min_size=COLUMNS,
        max_size=COLUMNS,
    ),
    min_size=1,
    max_size=40,
)


@cache
def fitted(classes: int, init: str | None) -> GradientBoostingClassifier:
    random = np.random.default_rng(classes)
    rows = np.round(random.normal(size=(400, COLUMNS)), 1)
    labels = np.digitize(
        rows[:, 0] * rows[:, 1] + random.normal(size=400) / 3, np.linspace(-1, 1, classes - 1)
    )
    model = GradientBoostingClassifier(
        n_estimators=30, max_depth=4, subsample=0.6, learning_rate=0.07, init=init, random_state=5
    )
    return model.fit(rows, labels)


@pytest.mark.parametrize("classes", [2, 3, 6])
@pytest.mark.parametrize("init", [None, "zero"])
@settings(max_examples=25, deadline=None)
@given(rows=ROWS)
def test_probabilities_equal_scikit_learn_to_the_last_bit(
    classes: int, init: str | None, rows: list[list[float]]
) -> None:
    model = fitted(classes, init)
    ensemble = TreeEnsemble.from_scikit_learn(model)
    array = np.array(rows)
    assert np.array_equal(ensemble.probabilities(array), model.predict_proba(array))


@settings(max_examples=25, deadline=None)
@given(rows=ROWS)
def test_a_batch_equals_its_rows_one_by_one(rows: list[list[float]]) -> None:
    array = np.array(rows)
    for classes in (2, 3):
        ensemble = TreeEnsemble.from_scikit_learn(fitted(classes, None))
        single = np.concatenate([ensemble.probabilities(row[None]) for row in array])
        assert np.array_equal(ensemble.probabilities(array), single)


def test_values_on_a_threshold_go_left_as_in_scikit_learn() -> None:
    model = fitted(2, None)
    ensemble = TreeEnsemble.from_scikit_learn(model)
    inner = ensemble.arrays["feature"] >= 0
    thresholds = ensemble.arrays["threshold"][inner]
    rows = np.repeat(thresholds[:, None], COLUMNS, axis=1)
    rows = np.concatenate([rows, np.nextafter(rows, np.inf), np.nextafter(rows, -np.inf)])
    assert np.array_equal(ensemble.probabilities(rows), model.predict_proba(rows))


def test_more_rows_than_a_block_are_answered_in_order() -> None:
    model = fitted(3, None)
    rows = np.random.default_rng(1).normal(size=(2_500, COLUMNS))
    answers = TreeEnsemble.from_scikit_learn(model).probabilities(rows)
    assert np.array_equal(answers, model.predict_proba(rows))


def test_no_rows_give_no_probabilities() -> None:
    assert TreeEnsemble.from_scikit_learn(fitted(3, None)).probabilities(np.empty((0, COLUMNS))).shape == (
        0,
        3,
    )
