"""The features of a pickled model as its manifest lists them."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from models.features.former_edits import ACCOUNTS
from models.importer.graph import Dependent, FeatureGraph
from models.importer.lists import reading_account
from models.manifest import FeatureSpec
from schemas.errors import ModelCorrupt, ModelIncompatible
from schemas.prediction import FeatureValue


def feature_specs(
    graph: FeatureGraph,
    positions: Sequence[int | None],
    columns: int | None,
    medians: NDArray[np.float64] | None,
) -> tuple[FeatureSpec, ...]:
    """List the features of a model.

    Args:
        graph: Of the model.
        positions: Of each feature among the definitions of the artefact; None for one found by its name.
        columns: Of its estimator; None where the estimator does not say. What the scalars and the vectors of
            known length leave is the length of the one vector whose length only the world knows.
        medians: What the scaler subtracts, float64[columns], which is each column's median over the training
            data; None without. It stands in where groups and registration of an account are unknown.

    Raises:
        ModelCorrupt: The scaler is of other columns than the features.
        ModelIncompatible: The features do not add up to the columns, or one gives no number.
    """
    widths = _widths(graph.features, columns)
    if medians is not None and len(medians) != sum(widths):
        raise ModelCorrupt(
            f"the scaler of the model reads {len(medians)} columns, but its features fill {sum(widths)}; "
            "fetch the file again"
        )
    of_account = reading_account(graph) | graph.resting_on(lambda one: one.name in ACCOUNTS)
    specs = []
    column = 0
    for at, (feature, width, position) in enumerate(zip(graph.features, widths, positions, strict=True)):
        if feature.returns is None or feature.returns == "str":
            raise ModelIncompatible(
                f"the model reads {str(feature)!r}, which gives {feature.returns or 'an unknown type'} and "
                "no number; it cannot be imported",
                feature=str(feature),
            )
        median = None
        if medians is not None and not feature.is_vector and at in of_account:
            median = _typed(float(medians[column]), feature.returns)
        specs.append(
            FeatureSpec(
                name=str(feature),
                returns=feature.returns,
                unknown_user_value=median,
                definition=position,
                columns=width,
            )
        )
        column += width
    return tuple(specs)


def _widths(features: Sequence[Dependent], columns: int | None) -> list[int]:
    widths = [_stated_width(feature) for feature in features]
    known = sum(width or 0 for width in widths)
    unknown = widths.count(None)
    if unknown == 1 and columns is not None and columns > known:
        return [width or columns - known for width in widths]
    if unknown or (columns is not None and columns != known):
        vectors = f" and {unknown} vectors of unknown length" if unknown else ""
        raise ModelIncompatible(
            f"the features of the model fill {known} columns{vectors}, but its estimator reads {columns}; "
            "fetch the file again, or import another version of the model"
        )
    return [width or 0 for width in widths]


def _stated_width(feature: Dependent) -> int | None:
    if not feature.is_vector:
        return 1
    keys = feature.state.get("keys")
    return len(keys) if isinstance(keys, (list, tuple)) and keys else None


def _typed(median: float, returns: str) -> FeatureValue | None:
    if not math.isfinite(median):
        return None
    if returns == "bool":
        return median >= 0.5
    return int(median) if returns == "int" else median
