"""Walks rows down many decision trees at once, and adds what their leaves hold.

The arrays of trees with N nodes in all, L of them leaves::

    feature    int16[N]    column a node asks; -1 at a leaf
    threshold  float32[N]  a row goes left where its column is not above it; or float64
    left       int32[N]    position of the left child; right likewise
    right      int32[N]
    roots      int32[...]  position of each tree's root
    cover      float32[L]  weight of the training rows that ended in each leaf; absent where nobody knows.
                           No answer reads it, but what explains one does

scikit-learn rounds rows to float32 before it compares them with thresholds of float64. A float32 is not above
a float64 exactly where it is not above the greatest float32 that is not above that float64; hence thresholds
are rounded down to float32 without a change to any answer. What lies beyond float32 becomes infinite; what is
not a number goes left.

Two classes do the same to the last bit: one in C, and one in numpy where that is not built.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from models.estimators.checks import array, corrupt
from models.estimators.estimator import Arrays, Floats
from models.native import Native, native

LEAF = -1

Float32s = NDArray[np.float32]
Positions = NDArray[np.intp]

# So many rows and trees at a time that what they read stays in the processor's nearer caches.
_ROWS_AT_ONCE = 256
_TREES_AT_ONCE = 10

# As ``models.native.Native.add_leaves`` reads it.
_NODE = np.dtype(
    [("threshold", np.float32), ("feature", np.uint32), ("child", np.uint32), ("leaf", np.uint32)]
)


class LeafSums(Protocol):
    """Trees that are ready to be walked."""

    def of(self, rows: Floats) -> Floats:
        """Return the first sums plus the leaves that rows end in, tree after tree.

        Args:
            rows: float64[rows, columns].

        Returns:
            float64[rows, outputs]. A row's sums do not depend on the other rows, to the last bit.

        Raises:
            ValueError: Rows have another number of columns.
        """
        ...


def leaf_sums(arrays: Arrays, columns: int, values: Floats, initial: Floats) -> LeafSums:
    """Make trees ready to be walked, in C where that is built.

    Args:
        arrays: As the module describes, after ``check_trees``.
        columns: Number of columns of the rows to come.
        values: float64[L, width]; what each leaf adds, leaves in the order of the nodes.
        initial: float64[outputs], a multiple of width. The first tree adds to the first ``width`` outputs,
            the next tree to those behind, and so on in turn.
    """
    if native is None:
        return NumpyLeafSums(arrays, columns, values, initial)
    return NativeLeafSums(arrays, columns, values, initial, native)


class NativeLeafSums:
    """The sums in C, see ``leaf_sums`` and ``models.native.Native.add_leaves``."""

    def __init__(
        self, arrays: Arrays, columns: int, values: Floats, initial: Floats, functions: Native
    ) -> None:
        laid = laid_out(arrays)
        nodes = np.empty(len(laid.feature), dtype=_NODE)
        nodes["threshold"] = laid.threshold
        nodes["feature"] = laid.feature
        nodes["child"] = laid.child
        nodes["leaf"] = laid.leaf
        roots = np.arange(laid.trees, dtype=np.uint32)
        width = values.shape[1]
        self._trees = nodes.tobytes(), roots.tobytes(), values.tobytes(), width, columns
        self._initial = initial.reshape(1, -1)
        self._add_leaves = functions.add_leaves

    def of(self, rows: Floats) -> Floats:
        """Return the sums of each row, see ``LeafSums``."""
        sums: Floats = self._initial.repeat(len(rows), axis=0)
        self._add_leaves(self._trees, np.ascontiguousarray(rows, dtype=np.float64), sums)
        return sums


class NumpyLeafSums:
    """The sums in numpy, see ``leaf_sums``."""

    def __init__(self, arrays: Arrays, columns: int, values: Floats, initial: Floats) -> None:
        laid = laid_out(arrays)
        # numpy gathers by intp quickest; any other type would be turned into it at every step.
        self._feature: Positions = laid.feature.astype(np.intp)
        self._threshold = laid.threshold
        self._child: Positions = laid.child.astype(np.intp)
        self._trees = laid.trees
        self._steps = laid.steps
        roots = slice(laid.trees)
        self._roots = self._feature[roots], self._threshold[roots], self._child[roots]
        # Negated, for numpy subtracts one term after another, where it would add them in pairs.
        self._negative = -values[laid.leaf]
        self._columns = columns
        self._initial = initial.reshape(1, -1)

    def of(self, rows: Floats) -> Floats:
        """Return the sums of each row, see ``LeafSums``."""
        if rows.shape[1] != self._columns:
            raise ValueError(f"rows of {rows.shape[1]} columns for trees over {self._columns}")
        with np.errstate(over="ignore"):
            values = np.ascontiguousarray(rows, dtype=np.float32)
        outputs = self._initial.shape[1]
        if len(values) == 1:
            taken = self._negative[self._leaves_of_one(values[0])].reshape(-1, outputs)
            return np.asarray(np.subtract.reduce(np.concatenate([self._initial, taken]), keepdims=True))
        sums: Floats = self._initial.repeat(len(values), axis=0)
        width = self._negative.shape[1]
        first = 0
        for where, leaves in self._leaves_of_many(values):
            for negative in self._negative[leaves]:
                sums[where, first : first + width] -= negative
                first = (first + width) % outputs
        return sums

    def _leaves_of_one(self, values: Float32s) -> Positions:
        feature, threshold, child = self._feature, self._threshold, self._child
        root_feature, root_threshold, root_child = self._roots
        # A root that is a leaf leads to itself, too.
        node: Positions = root_child + (values[root_feature] > root_threshold)
        for _ in range(self._steps - 1):
            node = child[node] + (values[feature[node]] > threshold[node])
        return node

    def _leaves_of_many(self, rows: Float32s) -> Iterator[tuple[slice, Positions]]:
        """Yield rows and their leaves in all trees in turn: intp[some trees, those rows]."""
        for start in range(0, len(rows), _ROWS_AT_ONCE):
            block = rows[start : start + _ROWS_AT_ONCE]
            where = slice(start, start + len(block))
            for first in range(0, self._trees, _TREES_AT_ONCE):
                trees = min(_TREES_AT_ONCE, self._trees - first)
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


def check_trees(arrays: Arrays, columns: int) -> None:
    """Refuse arrays that describe no trees over so many columns.

    Raises:
        ModelCorrupt: One is absent, of another type or shape, or points outside.
    """
    feature = array(arrays, "feature", np.int16, (None,))
    count = len(feature)
    wide = np.float64 if "threshold" in arrays and arrays["threshold"].dtype == np.float64 else np.float32
    array(arrays, "threshold", wide, (count,))
    left = array(arrays, "left", np.int32, (count,))
    right = array(arrays, "right", np.int32, (count,))
    roots = arrays.get("roots")
    if roots is None or roots.dtype != np.int32 or not roots.size:
        raise corrupt("the array 'roots' of type int32 is missing or empty")
    if "cover" in arrays:
        cover = array(arrays, "cover", np.float32, (int((feature == LEAF).sum()),))
        if cover.min() < 0:
            raise corrupt("fewer than no training rows ended in a leaf")
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


class LaidOut(NamedTuple):
    """Nodes in the order of the walk.

    Level by level over all trees: the roots first, the two children of a node next to each other. A leaf
    leads to itself, so that every row can take the same number of steps down every tree.

    Attributes:
        feature: int16[M]; column that a node asks, 0 at a leaf.
        threshold: float32[M]; infinite at a leaf.
        child: int64[M]; position of the left child, the right one stands behind it. A leaf's own position.
        leaf: int64[M]; which leaf it is in the order of the arrays. Any, at an inner node.
        trees: Number of trees.
        steps: Depth of the deepest.
    """

    feature: NDArray[np.int16]
    threshold: Float32s
    child: NDArray[np.int64]
    leaf: NDArray[np.int64]
    trees: int
    steps: int


def laid_out(arrays: Arrays) -> LaidOut:
    """Return nodes in the order of the walk."""
    feature = arrays["feature"]
    levels = _levels(arrays)
    order = np.concatenate(levels)
    place = np.zeros(len(feature), dtype=np.int64)
    place[order] = np.arange(len(order))
    is_leaf = feature[order] == LEAF
    return LaidOut(
        feature=np.where(is_leaf, np.int16(0), feature[order]),
        threshold=np.where(is_leaf, np.float32(np.inf), rounded_down(arrays["threshold"][order])),
        child=np.where(is_leaf, np.arange(len(order)), place[arrays["left"][order]]),
        leaf=np.maximum(np.cumsum(feature == LEAF) - 1, 0)[order],
        trees=len(levels[0]),
        steps=len(levels) - 1,
    )


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
