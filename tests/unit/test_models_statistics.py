"""Statistics against scikit-learn's, and against counting by hand."""

import numpy as np
import pytest
from sklearn import metrics

from models import statistics

LABELS = ("false", "true")


def made_up(rows: int, *, ties: bool) -> tuple[np.ndarray, np.ndarray]:  # type: ignore[type-arg] # of bool, of float
    random = np.random.default_rng(rows)
    sought = random.random(rows) < 0.2
    scores = random.random(rows) * 0.5 + sought * random.random(rows) * 0.5
    return sought, np.round(scores, 1 if ties else 12)


@pytest.mark.parametrize("ties", [True, False])
@pytest.mark.parametrize("rows", [20, 500, 5_000])
def test_the_areas_equal_those_of_scikit_learn(rows: int, ties: bool) -> None:
    sought, scores = made_up(rows, ties=ties)
    assert statistics.roc_auc(sought, scores) == pytest.approx(
        metrics.roc_auc_score(sought, scores), abs=1e-12
    )
    expected = metrics.average_precision_score(sought, scores)
    assert statistics.average_precision(sought, scores) == pytest.approx(expected, abs=1e-12)


def test_areas_of_one_side_only_are_none() -> None:
    scores = np.array([0.1, 0.2])
    assert statistics.roc_auc(np.array([True, True]), scores) is None
    assert statistics.roc_auc(np.array([False, False]), scores) is None
    assert statistics.average_precision(np.array([False, False]), scores) is None


@pytest.mark.parametrize("ties", [True, False])
def test_each_row_of_the_thresholds_is_what_counting_finds(ties: bool) -> None:
    sought, scores = made_up(300, ties=ties)
    table = statistics.thresholds(sought, scores)
    values = np.array([row["threshold"] for row in table], dtype=float)
    assert np.all(np.diff(values) > 0)
    assert 2 <= len(table) <= statistics.MOST_THRESHOLDS
    assert (table[0]["match_rate"], table[0]["recall"]) == (1, 1)
    for row in table:
        chosen = scores >= row["threshold"]
        assert row["recall"] == pytest.approx(metrics.recall_score(sought, chosen), abs=1e-6)
        assert row["precision"] == pytest.approx(metrics.precision_score(sought, chosen), abs=1e-6)
        assert row["f1"] == pytest.approx(metrics.f1_score(sought, chosen), abs=1e-6)
        assert row["!f1"] == pytest.approx(metrics.f1_score(~sought, ~chosen, zero_division=0), abs=1e-6)
        assert row["accuracy"] == pytest.approx(np.mean(sought == chosen), abs=1e-6)
        assert row["match_rate"] == pytest.approx(chosen.mean(), abs=1e-6)
        assert row["filter_rate"] == pytest.approx(1 - chosen.mean(), abs=1e-6)
        assert row["fpr"] == pytest.approx(chosen[~sought].mean(), abs=1e-6)
        assert row["!recall"] == pytest.approx(1 - chosen[~sought].mean(), abs=1e-6)


def test_the_description_of_ten_rows_is_what_a_reader_counts() -> None:
    actual = np.array([1, 1, 1, 0, 0, 0, 0, 0, 0, 0])
    true = np.array([0.9, 0.8, 0.2, 0.7, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1])
    described = statistics.describe(
        actual, np.column_stack([1 - true, true]), (true >= 0.5).astype(np.intp), LABELS
    )
    assert described["counts"] == {
        "n": 10,
        "labels": {"false": 7, "true": 3},
        "predictions": {"false": {"false": 6, "true": 1}, "true": {"false": 1, "true": 2}},
    }
    assert described["rates"]["sample"] == {"false": 0.7, "true": 0.3}
    assert described["precision"]["labels"] == {"false": 0.857143, "true": 0.666667}
    assert described["recall"]["macro"] == pytest.approx((6 / 7 + 2 / 3) / 2, abs=1e-6)
    assert described["recall"]["micro"] == pytest.approx(0.8, abs=1e-6)
    assert described["roc_auc"]["labels"]["true"] == pytest.approx(20 / 21, abs=1e-6)
    assert set(described) >= set(statistics.METRICS) | {"roc_auc", "pr_auc", "thresholds"}


def test_a_label_that_is_never_chosen_has_no_precision() -> None:
    true = np.array([0.1, 0.2, 0.3])
    described = statistics.describe(
        np.array([0, 0, 1]), np.column_stack([1 - true, true]), np.zeros(3, dtype=np.intp), LABELS
    )
    assert described["precision"]["labels"]["true"] is None
    assert described["precision"]["macro"] == described["precision"]["labels"]["false"]
