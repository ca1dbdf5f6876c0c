"""Gradient boosting, with scikit-learn's own numbers.

Beside the arrays of ``models.estimators.tree_walk``, with roots of shape [T, K]: T stages of K trees (K is 1
for two labels that exclude each other)::

    value    float64[N] or float64[L]  what a leaf adds, times the learning rate; by node, or by leaf in order
    initial  float64[K]                raw score before the first tree

Leaves are added stage by stage, as scikit-learn does; hence the raw scores agree with it to the last bit on
platforms whose compiler does not fuse multiplication and addition (x86-64).
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from models.estimators import exponentials
from models.estimators.checks import array, corrupt, parameter
from models.estimators.estimator import Answers, Arrays, Floats, OfProbabilities
from models.estimators.tree_walk import LEAF, check_trees, leaf_sums

# How raw scores become probabilities: two labels; two labels with exponential loss; several labels, in
# scikit-learn from 1.4 on; likewise before; several labels that do not exclude each other.
LINKS = ("logistic", "exponential", "softmax", "normalised", "each")


class GradientBoosting(OfProbabilities):
    """An additive ensemble of regression trees.

    Args:
        arrays: As the module describes.
        columns: Number of columns of the rows to come.
        parameters: ``link``, one of ``LINKS``. Without it: logistic or softmax, by K.

    Raises:
        ModelCorrupt: An array is absent, of another type or shape, or points outside.
    """

    def __init__(self, arrays: Arrays, columns: int, parameters: Mapping[str, Any] | None = None) -> None:
        check_trees(arrays, columns)
        initial, values = _check(arrays)
        self._sums = leaf_sums(arrays, columns, values, initial)
        self._outputs = len(initial)
        default = {"link": "logistic" if self._outputs == 1 else "softmax"}
        self._link = parameter(parameters or default, "link", *LINKS)
        self.is_multilabel = self._link == "each"
        self.labels_count = self._outputs if self.is_multilabel else max(2, self._outputs)
        if not self.is_multilabel and (self._link in {"logistic", "exponential"}) != (self._outputs == 1):
            raise corrupt(f"it has {self._outputs} scores a row, which {self._link!r} cannot take")

    def raw_scores(self, rows: Floats) -> Floats:
        """Return the sums of the leaves, float64[rows, K].

        Args:
            rows: float64[rows, columns], finite.
        """
        return self._sums.of(rows)

    def probabilities(self, rows: Floats) -> Floats:
        """Return the probability of each label, see ``models.estimators.estimator.Estimator``."""
        raw = self._sums.of(rows)
        if self._link == "logistic" and len(raw) == 1:
            return exponentials.binary_of_one(raw.item())
        return of_raw_scores(raw, self._link)

    def answers(self, rows: Floats) -> Answers:
        """Return probabilities and labels, see ``models.estimators.estimator.Estimator``."""
        if not self.is_multilabel:
            return super().answers(rows)
        probabilities = self.probabilities(rows)
        return Answers(probabilities, probabilities > 1 - probabilities)

    def decisions(self, rows: Floats) -> Floats:
        """Return the raw scores."""
        return self.raw_scores(rows)


def of_raw_scores(raw: Floats, link: str) -> Floats:
    """Turn raw scores into probabilities.

    Args:
        raw: float64[rows, 1] for two labels, float64[rows, labels] for more.
        link: One of ``LINKS``.

    Returns:
        float64[rows, labels].
    """
    match link:
        case "logistic":
            return exponentials.binary(raw[:, 0])
        case "exponential":
            return exponentials.binary(2.0 * raw[:, 0])
        case "each":
            return exponentials.logistic(raw)
        case "softmax":
            return exponentials.softmax(raw)
        case _:
            return exponentials.normalised(raw)


def _check(arrays: Arrays) -> tuple[Floats, Floats]:
    """Return the initial scores, and what each leaf adds, float64[L, 1]."""
    roots = arrays["roots"]
    if roots.ndim != 2:
        raise corrupt(f"the array 'roots' has shape {roots.shape}, not stages by trees of a stage")
    initial = array(arrays, "initial", np.float64, (roots.shape[1],))
    is_leaf = arrays["feature"] == LEAF
    count = len(is_leaf) if len(arrays.get("value", ())) == len(is_leaf) else int(is_leaf.sum())
    value = array(arrays, "value", np.float64, (count,))
    by_leaf = value[is_leaf] if count == len(is_leaf) else value
    return initial, by_leaf[:, None]
