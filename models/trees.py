"""Gradient boosting from plain arrays, without scikit-learn, with scikit-learn's own numbers.

The arrays of an ensemble of T stages with K trees each (K is 1 for two classes) and N nodes in all::

    feature    int16[N]    column a node asks; -1 at a leaf
    threshold  float64[N]  a row goes left where its column is not above it
    left       int32[N]    position of the left child; right likewise
    right      int32[N]
    value      float64[N]  what a leaf adds, times the learning rate
    roots      int32[T, K] position of each tree's root
    initial    float64[K]  raw score before the first tree

Children stand after their parents, so no array can make the walk endless. Rows are rounded to float32 and
the leaves are added stage by stage, as scikit-learn does both; hence the probabilities agree to the last
bit on platforms whose compiler does not fuse multiplication and addition (x86-64).
"""

import math
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from models.artefact import Arrays
from schemas.errors import ModelCorrupt

Floats = NDArray[np.float64]

_DTYPES = {
    "feature": np.int16,
    "threshold": np.float64,
    "left": np.int32,
    "right": np.int32,
    "value": np.float64,
    "roots": np.int32,
    "initial": np.float64,
}
_LEAF = -1
_ROWS_AT_ONCE = 1024


class TreeEnsemble:
    """An additive ensemble of regression trees on a logistic or multinomial scale.

    Args:
        arrays: As the module describes.
        columns: Number of columns of the rows to come.

    Raises:
        ModelCorrupt: An array is absent, of another type or shape, or points outside.
    """

    def __init__(self, arrays: Arrays, columns: int) -> None:
        _check(arrays, columns)
        self.columns = columns
        self.arrays = {name: arrays[name] for name in _DTYPES}
        positions = np.arange(len(arrays["feature"]), dtype=np.intp)
        leaf = arrays["feature"] == _LEAF
        # A leaf leads to itself, so that every row can take the same number of steps.
        self._feature = np.where(leaf, 0, arrays["feature"]).astype(np.intp)
        self._threshold = np.where(leaf, np.inf, arrays["threshold"])
        left = np.where(leaf, positions, arrays["left"])
        right = np.where(leaf, positions, arrays["right"])
        self._children = np.stack([right, left], axis=1).ravel().astype(np.intp)
        self._value = np.where(leaf, arrays["value"], 0.0)
        self._roots = arrays["roots"].ravel().astype(np.intp)
        self._initial = arrays["initial"]
        self._outputs = len(self._initial)
        self._steps = _depth(arrays, leaf)

    @classmethod
    def from_scikit_learn(cls, model: Any) -> Self:
        """Take over a fitted ``GradientBoostingClassifier`` with logistic loss.

        Args:
            model: The classifier, with scikit-learn's default initial prediction or ``init="zero"``.
        """
        trees = [tree.tree_ for tree in model.estimators_.ravel()]
        starts = np.cumsum([0, *(tree.node_count for tree in trees)])
        leaf = np.concatenate([tree.children_left < 0 for tree in trees])

        def joined(name: str) -> NDArray[Any]:
            return np.concatenate([getattr(tree, name) for tree in trees])

        def children(name: str) -> NDArray[Any]:
            moved = [getattr(tree, name) + start for tree, start in zip(trees, starts, strict=False)]
            return np.where(leaf, _LEAF, np.concatenate(moved)).astype(np.int32)

        scaled = np.concatenate([tree.value[:, 0, 0] * model.learning_rate for tree in trees])
        row = np.zeros((1, model.n_features_in_), dtype=np.float32)
        arrays = {
            "feature": np.where(leaf, _LEAF, joined("feature")).astype(np.int16),
            "threshold": np.where(leaf, 0.0, joined("threshold")).astype(np.float64),
            "left": children("children_left"),
            "right": children("children_right"),
            "value": np.where(leaf, scaled, 0.0),
            "roots": starts[:-1].reshape(model.estimators_.shape).astype(np.int32),
            "initial": np.asarray(model._raw_predict_init(row)[0], dtype=np.float64),
        }
        return cls(arrays, int(model.n_features_in_))

    def raw_scores(self, rows: Floats) -> Floats:
        """Return the sums of the leaves, float64[rows, K].

        Args:
            rows: float64[rows, columns], finite. Rounded to float32 here.
        """
        rounded = rows.astype(np.float32)
        if len(rounded) == 1:
            return self._raw_scores_of_one(rounded[0])
        blocks = [
            self._raw_scores_of_block(rounded[start : start + _ROWS_AT_ONCE])
            for start in range(0, len(rounded), _ROWS_AT_ONCE)
        ]
        return np.concatenate(blocks) if blocks else np.zeros((0, self._outputs))

    def probabilities(self, rows: Floats) -> Floats:
        """Return the probability of each class, float64[rows, classes], each row adding up to 1.

        Args:
            rows: float64[rows, columns], finite.
        """
        return probabilities(self.raw_scores(rows))

    def _raw_scores_of_one(self, row: NDArray[np.float32]) -> Floats:
        node = self._roots
        for _ in range(self._steps):
            node = self._children[2 * node + (row[self._feature[node]] <= self._threshold[node])]
        leaves = self._value[node].reshape(-1, self._outputs)
        return np.add.accumulate(np.vstack([self._initial, leaves]))[-1:]

    def _raw_scores_of_block(self, rows: NDArray[np.float32]) -> Floats:
        node = np.broadcast_to(self._roots, (len(rows), len(self._roots)))
        index = np.arange(len(rows))[:, None]
        for _ in range(self._steps):
            node = self._children[2 * node + (rows[index, self._feature[node]] <= self._threshold[node])]
        leaves = self._value[node].reshape(len(rows), -1, self._outputs)
        raw = np.repeat(self._initial[None], len(rows), axis=0)
        for stage in range(leaves.shape[1]):
            raw += leaves[:, stage]
        return raw


