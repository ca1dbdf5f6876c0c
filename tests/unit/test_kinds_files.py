"""Estimator files of other libraries: what is read, what is refused, and that none ends the process."""

import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.artefact import open_artefact
from models.kinds.estimator import RowEstimator
from models.kinds.fasttext_layout import read_labels
from models.kinds.lightgbm_text import read_lightgbm
from models.kinds.tabular import TabularScorer
from models.kinds.ubjson import UbjsonError, read_ubjson
from models.kinds.xgboost_tree import check_xgboost
from schemas.errors import ModelCorrupt, ModelFileMissing, ModelIncompatible
from schemas.prediction import ScoreKind
from tests.kinds import fasttext_bytes, lightgbm_text, onnx_bytes, train_rows, write_kind, xgboost_bytes

ROWS, _ = train_rows()


def lightgbm_estimator(text: str) -> RowEstimator:
    from models.kinds.lightgbm_file import LightGbmEstimator

    return LightGbmEstimator("model.lgb", text)


def xgboost_estimator(data: bytes) -> RowEstimator:
    from models.kinds.xgboost_file import XgboostEstimator

    return XgboostEstimator("model.ubj", data)


def onnx_estimator(data: bytes, output: str = "") -> RowEstimator:
    pytest.importorskip("onnxruntime", reason="the extra `kinds` is not installed")
    from models.kinds.onnx_file import OnnxEstimator

    return OnnxEstimator("model.onnx", data, output)


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"boosting": "dart"},
        {"boosting": "rf", "bagging_freq": 1, "bagging_fraction": 0.7},
        {"objective": "cross_entropy"},
        {"objective": "multiclass", "num_class": 3},
        {"objective": "multiclassova", "num_class": 3, "sigmoid": 2.0},
        {"min_data_in_leaf": 500},
        {"zero_as_missing": True},
    ],
    ids=str,
)
def test_lightgbm_gives_what_it_gave_after_training(parameters: dict[str, Any]) -> None:
    lightgbm: Any = pytest.importorskip("lightgbm", reason="the extra `kinds` is not installed")
    text = lightgbm_text(**parameters)
    expected = lightgbm.Booster(model_str=text).predict(ROWS)
    found = lightgbm_estimator(text).probabilities(ROWS)
    assert np.array_equal(found if found.shape[1] == 3 else found[:, 1], expected)


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"objective": "multi:softprob", "num_class": 3},
        {"gamma": 2, "tree_method": "exact"},
        {"max_depth": 0},
    ],
    ids=str,
)
def test_xgboost_gives_what_it_gave_after_training(parameters: dict[str, Any]) -> None:
    xgboost: Any = pytest.importorskip("xgboost", reason="the extra `kinds` is not installed")
    data = xgboost_bytes(**parameters)
    trained = xgboost.Booster()
    trained.load_model(bytearray(data))
    found = xgboost_estimator(data).probabilities(ROWS)
    assert np.array_equal(
        found if found.shape[1] == 3 else found[:, 1], trained.predict(xgboost.DMatrix(ROWS))
    )


@pytest.mark.parametrize("outputs", [1, 2, 3])
def test_an_onnx_graph_gives_a_probability_for_each_label(outputs: int) -> None:
    found = onnx_estimator(onnx_bytes(outputs=outputs)).probabilities(ROWS)
    assert found.shape == (len(ROWS), max(2, outputs))
    assert found.sum(axis=1) == pytest.approx(np.ones(len(ROWS)), abs=1e-6)


LIGHTGBM_CHANGES: dict[str, Callable[[str], str]] = {
    "cut off": lambda text: text[: len(text) // 2],
    "no end": lambda text: text.replace("end of trees", "end"),
    "too many leaves": lambda text: text.replace("num_leaves=", "num_leaves=9", 1),
    "a column out of range": lambda text: text.replace("split_feature=", "split_feature=9", 1),
    "a negative column": lambda text: text.replace("split_feature=", "split_feature=-", 1),
    "a child out of range": lambda text: text.replace("left_child=", "left_child=99", 1),
    "a child above its parent": lambda text: text.replace("left_child=1", "left_child=0", 1),
    "fewer thresholds": lambda text: text.replace("threshold=", "threshold=1 ", 1),
    "words for numbers": lambda text: text.replace("leaf_value=", "leaf_value=x", 1),
    "another tree's number": lambda text: text.replace("Tree=1", "Tree=2", 1),
    "a key twice": lambda text: text.replace("num_cat=0", "num_cat=0\nnum_cat=0", 1),
    "many columns": lambda text: text.replace("max_feature_idx=", "max_feature_idx=9999999", 1),
    "not of the format": lambda text: "no model",
    "empty": lambda text: "",
}


@pytest.mark.parametrize("change", LIGHTGBM_CHANGES)
def test_a_damaged_lightgbm_file_is_refused_before_lightgbm_sees_it(change: str) -> None:
    damaged = LIGHTGBM_CHANGES[change](lightgbm_text())
    with pytest.raises(ModelCorrupt, match=r"model\.lgb"):
        read_lightgbm("model.lgb", damaged)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("objective=binary sigmoid:1", "objective=regression", "regression"),
        ("objective=binary sigmoid:1", "objective=binary sigmoid:-1", "sigmoid:-1"),
        ("num_cat=0", "num_cat=1", "categorical"),
        ("is_linear=0", "is_linear=1", "linear leaves"),
    ],
)
def test_a_lightgbm_file_of_another_kind_is_told_from_a_damaged_one(old: str, new: str, told: str) -> None:
    with pytest.raises(ModelIncompatible, match=told):
        read_lightgbm("model.lgb", lightgbm_text().replace(old, new, 1))


