"""Support vector classifiers with Platt scaling, in the operations of libsvm.

The arrays for S support vectors over C columns, L labels and P = L (L - 1) / 2 pairs of labels::

    vectors       float64[C, S]      grouped by label; transposed, so that a column's values stand together
    counts        int32[L]           support vectors of each label
    coefficients  float64[L - 1, S]  libsvm's own signs: positive for the first label of a pair
    intercepts    float64[P]         minus libsvm's rho; likewise
    slopes        float64[P]         of the sigmoid over the decision of a pair, libsvm's probA; absent where
                                     it only decides, inside a calibration
    offsets       float64[P]         libsvm's probB; likewise

Pairs stand in the order (0, 1), (0, 2) … (1, 2) …. Sums run over columns and over vectors in order, one term
after another, as libsvm's dense code did until scikit-learn 0.22; later releases sum the columns through
BLAS, in an order of its own, so that last digits differ there.

Probabilities of several labels are coupled from those of the pairs: T.-F. Wu, C.-J. Lin, R. C. Weng,
"Probability Estimates for Multi-class Classification by Pairwise Coupling", 2004, algorithm 2.
"""

import math
from collections.abc import Iterable, Mapping
from itertools import combinations
from typing import Any

import numpy as np

from models.estimators import exponentials
from models.estimators.checks import array, corrupt, number, parameter
from models.estimators.estimator import Answers, Arrays, Floats, one_hot

Pairs = tuple[tuple[int, int], ...]

KERNELS = ("linear", "rbf", "poly", "sigmoid")
_LEAST_PROBABILITY = 1e-7
_LARGEST_STEPS = 100


class SupportVectors:
    """A support vector classifier.

    Args:
        arrays: As the module describes.
        columns: Number of columns of the rows to come.
        parameters: ``kernel``, one of ``KERNELS``, with ``gamma``, ``coef0`` and ``degree``; and ``link``:
            ``coupled_sigmoids``, or ``none`` for one that only decides.

    Raises:
        ModelCorrupt: An array or parameter is absent or does not fit.
    """

    is_multilabel = False

    def __init__(self, arrays: Arrays, columns: int, parameters: Mapping[str, Any]) -> None:
        self._vectors = array(arrays, "vectors", np.float64, (columns, None))
        counts = array(arrays, "counts", np.int32, (None,))
        total = self._vectors.shape[1]
        if len(counts) < 2 or counts.min() < 0 or int(counts.sum(dtype=np.int64)) != total:
            raise corrupt(f"the array 'counts' does not share out its {total} support vectors to labels")
        self.labels_count = len(counts)
        self._pairs: Pairs = tuple(combinations(range(len(counts)), 2))
        self._starts = np.concatenate([[0], np.cumsum(counts)]).tolist()
        self._coefficients = array(arrays, "coefficients", np.float64, (len(counts) - 1, total))
        self._intercepts = array(arrays, "intercepts", np.float64, (len(self._pairs),)).tolist()
        self._link = parameter(parameters, "link", "coupled_sigmoids", "none")
        if self._link != "none":
            self._slopes, self._offsets = (
                array(arrays, name, np.float64, (len(self._pairs),)).tolist()
                for name in ("slopes", "offsets")
            )
        self._kernel_name = parameter(parameters, "kernel", *KERNELS)
        self._gamma, self._coef0 = number(parameters, "gamma"), number(parameters, "coef0")
        self._degree = int(number(parameters, "degree"))

    def probabilities(self, rows: Floats) -> Floats:
        """Return the probability of each label, see ``models.estimators.estimator.Estimator``."""
        return self._of_pairs(self._pair_decisions(rows))

    def answers(self, rows: Floats) -> Answers:
        """Return probabilities, and the labels that most pairs vote for.

        The vote does not read the sigmoids, so its label need not be the most probable one.
        """
        decisions = self._pair_decisions(rows)
        votes = np.zeros((len(rows), self.labels_count), dtype=np.intp)
        for pair, (first, second) in enumerate(self._pairs):
            votes[:, first] += decisions[:, pair] > 0
            votes[:, second] += ~(decisions[:, pair] > 0)
        chosen = one_hot(votes.argmax(axis=1), self.labels_count)
        return Answers(self._of_pairs(decisions), chosen)

    def decisions(self, rows: Floats) -> Floats:
        """Return what calibration reads, float64[rows, 1]: above 0 for the second label.

        Raises:
            ModelCorrupt: There are more than two labels, whose decisions scikit-learn gave in several shapes.
        """
        if self.labels_count > 2:
            raise corrupt(
                "a support vector classifier of more than two labels cannot stand in another estimator"
            )
        return -self._pair_decisions(rows)

    def _of_pairs(self, decisions: Floats) -> Floats:
        if self._link == "none":
            raise corrupt("it only decides and gives no probabilities, so it can only stand in a calibration")
        rows = []
        for row in decisions.tolist():
            terms = zip(row, self._slopes, self._offsets, strict=True)
            of_first = [_sigmoid(decision, slope, offset) for decision, slope, offset in terms]
            rows.append(_couple(of_first, self._pairs, self.labels_count))
        return np.array(rows, dtype=np.float64).reshape(len(rows), self.labels_count)

    def _pair_decisions(self, rows: Floats) -> Floats:
        """Return the decision for each pair, float64[rows, P]: above 0 for the first of its labels."""
        return np.array([self._decide(row) for row in rows]).reshape(len(rows), len(self._pairs))

    def _decide(self, row: Floats) -> list[float]:
        kernel = self._kernel(row)
        decided = []
        for pair, (first, second) in enumerate(self._pairs):
            of_first = slice(self._starts[first], self._starts[first + 1])
            of_second = slice(self._starts[second], self._starts[second + 1])
            terms = np.concatenate(
                [
                    self._coefficients[second - 1, of_first] * kernel[of_first],
                    self._coefficients[first, of_second] * kernel[of_second],
                    [self._intercepts[pair]],
                ]
            )
            decided.append(float(np.add.accumulate(terms)[-1]))
        return decided

    def _kernel(self, row: Floats) -> Floats:
        """Return the kernel of the row with each vector, float64[S]."""
        if self._kernel_name == "rbf":
            return exponentials.exp(-self._gamma * _summed((row[:, None] - self._vectors) ** 2))
        products: Floats = _summed(row[:, None] * self._vectors)
        if self._kernel_name == "linear":
            return products
        scaled = self._gamma * products + self._coef0
        if self._kernel_name == "poly":
            return np.array([_power(value, self._degree) for value in scaled.tolist()])
        return np.array([math.tanh(value) for value in scaled.tolist()])


