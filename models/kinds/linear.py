"""Logistic regression over standardised columns: needs no package, costs microseconds."""

import math
from typing import Final

import numpy as np

from models.artefact import Artefact
from models.estimators.contributions import Contributions
from models.kinds.estimator import EstimatorSpec, Floats, both_labels, corrupt
from schemas.attribution import AttributionMethod, AttributionReference, AttributionScale

ARRAYS: Final = ("is_logarithmic", "mean", "scale", "weight", "intercept")


class LinearEstimator:
    """Logistic regression for two labels.

    Args:
        arrays: ``is_logarithmic`` bool[features]: columns that enter as log(1 + x); ``mean`` and ``scale``
            float64[features] of the columns so taken; ``weight`` float64[features] of the standardised
            columns; ``intercept`` float64[1].

    Raises:
        ModelCorrupt: They do not fit together.
    """

    is_batch_exact: Final = True

    def __init__(self, arrays: dict[str, Floats]) -> None:
        if set(arrays) != set(ARRAYS):
            raise corrupt(
                "arrays.npz", f"it holds {', '.join(sorted(arrays))} instead of {', '.join(ARRAYS)}"
            )
        self.features_count: int | None = arrays["weight"].size
        for name, array in arrays.items():
            expected = 1 if name == "intercept" else self.features_count
            kind = np.bool_ if name == "is_logarithmic" else np.float64
            if array.shape != (expected,) or array.dtype != kind or not np.isfinite(array).all():
                raise corrupt("arrays.npz", f"{name} is not {expected} finite numbers")
        if not (arrays["scale"] > 0).all():
            raise corrupt("arrays.npz", "scale is not above 0")
        names = ("is_logarithmic", "mean", "scale", "weight")
        self._columns = list(zip(*(arrays[name].tolist() for name in names), strict=True))
        self._intercept = float(arrays["intercept"][0])

    def probabilities(self, rows: Floats) -> Floats:
        """Return probabilities, see ``models.kinds.estimator.RowEstimator``.

        Columns that enter as logarithms are counts; what is below 0 counts as 0.
        """
        # Plain floats: for the few columns of one row NumPy takes fifty times as long, and in a batch it
        # may round otherwise than for one row.
        return both_labels(np.array([self._probability(row) for row in rows.tolist()]))

    def contributions(self, row: Floats) -> Contributions:
        """Return what columns add, see ``models.kinds.estimator.Sums``; row is float64[columns]."""
        added = [
            (_taken(value, is_logarithmic) - mean) / scale * weight
            for value, (is_logarithmic, mean, scale, weight) in zip(row.tolist(), self._columns, strict=True)
        ]
        return Contributions(
            AttributionMethod.LINEAR,
            AttributionScale.LOG_ODDS,
            AttributionReference.MEAN,
            np.array([self._intercept]),
            np.array([added]),
        )

    def _probability(self, row: list[float]) -> float:
        total = self._intercept
        for value, (is_logarithmic, mean, scale, weight) in zip(row, self._columns, strict=True):
            total += (_taken(value, is_logarithmic) - mean) / scale * weight
        # Beyond this, the exponential has no float; the answer is 0 or 1 long before.
        return 1.0 / (1.0 + math.exp(-max(-700.0, min(700.0, total))))


def _taken(value: float, is_logarithmic: bool) -> float:
    return math.log1p(max(0.0, value)) if is_logarithmic else value


def read_estimator(artefact: Artefact, spec: EstimatorSpec) -> LinearEstimator:
    """Read the arrays of the artefact."""
    return LinearEstimator(artefact.arrays())
