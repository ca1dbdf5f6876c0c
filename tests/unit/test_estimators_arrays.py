"""Arrays and parameters that describe no estimator are refused with cause and cure, before any row."""

import json
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from models.estimators import (
    ConvertedEstimator,
    ConvertedScaler,
    Estimator,
    load_estimator,
    load_scaler,
    scaled,
)
from models.estimators.tree_walk import rounded_down
from schemas.errors import ModelCorrupt

COLUMNS = 2


def stump() -> dict[str, Any]:
    """One tree of one question: is column 1 not above 0.5?"""
    return {
        "feature": np.array([1, -1, -1], dtype=np.int16),
        "threshold": np.array([0.5, 0.0, 0.0], dtype=np.float32),
        "left": np.array([1, -1, -1], dtype=np.int32),
        "right": np.array([2, -1, -1], dtype=np.int32),
    }


def boosting() -> ConvertedEstimator:
    arrays = stump() | {"roots": np.array([[0]], dtype=np.int32), "initial": np.array([0.25])}
    return _converted("gradient_boosting", {"link": "logistic"}, arrays | {"value": np.array([-2.0, 3.0])})


def forest() -> ConvertedEstimator:
    arrays = stump() | {"roots": np.array([0], dtype=np.int32)}
    return _converted("forest", {}, arrays | {"value": np.array([[0.25, 0.75], [1.0, 0.0]])})


def vectors() -> ConvertedEstimator:
    parameters = {"link": "coupled_sigmoids", "kernel": "rbf", "gamma": 0.5, "coef0": 0.0, "degree": 3}
    arrays = {
        "vectors": np.array([[0.0, 1.0, 2.0], [1.0, 1.0, 0.0]]),
        "counts": np.array([2, 1], dtype=np.int32),
        "coefficients": np.array([[0.5, 0.5, -1.0]]),
        "intercepts": np.array([0.1]),
        "slopes": np.array([-2.0]),
        "offsets": np.array([0.0]),
    }
    return _converted("support_vectors", parameters, arrays)


def linear() -> ConvertedEstimator:
    arrays = {"weights": np.array([[1.0, -1.0]]), "intercepts": np.array([0.5])}
    return _converted("linear", {"link": "one_vs_rest"}, arrays)


def gaussian() -> ConvertedEstimator:
    table = np.array([[0.0, 1.0], [2.0, 3.0]])
    arrays = {"priors": np.array([0.5, 0.5]), "means": table, "variances": table + 1}
    return _converted("gaussian_nb", {}, arrays)


def bernoulli() -> ConvertedEstimator:
    arrays = {"log_priors": np.log([0.5, 0.5]), "log_probabilities": np.log([[0.1, 0.2], [0.3, 0.4]])}
    return _converted("bernoulli_nb", {"threshold": 0.0}, arrays)


def prior() -> ConvertedEstimator:
    return _converted("prior", {}, {"probabilities": np.array([0.25, 0.75])})


def one_vs_rest() -> ConvertedEstimator:
    parts = [linear(), forest(), prior()]
    arrays = {
        f"part{at}.{name}": found for at, part in enumerate(parts) for name, found in part.arrays.items()
    }
    described = [{"kind": part.kind, "parameters": part.parameters} for part in parts]
    return _converted("one_vs_rest", {"is_multilabel": False, "parts": described}, arrays)


def calibrated() -> ConvertedEstimator:
    part = linear()
    fold = {
        "estimator": {"kind": part.kind, "parameters": {"link": "none"}},
        "curves": [{"method": "isotonic"}],
        "labels": [1],
    }
    arrays = {f"fold0.estimator.{name}": found for name, found in part.arrays.items()}
    arrays |= {"fold0.curve0.x": np.array([0.0, 1.0, 2.0]), "fold0.curve0.y": np.array([0.0, 0.5, 1.0])}
    return _converted("calibrated", {"labels_count": 2, "folds": [fold]}, arrays)


def after_scaler() -> ConvertedEstimator:
    arrays = {"center": np.array([1.0, 2.0]), "scale": np.array([2.0, 4.0])}
    return scaled([ConvertedScaler("center_scale", {}, arrays)], boosting())


