"""Estimators of scikit-learn in skops files that skops itself wrote."""

import io
import json
import zipfile
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from models.kinds.skops_archive import read_skops
from models.kinds.skops_file import SkopsEstimator
from schemas.errors import ModelCorrupt, ModelError, ModelIncompatible, ModelRefused
from tests.kinds import SKOPS

RECORDED = json.loads((SKOPS / "answers.json").read_text())
ANSWERS = RECORDED["answers"]
ROWS = np.array(RECORDED["rows"])
READ = [name for name in ANSWERS if not name.startswith("refused")]

Members = dict[str, bytes]


def _estimator(data: bytes, name: str = "logistic") -> SkopsEstimator:
    return SkopsEstimator("model.skops", data, tuple(ANSWERS[name]["labels"]), is_multilabel=False)


def _members(name: str) -> Members:
    with zipfile.ZipFile(SKOPS / f"{name}.skops") as archive:
        return {entry: archive.read(entry) for entry in archive.namelist()}


def _packed(members: Members) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return stream.getvalue()


def _changed(name: str, change: Callable[[Any], None]) -> bytes:
    members = _members(name)
    schema = json.loads(members["schema.json"])
    change(schema)
    return _packed({**members, "schema.json": json.dumps(schema).encode()})


@pytest.mark.parametrize("name", READ)
def test_it_gives_the_probabilities_that_scikit_learn_gave_where_it_was_saved(name: str) -> None:
    estimator = _estimator((SKOPS / f"{name}.skops").read_bytes(), name)
    expected = np.array(ANSWERS[name]["probabilities"])
    # Another NumPy sums a matrix product in another order.
    assert np.abs(estimator.probabilities(ROWS) - expected).max() <= 5e-16
    assert estimator.features_count == 3


@pytest.mark.parametrize(
    ("name", "wanted"),
    [("refused_neighbours", "KNeighborsClassifier"), ("refused_function", "FunctionTransformer")],
)
def test_an_estimator_outside_the_closed_list_is_refused_by_name(name: str, wanted: str) -> None:
    with pytest.raises(ModelRefused, match=wanted):
        _estimator((SKOPS / f"{name}.skops").read_bytes(), name)


