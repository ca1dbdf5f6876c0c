"""What may be a key of a dict or a member of a set, decided before it is hashed.

Hashing a tuple recurses in C without a bound, takes exponential time where tuples share parts, and is without
a secret, as that of integers and complex numbers is: keys can be made to collide. So keys are texts, bytes,
integers of 60 bits, numbers of numpy, names and instances, which are cheap; and a bounded number of small
tuples and frozensets of such.
"""

from typing import Any

import numpy as np

from models.pickles.faults import Malformed, quoted
from models.pickles.limits import Budget
from models.pickles.values import Global, Instance

_CHEAP = frozenset({str, bytes, bool, float, type(None), Global, Instance, np.bool_, np.str_, np.bytes_})
_COMPOUND = frozenset({tuple, frozenset})
_BITS = 60
_PARTS = 256
_DEPTH = 8


class Keys:
    """Checks keys, and counts those that could be made to collide.

    Args:
        compound_keys: How many tuples and frozensets are let through.
        budget: Pays for their hashing.
    """

    __slots__ = ("_budget", "_left")

    def __init__(self, compound_keys: int, budget: Budget) -> None:
        self._left = compound_keys
        self._budget = budget

    def check(self, key: Any) -> None:
        """Let a key pass that is cheap to hash and to compare.

        Raises:
            Malformed: It cannot be hashed, or not cheaply.
        """
        if type(key) in _COMPOUND:
            self._left -= 1
            if self._left < 0:
                raise Malformed("more tuples serve as keys than a model has")
            self._check_compound(key)
        elif not _is_cheap(key):
            raise Malformed(f"a value that is no key serves as one: {quoted(key)}")

    def _check_compound(self, key: Any) -> None:
        level = [key]
        parts = 0
        for _ in range(_DEPTH):
            inner = []
            for compound in level:
                parts += len(compound)
                if parts > _PARTS:
                    raise Malformed(f"a tuple of more than {_PARTS} parts serves as a key")
                for part in compound:
                    if type(part) in _COMPOUND:
                        inner.append(part)
                    elif not _is_cheap(part):
                        raise Malformed(f"a tuple that holds what is no key serves as one: {quoted(part)}")
            if not inner:
                self._budget.spend(8 * parts)
                return
            level = inner
        raise Malformed(f"a tuple nested deeper than {_DEPTH} serves as a key")


def _is_cheap(key: Any) -> bool:
    if type(key) in _CHEAP:
        return True
    if type(key) is int:
        return key.bit_length() <= _BITS
    return isinstance(key, np.integer | np.floating)