def test_a_lightgbm_file_with_any_byte_changed_ends_no_process(tmp_path: Path) -> None:
    path = tmp_path / "model.lgb"
    path.write_text(lightgbm_text())
    done = _flip(
        path, "from models.kinds.lightgbm_file import LightGbmEstimator as E", "E('m', data.decode())"
    )
    assert done > 50


def test_an_xgboost_file_with_any_byte_changed_ends_no_process(tmp_path: Path) -> None:
    path = tmp_path / "model.ubj"
    path.write_bytes(xgboost_bytes())
    done = _flip(path, "from models.kinds.xgboost_file import XgboostEstimator as E", "E('m', data)")
    assert done > 50


def _flip(path: Path, imports: str, make: str) -> int:
    """Change some bytes one by one in a process of its own, and return how many changes were refused."""
    program = (
        f"import numpy as np\nfrom pathlib import Path\nfrom schemas.errors import ModelError\n{imports}\n"
        f"whole = Path({str(path)!r}).read_bytes()\nrefused = 0\n"
        "for position in range(0, len(whole), 1 + len(whole) // 400):\n"
        "    data = bytearray(whole)\n    data[position] ^= 1\n    data = bytes(data)\n"
        f"    try:\n        {make}.probabilities(np.ones((2, 3)))\n"
        "    except ModelError:\n        refused += 1\nprint(refused)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2_000:]
    return int(done.stdout.split()[-1])


def test_an_xgboost_file_that_is_cut_off_is_refused() -> None:
    data = xgboost_bytes()
    for length in range(0, len(data), 1 + len(data) // 50):
        with pytest.raises(ModelCorrupt):
            check_xgboost("model.ubj", data[:length])


@pytest.mark.parametrize(
    "parameters", [{"booster": "gblinear"}, {"booster": "dart"}, {"objective": "reg:squarederror"}], ids=str
)
def test_an_xgboost_file_of_another_kind_is_told_from_a_damaged_one(parameters: dict[str, Any]) -> None:
    with pytest.raises(ModelIncompatible):
        check_xgboost("model.ubj", xgboost_bytes(**parameters))


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b"Z", None),
        (b"T", True),
        (b"i\xff", -1),
        (b"U\xff", 255),
        (b"I\x01\x00", 256),
        (b"D" + struct.pack(">d", 0.1), 0.1),
        (b"SU\x02ab", "ab"),
        (b"[i\x01Si\x01a]", [1, "a"]),
        (b"[$l#U\x02" + struct.pack(">2i", 5, -6), [5, -6]),
        (b"[#i\x01T", [True]),
        (b"{U\x01a[]U\x01b{}}", {"a": [], "b": {}}),
    ],
)
def test_ubjson_is_read(data: bytes, value: object) -> None:
    assert read_ubjson(data) == value


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"x",
        b"i",
        b"Si\x05ab",
        b"Si\xffab",
        b"[$d#L\x7f" + b"\xff" * 7,
        b"[$S#U\x01Si\x01a",
        b"[$i",
        b"[" * 100,
        b"[[[",
        b"{U\x01ai\x01U\x01ai\x02}",
        b"TT",
        b"SU\x01\xff",
        b"SD" + b"\0" * 8,
    ],
)
def test_what_is_no_ubjson_is_refused(data: bytes) -> None:
    with pytest.raises(UbjsonError):
        read_ubjson(data)


@pytest.mark.parametrize("external", ["weights.bin", "/etc/hostname", "../weights.bin"])
def test_an_onnx_graph_with_weights_outside_of_it_is_refused(external: str) -> None:
    with pytest.raises(ModelCorrupt, match="ONNX Runtime says"):
        onnx_estimator(onnx_bytes(external=external))


@pytest.mark.parametrize("length", [0, 10, 60])
def test_an_onnx_file_that_is_cut_off_is_refused(length: int) -> None:
    with pytest.raises(ModelCorrupt):
        onnx_estimator(onnx_bytes()[:length])


