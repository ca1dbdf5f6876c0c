"""The features that ORES shows: those that a model's features are made of by operators alone."""

from collections.abc import Sequence
from typing import Any

from models import resources
from models.features.bound import BoundFeature, name_of_type
from models.features.catalogue import with_needs
from models.features.definitions import printed_name
from models.inputs import reads_account
from models.manifest import FeatureSpec

_UNKNOWN = {"bool": False, "int": 0, "float": 0.0}
Pair = tuple[FeatureSpec, BoundFeature]


def base_features(pairs: Sequence[Pair]) -> list[Pair] | None:
    """Return the features beneath all sums, quotients, logarithms and the like, each once, in their order.

    ORES and Lift Wing show ``feature.wikitext.revision.chars`` where a model reads its logarithm. A vector is
    shown as it is.

    Args:
        pairs: Features of a model, as its manifest has them and bound.

    Returns:
        The like; None where nothing is made of others.
    """
    modifier = resources.module("features.feature").Modifier
    if not any(_is_made(bound, modifier) for _, bound in pairs):
        return None
    found: dict[str, Pair] = {}
    for spec, bound in pairs:
        if not _is_made(bound, modifier):
            found.setdefault(str(bound.feature), (spec, bound))
            continue
        for feature in resources.module("features.functions").trim(bound.feature):
            returns = name_of_type(feature.returns)
            if returns is not None:
                found.setdefault(str(feature), _pair(feature, returns))
    return list(found.values())


def _is_made(bound: BoundFeature, modifier: type) -> bool:
    return isinstance(bound.feature, modifier) and not bound.is_vector


def _pair(feature: Any, returns: str) -> Pair:
    constant = resources.module("features.feature").Constant
    roots = frozenset(
        str(each)
        for each in with_needs([feature])
        if not each.dependencies and not isinstance(each, constant)
    )
    # A source that does not know accounts cannot say more of them.
    unknown = _UNKNOWN[returns] if reads_account(roots) else None
    name = printed_name(feature)
    return FeatureSpec(name, returns, unknown), BoundFeature(name, feature, returns, roots)
