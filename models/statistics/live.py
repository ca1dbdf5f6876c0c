"""How a model does now: the scores that it gives, and what became of the edits, within a sliding window."""

from bisect import bisect_left
from collections import deque
from collections.abc import Sequence
from itertools import pairwise
from typing import Final

import numpy as np
from msgspec import Struct

from models.statistics.thresholds import Thresholds

BINS: Final = 20
"""Bins of equal width over [0, 1] in which scores are counted."""

_PARTS: Final = 24


class SlidingCounts:
    """Counts by bin over a window of time, of which a 24th is forgotten at a time.

    Args:
        window_seconds: Length of the window.
        bins: How many.
    """

    def __init__(self, window_seconds: float, bins: int = BINS) -> None:
        self._part_seconds = window_seconds / _PARTS
        self._bins = bins
        self._parts: deque[tuple[float, list[int]]] = deque()

    def add(self, place: int, seconds: float) -> None:
        """Count one more.

        Args:
            place: The bin.
            seconds: Now, on any clock that never goes back; it counts as the latest time seen if it does.
        """
        if not self._parts or seconds - self._parts[-1][0] >= self._part_seconds:
            self._forget(seconds)
            self._parts.append((seconds, [0] * self._bins))
        self._parts[-1][1][place] += 1

    def total(self, seconds: float) -> list[int]:
        """Return the counts of the window that ends now."""
        self._forget(seconds)
        return [sum(column) for column in zip(*(counts for _, counts in self._parts), strict=True)] or [
            0
        ] * self._bins

    def _forget(self, seconds: float) -> None:
        while self._parts and seconds - self._parts[0][0] >= self._part_seconds * _PARTS:
            self._parts.popleft()


class CalibrationBin(Struct, frozen=True):
    """Edits whose scores lie in one bin.

    Attributes:
        low: Least score of the bin; the greatest is less than ``low + 1 / BINS``, or 1 in the last one.
        count: Edits whose outcome is known.
        share: Of them, those that came true; None without any.
    """

    low: float
    count: int
    share: float | None


def bin_of(probability: float) -> int:
    """Return the bin of a probability in [0, 1]."""
    return min(BINS - 1, int(probability * BINS))


def shares(counts: Sequence[int]) -> list[float]:
    """Return what part of all lies in each bin; zeros where there is nothing."""
    whole = sum(counts)
    return [count / whole if whole else 0.0 for count in counts]


def expected_shares(thresholds: Thresholds) -> list[float]:
    """Return what part of a population has its score in each bin, as a test of the model found."""
    confusion = thresholds.confusion
    matching = [float(value) for value in np.nan_to_num(confusion.metric("match_rate"))]
    values = thresholds.values.tolist()

    def at_least(edge: float) -> float:
        place = bisect_left(values, edge)
        return matching[place] if place < len(matching) else 0.0

    edges = [1.0, *(at_least(number / BINS) for number in range(1, BINS)), 0.0]
    return [max(0.0, above - below) for above, below in pairwise(edges)]


def binned_roc_auc(positives: Sequence[int], negatives: Sequence[int]) -> float | None:
    """Return the area under the ROC curve of counts by bin, ties within a bin; None without both."""
    all_positives, all_negatives = sum(positives), sum(negatives)
    if not all_positives or not all_negatives:
        return None
    area, below = 0.0, 0
    for hits, misses in zip(positives, negatives, strict=True):
        area += hits * (below + misses / 2)
        below += misses
    return area / (all_positives * all_negatives)


def calibration(positives: Sequence[int], negatives: Sequence[int]) -> list[CalibrationBin]:
    """Return how often each bin's scores came true."""
    return [
        CalibrationBin(number / BINS, hits + misses, hits / (hits + misses) if hits + misses else None)
        for number, (hits, misses) in enumerate(zip(positives, negatives, strict=True))
    ]
