"""Numbers that clients give for features."""

import math
from typing import Any


def is_number(value: Any) -> bool:
    """Tell whether a value can stand in a row of an estimator's input."""
    return isinstance(value, int) or (isinstance(value, float) and math.isfinite(value))