def _converted(kind: str, parameters: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> ConvertedEstimator:
    return ConvertedEstimator(kind, parameters, arrays, [False, True], COLUMNS)


def load(converted: ConvertedEstimator, columns: int = COLUMNS) -> Estimator:
    return load_estimator(converted.kind, converted.parameters, converted.arrays, columns)


ALL = (
    boosting,
    forest,
    vectors,
    linear,
    gaussian,
    bernoulli,
    prior,
    one_vs_rest,
    calibrated,
    after_scaler,
)


@pytest.mark.parametrize("make", ALL)
def test_a_sound_estimator_answers_in_any_number_of_rows(make: Any) -> None:
    estimator = load(make())
    rows = np.array([[0.0, 0.5], [1.0, 0.6], [-3.0, 7.0]])
    answers = estimator.answers(rows)
    assert answers.probabilities.shape == answers.chosen.shape == (3, estimator.labels_count)
    assert np.allclose(answers.probabilities.sum(axis=1), 1)
    for count in (0, 1, 2):
        assert np.array_equal(estimator.probabilities(rows[:count]), answers.probabilities[:count])


def test_rows_beyond_float32_go_the_way_of_infinity() -> None:
    estimator, rows = load(forest()), np.array([[0.0, -1e300], [0.0, 1e300]])
    with np.errstate(over="ignore"):
        assert estimator.probabilities(rows).tolist() == [[0.25, 0.75], [1.0, 0.0]]
        assert estimator.probabilities(rows[1:]).tolist() == [[1.0, 0.0]]


@pytest.mark.parametrize("make", ALL)
def test_a_missing_array_is_refused(make: Any) -> None:
    for name in make().arrays:
        # A scaler may lack either array.
        if name.startswith("scaler0."):
            continue
        converted = make()
        del converted.arrays[name]
        with pytest.raises(ModelCorrupt, match=r"is missing.*import the model anew"):
            load(converted)


@pytest.mark.parametrize("make", ALL)
def test_an_array_of_another_type_or_shape_is_refused(make: Any) -> None:
    for name, found in make().arrays.items():
        for broken in (found.astype(np.complex128), found[:0], found[None], np.concatenate([found, found])):
            converted = make()
            converted.arrays[name] = broken
            if name.endswith(("vectors", "x", "y")) or make is prior:
                continue
            with pytest.raises(ModelCorrupt, match="import the model anew"):
                load(converted)


@pytest.mark.parametrize("make", ALL)
def test_numbers_that_are_not_finite_are_refused(make: Any) -> None:
    for name, found in make().arrays.items():
        if found.dtype.kind != "f":
            continue
        for odd in (np.nan, np.inf):
            converted = make()
            broken = found.copy()
            broken.flat[-1] = odd
            converted.arrays[name] = broken
            with pytest.raises(ModelCorrupt, match="not finite"):
                load(converted)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("feature", [2, -1, -1]),
        ("feature", [-2, -1, -1]),
        ("left", [0, -1, -1]),
        ("left", [2, -1, -1]),
        ("left", [-1, -1, -1]),
        ("right", [3, -1, -1]),
        ("roots", [3]),
        ("roots", [-1]),
        ("roots", [1]),
    ],
)
def test_trees_that_circle_or_point_outside_are_refused(name: str, value: list[int]) -> None:
    for make in (boosting, forest):
        converted = make()
        found = converted.arrays[name]
        converted.arrays[name] = np.array(value, dtype=found.dtype).reshape(found.shape)
        with pytest.raises(ModelCorrupt, match="import the model anew"):
            load(converted)


def test_nodes_shared_by_many_paths_are_refused_before_they_multiply() -> None:
    count = 64
    converted = forest()
    converted.arrays.update(
        feature=np.array([0] * count + [-1], dtype=np.int16),
        threshold=np.zeros(count + 1, dtype=np.float32),
        left=np.array([*range(1, count + 1), -1], dtype=np.int32),
        right=np.array([*range(1, count + 1), -1], dtype=np.int32),
        value=np.array([[1.0, 0.0]]),
    )
    with pytest.raises(ModelCorrupt, match="the same node"):
        load(converted)


