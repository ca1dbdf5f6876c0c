"""How far two distributions of scores lie apart."""

from collections.abc import Sequence
from math import log
from typing import Final

LEAST_SHARE: Final = 1e-4
"""What an empty bin counts as, since the index has no value for it."""


def stability_index(first: Sequence[float], second: Sequence[float]) -> float:
    """Return the population stability index of two distributions over the same bins.

    It is the sum of ``(second - first) * ln(second / first)``, with shares of at least `LEAST_SHARE`.
    By custom, up to 0.1 is steady, and beyond 0.25 something has changed.

    Args:
        first: Share of rows in each bin, in [0, 1].
        second: The same of the other side.

    Returns:
        0 for equal shares, else more; the same for swapped sides.
    """
    return sum(
        (after - before) * log(after / before)
        for before, after in (
            (max(one, LEAST_SHARE), max(other, LEAST_SHARE)) for one, other in zip(first, second, strict=True)
        )
    )
