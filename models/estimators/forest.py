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
from models.estimators.tree_walk import LEAF, tree_walk


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
        self._walk, order = tree_walk(arrays, columns)
        if arrays["roots"].ndim != 1:
            raise corrupt(f"the array 'roots' has shape {arrays['roots'].shape}, not one root a tree")
        is_leaf = arrays["feature"] == LEAF
        self._value = array(arrays, "value", np.float64, (int(is_leaf.sum()), None))
        if self._value.min() < 0:
            raise corrupt("a leaf holds a negative share")
        self.labels_count = self._value.shape[1]
        # Positions of inner nodes stay 0: no walk ends there.
        rank = np.zeros(len(is_leaf), dtype=np.int32)
        rank[is_leaf] = np.arange(len(self._value))
        self._rank = rank[order]

    def probabilities(self, rows: Floats) -> Floats:
        """Return the probability of each label, see ``models.estimators.estimator.Estimator``."""
        if len(rows) == 1:
            leaves = self._rank[self._walk.leaves_of_one(rows[0])]
            # accumulate adds in order, where a plain sum may add in pairs.
            summed = np.add.accumulate(self._value[leaves])[-1:]
        else:
            summed = np.zeros((len(rows), self.labels_count))
            for where, positions in self._walk.leaves_of_many(rows):
                for shares in self._value[self._rank[positions]]:
                    summed[where] += shares
        return np.asarray(summed / self._walk.trees, dtype=np.float64)
