"""Test statistics of a classifier, in the shape of ORES's ``model_info``.

Metrics are ``{"micro": x, "macro": x, "labels": {label: x}}``: for each label as if it were the one sought,
their mean weighted by how frequent the labels are, and their plain mean. ``!recall`` and its like are the
metric of everything else than the label. A metric that divides by nothing is None.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Booleans = NDArray[np.bool_]

METRICS = (
    "match_rate",
    "filter_rate",
    "recall",
    "!recall",
    "precision",
    "!precision",
    "f1",
    "!f1",
    "accuracy",
    "fpr",
)
MOST_THRESHOLDS = 200
_DIGITS = 6


def describe(
    actual: NDArray[np.intp], probabilities: Floats, predicted: NDArray[np.intp], labels: Sequence[str]
) -> dict[str, Any]:
    """Compute all statistics of a set of answers.

    Args:
        actual: Position of the true label, int[rows].
        probabilities: float64[rows, labels].
        predicted: Position of the chosen label, int[rows].
        labels: Names, in the order of the probabilities.

    Returns:
        ``counts``, ``rates``, each of ``METRICS``, ``roc_auc``, ``pr_auc`` (average precision) and
        ``thresholds`` by label, rounded to six digits but for the thresholds themselves.
    """
    sought = {label: actual == position for position, label in enumerate(labels)}
    chosen = {label: predicted == position for position, label in enumerate(labels)}
    rates = {label: float(np.mean(sought[label])) for label in labels}
    at_choice = {label: _metrics(sought[label], chosen[label]) for label in labels}
    areas = {
        "roc_auc": {x: roc_auc(sought[x], probabilities[:, i]) for i, x in enumerate(labels)},
        "pr_auc": {x: average_precision(sought[x], probabilities[:, i]) for i, x in enumerate(labels)},
    }
    by_metric = {name: {label: at_choice[label][name] for label in labels} for name in METRICS}
    return {
        "counts": {
            "n": len(actual),
            "labels": {label: int(sought[label].sum()) for label in labels},
            "predictions": {
                one: {other: int((sought[one] & chosen[other]).sum()) for other in labels} for one in labels
            },
        },
        "rates": {"sample": _rounded(rates), "population": _rounded(rates)},
        **{name: _averaged(values, rates) for name, values in (by_metric | areas).items()},
        "thresholds": {
            label: thresholds(sought[label], probabilities[:, position])
            for position, label in enumerate(labels)
        },
    }


def roc_auc(sought: Booleans, scores: Floats) -> float | None:
    """Return the area under the ROC curve, ties counted half; None where one side is empty."""
    positives, negatives = int(sought.sum()), int((~sought).sum())
    if not positives or not negatives:
        return None
    _, group, counts = np.unique(scores, return_inverse=True, return_counts=True)
    mean_ranks = np.cumsum(counts) - (counts - 1) / 2
    rank_sum = mean_ranks[group][sought].sum()
    return float((rank_sum - positives * (positives + 1) / 2) / (positives * negatives))


def average_precision(sought: Booleans, scores: Floats) -> float | None:
    """Return the area under the precision-recall curve by steps; None without positives."""
    positives = int(sought.sum())
    if not positives:
        return None
    _, matched, found = _cumulated(sought, scores)
    gained = np.diff(found, prepend=0)
    return float((gained / positives * (found / matched)).sum())


def thresholds(sought: Booleans, scores: Floats) -> list[dict[str, float | None]]:
    """Tabulate the metrics for each threshold: a row matches when its score is not below it.

    Args:
        sought: Which rows are of the label.
        scores: Probability of the label.

    Returns:
        At most ``MOST_THRESHOLDS`` rows by rising threshold, evenly spread over the rows matched. Thresholds
        are not rounded, so that comparing with them finds the same rows again.
    """
    values, matched, found = _cumulated(sought, scores)
    if len(values) > MOST_THRESHOLDS:
        wanted = np.linspace(matched[0], matched[-1], MOST_THRESHOLDS)
        keep = np.unique(np.searchsorted(matched, wanted))
        values, matched, found = values[keep], matched[keep], found[keep]
    positives, rows = int(sought.sum()), len(sought)
    table = []
    for value, match, hit in zip(values, matched, found, strict=True):
        confusion = _from_counts(int(hit), int(match - hit), positives - int(hit), rows)
        table.append({"threshold": float(value), **_rounded(confusion)})
    return table[::-1]


def _cumulated(sought: Booleans, scores: Floats) -> tuple[Floats, NDArray[np.intp], NDArray[np.intp]]:
    """Return distinct scores, falling, with how many rows and how many sought rows are not below each."""
    order = np.argsort(-scores, kind="stable")
    last_of_tie = np.flatnonzero(np.append(np.diff(scores[order]) != 0, True))
    return scores[order][last_of_tie], last_of_tie + 1, np.cumsum(sought[order])[last_of_tie]


def _metrics(sought: Booleans, chosen: Booleans) -> dict[str, float | None]:
    hits = int((sought & chosen).sum())
    return _from_counts(hits, int(chosen.sum()) - hits, int(sought.sum()) - hits, len(sought))


def _from_counts(hits: int, false_alarms: int, misses: int, rows: int) -> dict[str, float | None]:
    rejected = rows - hits - false_alarms - misses
    return {
        "match_rate": _ratio(hits + false_alarms, rows),
        "filter_rate": _ratio(rejected + misses, rows),
        "recall": _ratio(hits, hits + misses),
        "!recall": _ratio(rejected, rejected + false_alarms),
        "precision": _ratio(hits, hits + false_alarms),
        "!precision": _ratio(rejected, rejected + misses),
        "f1": _ratio(2 * hits, 2 * hits + false_alarms + misses),
        "!f1": _ratio(2 * rejected, 2 * rejected + false_alarms + misses),
        "accuracy": _ratio(hits + rejected, rows),
        "fpr": _ratio(false_alarms, false_alarms + rejected),
    }


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _averaged(values: Mapping[str, float | None], rates: Mapping[str, float]) -> dict[str, Any]:
    known = {label: value for label, value in values.items() if value is not None}
    weight = sum(rates[label] for label in known)
    micro = sum(value * rates[label] for label, value in known.items()) / weight if weight else None
    macro = sum(known.values()) / len(known) if known else None
    return {**_rounded({"micro": micro, "macro": macro}), "labels": _rounded(values)}


def _rounded(values: Mapping[str, float | None]) -> dict[str, float | None]:
    return {name: None if value is None else round(value, _DIGITS) for name, value in values.items()}
