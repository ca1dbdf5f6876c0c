"""Random forests, extra trees and single decision trees.

Beside the arrays of ``models.estimators.tree_walk``, with one root a tree::

    value  float64[L, labels]  share of each label in a leaf, leaves in the order of the nodes

The shares of all trees are added one after another and divided by their number, as scikit-learn does.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from models.estimators.checks import array, corrupt
from models.estimators.estimator import Arrays, Floats, OfProbabilities
from models.estimators.tree_walk import LEAF, check_trees, leaf_sums


class Forest(OfProbabilities):
    """The mean of classification trees.

    Args:
        arrays: As the module describes.
        columns: Number of columns of the rows to come.
        parameters: None are read.

    Raises:
        ModelCorrupt: An array is absent, of another type or shape, or points outside.
    """

    def __init__(self, arrays: Arrays, columns: int, parameters: Mapping[str, Any] | None = None) -> None:
        del parameters
        check_trees(arrays, columns)
        if arrays["roots"].ndim != 1:
            raise corrupt(f"the array 'roots' has shape {arrays['roots'].shape}, not one root a tree")
        leaves = int((arrays["feature"] == LEAF).sum())
        value = array(arrays, "value", np.float64, (leaves, None))
        if value.min() < 0:
            raise corrupt("a leaf holds a negative share")
        self.labels_count = value.shape[1]
        self._trees = arrays["roots"].size
        self._sums = leaf_sums(arrays, columns, value, np.zeros(self.labels_count))

    def probabilities(self, rows: Floats) -> Floats:
        """Return the probability of each label, see ``models.estimators.estimator.Estimator``."""
        return self._sums.of(rows) / self._trees
