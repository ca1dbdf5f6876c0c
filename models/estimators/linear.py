"""Linear models: logistic regression, and the decisions of linear support vector machines.

The arrays over C columns, with D decisions a row (1 for two labels)::

    weights     float64[D, C]
    intercepts  float64[D]

scikit-learn multiplies through BLAS, whose order of summation differs by build, by processor and by number
of rows, so that its own answers for one row and for many differ in the last digits. Here a row's terms are
always added in the order in which OpenBLAS adds those of a single row on x86-64 processors with AVX2.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from models.estimators import exponentials
from models.estimators.checks import array, corrupt, parameter
from models.estimators.estimator import Answers, Arrays, Floats, one_hot

_LANES = 4

# What turns decisions into probabilities; "none" for a model that only decides, inside a calibration.
LINKS = ("one_vs_rest", "softmax", "none")


class Linear:
    """A linear classifier.

    Args:
        arrays: As the module describes.
        columns: Number of columns of the rows to come.
        parameters: ``link``, one of ``LINKS``.

    Raises:
        ModelCorrupt: An array or parameter is absent or does not fit.
    """

    is_multilabel = False

    def __init__(self, arrays: Arrays, columns: int, parameters: Mapping[str, Any]) -> None:
        self._weights = array(arrays, "weights", np.float64, (None, columns))
        self._intercepts = array(arrays, "intercepts", np.float64, (len(self._weights),))
        self._link = parameter(parameters, "link", *LINKS)
        self.labels_count = max(2, len(self._weights))
        if len(self._weights) == 2:
            raise corrupt("it has two decisions a row, where two labels need one and three need three")

    def probabilities(self, rows: Floats) -> Floats:
        """Return the probability of each label, see ``models.estimators.estimator.Estimator``."""
        return self._of_decisions(self.decisions(rows))

    def answers(self, rows: Floats) -> Answers:
        """Return probabilities, and the labels of the greatest decisions."""
        decisions = self.decisions(rows)
        is_binary = decisions.shape[1] == 1
        chosen = (decisions[:, 0] > 0).astype(np.intp) if is_binary else decisions.argmax(axis=1)
        return Answers(self._of_decisions(decisions), one_hot(chosen, self.labels_count))

    def decisions(self, rows: Floats) -> Floats:
        """Return the decisions, float64[rows, D]."""
        return np.add(weighted_sums(rows, self._weights), self._intercepts)

    def _of_decisions(self, decisions: Floats) -> Floats:
        if self._link == "none":
            raise corrupt("it only decides and gives no probabilities, so it can only stand in a calibration")
        if self._link == "softmax":
            is_binary = decisions.shape[1] == 1
            return exponentials.softmax(np.hstack([-decisions, decisions]) if is_binary else decisions)
        if decisions.shape[1] == 1:
            return exponentials.binary(decisions[:, 0])
        each = exponentials.logistic(decisions)
        return np.asarray(each / each.sum(axis=1)[:, None], dtype=np.float64)


def weighted_sums(rows: Floats, weights: Floats) -> Floats:
    """Return the sums of rows times weights, float64[rows, D], each row alike for any number of rows.

    Args:
        rows: float64[rows, C].
        weights: float64[D, C].
    """
    return np.stack([_in_lanes(rows * line) for line in weights], axis=1)


def _in_lanes(terms: Floats) -> Floats:
    """Add up float64[rows, C] as vector units do: every fourth column, then those sums, then the rest."""
    blocks = terms.shape[1] // _LANES
    lanes: Floats = np.zeros((len(terms), _LANES))
    for block in range(blocks):
        lanes += terms[:, block * _LANES : (block + 1) * _LANES]
    total = np.add(lanes[:, 0] + lanes[:, 2], lanes[:, 1] + lanes[:, 3])
    for column in range(blocks * _LANES, terms.shape[1]):
        total += terms[:, column]
    return total