def test_an_onnx_output_is_found_by_its_name() -> None:
    assert onnx_estimator(onnx_bytes(), "probabilities").features_count == 3
    with pytest.raises(ModelIncompatible, match="named scores"):
        onnx_estimator(onnx_bytes(), "scores")


def test_an_onnx_graph_for_another_number_of_columns_does_not_load(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime", reason="the extra `kinds` is not installed")
    with pytest.raises(ModelCorrupt):
        TabularScorer(open_artefact(write_kind(tmp_path, "onnx", onnx_bytes(columns=None), features=())))


def test_a_fasttext_file_is_walked_to_its_end() -> None:
    assert read_labels("model.bin", fasttext_bytes()) == ("Music.Opera", "Space", "Sport")


def test_a_quantised_and_pruned_fasttext_file_is_walked_to_its_end(shared: Path) -> None:
    labels = read_labels("lid.176.ftz", (shared / "data/models/fasttext/lid.176.ftz").read_bytes())
    assert len(labels) == 176
    assert {"en", "de", "zh"} <= set(labels)


def test_a_fasttext_file_that_is_cut_off_or_too_long_is_refused_at_every_length() -> None:
    data = fasttext_bytes()
    for length in range(len(data)):
        with pytest.raises(ModelCorrupt):
            read_labels("model.bin", data[:length])
    with pytest.raises(ModelCorrupt, match="follow its end"):
        read_labels("model.bin", data + b"\0")


def test_word_vectors_of_fasttext_are_told_from_a_classifier() -> None:
    data = bytearray(fasttext_bytes())
    data[8 + 4 * 7 : 8 + 4 * 8] = struct.pack("<i", 2)
    with pytest.raises(ModelIncompatible, match="word vectors"):
        read_labels("model.bin", bytes(data))


def test_a_fasttext_file_with_any_byte_changed_ends_no_process(tmp_path: Path) -> None:
    pytest.importorskip("fasttext", reason="the extra `fasttext` is not installed")
    path = tmp_path / "model.bin"
    path.write_bytes(fasttext_bytes())
    imports = (
        "from models.kinds.fasttext_file import FastTextModel\n"
        "class E:\n    def __init__(self, data):\n        self.m = FastTextModel.of_bytes('m', data)\n"
        "    def probabilities(self, rows):\n        self.m.predict('Q1 Q3')"
    )
    assert _flip(path, imports, "E(data)") > 20


def test_an_estimator_of_an_unknown_kind_or_contract_is_refused(tmp_path: Path) -> None:
    folder = write_kind(tmp_path, "linear", estimator={"kind": "quantum", "contract": "edit"})
    with pytest.raises(ModelIncompatible, match="quantum"):
        TabularScorer(open_artefact(folder))
    folder = write_kind(tmp_path, "linear", estimator={"kind": "linear", "contract": "tea leaves"})
    with pytest.raises(ModelIncompatible, match="tea leaves"):
        TabularScorer(open_artefact(folder))


@pytest.mark.parametrize(
    "changes",
    [
        {"labels": ("no", "yes")},
        {"labels": ("a", "b", "c"), "kind": ScoreKind.MULTICLASS},
        {"features": ()},
        {"estimator": {"kind": "linear", "contract": "edit", "threshold": 2}},
        {"estimator": {"kind": "linear"}},
        {"estimator": {"kind": "linear", "contract": "edit", "trees": 3}},
    ],
    ids=str,
)
def test_a_manifest_that_does_not_fit_its_estimator_does_not_load(
    changes: dict[str, Any], tmp_path: Path
) -> None:
    with pytest.raises(ModelCorrupt):
        TabularScorer(open_artefact(write_kind(tmp_path, "linear", **changes)))


def test_a_file_that_the_manifest_does_not_list_is_missed(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime", reason="the extra `kinds` is not installed")
    folder = write_kind(
        tmp_path, "onnx", b"", estimator={"kind": "onnx", "contract": "edit", "file": "other.onnx"}
    )
    with pytest.raises(ModelFileMissing, match=r"other\.onnx"):
        TabularScorer(open_artefact(folder))


def test_saving_a_model_with_a_file_again_gives_the_same_bytes(tmp_path: Path) -> None:
    one, other = (write_kind(tmp_path / name, "skops") for name in ("a", "b"))
    assert {path.name: path.read_bytes() for path in one.iterdir()} == {
        path.name: path.read_bytes() for path in other.iterdir()
    }
    assert (one / "model.skops").is_file()


def test_a_changed_estimator_file_is_found_by_its_sha512(tmp_path: Path) -> None:
    folder = write_kind(tmp_path, "skops")
    data = bytearray((folder / "model.skops").read_bytes())
    data[100] ^= 1
    (folder / "model.skops").write_bytes(data)
    with pytest.raises(ModelCorrupt, match="sha512"):
        open_artefact(folder)