HOSTILE: dict[str, dict[str, Any]] = {
    "a function": {"__class__": "system", "__module__": "os", "__loader__": "FunctionNode"},
    "a function in the guise of an object": {
        "__class__": "system",
        "__module__": "os",
        "__loader__": "ObjectNode",
        "content": None,
    },
    "a class of the standard library": {
        "__class__": "Popen",
        "__module__": "subprocess",
        "__loader__": "ObjectNode",
        "content": None,
    },
    "a type": {"__class__": "eval", "__module__": "builtins", "__loader__": "TypeNode"},
    "an operator": {
        "__class__": "methodcaller",
        "__module__": "operator",
        "__loader__": "OperatorFuncNode",
        "attrs": {},
    },
    "a method": {
        "__class__": "method",
        "__module__": "builtins",
        "__loader__": "MethodNode",
        "content": {"func": "__init_subclass__", "obj": {}},
    },
    "a partial": {
        "__class__": "partial",
        "__module__": "functools",
        "__loader__": "PartialNode",
        "content": {},
    },
    "a loss of another module": {
        "__class__": "system",
        "__module__": "os",
        "__loader__": "LossNode",
        "__reduce__": {},
        "content": {},
    },
    "a tree of another module": {
        "__class__": "Popen",
        "__module__": "subprocess",
        "__loader__": "TreeNode",
        "__reduce__": {},
        "content": {},
    },
    "a subclass of an array": {
        "__class__": "memmap",
        "__module__": "numpy",
        "__loader__": "NdArrayNode",
        "type": "numpy",
        "file": "a.npy",
    },
    "a private class of scikit-learn": {
        "__class__": "FunctionTransformer",
        "__module__": "sklearn.preprocessing._function_transformer",
        "__loader__": "ObjectNode",
        "content": None,
    },
    "an unknown node": {"__class__": "x", "__module__": "y", "__loader__": "ReduceNode"},
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_node_is_refused_wherever_it_stands(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[object] = []
    monkeypatch.setattr("os.system", ran.append)
    array = io.BytesIO()
    np.save(array, np.zeros(()))

    def at_the_root(schema: Any) -> None:
        schema.clear()
        schema.update(HOSTILE[kind])

    def in_an_attribute(schema: Any) -> None:
        schema["content"]["content"]["coef_"] = HOSTILE[kind]

    for change in (at_the_root, in_an_attribute):
        data = _changed("logistic", change)
        members = {**_unpacked(data), "a.npy": array.getvalue()}
        with pytest.raises(ModelRefused):
            read_skops("model.skops", _packed(members))
    assert not ran


def _unpacked(data: bytes) -> Members:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {entry: archive.read(entry) for entry in archive.namelist()}


@pytest.mark.parametrize("data", [b"", b"PK", b"no zip at all"])
def test_what_is_no_zip_is_corrupt(data: bytes) -> None:
    with pytest.raises(ModelCorrupt):
        read_skops("model.skops", data)


def test_a_schema_that_is_missing_malformed_or_deep_is_corrupt() -> None:
    members = _members("logistic")
    deep = b'{"__loader__": "ListNode", "content": [' * 200 + b"]}" * 200
    for schema in (b"", b"[", b"3", b"{}", b'{"__loader__": "ListNode"}', deep, b"[" * 100_000):
        with pytest.raises(ModelError):
            read_skops("model.skops", _packed({**members, "schema.json": schema}))


def test_an_array_that_promises_more_than_it_holds_makes_no_room_for_it() -> None:
    stream = io.BytesIO()
    header = {"descr": "<f8", "fortran_order": False, "shape": (1 << 40,)}
    write_header: Any = np.lib.format.write_array_header_1_0
    write_header(stream, header)
    members = {
        name: stream.getvalue() if name.endswith(".npy") else data
        for name, data in _members("logistic").items()
    }
    with pytest.raises(ModelCorrupt, match="not as long"):
        read_skops("model.skops", _packed(members))


def test_an_array_of_objects_is_not_unpickled() -> None:
    stream = io.BytesIO()
    np.save(stream, np.array([{}], dtype=object), allow_pickle=True)
    members = {
        name: stream.getvalue() if name.endswith(".npy") else data
        for name, data in _members("logistic").items()
    }
    with pytest.raises(ModelCorrupt):
        read_skops("model.skops", _packed(members))


def test_a_file_that_unpacks_to_too_much_is_refused_unread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("models.kinds.skops_archive.MOST_BYTES", 1_000)
    with pytest.raises(ModelCorrupt, match="unpacks"):
        read_skops("model.skops", (SKOPS / "logistic.skops").read_bytes())


@pytest.mark.parametrize("name", ["gradient_boosting", "forest", "histogram_boosting"])
@pytest.mark.parametrize(
    ("fields", "value"),
    [
        (("left_child", "left"), 10_000),
        (("right_child", "right"), 10_000),
        (("left_child", "left"), 0),
        (("feature", "feature_idx"), 200),
    ],
)
def test_a_tree_that_points_outside_is_refused_before_it_is_followed(
    name: str, fields: tuple[str, str], value: int
) -> None:
    found = 0
    for file, data in _members(name).items():
        nodes: Any = np.load(io.BytesIO(data)) if file.endswith(".npy") else np.zeros(())
        field = next((field for field in fields if field in (nodes.dtype.names or ())), None)
        if field is None:
            continue
        found += 1
        # The root of each tree here is split, never a leaf.
        nodes[field][0] = value
        stream = io.BytesIO()
        np.save(stream, nodes)
        with pytest.raises(ModelCorrupt):
            _estimator(_packed({**_members(name), file: stream.getvalue()}), name)
    assert found >= 2


def test_an_ensemble_that_says_it_reads_other_columns_is_refused() -> None:
    def change(schema: Any) -> None:
        schema["content"]["content"]["n_features_in_"]["content"] = "2"

    for name in ("gradient_boosting", "forest"):
        with pytest.raises(ModelCorrupt):
            _estimator(_changed(name, change), name)


def test_another_release_of_scikit_learn_is_named() -> None:
    def change(schema: Any) -> None:
        schema["content"]["content"]["_sklearn_version"]["content"] = '"1.2.2"'

    with pytest.raises(ModelIncompatible, match=r"1\.2\.2"):
        _estimator(_changed("logistic", change))


def test_labels_of_another_model_are_refused() -> None:
    with pytest.raises(ModelCorrupt, match="labels"):
        _estimator((SKOPS / "logistic_of_three.skops").read_bytes(), "logistic")


def test_a_missing_attribute_is_told_when_the_model_loads_and_not_as_a_defect() -> None:
    def change(schema: Any) -> None:
        del schema["content"]["content"]["coef_"]
        schema["content"]["key_types"]["content"].pop()

    estimator = _estimator(_changed("logistic", change))
    with pytest.raises(ModelCorrupt, match="cannot run"):
        estimator.probabilities(ROWS)
