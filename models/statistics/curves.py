"""Exact areas under curves, for comparing models; ORES's own are read at 50 points, see `Thresholds`."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Booleans = NDArray[np.bool_]


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
    order = np.argsort(-scores, kind="stable")
    last_of_tie = np.flatnonzero(np.append(np.diff(scores[order]) != 0, True))
    found = np.cumsum(sought[order])[last_of_tie]
    gained = np.diff(found, prepend=0)
    return float((gained / positives * (found / (last_of_tie + 1))).sum())
