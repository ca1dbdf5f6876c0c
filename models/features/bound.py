"""A feature that is ready to be computed."""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

TYPES: Mapping[type, str] = {bool: "bool", int: "int", float: "float"}


class BoundFeature(Struct, frozen=True):
    """A feature ready to be computed.

    Attributes:
        name: Canonical printed name.
        feature: revscoring's object. Its internal name may differ from the printed one.
        returns: ``bool``, ``int`` or ``float``; of each value where it is a vector.
        roots: Printed names of the datasources beneath it; all injectable.
        pattern_collections: Collections of regular expressions that it reads, ``english.badwords``.
        word_collections: Collections of words that it reads, ``english.stopwords``.
        is_vector: Whether it gives several values.
    """

    name: str
    feature: Any
    returns: str
    roots: frozenset[str]
    pattern_collections: frozenset[str] = frozenset()
    word_collections: frozenset[str] = frozenset()
    is_vector: bool = False

    @property
    def patterns(self) -> str | None:
        """The one collection of regular expressions that it reads; None without one."""
        return next(iter(self.pattern_collections)) if len(self.pattern_collections) == 1 else None

    @property
    def words(self) -> str | None:
        """The one collection of words that it reads; None without one."""
        return next(iter(self.word_collections)) if len(self.word_collections) == 1 else None


def name_of_type(returns: Any) -> str | None:
    """Return ``bool``, ``int`` or ``float`` for what a feature gives; None for anything else.

    numpy's float64 counts as ``float``, since it is one.
    """
    for known, name in TYPES.items():
        if returns is known:
            return name
    return "float" if isinstance(returns, type) and issubclass(returns, float) else None
