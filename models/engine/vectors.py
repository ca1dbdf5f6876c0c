"""The mean of the vectors of a text's words, from the counts of its words.

revscoring looks up every word of a text and hands the columns to ``statistics.mean``, which adds exact
fractions. Here each different word is looked up once, and columns are added in whole numbers of units of
2**-50: ``float64`` holds every such sum exactly as long as it stays below 2**53, in any order. The one
division at the end rounds as Python's division of whole numbers does, which is how a fraction becomes a
float.
"""

import inspect
import statistics
from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models import resources, vectors
from models.engine.fallbacks import FALLBACKS
from models.engine.functions import of_revscoring
from models.engine.words import WordMemo

_MOST_WORDS: Final = 1 << 16
"""Words whose place in the vectors is remembered, of each file; all are forgotten when there are more."""
# A value is `coarse` units of 2**-20 and `fine` units of 2**-50, both whole.
_COARSE_BITS: Final = 20
_FINE_BITS: Final = 30
_EXACT: Final = 2.0**53
# Every finite float32 is a whole number of these.
_SMALLEST_BITS: Final = 149

Floats = NDArray[np.float64]


def vectors_rule(node: Any) -> Any:
    """Return an equal node that costs less, or None."""
    if (
        type(node) is not of_revscoring("features.meta.aggregators", "AggregatorsVector")
        or node.func is not statistics.mean
        or node.returns is not float
    ):
        return None
    found = node.dependencies[0]
    file = _file_of(getattr(found, "process", None))
    if file is None or len(found.dependencies) != 1 or not _gives_words(found.dependencies[0]):
        return None
    table = of_revscoring("datasources.meta.frequencies", "table")(found.dependencies[0])
    return resources.module("features.feature_vector").FeatureVector(
        f"revstream.mean_vector({file}, {table})",
        MeanVector(file, node.process),
        returns=float,
        depends_on=[table],
    )


class MeanVector:
    """Gives the mean of the vectors of words.

    Args:
        file: Of the vectors, see ``models.vectors.open_vectors``.
        slowly: What gives the mean of vectors where a quick way cannot: revscoring's own.
    """

    def __init__(self, file: str, slowly: Callable[[Any], list[float]]) -> None:
        self._file = file
        self._slowly = slowly
        self._opened: vectors.WordVectors | None = None
        self._rows: Mapping[str, int | None] = {}

    def __call__(self, counts: Mapping[str, int]) -> list[float]:
        """Return the mean of the vectors of the words that have one; of zeros where none has.

        Args:
            counts: How often each word occurs.

        Raises:
            ResourceMissing: The vectors are not there.
        """
        held = vectors.open_vectors(self._file)
        if held is not self._opened:
            self._opened, self._rows = held, WordMemo(held._row, _MOST_WORDS)
        places = list(map(self._rows.__getitem__, counts))
        rows = [row for row in places if row is not None]
        times = [count for count, row in zip(counts.values(), places, strict=True) if row is not None]
        found = held._vectors[rows] if rows else np.zeros((1, held.size), dtype=np.float32)
        weights = np.array(times or [1], dtype=np.float64)
        mean = mean_of(found, weights)
        if mean is None:
            FALLBACKS.count("vectors")
            return self._slowly(np.repeat(found, weights.astype(np.int64), axis=0))
        return mean

    def __eq__(self, other: object) -> bool:
        return isinstance(other, MeanVector) and other._file == self._file

    def __hash__(self) -> int:
        return hash(self._file)


def mean_of(found: NDArray[np.float32], times: Floats) -> list[float] | None:
    """Return the exact mean of each column, rounded once.

    Args:
        found: float32[vectors, size].
        times: float64[vectors], how often each vector counts: whole numbers from 1 on.

    Returns:
        As many numbers as a vector has; None where it has none, or where a value is not finite.
    """
    number = int(times.sum())
    scaled = found.astype(np.float64)
    greatest = float(np.abs(scaled).max(initial=0.0))
    if not found.shape[1] or not np.isfinite(greatest):
        return None
    if max(greatest * 2.0**_COARSE_BITS + 1, 2.0**_FINE_BITS) * number >= _EXACT:
        return [_exactly(column, times, number) for column in scaled.T]
    scaled *= 2.0**_COARSE_BITS
    coarse = np.rint(scaled)
    scaled -= coarse
    scaled *= 2.0**_FINE_BITS
    whole = (np.rint(scaled) == scaled).all(axis=0)
    coarse_sums = np.einsum("i,ij->j", times, coarse).tolist()
    fine_sums = np.einsum("i,ij->j", times, scaled).tolist()
    divisor = number << (_COARSE_BITS + _FINE_BITS)
    means = [
        ((int(coarse_sum) << _FINE_BITS) + int(fine_sum)) / divisor
        for coarse_sum, fine_sum in zip(coarse_sums, fine_sums, strict=True)
    ]
    if not whole.all():
        for place in np.flatnonzero(~whole).tolist():
            means[place] = _exactly(found[:, place].astype(np.float64), times, number)
    return means


def _exactly(column: Floats, times: Floats, number: int) -> float:
    units = (column * 2.0**_SMALLEST_BITS).tolist()
    total = sum(int(unit) * int(count) for unit, count in zip(units, times.tolist(), strict=True))
    return total / (number << _SMALLEST_BITS)


def _gives_words(node: Any) -> bool:
    """Tell whether a node gives plain strings, one for each word, and never None."""
    lower_case = of_revscoring("datasources.meta.mappers", "lower_case")
    apply = getattr(node, "apply", None)
    return getattr(node, "process", None) is vectors.words_of_claims or (
        type(node) is lower_case and getattr(apply, "__func__", None) is lower_case.lower
    )


def _file_of(process: Any) -> str | None:
    """Return which vectors a function of ``models.vectors.vectorizer`` looks words up in."""
    lookup = vectors.vectorizer("enwiki")
    if lookup is None or getattr(process, "__code__", None) is not lookup.__code__:
        return None
    file: str = inspect.getclosurevars(process).nonlocals["file"]
    return file
