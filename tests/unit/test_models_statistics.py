"""Statistics of a sample: against scikit-learn's, against counting by hand, and by brute force."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn import metrics

from models import statistics
from models.statistics.formula import Formula
from models.statistics.thresholds import Thresholds, ThresholdTable
from schemas.errors import ModelCorrupt, SettingsError

LABELS = (False, True)


def made_up(rows: int, *, ties: bool) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    random = np.random.default_rng(rows)
    sought = random.random(rows) < 0.2
    scores = random.random(rows) * 0.5 + sought * random.random(rows) * 0.5
    return sought, np.round(scores, 1 if ties else 12).astype(np.float64)


@pytest.mark.parametrize("ties", [True, False])
@pytest.mark.parametrize("rows", [20, 500, 5_000])
def test_the_exact_areas_equal_those_of_scikit_learn(rows: int, ties: bool) -> None:
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
    for sought in ([True, True], [False, False]):
        thresholds = ThresholdTable.of_scores(scores, np.array(sought), None, None).read()
        assert thresholds.roc_auc() is None


@pytest.mark.parametrize("ties", [True, False])
def test_each_row_of_the_thresholds_is_what_counting_finds(ties: bool) -> None:
    sought, scores = made_up(300, ties=ties)
    thresholds = ThresholdTable.of_scores(scores, sought, None, None).read()
    assert thresholds.values.tolist() == sorted(set(scores.tolist()))
    found = {name: thresholds.confusion.metric(name) for name in statistics.METRICS}
    for place in range(0, len(thresholds.values), 7):
        chosen = scores >= thresholds.values[place]
        row = {name: float(found[name][place]) for name in statistics.METRICS}
        row["!f1"] = np.nan_to_num(row["!f1"])
        assert row == pytest.approx(
            {
                "match_rate": chosen.mean(),
                "filter_rate": 1 - chosen.mean(),
                "precision": metrics.precision_score(sought, chosen),
                "!precision": metrics.precision_score(~sought, ~chosen, zero_division=np.nan),
                "recall": metrics.recall_score(sought, chosen),
                "!recall": metrics.recall_score(~sought, ~chosen),
                "accuracy": np.mean(sought == chosen),
                "fpr": chosen[~sought].mean(),
                "f1": metrics.f1_score(sought, chosen),
                "!f1": metrics.f1_score(~sought, ~chosen, zero_division=0),
            },
            abs=1e-12,
            nan_ok=True,
        )


def test_the_description_of_ten_rows_is_what_a_reader_counts() -> None:
    actual = np.array([1, 1, 1, 0, 0, 0, 0, 0, 0, 0])
    true = np.array([0.9, 0.8, 0.2, 0.7, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1])
    described = statistics.describe(
        actual, np.column_stack([1 - true, true]), (true >= 0.5).astype(np.intp), LABELS
    )
    assert described["labels"] == [False, True]
    assert described["counts"] == {
        "n": 10,
        "labels": {"false": 7, "true": 3},
        "predictions": {"false": {"false": 6, "true": 1}, "true": {"false": 1, "true": 2}},
    }
    assert described["rates"] == {"sample": {"false": 0.7, "true": 0.3}}
    assert described["precision"]["labels"] == {"false": 6 / 7, "true": 2 / 3}
    assert described["recall"]["macro"] == pytest.approx((6 / 7 + 2 / 3) / 2)
    assert described["recall"]["micro"] == pytest.approx(0.8)
    assert described["thresholds"]["true"] == {
        "thresholds": "0.1 0.2 0.7 0.8 0.9",
        "hits": "3 3 2 2 1",
        "false_alarms": "7 1 1 0 0",
        "positives": 3,
        "negatives": 7,
        "population_rate": None,
        "weight": 3,
    }
    assert set(described) == set(statistics.DEFAULT_FIELDS) | {"labels", "thresholds"}


def test_population_rates_scale_counts_to_the_world() -> None:
    actual = np.array([1] * 10 + [0] * 10)
    true = np.array([0.9] * 8 + [0.1] * 2 + [0.9] * 1 + [0.1] * 9)
    described = statistics.describe(
        actual,
        np.column_stack([1 - true, true]),
        (true >= 0.5).astype(np.intp),
        LABELS,
        population_rates={True: 0.1, False: 0.9},
    )
    # Of a thousand in the world a hundred are true: 80 of them and 90 of the others match.
    assert described["precision"]["labels"]["true"] == pytest.approx(80 / 170)
    assert described["recall"]["labels"]["true"] == pytest.approx(0.8)
    assert described["match_rate"]["labels"]["true"] == pytest.approx(0.17)
    assert described["rates"]["population"] == {"false": 0.9, "true": 0.1}
    assert described["counts"]["labels"] == {"false": 10, "true": 10}


def test_a_label_that_is_never_chosen_has_no_precision_and_no_average_of_it() -> None:
    true = np.array([0.1, 0.2, 0.3])
    described = statistics.describe(
        np.array([0, 0, 1]), np.column_stack([1 - true, true]), np.zeros(3, dtype=np.intp), LABELS
    )
    assert described["precision"] == {"micro": None, "macro": None, "labels": {"false": 2 / 3, "true": None}}


@pytest.mark.parametrize("rates", [{True: 0.1}, {True: 0.0, False: 1.0}, {True: -0.1, False: 0.5}])
def test_population_rates_out_of_bounds_are_refused(rates: dict[Any, float]) -> None:
    with pytest.raises(SettingsError, match="population rate of label"):
        statistics.describe(np.array([0, 1]), np.eye(2), np.array([0, 1]), LABELS, population_rates=rates)


@pytest.mark.parametrize(
    ("column", "text"), [("thresholds", "0.1 x"), ("hits", "1"), ("false_alarms", "1 2 3")]
)
def test_a_broken_table_is_told(column: str, text: str) -> None:
    columns = {"thresholds": "0.1 0.2", "hits": "2 1", "false_alarms": "2 0", column: text}
    table = ThresholdTable(**columns, positives=2, negatives=2, population_rate=None, weight=2)
    with pytest.raises(ModelCorrupt, match="table of thresholds"):
        table.read()


ROWS = st.lists(
    st.tuples(st.sampled_from([0.0, 0.1, 0.25, 0.3, 0.5, 0.77, 0.9, 1.0]), st.booleans()),
    min_size=1,
    max_size=40,
)
RATES = st.none() | st.floats(0.01, 0.99)


def table_of(rows: list[tuple[float, bool]], rate: float | None) -> Thresholds:
    scores, sought = np.array([score for score, _ in rows]), np.array([is_true for _, is_true in rows])
    return ThresholdTable.of_scores(scores, sought, rate, 3).read()


@given(ROWS, RATES)
@settings(max_examples=100, deadline=None)
def test_a_higher_threshold_never_finds_more(rows: list[tuple[float, bool]], rate: float | None) -> None:
    thresholds = table_of(rows, rate)
    assert np.all(np.diff(thresholds.values) > 0)
    for name in ("recall", "fpr"):
        values = thresholds.confusion.metric(name)
        assert np.all(np.diff(values[np.isfinite(values)]) <= 0)
    if all(is_true is rows[0][1] for _, is_true in rows):
        return
    for name in statistics.METRICS:
        values = thresholds.confusion.metric(name)
        known = values[np.isfinite(values)]
        assert np.all((known >= -1e-12) & (known <= 1 + 1e-12))


@given(
    ROWS,
    RATES,
    st.builds(
        Formula,
        is_maximum=st.booleans(),
        target=st.sampled_from(statistics.METRICS),
        bound=st.sampled_from(statistics.METRICS),
        is_at_least=st.booleans(),
        limit=st.sampled_from([0.0, 0.1, 0.5, 0.75, 0.9, 1.0]),
    ),
)
@settings(max_examples=200, deadline=None)
def test_the_optimum_is_what_trying_every_threshold_finds(
    rows: list[tuple[float, bool]], rate: float | None, formula: Formula
) -> None:
    thresholds = table_of(rows, rate)
    candidates = []
    for place, value in enumerate(thresholds.values.tolist()):
        bound = float(thresholds.confusion.metric(formula.bound)[place])
        target = float(thresholds.confusion.metric(formula.target)[place])
        is_met = bound >= formula.limit if formula.is_at_least else bound <= formula.limit
        if is_met and np.isfinite(target):
            candidates.append((target, value))
    expected = (max(candidates) if formula.is_maximum else min(candidates)) if candidates else (None, None)
    assert thresholds.threshold(formula) == expected[1]
