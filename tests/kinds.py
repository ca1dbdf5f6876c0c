"""One small model of each kind, trained in the test and written by the code that writes real artefacts."""

from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from models.artefact import save_artefact
from models.kinds.edit_features import FEATURES, EditFeatures
from models.manifest import FeatureSpec, Manifest
from models.scoring import FeatureCache
from schemas.prediction import ScoreKind
from schemas.revision import Revision, RevisionUser
from tests.fasttext_file import train_fasttext
from tests.model_revisions import EDITOR, edit

Floats = NDArray[np.float64]

NAMES = ("edit.words_added", "edit.words_added.capital_share", "edit.user.is_anonymous")
SPECS = tuple(FeatureSpec(name, FEATURES[name].returns) for name in NAMES)
SKOPS = Path(__file__).parent / "skops"
PACKAGES = {"lightgbm": "lightgbm", "xgboost": "xgboost", "onnx": "onnxruntime"}
"""Module that a kind needs, which the extra ``kinds`` installs."""

REVISIONS = (
    edit(),
    edit(rev_id=2, text="An oak is a tree. THIS IS SHOUTED", user=RevisionUser(None, "192.0.2.1")),
    edit(
        rev_id=3, text="An oak is a tree of the genus Quercus, with some 500 species.", comment="/* Oaks */ x"
    ),
    edit(rev_id=4, text="", user=EDITOR),
    edit(rev_id=5, text="オークはブナ科コナラ属の植物の総称である。", parent_text="[[オーク]]"),
)


def train_rows(count: int = 80) -> tuple[Floats, NDArray[np.bool_]]:
    """Make up rows of the three features, and which of them are to be true."""
    rng = np.random.default_rng(3)
    rows = np.stack(
        [rng.integers(0, 60, count), rng.random(count).round(3), rng.integers(0, 2, count)], axis=1
    ).astype(np.float64)
    return rows, rows[:, 1] + 0.4 * rows[:, 2] + 0.1 * rng.random(count) > 0.6


def _linear() -> dict[str, Any]:
    return {
        "is_logarithmic": np.array([True, False, False]),
        "mean": np.array([2.5, 0.3, 0.5]),
        "scale": np.array([1.0, 0.2, 0.5]),
        "weight": np.array([-0.2, 0.7, 1.1]),
        "intercept": np.array([-1.0]),
    }


def lightgbm_text(**parameters: Any) -> str:
    """Train a LightGBM model."""
    lightgbm = pytest.importorskip("lightgbm", reason="the extra `kinds` is not installed")
    rows, is_true = train_rows()
    labels = rows[:, 0].astype(int) % 3 if "num_class" in parameters else is_true.astype(int)
    settings = {"objective": "binary", "num_threads": 1, "verbosity": -1, "seed": 1, "min_data_in_leaf": 5}
    trained = lightgbm.train({**settings, **parameters}, lightgbm.Dataset(rows, labels), 4)
    text: str = trained.model_to_string()
    return text


def xgboost_bytes(**parameters: Any) -> bytes:
    """Train an XGBoost model."""
    xgboost = pytest.importorskip("xgboost", reason="the extra `kinds` is not installed")
    rows, is_true = train_rows()
    labels = rows[:, 0].astype(int) % 3 if "num_class" in parameters else is_true.astype(int)
    settings = {"objective": "binary:logistic", "nthread": 1, "seed": 1, "max_depth": 3}
    trained = xgboost.train({**settings, **parameters}, xgboost.DMatrix(rows, labels), 4)
    return bytes(trained.save_raw("ubj"))