@pytest.mark.parametrize(
    ("make", "parameters"),
    [
        (boosting, {"link": "softmax"}),
        (boosting, {"link": "identity"}),
        (linear, {}),
        (linear, {"link": "none"}),
        (vectors, {"kernel": "laplace"}),
        (vectors, {"gamma": "auto"}),
        (vectors, {"gamma": float("nan")}),
        (vectors, {"link": "none"}),
        (bernoulli, {"threshold": "0"}),
        (one_vs_rest, {"parts": []}),
        (one_vs_rest, {"parts": [3]}),
        (one_vs_rest, {"is_multilabel": 1}),
        (calibrated, {"labels_count": 1}),
        (calibrated, {"folds": [{}]}),
        (after_scaler, {"scalers": None}),
        (after_scaler, {"scalers": [{"kind": "log"}]}),
        (after_scaler, {"estimator": {"kind": "magic"}}),
        (after_scaler, {"estimator": None}),
    ],
)
def test_parameters_that_say_nothing_known_are_refused(make: Any, parameters: dict[str, Any]) -> None:
    converted = make()
    kept = {} if parameters == {} else converted.parameters
    with pytest.raises(ModelCorrupt, match="import the model anew"):
        load_estimator(converted.kind, kept | parameters, converted.arrays, COLUMNS)


def test_estimators_in_estimators_without_end_are_refused() -> None:
    parameters: dict[str, Any] = {"kind": "prior", "parameters": {}}
    for _ in range(500):
        inner = {"scalers": [{"kind": "center_scale"}], "estimator": parameters}
        parameters = {"kind": "scaled", "parameters": inner}
    with pytest.raises(ModelCorrupt, match="deep"):
        load_estimator("scaled", parameters["parameters"], {}, COLUMNS)


@pytest.mark.parametrize("kind", ["", "sgd", "GradientBoostingClassifier"])
def test_an_unknown_kind_is_named(kind: str) -> None:
    with pytest.raises(ModelCorrupt, match=f"unknown kind '{kind}'"):
        load_estimator(kind, {}, {}, COLUMNS)


def test_other_columns_than_those_of_the_arrays_are_refused() -> None:
    for make in (vectors, linear, gaussian, bernoulli, after_scaler):
        with pytest.raises(ModelCorrupt, match="shape"):
            load(make(), columns=3)
    with pytest.raises(ModelCorrupt, match="columns"):
        load(forest(), columns=1)


@pytest.mark.parametrize(
    ("name", "value"),
    [("counts", [1, 1]), ("counts", [4, -1]), ("counts", [3])],
)
def test_support_vectors_that_belong_to_no_label_are_refused(name: str, value: list[int]) -> None:
    converted = vectors()
    converted.arrays[name] = np.array(value, dtype=np.int32)
    with pytest.raises(ModelCorrupt, match="import the model anew"):
        load(converted)


def test_points_of_a_calibration_have_to_rise() -> None:
    converted = calibrated()
    converted.arrays["fold0.curve0.x"] = np.array([0.0, 0.0, 2.0])
    with pytest.raises(ModelCorrupt, match="rise"):
        load(converted)


def test_a_scaler_that_divides_by_0_is_refused() -> None:
    with pytest.raises(ModelCorrupt, match="divides by 0"):
        load_scaler("center_scale", {}, {"scale": np.array([1.0, 0.0])}, COLUMNS)


def test_a_scaler_of_an_unknown_kind_is_refused() -> None:
    with pytest.raises(ModelCorrupt, match="unknown kind 'log'"):
        load_scaler("log", {}, {}, COLUMNS)


def test_thresholds_are_rounded_down_to_the_greatest_float32_that_is_not_above_them() -> None:
    thresholds = np.array([0.1, -0.1, 1.0, 1e-50, -1e-50, -1e300, 16777217.0])
    found = rounded_down(thresholds)
    assert found.dtype == np.float32
    assert np.all(found.astype(np.float64) <= thresholds)
    assert np.all(np.nextafter(found, np.float32(np.inf)).astype(np.float64) > thresholds)
    greatest = np.finfo(np.float32).max
    assert rounded_down(np.array([1e300, -float(greatest)])).tolist() == [greatest, -greatest]


def test_parameters_are_plain_json() -> None:
    for make in ALL:
        assert json.loads(json.dumps(make().parameters)) == make().parameters
