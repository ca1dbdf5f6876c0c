"""Fits an estimator of scikit-learn and takes its numbers over."""

import inspect
import pickle
from collections.abc import Mapping
from importlib import import_module
from typing import Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from models.columns import fill
from models.estimators import Answers, Estimator, convert_estimator, load_estimator
from models.pickles import read_pickle
from models.recipes import Recipe
from models.training.estimator_kinds import ESTIMATORS, SCALERS
from schemas.errors import SettingsError

Floats = NDArray[np.float64]

SEED = 0
_GREATEST_DIFFERENCE = 1e-12
_TRIAL_ROWS = 256


class Fitted(Struct, frozen=True):
    """A fitted estimator as an artefact carries it.

    Attributes:
        kind: As ``models.estimators.load_estimator`` takes it.
        parameters: Likewise.
        arrays: Likewise.
        estimator: Made of them.
    """

    kind: str
    parameters: Mapping[str, Any]
    arrays: dict[str, NDArray[Any]]
    estimator: Estimator


def fit(recipe: Recipe, parameters: Mapping[str, Any], features: Floats, actual: NDArray[np.intp]) -> Fitted:
    """Fit the estimator of a recipe.

    The same rows on the same machine give the same numbers: an estimator that draws lots is seeded.

    Args:
        recipe: Names the estimator, its columns and weights.
        parameters: Of the estimator.
        features: float64[rows, features].
        actual: Position of the label of each row; every label occurs.

    Raises:
        SettingsError: scikit-learn refuses a parameter.
    """
    rows = fill(recipe.columns, features)
    model = _estimator(recipe, parameters)
    try:
        model.fit(rows, actual, **_weights(recipe, model, actual))
    except (TypeError, ValueError) as error:
        raise _refused(recipe, error) from error
    # One path for models trained here and imported: a pickle of our own, read as inert data.
    converted = convert_estimator(read_pickle(pickle.dumps(model, protocol=4)))
    estimator = load_estimator(converted.kind, converted.parameters, converted.arrays, rows.shape[1])
    fitted = Fitted(converted.kind, converted.parameters, converted.arrays, estimator)
    _check(recipe, fitted, model, rows[:_TRIAL_ROWS])
    return fitted


def answer(recipe: Recipe, fitted: Fitted, features: Floats) -> Answers:
    """Return probabilities and chosen labels.

    Args:
        recipe: Whose columns are filled.
        fitted: By ``fit``.
        features: float64[rows, features].
    """
    return fitted.estimator.answers(fill(recipe.columns, features))


def complete(recipe: Recipe, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return parameters with a seed, where the estimator takes one and none is given."""
    kind = _class(ESTIMATORS, recipe.estimator)
    takes_seed = "random_state" in inspect.signature(kind).parameters
    return {**({"random_state": SEED} if takes_seed else {}), **parameters}


def _estimator(recipe: Recipe, parameters: Mapping[str, Any]) -> Any:
    try:
        model = _class(ESTIMATORS, recipe.estimator)(**complete(recipe, parameters))
    except TypeError as error:
        raise _refused(recipe, error) from error
    if recipe.scaler is None:
        return model
    # Serving processes never import scikit-learn; only training does.
    from sklearn.pipeline import Pipeline  # noqa: PLC0415

    return Pipeline([("scaler", _class(SCALERS, recipe.scaler)()), ("estimator", model)])


def _class(modules: Mapping[str, str], name: str) -> Any:
    return getattr(import_module(modules[name]), name)


def _weights(recipe: Recipe, model: Any, actual: NDArray[np.intp]) -> dict[str, Floats]:
    """Return the weight of each row as the estimator takes it; nothing where all weigh the same."""
    if recipe.class_weights is None:
        return {}
    if isinstance(recipe.class_weights, str):
        counts = np.bincount(actual, minlength=len(recipe.labels))
        by_label = len(actual) / (len(recipe.labels) * np.maximum(counts, 1))
    else:
        by_label = np.array([float(recipe.class_weights.get(label, 1.0)) for label in recipe.labels])
    is_pipeline = type(model).__name__ == "Pipeline"
    return {"estimator__sample_weight" if is_pipeline else "sample_weight": by_label[actual]}


def _check(recipe: Recipe, fitted: Fitted, model: Any, rows: Floats) -> None:
    """Hold the arrays against the estimator that they were taken from.

    Raises:
        RuntimeError: They answer otherwise: a defect of ours.
    """
    difference = np.abs(fitted.estimator.probabilities(rows) - model.predict_proba(rows)).max()
    if not difference <= _GREATEST_DIFFERENCE:
        raise RuntimeError(f"the arrays of {recipe.estimator} answer otherwise by {difference}")


def _refused(recipe: Recipe, error: Exception) -> SettingsError:
    return SettingsError(
        f"scikit-learn's {recipe.estimator} refuses the recipe {recipe.name!r}: {error}; correct its "
        "parameters",
        model_name=recipe.name,
    )
