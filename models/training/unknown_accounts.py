"""What stands in for features that read an account where the source does not know it."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from models.features.bound import BoundFeature
from models.inputs import reads_account
from models.manifest import FeatureSpec
from models.recipes import Recipe
from schemas.errors import SourceError
from schemas.prediction import FeatureValue

Floats = NDArray[np.float64]


def feature_specs(
    recipe: Recipe,
    bound: Sequence[BoundFeature],
    features: Floats,
    has_account: NDArray[np.bool_] | None = None,
) -> tuple[FeatureSpec, ...]:
    """Describe the features, with what stands in where an account is unknown: the median of those known.

    Args:
        recipe: Its columns may tell editors without an account (``unless``), where nothing else does.
        bound: The features.
        features: float64[rows, features]; NaN where unknown.
        has_account: Which rows are by an account; None where the rows do not tell.

    Raises:
        SourceError: There are unknown accounts and no known one.
    """
    return tuple(
        FeatureSpec(
            feature.name,
            feature.returns,
            unknown_user_value=_median(recipe, feature, features, position, has_account)
            if reads_account(feature.roots)
            else None,
        )
        for position, feature in enumerate(bound)
    )


def with_stand_ins(features: Floats, specs: Sequence[FeatureSpec]) -> Floats:
    """Return feature values with the unknown ones filled in, as the scorer fills them in."""
    filled = features.copy()
    for position, spec in enumerate(specs):
        if spec.unknown_user_value is not None:
            filled[np.isnan(filled[:, position]), position] = float(spec.unknown_user_value)
    return filled


def _median(
    recipe: Recipe,
    feature: BoundFeature,
    features: Floats,
    position: int,
    has_account: NDArray[np.bool_] | None,
) -> FeatureValue:
    values = features[:, position]
    is_known = ~np.isnan(values)
    of_accounts = _of_accounts(recipe, features, position) if has_account is None else has_account
    chosen = values[is_known & of_accounts]
    if not len(chosen) and not is_known.all():
        raise SourceError(
            f"the source of the revisions knows no account, and {feature.name!r} reads accounts; put a users "
            "file beside the dump, extract from the wiki's API, or leave the feature out",
            feature=feature.name,
        )
    median = float(np.median(chosen if len(chosen) else values))
    return {"bool": median != 0, "int": int(median), "float": median}[feature.returns]


def _of_accounts(recipe: Recipe, features: Floats, position: int) -> NDArray[np.bool_]:
    for column in recipe.columns:
        if column.kind == "unless" and column.of == position:
            return np.asarray(features[:, column.by] == 0)
    return np.ones(len(features), dtype=np.bool_)
