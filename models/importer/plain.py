"""From what a pickle holds to plain JSON."""

import json
import math
from typing import Any

import numpy as np

from models.pickles import Global, Instance
from schemas.errors import ModelCorrupt

_DEEPEST = 12
_MOST_VALUES = 100_000


def label_text(label: Any) -> str:
    """Return a label as ORES's JSON has it: ``True`` is ``true``, numbers as they print.

    Raises:
        TypeError: It is of no kind that a label has.
    """
    if isinstance(label, np.generic):
        label = label.item()
    if isinstance(label, bytes):
        label = label.decode()
    if isinstance(label, str):
        return label
    if isinstance(label, (bool, int, float)):
        return json.dumps(label)
    raise TypeError(f"a label cannot be a {type(label).__name__}")


def to_plain(value: Any) -> Any:
    """Return a value with nothing in it but what JSON has; classes and functions become their path.

    Numbers that JSON lacks become None, keys become text, sets become sorted lists.

    Raises:
        ModelCorrupt: It is larger than anything that a model says of itself.
    """
    return _Plain().of(value, 0)


class _Plain:
    def __init__(self) -> None:
        self._values = 0

    def of(self, value: Any, depth: int) -> Any:
        # A list may hold itself many times: a count of values bounds what a depth does not.
        self._values += 1
        if depth > _DEEPEST or self._values > _MOST_VALUES:
            raise ModelCorrupt("what the model says of its training is larger than any; refuse its source")
        if isinstance(value, (np.generic, np.ndarray)):
            if value.size > _MOST_VALUES:
                raise ModelCorrupt("an array is among what the model says of its training; refuse its source")
            value = value.tolist()
        plain: Any
        match value:
            case None | bool() | int() | str():
                plain = value
            case float():
                plain = value if math.isfinite(value) else None
            case bytes():
                plain = value.decode(errors="replace")
            case dict():
                plain = {self._key(key): self.of(item, depth + 1) for key, item in value.items()}
            case list() | tuple():
                plain = [self.of(item, depth + 1) for item in value]
            case set() | frozenset():
                plain = sorted((self.of(item, depth + 1) for item in value), key=str)
            case Global():
                plain = str(value)
            case Instance():
                plain = str(value.kind)
            case _:
                plain = type(value).__name__
        return plain

    def _key(self, key: Any) -> str:
        try:
            return label_text(key)
        except TypeError:
            return str(self.of(key, 0))
