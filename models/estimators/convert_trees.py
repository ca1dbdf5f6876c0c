"""From pickled trees to the arrays of ``models.estimators.tree_walk``.

scikit-learn has kept the nodes of a tree in one structured array since 0.15; fields were added and renamed
(``n_node_samples``, ``missing_go_to_left``), those read here were not. The weight of the training rows in
each node is kept where it is there.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.estimators import exponentials
from models.estimators.estimator import ConvertedEstimator, Floats
from models.estimators.inert import (
    attribute,
    floats,
    labels_of,
    name_of,
    option,
    state_of,
    unreadable,
    unsupported,
)
from models.estimators.tree_walk import LEAF, rounded_down

_WEIGHTS = "weighted_n_node_samples"
_MOST_COLUMNS = np.iinfo(np.int16).max
_OLD_LOSSES = {"BinomialDeviance", "MultinomialDeviance", "ExponentialLoss"}


def convert_boosting(model: Any) -> ConvertedEstimator:
    """Convert a ``GradientBoostingClassifier``.

    Raises:
        ModelCorrupt: It is not one.
        ModelIncompatible: Its first prediction comes from an estimator of another kind.
    """
    labels = labels_of(attribute(model, "classes_"))
    grid = np.asarray(attribute(model, "estimators_"), dtype=object)
    outputs = len(labels) if len(labels) > 2 else 1
    if grid.ndim != 2 or grid.shape[1] != outputs:
        raise unreadable(f"gradient boosting of {len(labels)} labels with stages of shape {grid.shape}")
    trees = [_tree(member) for member in grid.ravel()]
    arrays = _joined(trees)
    arrays["roots"] = arrays["roots"].reshape(grid.shape)
    rate = float(attribute(model, "learning_rate"))
    # The library multiplies as it adds; the product is the same whenever it is made.
    arrays["value"] = rate * np.concatenate([_leaf_values(tree, 1)[:, 0] for tree in trees])
    is_modern = _loss_name(model) not in _OLD_LOSSES
    is_exponential = option(model, "loss", "deviance") == "exponential"
    arrays["initial"] = _initial(model, outputs, is_modern=is_modern, is_exponential=is_exponential)
    if outputs > 1:
        link = "softmax" if is_modern else "normalised"
    else:
        link = "exponential" if is_exponential else "logistic"
    return ConvertedEstimator("gradient_boosting", {"link": link}, arrays, labels, _columns(model))


def convert_forest(model: Any) -> ConvertedEstimator:
    """Convert a ``RandomForestClassifier``, an ``ExtraTreesClassifier`` or one tree of either.

    Raises:
        ModelCorrupt: It is not one.
        ModelIncompatible: It answers for several outputs at once.
    """
    members: Sequence[Any] = [model] if "tree_" in state_of(model) else list(attribute(model, "estimators_"))
    if option(model, "n_outputs_", 1) != 1:
        raise unsupported("a forest of several outputs")
    labels = labels_of(attribute(model, "classes_"))
    trees = [_tree(member) for member in members]
    arrays = _joined(trees)
    held = np.concatenate([_leaf_values(tree, len(labels)) for tree in trees])
    arrays["value"] = _shares(held)
    return ConvertedEstimator("forest", {}, arrays, labels, _columns(model))


def _initial(model: Any, outputs: int, *, is_modern: bool, is_exponential: bool) -> Floats:
    """Return the raw scores before the first tree."""
    first = attribute(model, "init_")
    if isinstance(first, str) and first == "zero":
        return np.zeros(outputs)
    match name_of(first):
        case "ZeroEstimator":
            return np.zeros(outputs)
        case "LogOddsEstimator" | "ScaledLogOddsEstimator":
            scores = floats(attribute(first, "prior"), "the prior of gradient boosting").reshape(-1)
        case "PriorProbabilityEstimator":
            scores = floats(attribute(first, "priors"), "the priors of gradient boosting").reshape(-1)
        case "DummyClassifier" if option(first, "strategy") == "prior":
            priors = floats(attribute(first, "class_prior_"), "the priors of gradient boosting").reshape(-1)
            scores = _of_priors(priors, outputs, is_modern=is_modern, is_exponential=is_exponential)
        case name:
            raise unsupported(f"gradient boosting that starts from {name}")
    if len(scores) != outputs:
        raise unreadable(f"{len(scores)} first scores for {outputs} trees a stage")
    return scores


def _of_priors(priors: Floats, outputs: int, *, is_modern: bool, is_exponential: bool) -> Floats:
    least = float(np.finfo(np.float32).eps)
    inside = priors.clip(least, 1 - least)
    if outputs > 1:
        if is_modern:
            return np.asarray(np.log(inside / np.exp(np.log(inside).mean())), dtype=np.float64)
        return exponentials.log(inside)
    true = float(inside[1])
    odds = math.log(true / (1 - true))
    return np.array([0.5 * odds if is_exponential else odds])


def _loss_name(model: Any) -> str:
    loss = attribute(model, "_loss", "loss_", default=None)
    return "" if loss is None else name_of(loss)


def _tree(member: Any) -> Mapping[str, Any]:
    """Return the state of the tree inside a decision tree."""
    tree = state_of(attribute(member, "tree_"))
    nodes = tree["nodes"]
    if not isinstance(nodes, np.ndarray) or nodes.dtype.names is None or nodes.ndim != 1 or not len(nodes):
        raise unreadable("a tree whose nodes are no table")
    return tree


def _leaf_values(tree: Mapping[str, Any], outputs: int) -> Floats:
    """Return what the leaves hold, float64[leaves, outputs]."""
    values = floats(tree["values"], "the values of a tree")
    is_leaf: NDArray[np.bool_] = tree["nodes"]["left_child"] < 0
    by_node: Floats = values.reshape(len(is_leaf), outputs)
    return by_node[is_leaf]


def _joined(trees: Sequence[Mapping[str, Any]]) -> dict[str, NDArray[Any]]:
    """Lay trees one after another."""
    starts = np.cumsum([0, *(len(tree["nodes"]) for tree in trees)])
    nodes = [tree["nodes"] for tree in trees]
    leaf = np.concatenate([table["left_child"] for table in nodes]) < 0

    def children(field: str) -> NDArray[np.int32]:
        moved = [_indices(table[field]) + start for table, start in zip(nodes, starts, strict=False)]
        return np.where(leaf, LEAF, np.concatenate(moved)).astype(np.int32)

    feature = _indices(np.concatenate([table["feature"] for table in nodes]))
    if np.any(np.abs(feature[~leaf]) > _MOST_COLUMNS):
        raise unreadable("a tree that asks for a column of an impossible number")
    threshold = floats(np.concatenate([table["threshold"] for table in nodes]), "the thresholds of a tree")
    return _covers(nodes) | {
        "feature": np.where(leaf, LEAF, feature).astype(np.int16),
        "threshold": np.where(leaf, np.float32(0), rounded_down(threshold)),
        "left": children("left_child"),
        "right": children("right_child"),
        "roots": starts[:-1].astype(np.int32),
    }


def _covers(nodes: Sequence[NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Return how much of the training ended in each leaf; nothing where a tree does not say."""
    if any(_WEIGHTS not in (table.dtype.names or ()) for table in nodes):
        return {}
    ended = [table[_WEIGHTS][table["left_child"] < 0] for table in nodes]
    weights = floats(np.concatenate(ended), "the weights of a tree's leaves")
    return {"cover": weights.clip(0).astype(np.float32)}


def _indices(values: NDArray[Any]) -> NDArray[np.int64]:
    if values.dtype.kind not in "iu" or np.any(np.abs(values.astype(np.int64)) > np.iinfo(np.int32).max // 2):
        raise unreadable("a tree whose nodes point at no nodes")
    return values.astype(np.int64)


def _shares(counts: Floats) -> Floats:
    """Return the share of each label in each leaf.

    Leaves hold counts, or, in trees of later releases, shares already; dividing those again would change last
    digits, and those releases do not divide.
    """
    sums = counts.sum(axis=1)[:, None]
    if np.allclose(sums, 1, rtol=0, atol=1e-9):
        return counts
    return np.divide(counts, np.where(sums == 0, 1.0, sums))


def _columns(model: Any) -> int | None:
    count = attribute(model, "n_features_in_", "n_features_", "n_features", default=None)
    return None if count is None else int(count)
