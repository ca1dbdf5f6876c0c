"""Labels as models know them (booleans, numbers, texts), and as JSON and paths write them."""

from collections.abc import Mapping, Sequence
from typing import Any

from models.statistics.errors import unknown

Label = bool | int | float | str
"""A class that a model tells apart."""


def label_text(label: object) -> str:
    """Return a label as JSON writes it for a key: ``true``, ``3``, ``Stub``."""
    if isinstance(label, bool):
        return "true" if label else "false"
    return "null" if label is None else str(label)


def find_label(key: str, labels: Sequence[Label]) -> str:
    """Find the label that a segment of a path means: the text itself, then a boolean, then a whole number.

    Args:
        key: Segment.
        labels: Labels of the model.

    Returns:
        The label as JSON writes it.

    Raises:
        InfoPathUnknown: None of the labels is meant.
    """
    by_label: Mapping[Any, str] = {label: label_text(label) for label in labels}
    if key in by_label:
        return by_label[key]
    if key in {"true", "false"}:
        candidate: Label = key == "true"
    else:
        try:
            candidate = int(key)
        except ValueError:
            raise unknown(key) from None
    # True and 1 are the same key, so that "1" finds the label True as it does in ORES.
    if candidate in by_label:
        return by_label[candidate]
    raise unknown(key)
