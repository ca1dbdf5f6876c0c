"""How the scores of a model were spread over some revisions."""

from collections.abc import Mapping
from datetime import datetime

from msgspec import Struct


class ScoreShares(Struct, frozen=True):
    """The scores of one model in one snapshot.

    Attributes:
        name: Of the snapshot.
        created_dt: When it was finished.
        scores: How many there are.
        shares: By label: what part lies in each of some bins of equal width over [0, 1].
    """

    name: str
    created_dt: datetime
    scores: int
    shares: Mapping[str, list[float]]
