"""Calibrated classifiers: scikit-learn's ``CalibratedClassifierCV``.

A fold is an estimator, whose decisions (or probabilities, where it has no decisions) a curve per label turns
into probabilities; the folds are averaged. Each curve is a sigmoid or a line through points that rises.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from msgspec import Struct

from models.estimators import exponentials
from models.estimators.checks import array, corrupt, number, of_part, parameter, parts
from models.estimators.estimator import Arrays, Estimator, Floats, OfProbabilities


class Sigmoid:
    """1 / (1 + exp(slope · decision + offset))."""

    def __init__(self, slope: float, offset: float) -> None:
        self._slope = slope
        self._offset = offset

    def __call__(self, decisions: Floats) -> Floats:
        """Return probabilities, float64[rows]."""
        return exponentials.logistic(-(self._slope * decisions + self._offset))


class Isotonic:
    """Straight lines between points; level outside of them.

    Args:
        x: float64[points], rising.
        y: float64[points].
    """

    def __init__(self, x: Floats, y: Floats) -> None:
        if len(x) > 1 and not np.all(np.diff(x) > 0):
            raise corrupt("the points of an isotonic calibration do not rise")
        self._x = x
        self._y = y

    def __call__(self, decisions: Floats) -> Floats:
        """Return probabilities, float64[rows]."""
        return np.interp(decisions, self._x, self._y)


class Fold(Struct, frozen=True):
    """One of the classifiers that are averaged.

    Attributes:
        estimator: Gives decisions.
        curves: One per decision of a row.
        labels: For each curve, which of all labels it tells of.
    """

    estimator: Estimator
    curves: Sequence[Sigmoid | Isotonic]
    labels: Sequence[int]


class Calibrated(OfProbabilities):
    """The mean of calibrated classifiers.

    Args:
        folds: At least one.
        labels_count: Number of labels.

    Raises:
        ModelCorrupt: The curves of a fold do not fit the labels.
    """

    def __init__(self, folds: Sequence[Fold], labels_count: int) -> None:
        self._folds = tuple(folds)
        self.labels_count = labels_count
        for fold in folds:
            decided = max(2, len(fold.curves))
            wanted = [1] if labels_count == 2 else range(labels_count)
            if decided != fold.estimator.labels_count or not set(fold.labels) <= set(wanted):
                raise corrupt("a calibration has curves for other labels than its estimator")

    def probabilities(self, rows: Floats) -> Floats:
        """Return the probability of each label, see ``models.estimators.estimator.Estimator``."""
        total = np.zeros((len(rows), self.labels_count))
        for fold in self._folds:
            total += self._of_fold(fold, rows)
        return total / len(self._folds)

    def _of_fold(self, fold: Fold, rows: Floats) -> Floats:
        decisions = fold.estimator.decisions(rows)
        if decisions is None:
            decisions = fold.estimator.probabilities(rows)
            decisions = decisions[:, 1:] if decisions.shape[1] == 2 else decisions
        answer = np.zeros((len(rows), self.labels_count))
        for column, (curve, label) in enumerate(zip(fold.curves, fold.labels, strict=True)):
            answer[:, label] = curve(decisions[:, column])
        if self.labels_count == 2:
            answer[:, 0] = 1 - answer[:, 1]
        else:
            sums = answer.sum(axis=1)[:, None]
            even = np.full_like(answer, 1 / self.labels_count)
            answer = np.divide(answer, sums, out=even, where=sums != 0)
        # Rounding may lift a probability above 1 by a little.
        answer[(answer > 1) & (answer <= 1 + 1e-5)] = 1.0
        return answer


def load_curves(parameters: Mapping[str, Any], arrays: Arrays) -> list[Sigmoid | Isotonic]:
    """Make the curves of a fold.

    Args:
        parameters: ``curves``, each with ``method`` and, for a sigmoid, ``slope`` and ``offset``.
        arrays: ``curve0.x`` and ``curve0.y`` of an isotonic one.

    Raises:
        ModelCorrupt: One is broken.
    """
    curves: list[Sigmoid | Isotonic] = []
    for at, part in enumerate(parts(parameters, "curves")):
        if parameter(part, "method", "sigmoid", "isotonic") == "sigmoid":
            curves.append(Sigmoid(number(part, "slope"), number(part, "offset")))
            continue
        points = of_part(arrays, f"curve{at}")
        x = array(points, "x", np.float64, (None,))
        curves.append(Isotonic(x, array(points, "y", np.float64, (len(x),))))
    return curves
