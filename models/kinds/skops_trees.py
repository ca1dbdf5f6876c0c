"""Check the trees of a skops file, which scikit-learn's native code follows without looking."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.kinds.estimator import corrupt

_LEAF = -1


def check_tree(file: str, arguments: Any, state: Any) -> None:
    """Check what a ``Tree`` is about to be made from.

    Args:
        file: Path in the artefact, for messages.
        arguments: ``(features, classes by output, outputs)``.
        state: ``max_depth``, ``node_count``, ``nodes``, ``values``.

    Raises:
        ModelCorrupt: They do not describe a tree.
    """
    features, classes, outputs = arguments
    nodes, values = state["nodes"], state["values"]
    count = state["node_count"]
    is_shaped = (
        isinstance(nodes, np.ndarray)
        and isinstance(values, np.ndarray)
        and isinstance(classes, np.ndarray)
        and classes.shape == (outputs,)
        and classes.dtype.kind == "i"
        and nodes.shape == (count,)
        and count >= 1
        and values.shape == (count, outputs, int(classes.max(initial=1)))
        and values.dtype == np.float64
    )
    if not is_shaped or set(state) - {"max_depth", "node_count", "nodes", "values"}:
        raise corrupt(file, "a tree of it is not shaped as scikit-learn's")
    is_leaf = nodes["left_child"] == _LEAF
    children = (nodes["left_child"], nodes["right_child"])
    _check_nodes(file, is_leaf, children, nodes["feature"], int(features))


def check_estimator(file: str, estimator: Any, columns: int | None = None) -> int | None:
    """Check that what an ensemble holds fits the ensemble, down to its trees.

    Args:
        file: Path in the artefact, for messages.
        estimator: As read.
        columns: Of the rows that it is given; None where what holds it does not say.

    Returns:
        Columns that it reads; None where it does not say.

    Raises:
        ModelCorrupt: A part of it reads other columns than it is given.
    """
    stated = getattr(estimator, "n_features_in_", None)
    if columns is not None and stated is not None and stated != columns:
        raise corrupt(file, f"{type(estimator).__name__} reads {stated} columns and is given {columns}")
    columns = stated if stated is not None else columns
    kind = type(estimator).__name__
    if hasattr(estimator, "tree_") and estimator.tree_.n_features != columns:
        raise corrupt(file, f"a tree reads {estimator.tree_.n_features} columns and is given {columns}")
    if kind in {"RandomForestClassifier", "ExtraTreesClassifier", "GradientBoostingClassifier"}:
        _check_ensemble(file, estimator, columns)
    if kind == "HistGradientBoostingClassifier":
        _check_histograms(file, estimator, columns)
    for part in _parts(estimator):
        check_estimator(file, part)
    return None if columns is None else int(columns)


def _parts(estimator: Any) -> list[Any]:
    """Return the estimators that an estimator holds in its attributes."""
    parts = []
    waiting = list(vars(estimator).values()) if hasattr(estimator, "__dict__") else []
    while waiting:
        value = waiting.pop()
        if isinstance(value, (list, tuple)):
            waiting += value
        elif isinstance(value, dict):
            waiting += value.values()
        elif isinstance(value, np.ndarray) and value.dtype == object:
            waiting += value.ravel().tolist()
        elif type(value).__module__.startswith("sklearn.") and hasattr(value, "__dict__"):
            parts.append(value)
    return parts


def _check_ensemble(file: str, estimator: Any, columns: int | None) -> None:
    trees = np.asarray(estimator.estimators_, dtype=object)
    classes = len(estimator.classes_)
    if type(estimator).__name__ == "GradientBoostingClassifier":
        # Native code writes one column for each tree of a round.
        is_fitting = trees.ndim == 2 and trees.shape[1] == (1 if classes == 2 else classes)
        values = 1
    else:
        is_fitting, values = trees.ndim == 1, classes
    for tree in trees.ravel().tolist() if is_fitting else []:
        found = tree.tree_
        is_fitting &= found.n_features == columns and found.value.shape[1:] == (1, values)
    if not is_fitting or columns is None:
        raise corrupt(file, f"the trees of {type(estimator).__name__} do not fit it")


def _check_histograms(file: str, estimator: Any, columns: int | None) -> None:
    for predictors in estimator._predictors:
        for predictor in predictors:
            nodes = predictor.nodes
            if columns is None or not isinstance(nodes, np.ndarray) or not nodes.size or nodes.ndim != 1:
                raise corrupt(file, "a tree of it has no nodes")
            if nodes["is_categorical"].any():
                raise corrupt(file, "a tree of it splits by category, which is not read here")
            is_leaf = nodes["is_leaf"] != 0
            children = (nodes["left"].astype(np.int64), nodes["right"].astype(np.int64))
            _check_nodes(file, is_leaf, children, nodes["feature_idx"], columns)


def _check_nodes(
    file: str,
    is_leaf: NDArray[np.bool_],
    children: tuple[NDArray[Any], NDArray[Any]],
    feature: NDArray[Any],
    features: int,
) -> None:
    # Children stand behind their parents, so that every walk ends.
    here = np.arange(len(is_leaf))
    for child in children:
        if not (is_leaf | ((child > here) & (child < len(is_leaf)))).all():
            raise corrupt(file, "the nodes of a tree of it are no tree")
    if not (is_leaf | ((feature >= 0) & (feature < features))).all():
        raise corrupt(file, f"a tree of it asks for a column out of {features}")
