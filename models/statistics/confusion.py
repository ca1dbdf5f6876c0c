"""How often a label was told rightly and wrongly, and the metrics that follow.

The definitions are those of revscoring 2's ``ScaledPredictionStatistics``, in the same order of operations,
so that figures agree to the last bit. A ``!`` before a name means the same for all else than the label.
"""

from collections.abc import Callable, Mapping

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

Floats = NDArray[np.float64]

METRICS = (
    "match_rate",
    "filter_rate",
    "precision",
    "!precision",
    "recall",
    "!recall",
    "accuracy",
    "fpr",
    "f1",
    "!f1",
)
"""In the order in which ORES lists them for a threshold."""


class Confusion(Struct, frozen=True):
    """Right and wrong answers about one label, each an array of equal shape.

    Attributes:
        hits: Of the label, and told so.
        false_alarms: Not of the label, but told so.
        rejections: Not of the label, and not told so.
        misses: Of the label, but not told so.
    """

    hits: Floats
    false_alarms: Floats
    rejections: Floats
    misses: Floats

    @classmethod
    def of_sample(
        cls,
        hits: Floats,
        false_alarms: Floats,
        positives: float,
        negatives: float,
        population_rate: float | None,
    ) -> "Confusion":
        """Scale counts of a sample to the rate at which the label occurs in the population.

        Args:
            hits: Counts in the sample, float64[...].
            false_alarms: Likewise.
            positives: How many rows of the sample are of the label.
            negatives: How many are not.
            population_rate: From 0 to 1; None takes the sample for the population.
        """
        rejections, misses = negatives - false_alarms, positives - hits
        if population_rate is None:
            return cls(hits, false_alarms, rejections, misses)
        with np.errstate(divide="ignore", invalid="ignore"):
            observed = np.float64(positives) / (positives + negatives)
            by_label = observed / population_rate
            by_others = (1 - observed) / (np.float64(1) - population_rate)
            return cls(hits / by_label, false_alarms / by_others, rejections / by_others, misses / by_label)

    @property
    def positives(self) -> Floats:
        """Rows of the label."""
        return self.hits + self.misses

    def metric(self, name: str) -> Floats:
        """Compute one of ``METRICS``; NaN where it would divide by nothing.

        Raises:
            KeyError: There is no such metric.
        """
        with np.errstate(divide="ignore", invalid="ignore"):
            found: Floats = _FORMULAS[name](self)
            return found


def number(value: float) -> float | None:
    """Return a metric as JSON has it: None where it is not defined."""
    return float(value) if np.isfinite(value) else None


def _rows(c: Confusion) -> Floats:
    return c.hits + c.rejections + c.false_alarms + c.misses


def _match_rate(c: Confusion) -> Floats:
    return (c.hits + c.false_alarms) / _rows(c)


def _precision(c: Confusion) -> Floats:
    return c.hits / (c.hits + c.false_alarms)


def _negative_precision(c: Confusion) -> Floats:
    return c.rejections / (c.rejections + c.misses)


def _recall(c: Confusion) -> Floats:
    return c.hits / c.positives


def _negative_recall(c: Confusion) -> Floats:
    return c.rejections / (c.false_alarms + c.rejections)


def _harmonic(precision: Floats, recall: Floats) -> Floats:
    mean: Floats = 2.0 * ((precision * recall) / (precision + recall))
    return mean


_FORMULAS: Mapping[str, Callable[[Confusion], Floats]] = {
    "match_rate": _match_rate,
    "filter_rate": lambda c: 1 - _match_rate(c),
    "precision": _precision,
    "!precision": _negative_precision,
    "recall": _recall,
    "!recall": _negative_recall,
    "accuracy": lambda c: (c.hits + c.rejections) / _rows(c),
    "fpr": lambda c: c.false_alarms / (c.false_alarms + c.rejections),
    "f1": lambda c: _harmonic(_precision(c), _recall(c)),
    "!f1": lambda c: _harmonic(_negative_precision(c), _negative_recall(c)),
}