def probabilities(raw: Floats) -> Floats:
    """Turn raw scores into probabilities, as scikit-learn's logistic and multinomial losses do.

    Args:
        raw: float64[rows, 1] for two classes, float64[rows, classes] for more.

    Returns:
        float64[rows, classes].
    """
    if raw.shape[1] == 1:
        # numpy's exp differs from the C library's, which scikit-learn's expit calls, in the last bit.
        true = np.array([_logistic(score) for score in raw[:, 0].tolist()], dtype=np.float64)
        return np.column_stack([1 - true, true])
    shifted = np.exp(raw - raw.max(axis=1)[:, None])
    return np.asarray(shifted / shifted.sum(axis=1)[:, None], dtype=np.float64)


def _logistic(score: float) -> float:
    try:
        return 1.0 / (1.0 + math.exp(-score))
    except OverflowError:
        return 0.0


def _depth(arrays: Arrays, leaf: NDArray[np.bool_]) -> int:
    depth = 0
    level = np.unique(arrays["roots"])
    while len(level := level[~leaf[level]]):
        level = np.unique(np.concatenate([arrays["left"][level], arrays["right"][level]]))
        depth += 1
    return depth


def _check(arrays: Arrays, columns: int) -> None:
    for name, dtype in _DTYPES.items():
        if name not in arrays or arrays[name].dtype != dtype:
            raise ModelCorrupt(
                f"the arrays of the model lack {name!r} of type {np.dtype(dtype)}; train it anew"
            )
    nodes = arrays["feature"].shape
    is_right_shape = (
        len(nodes) == 1
        and all(arrays[name].shape == nodes for name in ("threshold", "left", "right", "value"))
        and arrays["roots"].ndim == 2
        and arrays["initial"].shape == arrays["roots"].shape[1:]
        and arrays["initial"].size > 0
    )
    if not is_right_shape:
        raise ModelCorrupt("the arrays of the model do not fit each other in length; train it anew")
    inner = arrays["feature"] != _LEAF
    positions = np.arange(nodes[0])
    children = np.concatenate([arrays["left"][inner], arrays["right"][inner]])
    parents = np.concatenate([positions[inner], positions[inner]])
    points_outside = (
        np.any((arrays["feature"] < _LEAF) | (arrays["feature"] >= columns))
        or np.any((children <= parents) | (children >= nodes[0]))
        or np.any((arrays["roots"] < 0) | (arrays["roots"] >= nodes[0]))
    )
    if points_outside or not np.all(np.isfinite(arrays["value"])):
        raise ModelCorrupt("the arrays of the model point outside of its trees or columns; train it anew")
