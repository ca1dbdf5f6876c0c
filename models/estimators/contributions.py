"""What each column of a row adds to an estimator's scores, for the kinds whose scores are sums."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from models.estimators.checks import of_part, parts
from models.estimators.estimator import Arrays, Floats
from models.estimators.scaling import CenterScale, load_scalers
from models.estimators.shapley import shapley_of_trees
from models.estimators.tree_walk import LEAF
from schemas.attribution import AttributionMethod, AttributionReference, AttributionScale

_BOOSTING_SCALES: Mapping[str, AttributionScale] = {
    "logistic": AttributionScale.LOG_ODDS,
    "each": AttributionScale.LOG_ODDS,
}


class Contributions(Struct, frozen=True):
    """What columns add to the scores of some labels.

    Attributes:
        method: How it was computed.
        scale: What the scores are.
        reference: What the base is the score of.
        base: float64[scores].
        values: float64[scores, columns]; a row's scores are base and values together. One score for two
            labels that exclude each other, of the second; else one a label.
    """

    method: AttributionMethod
    scale: AttributionScale
    reference: AttributionReference
    base: Floats
    values: Floats


def contributions(
    kind: str, parameters: Mapping[str, Any], arrays: Arrays, row: Floats
) -> Contributions | None:
    """Return what the columns of a row add to the scores of an estimator.

    Args:
        kind: As of `models.estimators.loading.load_estimator`, which has taken these three before.
        parameters: Likewise.
        arrays: Likewise.
        row: float64[columns], finite.

    Returns:
        None for kinds whose scores are no sums over columns or trees.
    """
    match kind:
        case "gradient_boosting":
            return _of_boosting(parameters, arrays, row)
        case "forest":
            return _of_forest(arrays, row)
        case "linear":
            return _of_linear(parameters, arrays, row)
        case "scaled":
            return _of_scaled(parameters, arrays, row)
        case "one_vs_rest":
            return _of_several(parameters, arrays, row)
        case _:
            return None


def _of_boosting(parameters: Mapping[str, Any], arrays: Arrays, row: Floats) -> Contributions:
    is_leaf = arrays["feature"] == LEAF
    value = arrays["value"]
    by_leaf = value[is_leaf] if len(value) == len(is_leaf) else value
    found = shapley_of_trees(arrays, by_leaf[:, None], arrays["initial"], row)
    default = "logistic" if len(found.base) == 1 else "softmax"
    scale = _BOOSTING_SCALES.get(parameters.get("link", default), AttributionScale.RAW_SCORE)
    return Contributions(AttributionMethod.TREE_SHAP, scale, _reference(arrays), found.base, found.values)


def _of_forest(arrays: Arrays, row: Floats) -> Contributions:
    value, trees = arrays["value"], arrays["roots"].size
    # Of two labels, the second: the first is its opposite.
    told = value[:, 1:] if value.shape[1] == 2 else value
    found = shapley_of_trees(arrays, told, np.zeros(told.shape[1]), row)
    return Contributions(
        AttributionMethod.TREE_SHAP,
        AttributionScale.PROBABILITY,
        _reference(arrays),
        found.base / trees,
        found.values / trees,
    )


def _reference(arrays: Arrays) -> AttributionReference:
    return AttributionReference.TRAINING if "cover" in arrays else AttributionReference.LEAVES


def _of_linear(parameters: Mapping[str, Any], arrays: Arrays, row: Floats) -> Contributions:
    weights = arrays["weights"]
    is_log_odds = len(weights) == 1 and parameters.get("link") == "one_vs_rest"
    scale = AttributionScale.LOG_ODDS if is_log_odds else AttributionScale.RAW_SCORE
    return Contributions(
        AttributionMethod.LINEAR, scale, AttributionReference.ZERO, arrays["intercepts"], weights * row
    )


def _of_scaled(parameters: Mapping[str, Any], arrays: Arrays, row: Floats) -> Contributions | None:
    scalers = load_scalers(parameters, arrays, len(row))
    scaled = row[None]
    for scaler in scalers:
        scaled = scaler.transform(scaled)
    inner = parameters["estimator"]
    found = contributions(
        inner["kind"], inner.get("parameters") or {}, of_part(arrays, "estimator"), scaled[0]
    )
    last = scalers[-1]
    is_centred = isinstance(last, CenterScale) and last.has_centre
    if found is not None and found.reference is AttributionReference.ZERO and is_centred:
        return replace(found, reference=AttributionReference.MEAN)
    return found


def _of_several(parameters: Mapping[str, Any], arrays: Arrays, row: Floats) -> Contributions | None:
    found = [
        contributions(part["kind"], part.get("parameters") or {}, of_part(arrays, f"part{at}"), row)
        for at, part in enumerate(parts(parameters, "parts"))
    ]
    known = [each for each in found if each is not None and len(each.base) == 1]
    if len(known) < len(found) or len({(each.method, each.scale, each.reference) for each in known}) != 1:
        return None
    first = known[0]
    # Where labels exclude each other, their probabilities are divided by their sum.
    scale = first.scale if parameters.get("is_multilabel") else AttributionScale.RAW_SCORE
    return Contributions(
        first.method,
        scale,
        first.reference,
        np.concatenate([each.base for each in known]),
        np.concatenate([each.values for each in known]),
    )
