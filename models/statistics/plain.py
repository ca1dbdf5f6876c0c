"""Values out of a pickle as plain JSON, where they are numbers, texts, lists or trees of these."""

import math
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from models.pickles import Instance
from models.statistics.labels import Label, label_text
from schemas.errors import ModelCorrupt

# Bounds against files made to take long; those of published models are ten times smaller at least.
_DEEPEST = 12
_MOST_VALUES = 400_000
_MOST_LABELS = 1_000


def contents(value: Any) -> Mapping[Any, Any]:
    """Return what a dictionary, or an object of revscoring's that wraps one, holds; empty for all else."""
    if isinstance(value, Instance):
        state = value.state
        value = state.get("_data", state) if isinstance(state, dict) else dict(value.pairs)
    return value if isinstance(value, Mapping) else {}


def label_of(value: Any) -> Label:
    """Return a label as Python has it.

    Raises:
        ModelCorrupt: It is nothing that a label can be.
    """
    value = value.item() if isinstance(value, np.generic) else value
    value = value.decode(errors="replace") if isinstance(value, bytes) else value
    if isinstance(value, bool | int | float | str):
        return value
    raise corrupt(f"they name a {type(value).__name__} as a label")


def plain(value: Any) -> Any:
    """Return a value as JSON has it: keys as text, sets sorted, numbers that JSON lacks as None.

    Raises:
        ModelCorrupt: It is larger or deeper than any statistics, or holds itself.
    """
    return _Converter().convert(value)


def require_few(labels: Collection[Any]) -> None:
    """Refuse more labels than any model has.

    Raises:
        ModelCorrupt: There are too many.
    """
    if len(labels) > _MOST_LABELS:
        raise corrupt(f"they name {len(labels)} labels")


def key_text(key: Any) -> str:
    """Return a key as JSON writes it; that of a test statistic as ``recall_at_fpr(max_fpr=0.1)``."""
    if isinstance(key, Instance):
        given = contents(contents(key).get("kwargs"))
        parameters = ", ".join(f"{name}={plain(value)!r}" for name, value in sorted(given.items()))
        return f"{key.kind.name}({parameters})" if parameters else key.kind.name
    if isinstance(key, tuple):
        return ", ".join(label_text(label_of(part)) for part in key)
    return label_text(label_of(key)) if key is not None else "null"


def corrupt(why: str) -> ModelCorrupt:
    """Return the error for statistics that cannot be read."""
    return ModelCorrupt(
        f"the statistics inside the model cannot be read: {why}; fetch the file again, or refuse its source"
    )


class _Converter:
    """Counts what it has seen, since a small file may name the same list a million times."""

    def __init__(self) -> None:
        self._values_left = _MOST_VALUES

    def convert(self, value: Any, depth: int = 0) -> Any:
        if isinstance(value, np.generic | np.ndarray):
            value = value.tolist()
        if isinstance(value, Mapping | Instance):
            held = contents(value)
            self._count(len(held), depth)
            return {key_text(key): self.convert(item, depth + 1) for key, item in held.items()}
        if isinstance(value, list | tuple | set | frozenset):
            self._count(len(value), depth)
            listed = [self.convert(item, depth + 1) for item in value]
            return listed if isinstance(value, list | tuple) else sorted(listed, key=str)
        return _scalar(value)

    def _count(self, values: int, depth: int) -> None:
        self._values_left -= values
        if depth > _DEEPEST or self._values_left < 0:
            raise corrupt("they are larger or deeper than any that were published")


def _scalar(value: Any) -> bool | int | float | str | None:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    return value if value is None or isinstance(value, bool | int | str) else str(value)
