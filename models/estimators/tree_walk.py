"""Walks rows down many decision trees at once.

The arrays of trees with N nodes in all, L of them leaves::

    feature    int16[N]    column a node asks; -1 at a leaf
    threshold  float32[N]  a row goes left where its column is not above it; or float64
    left       int32[N]    position of the left child; right likewise
    right      int32[N]
    roots      int32[...]  position of each tree's root

scikit-learn rounds rows to float32 before it compares them with thresholds of float64. A float32 is not above
a float64 exactly where it is not above the greatest float32 that is not above that float64; hence thresholds
are rounded down to float32 without a change to any answer.

For the walk, nodes are laid out anew, level by level over all trees: the roots first, the two children of a
node next to each other. A leaf leads to itself, so that every row can take the same number of steps down
every tree.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.estimators.checks import array, corrupt
from models.estimators.estimator import Arrays, Floats

LEAF = -1

Float32s = NDArray[np.float32]
Positions = NDArray[np.intp]

# So many rows and trees at a time that what they read stays in the processor's nearer caches.
_ROWS_AT_ONCE = 256
_TREES_AT_ONCE = 10


def tree_walk(arrays: Arrays, columns: int) -> tuple["TreeWalk", Positions]:
    """Check arrays and lay their nodes out for the walk.

    Args:
        arrays: As the module describes.
        columns: Number of columns of the rows to come.

    Returns:
        The walk; and where each of its nodes stands in the arrays, intp[M].

    Raises:
        ModelCorrupt: The arrays describe no trees over so many columns.
    """
    _check(arrays, columns)
    feature = arrays["feature"]
    levels = _levels(arrays)
    order = np.concatenate(levels)
    place = np.zeros(len(feature), dtype=np.int64)
    place[order] = np.arange(len(order))
    leaf = feature[order] == LEAF
    walk = TreeWalk(
        # numpy gathers by intp quickest; any other type would be turned into it at every step.
        feature=np.where(leaf, 0, feature[order]).astype(np.intp),
        threshold=np.where(leaf, np.float32(np.inf), rounded_down(arrays["threshold"][order])),
        child=np.where(leaf, np.arange(len(order)), place[arrays["left"][order]]).astype(np.intp),
        trees=len(levels[0]),
        steps=len(levels) - 1,
    )
    return walk, order


class TreeWalk:
    """Finds the leaf of each tree that a row ends in.

    Args:
        feature: intp[M]; column that a node asks, 0 at a leaf.
        threshold: float32[M]; infinite at a leaf.
        child: intp[M]; position of the left child, the right one stands behind it. A leaf's own position.
        trees: Number of trees; their roots come first.
        steps: Depth of the deepest.
    """

    def __init__(
        self, *, feature: Positions, threshold: Float32s, child: Positions, trees: int, steps: int
    ) -> None:
        self.trees = trees
        self._steps = steps
        self._feature = feature
        self._threshold = threshold
        self._child = child
        self._roots = feature[:trees], threshold[:trees], child[:trees]

    def leaves_of_one(self, row: Floats) -> Positions:
        """Return the leaf of each tree, intp[trees], as positions of the walk.

        Args:
            row: float64[columns]. Rounded to float32 here; what lies beyond its range becomes infinite, and
                numpy warns.
        """
        values = row.astype(np.float32)
        feature, threshold, child = self._feature, self._threshold, self._child
        root_feature, root_threshold, root_child = self._roots
        # A root that is a leaf leads to itself, too.
        node: Positions = root_child + (values[root_feature] > root_threshold)
        for _ in range(self._steps - 1):
            node = child[node] + (values[feature[node]] > threshold[node])
        return node

    def leaves_of_many(self, rows: Floats) -> Iterator[tuple[slice, Positions]]:
        """Yield rows and their leaves in all trees in turn, first by rows, then by trees.

        Args:
            rows: float64[rows, columns]. Rounded likewise.

        Yields:
            Which rows, and intp[some trees, those rows]: positions of the walk, trees in order.
        """
        for start in range(0, len(rows), _ROWS_AT_ONCE):
            block = np.ascontiguousarray(rows[start : start + _ROWS_AT_ONCE], dtype=np.float32)
            where = slice(start, start + len(block))
            for first in range(0, self.trees, _TREES_AT_ONCE):
                trees = min(_TREES_AT_ONCE, self.trees - first)
                yield where, self._leaves_of_block(block, first, trees).reshape(trees, len(block))

    def _leaves_of_block(self, rows: Float32s, first: int, trees: int) -> Positions:
        feature, threshold, child = self._feature, self._threshold, self._child
        values = rows.ravel()
        row_starts: Positions = np.tile(np.arange(len(rows), dtype=np.intp) * rows.shape[1], trees)
        node: Positions = np.repeat(np.arange(first, first + trees, dtype=np.intp), len(rows))
        for _ in range(self._steps):
            node = child[node] + (values[feature[node] + row_starts] > threshold[node])
        return node


def rounded_down(thresholds: NDArray[Any]) -> Float32s:
    """Return the greatest float32 that is not above each threshold."""
    with np.errstate(over="ignore"):
        near = thresholds.astype(np.float32)
        below = np.nextafter(near, np.float32(-np.inf))
    return np.where(near.astype(np.float64) > thresholds, below, near)


def tree_arrays(arrays: Arrays) -> dict[str, NDArray[Any]]:
    """Return those of the arrays that the walk reads."""
    return {name: arrays[name] for name in ("feature", "threshold", "left", "right", "roots")}


def _levels(arrays: Arrays) -> list[Positions]:
    """Return the nodes of each depth, in the order of the walk."""
    levels: list[Positions] = [arrays["roots"].ravel().astype(np.intp)]
    while True:
        inner = levels[-1][arrays["feature"][levels[-1]] != LEAF]
        if not len(inner):
            return levels
        levels.append(
            np.stack([arrays["left"][inner], arrays["right"][inner]], axis=1).ravel().astype(np.intp)
        )


def _check(arrays: Arrays, columns: int) -> None:
    feature = array(arrays, "feature", np.int16, (None,))
    count = len(feature)
    wide = np.float64 if "threshold" in arrays and arrays["threshold"].dtype == np.float64 else np.float32
    array(arrays, "threshold", wide, (count,))
    left = array(arrays, "left", np.int32, (count,))
    right = array(arrays, "right", np.int32, (count,))
    roots = arrays.get("roots")
    if roots is None or roots.dtype != np.int32 or not roots.size:
        raise corrupt("the array 'roots' of type int32 is missing or empty")
    if np.any((feature < LEAF) | (feature >= columns)):
        raise corrupt(f"its trees ask for columns outside of the {columns} that there are")
    inner = np.flatnonzero(feature != LEAF)
    children = np.concatenate([left[inner], right[inner]])
    # Behind its parent, and no other's: so every walk ends, and no level can outgrow the nodes.
    if np.any(children <= np.concatenate([inner, inner])) or np.any(children >= count):
        raise corrupt("the children of its nodes do not stand behind them")
    if np.any((roots < 0) | (roots >= count)):
        raise corrupt("its trees begin outside of its nodes")
    if np.bincount(np.concatenate([children, roots.ravel()])).max() > 1:
        raise corrupt("two of its nodes lead to the same node")
