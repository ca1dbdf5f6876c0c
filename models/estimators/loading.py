"""From what an artefact carries to an estimator that answers.

Kinds, and where each is described:

=====================  ==========================================
gradient_boosting      ``boosting``
forest                 ``forest``
support_vectors        ``support_vectors``
linear                 ``linear``
gaussian_nb            ``bayes``; likewise bernoulli_nb, multinomial_nb, complement_nb
prior                  ``prior``
one_vs_rest            ``one_vs_rest``; parts under ``part0.``, ``part1.`` …
calibrated             ``calibrated``; folds under ``fold0.`` …
scaled                 ``scaling``; scalers under ``scaler0.`` …, what follows under ``estimator.``
=====================  ==========================================
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from models.estimators.bayes import BernoulliBayes, ComplementBayes, GaussianBayes, MultinomialBayes
from models.estimators.boosting import GradientBoosting
from models.estimators.calibrated import Calibrated, Fold, load_curves
from models.estimators.checks import corrupt, flag, of_part, parts
from models.estimators.estimator import Arrays, Estimator
from models.estimators.forest import Forest
from models.estimators.linear import Linear
from models.estimators.one_vs_rest import OneVsRest
from models.estimators.prior import Prior
from models.estimators.scaling import Scaled, load_scalers
from models.estimators.support_vectors import SupportVectors

_SIMPLE: Mapping[str, Callable[[Arrays, int, Mapping[str, Any]], Estimator]] = {
    "gradient_boosting": GradientBoosting,
    "forest": Forest,
    "support_vectors": SupportVectors,
    "linear": Linear,
    "gaussian_nb": GaussianBayes,
    "bernoulli_nb": BernoulliBayes,
    "multinomial_nb": MultinomialBayes,
    "complement_nb": ComplementBayes,
    "prior": Prior,
}
# No published model nests deeper than scalers, calibration, one-versus-rest and a classifier.
_DEEPEST = 8


def load_estimator(kind: str, parameters: Mapping[str, Any], arrays: Arrays, columns: int) -> Estimator:
    """Make an estimator of what an artefact carries, after checks of every array and parameter.

    Args:
        kind: One of those that the module lists.
        parameters: Plain JSON.
        arrays: By name. They are kept, not copied, where they need no change.
        columns: Number of columns of the rows to come.

    Raises:
        ModelCorrupt: The kind is unknown, or arrays and parameters do not fit each other or the columns.
    """
    if columns < 1:
        raise corrupt(f"it reads {columns} columns")
    estimator = _load(kind, parameters, arrays, columns, 0)
    trial = estimator.probabilities(np.zeros((1, columns)))
    if trial.shape != (1, estimator.labels_count) or not np.isfinite(trial).all():
        raise corrupt("its answer for a row of zeros is no probability of each label")
    return estimator


def _load(kind: str, parameters: Mapping[str, Any], arrays: Arrays, columns: int, depth: int) -> Estimator:
    if depth > _DEEPEST:
        raise corrupt(f"it holds estimators in estimators more than {_DEEPEST} deep")
    if kind in _SIMPLE:
        return _SIMPLE[kind](arrays, columns, parameters)
    match kind:
        case "one_vs_rest":
            return _load_one_vs_rest(parameters, arrays, columns, depth)
        case "calibrated":
            return _load_calibrated(parameters, arrays, columns, depth)
        case "scaled":
            inner = _load_part(parameters.get("estimator"), of_part(arrays, "estimator"), columns, depth)
            return Scaled(load_scalers(parameters, arrays, columns), inner)
        case _:
            raise corrupt(f"it is of the unknown kind {kind!r}")


def _load_part(part: Any, arrays: Arrays, columns: int, depth: int) -> Estimator:
    if not isinstance(part, Mapping) or not isinstance(part.get("kind"), str):
        raise corrupt("one of its parts is not described")
    parameters = part.get("parameters") or {}
    if not isinstance(parameters, Mapping):
        raise corrupt("the parameters of one of its parts are no mapping")
    return _load(part["kind"], parameters, arrays, columns, depth + 1)


def _load_one_vs_rest(parameters: Mapping[str, Any], arrays: Arrays, columns: int, depth: int) -> Estimator:
    loaded = [
        _load_part(part, of_part(arrays, f"part{at}"), columns, depth)
        for at, part in enumerate(parts(parameters, "parts"))
    ]
    is_multilabel = flag(parameters, "is_multilabel")
    return OneVsRest(loaded, is_multilabel=is_multilabel)


def _load_calibrated(parameters: Mapping[str, Any], arrays: Arrays, columns: int, depth: int) -> Estimator:
    folds, count = [], parameters.get("labels_count")
    if isinstance(count, bool) or not isinstance(count, int) or count < 2:
        raise corrupt(f"its parameter 'labels_count' is {count!r}, no number of labels")
    for at, part in enumerate(parts(parameters, "folds")):
        inner = of_part(arrays, f"fold{at}")
        labels = part.get("labels")
        curves = load_curves(part, inner)
        is_list = isinstance(labels, list | tuple) and all(type(label) is int for label in labels)
        if not is_list or labels is None or len(labels) != len(curves):
            raise corrupt("a calibration does not say which label each of its curves is for")
        estimator = _load_part(part.get("estimator"), of_part(inner, "estimator"), columns, depth)
        folds.append(Fold(estimator, curves, labels))
    return Calibrated(folds, count)
