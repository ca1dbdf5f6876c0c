"""Models saved by the installed revscoring answer after the import as they did before."""

import importlib
import pickle
import random
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models import resources
from models.artefact import open_artefact
from models.estimators import load_estimator, load_scaler
from models.importer import import_model
from models.manifest import Manifest
from schemas.errors import RevstreamError

ROWS = 120


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    # scikit-learn and revscoring warn of each other's age.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def rows() -> list[list[Any]]:
    numbers = random.Random(3)
    return [
        [numbers.random() * 5, numbers.random(), float(numbers.randint(0, 9)), numbers.random() > 0.5]
        for _ in range(ROWS)
    ]


def labelled(kind: str) -> tuple[list[Any], list[Any]]:
    if kind == "binary":
        return [True, False], [row[0] + row[2] > 6 for row in rows()]
    if kind == "multiclass":
        return ["A", "B", "C"], ["A" if row[0] > 3 else "B" if row[2] > 4 else "C" for row in rows()]
    each = [(("x", row[0] > 2), ("y", row[2] > 4), ("z", row[3])) for row in rows()]
    return ["x", "y", "z"], [[label for label, is_true in pairs if is_true] for pairs in each]


def features() -> list[Any]:
    modifiers, text = resources.module("features.modifiers"), resources.module("features.wikitext").revision
    return [
        modifiers.log(text.chars + 1),
        text.words / modifiers.max(text.chars, 1),
        text.headings_by_level(2),
        text.wikilinks > 3,
    ]


def trained(class_name: str, kind: str, **options: Any) -> Any:
    labels, wanted = labelled(kind)
    resources.module("features")
    # Its front page, which brings what its models are made of.
    assert importlib.import_module("revscoring").Model
    model_class = getattr(resources.module("scoring.models"), class_name)
    if kind == "multilabel":
        options["multilabel"] = True
    model = model_class(features(), labels, version="1.0", **options)
    model.train(list(zip(rows(), wanted, strict=True)))
    return model


def imported(model: Any, folder: Path) -> Manifest:
    path = folder / "testwiki.some.model"
    path.write_bytes(pickle.dumps(model))
    return import_model(path, folder)


def answers(manifest: Manifest, folder: Path) -> tuple[Any, list[set[str]]]:
    arrays = open_artefact(folder / manifest.name / manifest.model_version).arrays()
    parts: dict[str, dict[str, Any]] = {"estimator": {}, "scaler": {}}
    for name, array in arrays.items():
        part, _, rest = name.partition(".")
        parts[part][rest] = array
    described, columns = manifest.estimator, manifest.estimator["columns"]
    table = np.array(rows(), dtype=np.float64)
    if (scaler := described["scaler"]) is not None:
        table = load_scaler(scaler["kind"], scaler["parameters"], parts["scaler"], columns).transform(table)
    estimator = load_estimator(described["kind"], described["parameters"], parts["estimator"], columns)
    found = estimator.answers(table)
    chosen = [
        {label for label, is_chosen in zip(manifest.labels, row, strict=True) if is_chosen}
        for row in found.chosen
    ]
    return found.probabilities, chosen


def text(label: Any) -> str:
    return str({True: "true", False: "false"}.get(label, label))


@pytest.mark.parametrize(
    ("class_name", "kind", "options"),
    [
        ("GradientBoosting", "binary", {"n_estimators": 20, "scale": True, "center": True}),
        ("GradientBoosting", "multiclass", {"n_estimators": 20}),
        ("GradientBoosting", "multilabel", {"n_estimators": 20, "center": True}),
        ("RandomForest", "binary", {"n_estimators": 20, "scale": True}),
        ("RandomForest", "multilabel", {"n_estimators": 10}),
        ("LogisticRegression", "multiclass", {"scale": True, "center": True}),
        ("LinearSVC", "binary", {"scale": True, "center": True}),
        ("RBFSVC", "multiclass", {"scale": True, "center": True}),
        ("GaussianNB", "binary", {}),
        ("BernoulliNB", "multiclass", {}),
    ],
)
def test_a_saved_model_answers_after_its_import_as_before(
    class_name: str, kind: str, options: dict[str, Any], tmp_path: Path
) -> None:
    model = trained(class_name, kind, **options)
    manifest = imported(model, tmp_path)
    assert manifest.kind == kind
    assert [spec.name for spec in manifest.features] == [str(feature) for feature in features()]
    probabilities, chosen = answers(manifest, tmp_path)
    for row, probability, labels in zip(rows(), probabilities, chosen, strict=True):
        score = model.score(row)
        by_label = {text(label): value for label, value in score["probability"].items()}
        assert set(by_label) == set(manifest.labels)
        expected = [by_label[label] for label in manifest.labels]
        assert np.abs(np.array(expected) - probability).max() <= 2e-15
        prediction = score["prediction"]
        wanted = prediction if isinstance(prediction, list) else [prediction]
        assert labels == {text(label) for label in wanted}


def test_statistics_and_environment_come_with_a_saved_model(tmp_path: Path) -> None:
    model = trained("GaussianNB", "binary")
    _, wanted = labelled("binary")
    model.test(list(zip(rows(), wanted, strict=True)))
    manifest = imported(model, tmp_path)
    assert manifest.statistics
    assert manifest.environment.packages["revscoring"] == "2.11.13"
    assert set(manifest.environment.packages) == {"python", "revscoring", "scikit-learn"}
    assert manifest.imported is not None
    assert manifest.imported.environment["python_version"] == manifest.environment.packages["python"]


def test_a_changed_byte_never_ends_in_an_unnamed_error(tmp_path: Path) -> None:
    data = pickle.dumps(trained("GaussianNB", "binary"))
    numbers = random.Random(11)
    path = tmp_path / "testwiki.some.model"
    outcomes: set[str] = set()
    for _ in range(250):
        changed = bytearray(data)
        for _ in range(numbers.randint(1, 3)):
            changed[numbers.randrange(len(data))] = numbers.randrange(256)
        path.write_bytes(changed)
        try:
            import_model(path, tmp_path / "into", name="x", version=str(len(outcomes)))
            outcomes.add("imported")
        except RevstreamError as error:
            outcomes.add(error.code)
    assert {"model_corrupt", "model_refused"} <= outcomes
