"""Check XGBoost's document before XGBoost reads it, which trusts the trees in it."""

from collections.abc import Mapping
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta, Struct

from models.kinds.estimator import corrupt, unread
from models.kinds.ubjson import UbjsonError, read_ubjson

_OBJECTIVES: Final = ("binary:logistic", "reg:logistic", "multi:softprob")
_NO_PARENT: Final = frozenset({-1, 2_147_483_647})
_SCORES = Annotated[str, Meta(pattern=r"^\[?-?[0-9][0-9.E,+-]{0,40000}\]?$")]
_WORD = Annotated[str, Meta(pattern=r"^-?\d{1,18}$")]


class _Classes(Struct, frozen=True):
    num_class: _WORD


class _TreeParameters(Struct, frozen=True):
    num_nodes: _WORD
    num_feature: _WORD
    num_deleted: _WORD = "0"
    size_leaf_vector: _WORD = "1"


class _Tree(Struct, frozen=True):
    tree_param: _TreeParameters
    left_children: list[int]
    right_children: list[int]
    parents: list[int]
    split_indices: list[int]
    split_conditions: list[float]
    split_type: list[int]
    default_left: list[int]
    base_weights: list[float]
    loss_changes: list[float]
    sum_hessian: list[float]
    id: int
    categories: list[int] = []
    categories_nodes: list[int] = []
    categories_segments: list[int] = []
    categories_sizes: list[int] = []


class _Count(Struct, frozen=True):
    num_trees: _WORD
    num_parallel_tree: _WORD = "1"


class _Categories(Struct, frozen=True):
    enc: list[Any] = []
    feature_segments: list[int] = []
    sorted_idx: list[int] = []


class _Trees(Struct, frozen=True):
    gbtree_model_param: _Count
    trees: list[_Tree]
    tree_info: list[int]
    iteration_indptr: list[int]
    cats: _Categories = _Categories()


class _Booster(Struct, frozen=True):
    name: str
    model: _Trees


class _LearnerParameters(Struct, frozen=True):
    base_score: _SCORES
    num_class: _WORD
    num_feature: _WORD
    num_target: _WORD = "1"


class _Objective(Struct, frozen=True):
    name: str
    softmax_multiclass_param: _Classes | None = None


class _Learner(Struct, frozen=True):
    gradient_booster: _Booster
    learner_model_param: _LearnerParameters
    objective: _Objective


class _Model(Struct, frozen=True):
    learner: _Learner
    version: Annotated[list[int], Meta(min_length=3, max_length=3)]


class XgboostHeader(Struct, frozen=True):
    """What an XGBoost model says of itself.

    Attributes:
        objective: ``binary:logistic``.
        features: Number of columns.
        classes: Of a model with several labels; 1 for a single probability.
    """

    objective: str
    features: int
    classes: int


def check_xgboost(file: str, data: bytes) -> XgboostHeader:
    """Check a model in XGBoost's UBJSON format.

    Raises:
        ModelCorrupt: It is not of that format, or its trees are none.
        ModelIncompatible: It is no tree booster, splits by category, or answers no probabilities.
    """
    try:
        document = read_ubjson(data)
        kind = _kind(document)
        if kind != "gbtree":
            raise unread(
                file,
                f"holds a booster of kind {kind!r}, which is not read here; train with the booster gbtree",
            )
        model = msgspec.convert(document, _Model).learner
    except (UbjsonError, msgspec.ValidationError) as error:
        raise corrupt(file, f"it is no model of XGBoost's: {error}") from error
    if model.objective.name not in _OBJECTIVES:
        raise unread(
            file,
            f"has the objective {model.objective.name!r}, which gives no probabilities; "
            f"train with one of {', '.join(_OBJECTIVES)}",
        )
    features = int(model.learner_model_param.num_feature)
    classes = max(1, int(model.learner_model_param.num_class))
    targets = model.learner_model_param.num_target
    if not 1 <= features <= 100_000 or classes > 1_000 or targets not in {"0", "1"}:
        raise corrupt(file, f"it states {features} features, {classes} classes and {targets} targets")
    parameters = model.objective.softmax_multiclass_param
    if (int(parameters.num_class) if parameters else 1) != classes:
        raise corrupt(file, f"its objective is for another number of classes than {classes}")
    if len(model.learner_model_param.base_score.split(",")) not in {1, classes}:
        raise corrupt(file, f"its base score is for another number of classes than {classes}")
    _check_trees(file, model.gradient_booster.model, features, classes)
    return XgboostHeader(model.objective.name, features, classes)


def _kind(document: Any) -> object:
    for key in ("learner", "gradient_booster", "name"):
        document = document.get(key) if isinstance(document, Mapping) else None
    return document


def _check_trees(file: str, found: _Trees, features: int, classes: int) -> None:
    count = len(found.trees)
    ends = found.iteration_indptr
    is_in_order = ends == sorted(ends) and ends[:1] == [0] and ends[-1:] == [count]
    if not is_in_order or int(found.gbtree_model_param.num_trees) != count or len(found.tree_info) != count:
        raise corrupt(file, f"it counts its {count} trees wrong")
    if found.gbtree_model_param.num_parallel_tree != "1":
        raise unread(file, "grows several trees at once, which is not read here; train without that")
    if not all(0 <= group < classes for group in found.tree_info):
        raise corrupt(file, f"a tree answers for none of {classes} classes")
    for number, tree in enumerate(found.trees):
        _check_tree(file, number, tree, features)


def _check_tree(file: str, number: int, tree: _Tree, features: int) -> None:
    name, nodes = f"tree {number}", len(tree.left_children)
    per_node = (
        tree.right_children,
        tree.parents,
        tree.split_indices,
        tree.split_conditions,
        tree.split_type,
        tree.default_left,
        tree.base_weights,
        tree.loss_changes,
        tree.sum_hessian,
    )
    if nodes < 1 or int(tree.tree_param.num_nodes) != nodes or any(len(found) != nodes for found in per_node):
        raise corrupt(file, f"{name} counts its nodes wrong")
    if any(tree.split_type) or any((tree.categories, tree.categories_nodes, tree.categories_sizes)):
        raise unread(file, f"splits by category in {name}, which is not read here; train without that")
    if (
        tree.tree_param.size_leaf_vector not in {"0", "1"}
        or int(tree.tree_param.num_feature) != features
        or tree.id != number
        or tree.categories_segments
    ):
        raise corrupt(file, f"{name} is of another model")
    # Each node but the root hangs below exactly one other, but for those that pruning left behind.
    parents = {0: tree.parents[0]}
    for node, pair in enumerate(zip(tree.left_children, tree.right_children, strict=True)):
        if pair == (-1, -1):
            continue
        for child in pair:
            if not node < child < nodes or child in parents:
                raise corrupt(file, f"the children of {name} are no tree")
            parents[child] = node
        if not 0 <= tree.split_indices[node] < features:
            raise corrupt(file, f"{name} asks for a feature out of {features}")
    left_behind = [node for node in range(nodes) if node not in parents]
    if len(left_behind) != int(tree.tree_param.num_deleted) or parents[0] not in _NO_PARENT:
        raise corrupt(file, f"{name} counts its nodes wrong")
    for node, parent in enumerate(tree.parents):
        if parent != parents.get(node, parent) or (node and not 0 <= parent < node):
            raise corrupt(file, f"the parents of {name} are not those of its children")
