"""Logistic regression over standardised columns: needs no package, costs microseconds."""

from typing import Final

import numpy as np

from models.artefact import Artefact
from models.kinds.estimator import EstimatorSpec, Floats, both_labels, corrupt

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
        self._is_logarithmic = arrays["is_logarithmic"].tolist()
        self._mean, self._scale, self._weight = (arrays[name] for name in ("mean", "scale", "weight"))
        self._intercept = float(arrays["intercept"][0])

    def probabilities(self, rows: Floats) -> Floats:
        """Return probabilities, see ``models.kinds.estimator.RowEstimator``.

        Columns that enter as logarithms are counts; what is below 0 counts as 0.
        """
        total = np.full(len(rows), self._intercept)
        # Column by column, since a sum along a row may associate otherwise in a batch than alone.
        for position, is_logarithmic in enumerate(self._is_logarithmic):
            column = rows[:, position]
            if is_logarithmic:
                column = np.log1p(np.maximum(column, 0.0))
            total += (column - self._mean[position]) / self._scale[position] * self._weight[position]
        return both_labels(1.0 / (1.0 + np.exp(-total)))


def read_estimator(artefact: Artefact, spec: EstimatorSpec) -> LinearEstimator:
    """Read the arrays of the artefact."""
    return LinearEstimator(artefact.arrays())
