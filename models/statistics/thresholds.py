"""What a model does at each threshold of a label's probability."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from models.statistics.confusion import METRICS, Confusion, Floats, number
from models.statistics.errors import unknown
from models.statistics.formula import Formula
from models.statistics.rounding import cut, round_all
from schemas.errors import ModelCorrupt

Booleans = NDArray[np.bool_]

AREA_POINTS = 50
TABLE_DIGITS = 5
"""Decimals to which a listed table rounds thresholds; rows that then fall together are shown once."""


class Thresholds(Struct, frozen=True):
    """Metrics of one label by threshold: a row matches when its probability is not below.

    Attributes:
        values: Rising, float64[thresholds].
        confusion: Scaled to the population, float64[thresholds].
        weight: Rows of the label, scaled to the population; weighs the label in averages.
    """

    values: Floats
    confusion: Confusion
    weight: float

    def roc_auc(self) -> float | None:
        """Return the area under the ROC curve, read at 50 points as ORES does; None where it has none."""
        return _area(self.confusion.metric("fpr"), self.confusion.metric("recall"))

    def pr_auc(self) -> float | None:
        """Return the area under the precision-recall curve, read at 50 points as ORES does."""
        return _area(self.confusion.metric("recall"), self.confusion.metric("precision"))

    def best(self, formula: Formula) -> int | None:
        """Return the position of the threshold that a formula asks for; None where the bound cannot be met.

        Among equals the highest threshold is the maximum, and the lowest the minimum.

        Raises:
            InfoPathUnknown: The formula names a metric that there is not.
        """
        for name in (formula.bound, formula.target):
            if name not in METRICS:
                raise unknown(name)
        bound, target = self.confusion.metric(formula.bound), self.confusion.metric(formula.target)
        is_met = bound >= formula.limit if formula.is_at_least else bound <= formula.limit
        places = np.flatnonzero(is_met & np.isfinite(bound) & np.isfinite(target))
        if not len(places):
            return None
        found = target[places]
        if formula.is_maximum:
            return int(places[found == found.max()][-1])
        return int(places[found == found.min()][0])

    def optimum(self, formula: Formula, fields: Sequence[str]) -> dict[str, Any] | None:
        """Return the threshold, unrounded, that a formula asks for, with metrics cut to three digits.

        Args:
            formula: What is wanted.
            fields: Metrics to show; all of ``METRICS`` where empty.

        Raises:
            InfoPathUnknown: A metric is unknown.
        """
        place = self.best(formula)
        if place is None:
            return None
        return {"threshold": float(self.values[place]), **self._metrics(place, fields)}

    def threshold(self, formula: Formula) -> float | None:
        """Return the threshold alone that a formula asks for.

        Raises:
            InfoPathUnknown: A metric is unknown.
        """
        place = self.best(formula)
        return None if place is None else float(self.values[place])

    def rows(self) -> list[dict[str, Any]]:
        """List all thresholds, rounded to five digits, each with all metrics, cut to three."""
        rounded = round_all(self.values, TABLE_DIGITS)
        first = np.flatnonzero(np.append(True, rounded[1:] != rounded[:-1])[: len(rounded)])
        columns = {name: self.confusion.metric(name)[first] for name in METRICS}
        return [
            {"threshold": value, **{name: cut(number(columns[name][i])) for name in METRICS}}
            for i, value in enumerate(rounded[first].tolist())
        ]

    def _metrics(self, place: int, fields: Sequence[str]) -> dict[str, float | None]:
        for name in fields:
            if name not in METRICS:
                raise unknown(name)
        return {name: cut(number(self.confusion.metric(name)[place])) for name in fields or METRICS}


class ThresholdTable(Struct, frozen=True, forbid_unknown_fields=True):
    """`Thresholds` as a manifest keeps them: counts of the sample, in columns of blank-separated numbers.

    As text a table of a thousand thresholds is one line of the manifest and three objects in memory.

    Attributes:
        thresholds: Rising.
        hits: Rows of the label whose probability is not below.
        false_alarms: Rows of other labels whose probability is not below.
        positives: Rows of the label.
        negatives: Rows of other labels.
        population_rate: Share of the label in the population, to which metrics are scaled; None takes the
            sample for the population.
        weight: As in `Thresholds`.
    """

    thresholds: str
    hits: str
    false_alarms: str
    positives: float
    negatives: float
    population_rate: float | None
    weight: float

    @classmethod
    def of_scores(
        cls, scores: Floats, sought: Booleans, population_rate: float | None, digits: int | None
    ) -> "ThresholdTable":
        """Count a sample.

        Args:
            scores: Probability of the label, float64[rows].
            sought: Which rows are of the label, bool[rows].
            population_rate: Share of the label in the population.
            digits: Decimals to which probabilities are rounded before they are counted; None for none.
        """
        values, group = np.unique(
            scores if digits is None else round_all(scores, digits), return_inverse=True
        )
        of_label = np.bincount(group[sought], minlength=len(values))
        of_others = np.bincount(group[~sought], minlength=len(values))
        return cls.of_counts(
            values,
            np.cumsum(of_label[::-1])[::-1],
            np.cumsum(of_others[::-1])[::-1],
            positives=int(sought.sum()),
            negatives=int((~sought).sum()),
            population_rate=population_rate,
        )

    @classmethod
    def of_counts(
        cls,
        values: NDArray[Any],
        hits: NDArray[Any],
        false_alarms: NDArray[Any],
        *,
        positives: float,
        negatives: float,
        population_rate: float | None,
        weight: float | None = None,
    ) -> "ThresholdTable":
        """Write columns down.

        Args:
            values: Thresholds, rising.
            hits: As the attribute.
            false_alarms: As the attribute.
            positives: As the attribute.
            negatives: As the attribute.
            population_rate: As the attribute.
            weight: As the attribute; None computes it.
        """
        if weight is None:
            weight = positives
            if population_rate is not None and positives:
                weight = positives * (population_rate / (positives / (positives + negatives)))
        return cls(
            _column(values),
            _column(hits),
            _column(false_alarms),
            positives,
            negatives,
            population_rate,
            weight,
        )

    def read(self) -> Thresholds:
        """Parse the columns.

        Raises:
            ModelCorrupt: They are not numbers, or not of one length.
        """
        try:
            values, hits, false_alarms = (
                np.array(column.split(), dtype=np.float64)
                for column in (self.thresholds, self.hits, self.false_alarms)
            )
        except ValueError as error:
            raise _corrupt(str(error)) from error
        if not len(values) == len(hits) == len(false_alarms):
            raise _corrupt("its columns differ in length")
        confusion = Confusion.of_sample(
            hits, false_alarms, self.positives, self.negatives, self.population_rate
        )
        return Thresholds(values, confusion, self.weight)


def _corrupt(why: str) -> ModelCorrupt:
    return ModelCorrupt(
        f"a table of thresholds in the statistics of a model cannot be read ({why}); import or train the "
        "model anew"
    )


def _column(values: NDArray[Any]) -> str:
    return " ".join(map(repr, values.tolist()))


def _area(across: Floats, up: Floats) -> float | None:
    """Integrate a curve given from right to left over [0, 1] by trapezoids."""
    is_known = np.isfinite(across) & np.isfinite(up)
    if not is_known.any():
        return None
    points = np.linspace(0, 1, AREA_POINTS)
    heights = np.interp(points, across[is_known][::-1], up[is_known][::-1])
    return number(np.trapz(heights, points))
