"""Published models, and small ones of many releases, answer what the scikit-learn of their day answered."""

import base64
import bz2
import hashlib
import json
import lzma
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.estimators import (
    ConvertedEstimator,
    Estimator,
    convert_estimator,
    convert_scaler,
    load_estimator,
    load_scaler,
    scaled,
)
from models.pickles import read_pickle

GOLDEN = Path(__file__).parent.parent / "golden"
FILES = sorted(path.name.removesuffix(".json") for path in (GOLDEN / "estimators").glob("*.json"))
ERAS = sorted(path.name for path in (GOLDEN / "eras").glob("*.json"))
# Kinds whose sums scikit-learn leaves to BLAS, which adds in another order, or rounds once where we round
# twice. Its own answers for one row and for many differ as much.
TOLERANCES = {"multinomial": 4e-15}
# From 0.23 on libsvm multiplies through BLAS as well; polynomials of large values carry the difference far.
TOLERANCES_OF_LATER_SVC = {"svc-linear": 1e-13, "svc-poly": 2e-12}


def golden(name: str) -> Any:
    return json.loads((GOLDEN / "estimators" / f"{name}.json").read_text())


@cache
def era(name: str) -> tuple[Any, list[Any]]:
    document = json.loads((GOLDEN / "eras" / name).read_text())
    return document, read_pickle(lzma.decompress(base64.b64decode(document["pickle"])))


def loaded(converted: ConvertedEstimator, columns: int) -> Estimator:
    assert json.loads(json.dumps(converted.parameters)) == converted.parameters
    return load_estimator(converted.kind, converted.parameters, converted.arrays, columns)


def one_by_one(estimator: Estimator, rows: Any) -> Any:
    return np.concatenate([estimator.probabilities(row[None]) for row in rows])


def test_every_published_file_has_its_answers(shared: Path) -> None:
    lines = (shared / "data/models/revscoring/SHA512SUMS").read_text().splitlines()
    known = {name: sha512 for sha512, name in (line.split() for line in lines)}
    assert {name: golden(name)["sha512"] for name in FILES} == known


@pytest.mark.parametrize("name", FILES)
def test_a_published_model_answers_bit_for_bit_as_in_its_day(name: str, shared: Path) -> None:
    data = (shared / "data/models/revscoring" / name).read_bytes()
    expected = golden(name)
    assert hashlib.sha512(data).hexdigest() == expected["sha512"]
    state = read_pickle(bz2.decompress(data) if name.endswith(".bz2") else data).state
    converted = convert_estimator(state.get("estimator") or state["classifier_model"])
    scaler = convert_scaler(state.get("feature_stats") or state.get("scaler"))
    whole = scaled([scaler], converted)
    assert converted.labels == expected["labels"]
    for part, which in ((whole, ""), (converted, "scaled_")):
        rows = np.array(expected[f"{which}rows"])
        assert part.columns == rows.shape[1]
        estimator = loaded(part, rows.shape[1])
        answers = estimator.answers(rows)
        assert answers.probabilities.tolist() == expected[f"{which}probabilities"]
        assert one_by_one(estimator, rows).tolist() == expected[f"{which}probabilities"]
        assert answers.chosen.argmax(axis=1).tolist() == expected[f"{which}chosen"]
        assert answers.chosen.sum(axis=1).tolist() == [1] * len(rows)
    if scaler is not None and converted.columns is not None:
        transform = load_scaler(scaler.kind, scaler.parameters, scaler.arrays, converted.columns).transform
        assert transform(np.array(expected["rows"])).tolist() == expected["scaled"]


def test_answers_of_published_models_are_worth_comparing() -> None:
    for name in FILES:
        probabilities = np.array(golden(name)["probabilities"] + golden(name)["scaled_probabilities"])
        assert len(np.unique(probabilities[:, 0])) > 2, name


@pytest.mark.parametrize("name", ERAS)
def test_estimators_of_a_release_answer_as_that_release_did(name: str) -> None:
    document, instances = era(name)
    is_later = tuple(int(part) for part in document["judge"]["scikit-learn"].split(".")[:2]) >= (0, 23)
    tolerances = TOLERANCES | (TOLERANCES_OF_LATER_SVC if is_later else {})
    for expected, instance in zip(document["estimators"], instances, strict=True):
        what = f"{expected['name']} of {len(expected['labels'])} labels"
        converted = convert_estimator(instance)
        assert converted.labels == expected["labels"], what
        estimator, rows = loaded(converted, document["columns"]), np.array(expected["rows"])
        answers = estimator.answers(rows)
        off = np.abs(answers.probabilities - np.array(expected["probabilities"])).max()
        is_walk = any(kind in expected["name"] for kind in ("boosting", "forest", "tree", "isotonic"))
        assert off <= (0 if is_walk else tolerances.get(expected["name"], 2e-15)), what
        assert np.array_equal(one_by_one(estimator, rows), answers.probabilities), what
        assert estimator.is_multilabel == expected["is_multilabel"], what
        if estimator.is_multilabel:
            predicted = answers.chosen.astype(int).tolist()
        else:
            predicted = [converted.labels[column] for column in answers.chosen.argmax(axis=1)]
        assert predicted == expected["predicted"], what


def test_the_golden_files_stay_small() -> None:
    files = [path for folder in ("estimators", "eras") for path in (GOLDEN / folder).iterdir()]
    assert sum(path.stat().st_size for path in files) < 1_500_000
