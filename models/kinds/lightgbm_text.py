"""Read LightGBM's text format and write it anew, before LightGBM reads it.

LightGBM trusts its files: one with a wrong count ends the whole process, and one with a child or a feature
out of range reads memory that is not its own. So every tree is walked here, and LightGBM is given a text
of what was understood and nothing else, each number as it stood.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from msgspec import Struct

from models.kinds.estimator import corrupt, unread

# Stricter than Python's own: LightGBM ends the process over what its parser does not take.
_NUMBER: Final = r"-?\d{1,400}(?:\.\d{1,400})?(?:e[+-]?\d{1,3})?"
_INTEGER_LIST: Final = re.compile(r"-?\d{1,9}(?: -?\d{1,9})*", re.ASCII)
_NUMBER_LIST: Final = re.compile(rf"{_NUMBER}(?: {_NUMBER})*", re.ASCII)
_OBJECTIVE: Final = re.compile(
    rf"(binary|cross_entropy|multiclass|multiclassova)(?: num_class:\d{{1,4}})?(?: sigmoid:({_NUMBER}))?",
    re.ASCII,
)
# Lists of a tree, by how many entries they have beyond (or short of) the number of leaves.
_LISTS: Final = {
    "split_feature": -1,
    "split_gain": -1,
    "threshold": -1,
    "decision_type": -1,
    "left_child": -1,
    "right_child": -1,
    "leaf_value": 0,
    "leaf_weight": 0,
    "leaf_count": 0,
    "internal_value": -1,
    "internal_weight": -1,
    "internal_count": -1,
}
# Bits: 1 for categories, 2 for the default side, 4 and 8 for what is missing.
_DECISIONS: Final = frozenset({0, 2, 4, 6, 8, 10})
_AVERAGE: Final = "average_output"


class LightGbmModel(Struct, frozen=True):
    """A LightGBM model that was understood.

    Attributes:
        features: Number of columns.
        classes: Trees per round; 1 for a single probability.
        text: For LightGBM to read.
    """

    features: int
    classes: int
    text: str


def read_lightgbm(file: str, text: str) -> LightGbmModel:
    """Read a file of LightGBM's text format.

    Args:
        file: Its path, for messages.
        text: Of the file.

    Raises:
        ModelCorrupt: It is not of that format, or its trees are none.
        ModelIncompatible: It holds categorical splits or linear leaves, or answers no probabilities.
    """
    head, *blocks = re.split(r"\n+(?=Tree=|end of trees)", text)
    if not head.startswith("tree\n") or not blocks or not blocks[-1].startswith("end of trees\n"):
        raise corrupt(file, "it is not of LightGBM's text format")
    entries = _entries(file, head)
    objective = _objective(file, entries.get("objective", "none"))
    features = _integer(file, entries, "max_feature_idx") + 1
    classes = _integer(file, entries, "num_tree_per_iteration")
    trees = blocks[:-1]
    if not 1 <= features <= 100_000 or not 1 <= classes <= 1_000 or len(trees) % classes or not trees:
        raise corrupt(file, f"it states {features} features and {classes} classes, with {len(trees)} trees")
    written = [_tree(file, number, tree, features) for number, tree in enumerate(trees)]
    lines = [
        "tree",
        "version=v4",
        f"num_class={classes}",
        f"num_tree_per_iteration={classes}",
        "label_index=0",
        f"max_feature_idx={features - 1}",
        f"objective={objective.group(1)}{_parameters(objective, classes)}",
        *([_AVERAGE] if _AVERAGE in entries else []),
        f"feature_names={' '.join(f'Column_{position}' for position in range(features))}",
        f"feature_infos={' '.join(['none'] * features)}",
        f"tree_sizes={' '.join(str(len(tree)) for tree in written)}",
    ]
    return LightGbmModel(features, classes, "\n".join(lines) + "\n\n" + "".join(written) + "end of trees\n")


def _objective(file: str, stated: str) -> re.Match[str]:
    objective = _OBJECTIVE.fullmatch(stated)
    if objective is None or float(objective.group(2) or 1) <= 0:
        raise unread(
            file,
            f"has the objective {stated[:80]!r}, which gives no probabilities; train with binary, "
            "cross_entropy, multiclass or multiclassova",
        )
    return objective


def _parameters(objective: re.Match[str], classes: int) -> str:
    count = f" num_class:{classes}" if objective.group(1).startswith("multiclass") else ""
    return count + (f" sigmoid:{objective.group(2)}" if objective.group(2) else "")


def _tree(file: str, number: int, block: str, features: int) -> str:
    name = f"tree {number}"
    tree = _entries(file, block)
    if tree.get("Tree") != str(number):
        raise corrupt(file, f"{name} does not stand in its place")
    if tree.get("num_cat") != "0" or tree.get("is_linear", "0") != "0":
        raise unread(
            file, f"has categorical splits or linear leaves in {name}, not read here; train without them"
        )
    leaves = _integer(file, tree, "num_leaves")
    if not 1 <= leaves <= 1_000_000:
        raise corrupt(file, f"{name} states {leaves} leaves")
    if leaves == 1:
        lists = {"leaf_value": tree.get("leaf_value", "")}
        lengths = {"leaf_value": 1}
    else:
        lists = {key: tree.get(key, "") for key in _LISTS}
        lengths = {key: leaves + beyond for key, beyond in _LISTS.items()}
    for key, found in lists.items():
        if not _NUMBER_LIST.fullmatch(found) or found.count(" ") + 1 != lengths[key]:
            raise corrupt(file, f"{key} of {name} is not {lengths[key]} numbers")
    if leaves > 1:
        _check_splits(file, name, lists, leaves, features)
    shrinkage = tree.get("shrinkage", "1")
    if not _NUMBER_LIST.fullmatch(shrinkage) or " " in shrinkage:
        raise corrupt(file, f"the shrinkage of {name} is no number")
    values = [f"{key}={lists.get(key, '')}" for key in _LISTS]
    lines = [f"Tree={number}", f"num_leaves={leaves}", "num_cat=0", *values, "is_linear=0"]
    return "\n".join([*lines, f"shrinkage={shrinkage}"]) + "\n\n\n"


def _check_splits(file: str, name: str, lists: Mapping[str, str], leaves: int, features: int) -> None:
    if not all(0 <= feature < features for feature in _integers(file, name, lists["split_feature"])):
        raise corrupt(file, f"{name} asks for a feature out of {features}")
    if not _DECISIONS.issuperset(_integers(file, name, lists["decision_type"])):
        raise corrupt(file, f"{name} decides otherwise than by numbers")
    for key in ("leaf_count", "internal_count"):
        _integers(file, name, lists[key])
    sides = [_integers(file, name, lists[key]) for key in ("left_child", "right_child")]
    # Below 0 stand leaves, -1 for the first. Each node but the root hangs below exactly one before it.
    if sorted(sides[0] + sides[1]) != [*range(-leaves, 0), *range(1, leaves - 1)] or any(
        0 <= child <= node for children in sides for node, child in enumerate(children)
    ):
        raise corrupt(file, f"the children of {name} are no tree")


def _entries(file: str, block: str) -> dict[str, str]:
    return dict(_lines(file, block.split("\n")))


def _lines(file: str, lines: Sequence[str]) -> Iterator[tuple[str, str]]:
    seen: set[str] = set()
    for line in filter(None, lines):
        key, _, value = line.partition("=")
        if key in seen:
            raise corrupt(file, f"it states {key[:80]!r} twice")
        seen.add(key)
        yield key, value


def _integer(file: str, entries: Mapping[str, str], key: str) -> int:
    found = _integers(file, key, entries.get(key, ""))
    if len(found) != 1:
        raise corrupt(file, f"it states no {key}")
    return found[0]


def _integers(file: str, name: str, text: str) -> list[int]:
    if not _INTEGER_LIST.fullmatch(text):
        raise corrupt(file, f"what {name} counts is not whole numbers")
    return [int(word) for word in text.split(" ")]
