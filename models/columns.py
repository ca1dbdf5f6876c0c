"""What the trees of a model are asked: features, and simple sums of features."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from schemas.errors import ModelCorrupt

Floats = NDArray[np.float64]


class Column(Struct, frozen=True, forbid_unknown_fields=True):
    """One column of a tree model's input, computed from its features.

    Attributes:
        kind: ``feature``: the feature ``of``. ``unless``: the feature ``of``, but 0 where ``by`` is true.
            ``difference``: ``of`` less ``by``. ``share``: ``of`` by ``of`` + ``by`` + 1.
            ``rate``: ``of`` by ``by`` + 1.
        of: Position of a feature.
        by: Position of another; unused by ``feature``.
    """

    kind: Literal["feature", "unless", "difference", "share", "rate"]
    of: int
    by: int = 0


def fill(columns: Sequence[Column], features: Floats) -> Floats:
    """Compute the columns.

    Args:
        columns: Which; those that divide ask for counts, which are never negative.
        features: float64[rows, features].

    Returns:
        float64[rows, columns].
    """
    filled = np.empty((len(features), len(columns)), dtype=np.float64)
    for position, column in enumerate(columns):
        of, by = features[:, column.of], features[:, column.by]
        match column.kind:
            case "feature":
                filled[:, position] = of
            case "unless":
                filled[:, position] = np.where(by != 0, 0.0, of)
            case "difference":
                filled[:, position] = of - by
            case "share":
                filled[:, position] = of / (of + by + 1)
            case "rate":
                filled[:, position] = of / (by + 1)
    return filled


def named(columns: Sequence[Column], names: Sequence[str]) -> tuple[str, ...]:
    """Return what each column is, in the printed names of the features' columns."""
    forms = {
        "feature": "{0}",
        "unless": "{0} unless {1}",
        "difference": "{0} - {1}",
        "share": "{0} / ({0} + {1} + 1)",
        "rate": "{0} / ({1} + 1)",
    }
    return tuple(forms[column.kind].format(names[column.of], names[column.by]) for column in columns)


def check_columns(columns: Sequence[Column], features: int) -> None:
    """Refuse columns that point outside the features.

    Raises:
        ModelCorrupt: One does.
    """
    for column in columns:
        if not (0 <= column.of < features and 0 <= column.by < features):
            raise ModelCorrupt(
                f"a column of the model reads feature {max(column.of, column.by)} of {features}; train it "
                "anew"
            )