def _summed(terms: Floats) -> Floats:
    """Add up the columns in order."""
    total: Floats = terms[0].copy()
    for column in terms[1:]:
        total += column
    return total


def _power(base: float, exponent: int) -> float:
    """Return a power by repeated squaring, as libsvm multiplies it."""
    result, square = 1.0, base
    while exponent > 0:
        if exponent % 2 == 1:
            result *= square
        square *= square
        exponent //= 2
    return result


def _sigmoid(decision: float, slope: float, offset: float) -> float:
    power = decision * slope + offset
    # Of the two forms, the one whose exp cannot overflow.
    small = math.exp(-abs(power))
    probability = small / (1.0 + small) if power >= 0 else 1.0 / (1.0 + small)
    return min(max(probability, _LEAST_PROBABILITY), 1 - _LEAST_PROBABILITY)


def _couple(of_first: list[float], pairs: Pairs, count: int) -> list[float]:
    """Return the probabilities of so many labels that agree best with those of the pairs.

    Args:
        of_first: For each pair, the probability of its first label.
        pairs: Of labels.
        count: Number of labels.
    """
    won = [[0.0] * count for _ in range(count)]
    for (first, second), probability in zip(pairs, of_first, strict=True):
        won[first][second], won[second][first] = probability, 1 - probability
    matrix = [[-won[other][label] * won[label][other] for other in range(count)] for label in range(count)]
    for label in range(count):
        matrix[label][label] = _in_order(
            won[other][label] * won[other][label] for other in range(count) if other != label
        )
    share = [1.0 / count] * count
    for _ in range(max(_LARGEST_STEPS, count)):
        gradient = [_in_order(a * b for a, b in zip(line, share, strict=True)) for line in matrix]
        mean = _in_order(a * b for a, b in zip(share, gradient, strict=True))
        if max(abs(value - mean) for value in gradient) < 0.005 / count:
            break
        for label in range(count):
            own = matrix[label][label]
            change = (mean - gradient[label]) / own
            share[label] += change
            mean = (mean + change * (change * own + 2 * gradient[label])) / (1 + change) / (1 + change)
            gradient = [
                (value + change * line) / (1 + change)
                for value, line in zip(gradient, matrix[label], strict=True)
            ]
            share = [value / (1 + change) for value in share]
    return share


def _in_order(terms: Iterable[float]) -> float:
    """Add one after another; ``sum`` compensates for rounding from Python 3.12 on, which libsvm does not."""
    total = 0.0
    for term in terms:
        total += term
    return total
