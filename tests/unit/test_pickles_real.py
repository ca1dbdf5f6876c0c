"""The published model files of 2015 to 2021, read as plain data."""

import bz2
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.pickles import Global, Instance, read_pickle

FILES = 22


def _read(path: Path) -> Any:
    data = path.read_bytes()
    return read_pickle(bz2.decompress(data) if path.suffix == ".bz2" else data)


def _walk(root: Any) -> dict[type, int]:
    """Count values by type, each once."""
    seen: set[int] = set()
    found: dict[type, int] = {}
    left = [root]
    while left:
        value = left.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        found[type(value)] = found.get(type(value), 0) + 1
        if isinstance(value, dict):
            left += [*value.keys(), *value.values()]
        elif isinstance(value, list | tuple | set | frozenset):
            left += value
        elif isinstance(value, Instance):
            left += [*value.args, *value.kwargs.values(), value.state, *value.items, *sum(value.pairs, ())]
        elif isinstance(value, np.ndarray) and value.dtype == np.dtype(object):
            left += value.ravel().tolist()
    return found


def test_every_published_file_is_read_as_plain_data_in_little_time(shared: Path) -> None:
    paths = sorted((shared / "data/models/revscoring").glob("*.model*"))
    assert len(paths) == FILES
    plain = {dict, list, tuple, set, frozenset, str, bytes, int, float, bool, type(None)}
    for path in paths:
        started = time.process_time()
        model = _read(path)
        assert time.process_time() - started < 20, path
        assert isinstance(model, Instance)
        assert model.kind.module.startswith("revscoring.scor")
        kinds = set(_walk(model))
        strange = {
            kind
            for kind in kinds - plain - {Instance, Global, np.ndarray}
            if not issubclass(kind, np.generic | np.dtype)
        }
        assert not strange, path
        assert np.ndarray in kinds


def test_the_trees_of_a_published_model_hold_their_nodes(shared: Path) -> None:
    model = _read(shared / "data/models/revscoring/editquality__arwiki.damaging.gradient_boosting.model")
    assert str(model.kind) == "revscoring.scoring.models.gradient_boosting.GradientBoosting"
    estimator = model.state["estimator"]
    assert str(estimator.kind) == "sklearn.ensemble.gradient_boosting.GradientBoostingClassifier"
    trees = estimator.state["estimators_"]
    assert trees.dtype == np.dtype(object)
    assert trees.shape == (estimator.state["n_estimators"], 1)
    for tree in trees.ravel():
        nodes = tree.state["tree_"].state["nodes"]
        assert nodes.shape == (tree.state["tree_"].state["node_count"],)
        assert {"left_child", "right_child", "feature", "threshold"} <= set(nodes.dtype.names)
        leaves = nodes["left_child"] == -1
        assert ((nodes["right_child"] == -1) == leaves).all()
        assert nodes["feature"][~leaves].max(initial=0) < len(model.state["features"])


@pytest.mark.parametrize(
    ("file", "kind"),
    [
        ("ores__azwiki.reverted.RBF_svc.model", "revscoring.scorers.svc.RBFSVCModel"),
        ("ores__azwiki.reverted.gaussian_nb.model", "revscoring.scorers.nb.GaussianNBModel"),
        ("editquality__enwiki.damaging.linear_svc.model", "revscoring.scorer_models.svc.LinearSVC"),
        ("editquality__arwiki.reverted.rf.model", "revscoring.scorer_models.rf.RF"),
    ],
)
def test_models_of_2015_keep_the_names_of_their_day(shared: Path, file: str, kind: str) -> None:
    assert str(_read(shared / "data/models/revscoring" / file).kind) == kind
