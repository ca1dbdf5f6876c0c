"""From scores to probabilities, each formula in the operations of the library of the day.

The C library's exp and log are called one value at a time: numpy's own may differ from it in the last bit,
from one processor to the next, while scikit-learn's numbers of 2015 to 2020 came out of the C library's.
"""

import math
from collections.abc import Callable

import numpy as np

from models.estimators.estimator import Floats

# exp of no more than this is finite.
_SAFE = 709.0


def exp(values: Floats) -> Floats:
    """Return the C library's exp of each value; the shape is kept."""
    is_safe = not values.size or values.max() <= _SAFE
    return _each(values, math.exp if is_safe else _exp)


def log(values: Floats) -> Floats:
    """Return the C library's log of each value, which is above 0; the shape is kept."""
    return _each(values, math.log)


def logistic(scores: Floats) -> Floats:
    """Return 1 / (1 + exp(-score)) of each score; the shape is kept."""
    return _each(scores, _logistic)


def binary(scores: Floats) -> Floats:
    """Return the probabilities of two labels, float64[rows, 2].

    Args:
        scores: float64[rows], log odds of the second label.
    """
    pairs = [(1 - true, true) for true in map(_logistic, scores.tolist())]
    return np.array(pairs, dtype=np.float64).reshape(-1, 2)


def binary_of_one(score: float) -> Floats:
    """Return what ``binary`` gives for one row, float64[1, 2], in a fraction of the time."""
    true = _logistic(score)
    both = np.empty((1, 2))
    both[0, 0] = 1 - true
    both[0, 1] = true
    return both


def normalised(scores: Floats) -> Floats:
    """Return exp of the scores less the log of the sum of their exp, float64[rows, labels].

    This is what scikit-learn's naive Bayes does, and its multinomial boosting before 1.4.
    """
    return exp(log_normalised(scores))


def log_normalised(scores: Floats) -> Floats:
    """Return the scores less the log of the sum of their exp, float64[rows, labels]."""
    greatest = scores.max(axis=1)[:, None]
    sums = np.ascontiguousarray(exp(scores - greatest)).sum(axis=1)[:, None]
    return np.asarray(scores - (log(sums) + greatest), dtype=np.float64)


def softmax(scores: Floats) -> Floats:
    """Return exp of the scores over the sum of their exp, float64[rows, labels].

    This is what scikit-learn's multinomial boosting does from 1.4 on, and logistic regression; with numpy's
    exp, as there.
    """
    shifted = np.exp(scores - scores.max(axis=1)[:, None])
    return np.asarray(shifted / shifted.sum(axis=1)[:, None], dtype=np.float64)


def _each(values: Floats, function: Callable[[float], float]) -> Floats:
    flat = np.fromiter(map(function, values.ravel().tolist()), np.float64, values.size)
    return flat.reshape(values.shape)


def _exp(value: float) -> float:
    try:
        return math.exp(value)
    except OverflowError:
        return math.inf


def _logistic(score: float) -> float:
    try:
        return 1.0 / (1.0 + math.exp(-score))
    except OverflowError:
        return 0.0
