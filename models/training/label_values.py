"""Labels as files write them, and as positions among the labels of a model."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.statistics.labels import Label, label_text
from schemas.errors import SourceError

BINARY = ("false", "true")
_MOST_NAMED = 20


class LabelPositions:
    """Finds the position of a label.

    ``True``, ``true`` and JSON's ``true`` are one label; so are ``3`` and ``"3"``.

    Args:
        labels: Of the model, in the order of its probabilities.
    """

    def __init__(self, labels: Sequence[str]) -> None:
        self.labels = tuple(labels)
        self._positions: Mapping[str, int] = {label: position for position, label in enumerate(labels)}

    def position(self, value: object) -> int:
        """Return the position of a label.

        Args:
            value: A cell of a table, or a value of JSON.

        Raises:
            ValueError: The model has no such label; the message says which it has.
        """
        found = self._positions.get(label_text(value))
        if found is None and isinstance(value, str) and value.strip().lower() in BINARY:
            found = self._positions.get(value.strip().lower())
        if found is None:
            known = ", ".join(self.labels[:_MOST_NAMED])
            raise ValueError(f"{value!r} is none of its labels {known}")
        return found

    def values(self) -> tuple[Label, ...]:
        """Return the labels as statistics know them: booleans where there are two of these."""
        return (False, True) if self.labels == BINARY else self.labels


def require_labels(actual: NDArray[np.intp], labels: Sequence[str], path: Path, *, least: int) -> None:
    """Refuse a labelled set in which a label is too rare to be learnt or tested.

    Args:
        actual: Position of the label of each row.
        labels: Of the model.
        path: For messages.
        least: Rows that each label needs.

    Raises:
        SourceError: A label has fewer.
    """
    counts = np.bincount(actual, minlength=len(labels))
    if (counts > 0).sum() < 2:
        only = labels[int(counts.argmax())] if len(actual) else "none"
        raise SourceError(
            f"{path} holds {len(actual)} rows of one label only ({only}); at least two are needed to train "
            "or test",
            path=str(path),
        )
    for label, count in zip(labels, counts.tolist(), strict=True):
        if count < least:
            raise SourceError(
                f"{path} holds {count} rows of label {label!r}, and {least} are needed; label more, take "
                "fewer folds, or leave the label out of the recipe",
                path=str(path),
                label=label,
            )
