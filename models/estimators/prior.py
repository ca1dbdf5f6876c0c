"""Answers that do not read the row: scikit-learn's ``DummyClassifier``.

The array: ``probabilities`` float64[labels].
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from models.estimators.checks import array, corrupt
from models.estimators.estimator import Arrays, Floats, OfProbabilities


class Prior(OfProbabilities):
    """The same probabilities for every row.

    Args:
        arrays: As the module describes.
        columns: Number of columns of the rows to come.
        parameters: None are read.

    Raises:
        ModelCorrupt: The array is absent or holds no probabilities.
    """

    def __init__(self, arrays: Arrays, columns: int, parameters: Mapping[str, Any]) -> None:
        del columns, parameters
        self._probabilities = array(arrays, "probabilities", np.float64, (None,))
        if self._probabilities.min() < 0 or self._probabilities.max() > 1:
            raise corrupt("a probability lies outside of 0 to 1")
        self.labels_count = len(self._probabilities)

    def probabilities(self, rows: Floats) -> Floats:
        """Return the probability of each label, see ``models.estimators.estimator.Estimator``."""
        return np.repeat(self._probabilities[None], len(rows), axis=0)