def onnx_bytes(*, outputs: int = 2, columns: int | None = 3, external: str = "") -> bytes:
    """Make a graph of a matrix product and a softmax, or a sigmoid for a single output."""
    onnx = pytest.importorskip(
        "onnx", reason="the package onnx, which the extra `dev` brings, is not installed"
    )
    helper, float_ = onnx.helper, onnx.TensorProto.FLOAT
    rng = np.random.default_rng(5)
    weights = rng.normal(size=(3, outputs)).astype(np.float32)
    tensors = [
        onnx.numpy_helper.from_array(weights, "weights"),
        onnx.numpy_helper.from_array(np.zeros(outputs, np.float32), "bias"),
    ]
    if external:
        tensors[0].ClearField("raw_data")
        tensors[0].data_location = onnx.TensorProto.EXTERNAL
        place = tensors[0].external_data.add()
        place.key, place.value = "location", external
    nodes = [
        helper.make_node("Gemm", ["rows", "weights", "bias"], ["scores"]),
        helper.make_node("Sigmoid" if outputs == 1 else "Softmax", ["scores"], ["probabilities"]),
    ]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("rows", float_, [None, columns])],
        [helper.make_tensor_value_info("probabilities", float_, [None, outputs])],
        tensors,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 9
    data: bytes = model.SerializeToString()
    return data


TOPICS = (
    (("Q1", "Q2"), ("Space",)),
    (("Q3", "Q4"), ("Sport",)),
    (("Q1", "Q3"), ("Space", "Sport")),
    (("Q5",), ("Music.Opera",)),
    (("Q2",), ("Space",)),
    (("Q4",), ("Sport",)),
)


def fasttext_bytes() -> bytes:
    """Train a fastText model of topics."""
    return train_fasttext(TOPICS)


_FILES: Mapping[str, tuple[str, Callable[[], bytes]]] = {
    "lightgbm": ("model.lgb", lambda: lightgbm_text().encode()),
    "xgboost": ("model.ubj", xgboost_bytes),
    "onnx": ("model.onnx", onnx_bytes),
    "skops": ("model.skops", (SKOPS / "logistic.skops").read_bytes),
}
KINDS = ("linear", *_FILES)


def is_installed(kind: str) -> bool:
    """Tell whether what a kind needs is installed."""
    return kind not in PACKAGES or find_spec(PACKAGES[kind]) is not None


def write_kind(folder: Path, kind: str, data: bytes | None = None, /, **changes: Any) -> Path:
    """Write a tabular model over three features of the contract "edit", and return its folder.

    Args:
        folder: Of models.
        kind: Of ``KINDS``.
        data: The estimator file; None trains one.
        changes: Of the manifest.
    """
    file, make = _FILES.get(kind, ("", bytes))
    name = f"tiny-{kind}"
    manifest = Manifest(
        **{
            "name": name,
            "model_name": "tiny",
            "model_version": "1",
            "kind": ScoreKind.BINARY,
            "labels": ("false", "true"),
            "scorer": "tabular",
            "estimator": {"kind": kind, "file": file, "contract": "edit"},
            "features": SPECS,
            "licence": "Apache-2.0",
            "owner": "the tests",
            **changes,
        }
    )
    files = {file: make() if data is None else data} if file else {}
    save_artefact(folder / name / "1", manifest, {} if file else _linear(), {}, files)
    return folder / name / "1"


def write_outlinks(folder: Path, data: bytes | None = None, /, **changes: Any) -> Path:
    """Write a model of topics by outlinks, and return its folder."""
    manifest = Manifest(
        **{
            "name": "tiny-topics",
            "model_name": "outlink-topic-model",
            "model_version": "1",
            "kind": ScoreKind.MULTILABEL,
            "labels": ("Music.Opera", "Space", "Sport"),
            "scorer": "fasttext-outlinks",
            "estimator": {"kind": "fasttext", "file": "model.bin", "contract": "outlinks"},
            "features": (FeatureSpec("feature.outlinks", "int"),),
            "content_models": (),
            "licence": "Apache-2.0",
            "owner": "the tests",
            **changes,
        }
    )
    files = {"model.bin": fasttext_bytes() if data is None else data}
    save_artefact(folder / "tiny-topics" / "1", manifest, {}, {}, files)
    return folder / "tiny-topics" / "1"


def features_of(revision: Revision) -> dict[str, Any]:
    """Compute all features of the contract "edit"."""
    specs = tuple(FeatureSpec(name, feature.returns) for name, feature in FEATURES.items())
    return EditFeatures(specs).compute(revision, FeatureCache())
