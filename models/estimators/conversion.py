"""From a pickled estimator, read as inert data, to arrays."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.estimators.checks import as_part
from models.estimators.convert_scalers import convert_scaler
from models.estimators.convert_trees import convert_boosting, convert_forest
from models.estimators.convert_vectors import convert_linear, convert_svc
from models.estimators.estimator import ConvertedEstimator, Label
from models.estimators.inert import (
    attribute,
    floats,
    guarded,
    labels_of,
    name_of,
    option,
    unreadable,
    unsupported,
)
from models.estimators.scaling import scaled
from models.estimators.tree_walk import LEAF

_DEEPEST = 8


@guarded
def convert_estimator(model: Any) -> ConvertedEstimator:
    """Convert a trained estimator of scikit-learn 0.15 to 1.x, whichever release it came from.

    Args:
        model: As the restricted reader gives it.

    Returns:
        What an artefact carries. ``load_estimator`` checks it: indices, lengths, finite numbers.

    Raises:
        ModelCorrupt: It is no trained estimator, or its parts do not fit.
        ModelIncompatible: It is of a kind, or has an option, that is not evaluated here; or it gives no
            probabilities.
    """
    converted = _convert(model, 0)
    if not _gives_probabilities(converted.kind, converted.parameters):
        raise unsupported(f"{name_of(model)} without probabilities")
    return converted


@guarded
def convert_multilabel(parts: Iterable[tuple[Label, Any]]) -> ConvertedEstimator:
    """Convert revscoring's multilabel models: one estimator of two labels for each label.

    Args:
        parts: Label and estimator, as in the model's ``estimators``.

    Returns:
        An estimator of the kind ``one_vs_rest`` with these labels.

    Raises:
        ModelCorrupt: One is no trained estimator.
        ModelIncompatible: One is of a kind that is not evaluated here.
    """
    pairs = [(label, _convert(model, 1)) for label, model in parts]
    return _one_vs_rest(
        labels_of([label for label, _ in pairs]), [part for _, part in pairs], is_multilabel=True
    )


def _convert(model: Any, depth: int) -> ConvertedEstimator:
    if depth > _DEEPEST:
        raise unreadable(f"estimators in estimators more than {_DEEPEST} deep")
    name = name_of(model)
    if name in _SIMPLE:
        return _SIMPLE[name](model)
    match name:
        case "Pipeline":
            return _convert_pipeline(model, depth)
        case "CalibratedClassifierCV":
            return _convert_calibrated(model, depth)
        case "OneVsRestClassifier":
            return _convert_one_vs_rest(model, depth)
        case _:
            raise unsupported(f"an estimator of the kind {name}")


def _gives_probabilities(kind: str, parameters: Mapping[str, Any]) -> bool:
    if kind == "scaled":
        inner = parameters["estimator"]
        return _gives_probabilities(inner["kind"], inner["parameters"])
    if kind == "one_vs_rest":
        return all(_gives_probabilities(part["kind"], part["parameters"]) for part in parameters["parts"])
    return parameters.get("link") != "none"


def _convert_bayes(model: Any) -> ConvertedEstimator:
    labels = labels_of(attribute(model, "classes_"))
    parameters: dict[str, Any] = {}
    if name_of(model) == "GaussianNB":
        arrays = {
            "priors": floats(attribute(model, "class_prior_"), "the priors of naive Bayes"),
            "means": floats(attribute(model, "theta_"), "the means of naive Bayes"),
            # Renamed in 1.0.
            "variances": floats(attribute(model, "var_", "sigma_"), "the variances of naive Bayes"),
        }
        columns = arrays["means"].shape[1]
    else:
        arrays = {
            "log_priors": floats(attribute(model, "class_log_prior_"), "the priors of naive Bayes"),
            "log_probabilities": floats(attribute(model, "feature_log_prob_"), "the weights of naive Bayes"),
        }
        columns = arrays["log_probabilities"].shape[1]
    if name_of(model) == "BernoulliNB":
        threshold = option(model, "binarize")
        parameters["threshold"] = None if threshold is None else float(threshold)
    kind = f"{name_of(model).removesuffix('NB').lower()}_nb"
    return ConvertedEstimator(kind, parameters, arrays, labels, columns)


def _convert_dummy(model: Any) -> ConvertedEstimator:
    labels = labels_of(attribute(model, "classes_"))
    strategy = option(model, "strategy")
    priors = floats(attribute(model, "class_prior_"), "the priors of a constant classifier").reshape(-1)
    match strategy:
        case "prior":
            answer = priors
        case "most_frequent":
            answer = np.eye(len(labels))[int(priors.argmax())]
        case "constant":
            constant = np.asarray(attribute(model, "constant")).reshape(-1).tolist()[0]
            answer = np.eye(len(labels))[labels.index(constant)]
        case _:
            raise unsupported(f"a constant classifier that answers by {strategy!r}")
    return ConvertedEstimator("prior", {}, {"probabilities": answer}, labels)


def _convert_constant(model: Any) -> ConvertedEstimator:
    """Convert what one-versus-rest puts for a label that all rows have, or none."""
    true = float(np.asarray(attribute(model, "y_")).reshape(-1)[0])
    return ConvertedEstimator("prior", {}, {"probabilities": np.array([1 - true, true])}, [0, 1])


def _convert_pipeline(model: Any, depth: int) -> ConvertedEstimator:
    steps = attribute(model, "steps")
    scalers = [
        convert_scaler(None if isinstance(step, str) and step == "passthrough" else step)
        for _, step in steps[:-1]
    ]
    return scaled(scalers, _convert(steps[-1][1], depth + 1))


def _convert_one_vs_rest(model: Any, depth: int) -> ConvertedEstimator:
    binarizer = attribute(model, "label_binarizer_")
    kind = option(binarizer, "y_type_", "multiclass")
    labels = labels_of(attribute(binarizer, "classes_"))
    parts = [_convert(part, depth + 1) for part in attribute(model, "estimators_")]
    return _one_vs_rest(labels, parts, is_multilabel=str(kind).startswith("multilabel"))


def _one_vs_rest(
    labels: list[Label], parts: list[ConvertedEstimator], *, is_multilabel: bool
) -> ConvertedEstimator:
    columns = next((part.columns for part in parts if part.columns is not None), None)
    if is_multilabel and (together := _side_by_side(parts)) is not None:
        return ConvertedEstimator("gradient_boosting", {"link": "each"}, together, labels, columns)
    arrays: dict[str, NDArray[Any]] = {}
    for at, part in enumerate(parts):
        arrays |= as_part(part.arrays, f"part{at}")
    parameters = {"is_multilabel": is_multilabel, "parts": [_described(part) for part in parts]}
    return ConvertedEstimator("one_vs_rest", parameters, arrays, labels, columns)


def _side_by_side(parts: list[ConvertedEstimator]) -> dict[str, NDArray[Any]] | None:
    """Join boostings of two labels into one whose stages hold a tree of each, so that one walk serves all.

    Returns:
        None where a part is of another kind, or of another number of stages.
    """
    is_alike = all(
        part.kind == "gradient_boosting"
        and part.parameters["link"] == "logistic"
        and part.arrays["roots"].shape == parts[0].arrays["roots"].shape
        for part in parts
    )
    if not is_alike:
        return None
    each = [part.arrays for part in parts]
    starts = np.cumsum([0, *(len(arrays["feature"]) for arrays in each)])[:-1].astype(np.int32)
    joined = {
        name: np.concatenate([arrays[name] for arrays in each])
        for name in ("feature", "threshold", "value", "initial", "cover")
        if all(name in arrays for arrays in each)
    }
    for name in ("left", "right"):
        moved = [
            np.where(arrays["feature"] == LEAF, LEAF, arrays[name] + start)
            for arrays, start in zip(each, starts, strict=True)
        ]
        joined[name] = np.concatenate(moved).astype(np.int32)
    roots = [arrays["roots"] + start for arrays, start in zip(each, starts, strict=True)]
    joined["roots"] = np.concatenate(roots, axis=1).astype(np.int32)
    return joined


def _convert_calibrated(model: Any, depth: int) -> ConvertedEstimator:
    labels = labels_of(attribute(model, "classes_"))
    arrays: dict[str, NDArray[Any]] = {}
    folds, columns = [], None
    for at, fold in enumerate(attribute(model, "calibrated_classifiers_")):
        # Renamed from base_estimator in 1.2, calibrators_ to calibrators in 0.24.
        part = _convert(attribute(fold, "estimator", "base_estimator"), depth + 1)
        if part.kind == "support_vectors" and len(part.labels) > 2:
            raise unsupported("a calibration over support vectors of several labels")
        columns = part.columns
        curves = []
        for number, curve in enumerate(attribute(fold, "calibrators", "calibrators_")):
            description, points = _convert_curve(curve)
            curves.append(description)
            arrays |= as_part(points, f"fold{at}.curve{number}")
        arrays |= as_part(part.arrays, f"fold{at}.estimator")
        told = [1] if len(labels) == 2 else [labels.index(label) for label in part.labels]
        folds.append({"estimator": _described(part), "curves": curves, "labels": told})
    parameters = {"labels_count": len(labels), "folds": folds}
    return ConvertedEstimator("calibrated", parameters, arrays, labels, columns)


def _convert_curve(curve: Any) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    match name_of(curve):
        case "_SigmoidCalibration":
            slope, offset = float(attribute(curve, "a_")), float(attribute(curve, "b_"))
            return {"method": "sigmoid", "slope": slope, "offset": offset}, {}
        case "IsotonicRegression":
            # Renamed in 0.24; before 0.17 every point was kept.
            x = floats(attribute(curve, "X_thresholds_", "_necessary_X_", "X_"), "a calibration").reshape(-1)
            y = floats(attribute(curve, "y_thresholds_", "_necessary_y_", "y_"), "a calibration").reshape(-1)
            if len(x) != len(y):
                raise unreadable("a calibration whose points have no heights")
            return {"method": "isotonic"}, {"x": x, "y": y}
        case name:
            raise unsupported(f"a calibration by {name}")


def _described(part: ConvertedEstimator) -> dict[str, Any]:
    return {"kind": part.kind, "parameters": part.parameters}


_SIMPLE: Mapping[str, Callable[[Any], ConvertedEstimator]] = {
    "GradientBoostingClassifier": convert_boosting,
    "RandomForestClassifier": convert_forest,
    "ExtraTreesClassifier": convert_forest,
    "DecisionTreeClassifier": convert_forest,
    "ExtraTreeClassifier": convert_forest,
    "SVC": convert_svc,
    "NuSVC": convert_svc,
    "LogisticRegression": convert_linear,
    "LogisticRegressionCV": convert_linear,
    "SGDClassifier": convert_linear,
    "LinearSVC": convert_linear,
    "GaussianNB": _convert_bayes,
    "BernoulliNB": _convert_bayes,
    "MultinomialNB": _convert_bayes,
    "ComplementNB": _convert_bayes,
    "DummyClassifier": _convert_dummy,
    "_ConstantPredictor": _convert_constant,
}
