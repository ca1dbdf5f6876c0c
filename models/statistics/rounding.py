"""Numbers as ORES shows them."""

import math

import numpy as np

from models.statistics.confusion import Floats

DIGITS = 3


def cut(value: float | None, digits: int = DIGITS) -> float | None:
    """Round to a number of decimals, halves to even after scaling; None for what is no finite number."""
    if value is None or not math.isfinite(value):
        return None
    # Scaled first, as ORES does: the built-in rounding of decimals differs at some halves.
    return float(round(value * 10**digits) / 10**digits)


def round_all(values: Floats, digits: int) -> Floats:
    """Round like `cut`, elementwise."""
    rounded: Floats = np.rint(values * 10**digits) / 10**digits
    return rounded
