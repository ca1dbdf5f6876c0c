"""Features of this process as the inert objects that a model file gives, so that both are described alike."""

import re
from collections.abc import Callable
from types import BuiltinFunctionType, FunctionType, MethodType
from typing import Any

from models import resources
from models.pickles import Global, Instance

_GETATTR = Global("builtins", "getattr")
_COMPILE = Global("re", "_compile")
_DICTIONARY = Global("enchant", "Dict")
_PLAIN = (type(None), bool, int, float, str)


class Mirror:
    """Mirrors objects; the same object always gives the same mirror."""

    def __init__(self) -> None:
        self._mirrors: dict[int, Instance] = {}
        # Ids are only safe while their objects live.
        self._kept: list[Any] = []
        self._ways: tuple[tuple[Any, Callable[[Any], Any]], ...] = (
            (_PLAIN, lambda value: value),
            ((list, tuple), lambda value: type(value)(self.of(item) for item in value)),
            ((set, frozenset), lambda value: {self.of(item) for item in value}),
            (dict, lambda value: {self.of(key): self.of(item) for key, item in value.items()}),
            (re.Pattern, lambda value: Instance(_COMPILE, (value.pattern, value.flags))),
            ((type, FunctionType), lambda value: Global(value.__module__, value.__qualname__)),
            (resources.LazyDictionary, lambda value: Instance(_DICTIONARY, state={"tag": value.tag})),
            (resources.LazyStemmer, _stemmer),
            ((MethodType, BuiltinFunctionType), self._function),
        )

    def of(self, value: Any) -> Any:
        """Return the inert counterpart of a value."""
        for kinds, mirror in self._ways:
            if isinstance(value, kinds):
                return mirror(value)
        return self._instance(value)

    def _function(self, value: Any) -> Any:
        owner = getattr(value, "__self__", None)
        if owner is None or isinstance(owner, type(re)):
            return Global(value.__module__, value.__qualname__)
        return Instance(_GETATTR, (self.of(owner), value.__name__))

    def _instance(self, value: Any) -> Instance:
        if id(value) in self._mirrors:
            return self._mirrors[id(value)]
        kind = type(value)
        mirror = Instance(Global(kind.__module__, kind.__qualname__), state={})
        self._mirrors[id(value)] = mirror
        self._kept.append(value)
        # What keeps its attributes elsewhere is no part of revscoring, and is described by nobody.
        mirror.state = {
            name: self.of(attribute) for name, attribute in getattr(value, "__dict__", {}).items()
        }
        return mirror


def _stemmer(value: resources.LazyStemmer) -> Instance:
    name = f"{value.language_name.capitalize()}Stemmer"
    return Instance(Global("nltk.stem.snowball", name), state={})
