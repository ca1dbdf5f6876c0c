"""When two functions of revscoring's graph are the same: so that one text is analysed once.

revscoring makes an object for every node, also where two nodes do the same to two texts. A key is equal for
two functions only where their code and all that they read of themselves are known to be equal; a function
that is not known here is equal to itself alone.
"""

import builtins
import functools
import re
from collections.abc import Callable, Hashable, Mapping
from types import BuiltinFunctionType, BuiltinMethodType, FunctionType, MethodType
from typing import Any, Final

from models import resources

Function = Callable[..., Any]

# Classes of revscoring whose methods read these of their objects, and nothing else.
_READ: Final[Mapping[tuple[str, str], tuple[str, ...]]] = {
    ("features.wikitext.datasources.tokenized", "TokenIsInTypes"): ("types",),
    ("features.wikitext.datasources.parsed", "HeadingOfLevel"): ("level",),
    ("features.wikitext.datasources.parsed", "get_key"): ("key", "default"),
    ("features.wikitext.datasources.parsed", "execute_method"): ("method_name", "args", "kwargs"),
    ("datasources.meta.mappers", "lower_case"): (),
    ("datasources.meta.mappers", "derepeat"): (),
    ("datasources.meta.mappers", "de1337"): (),
    ("datasources.meta.filters", "positive"): ("inverse",),
    ("datasources.meta.filters", "negative"): ("inverse",),
    ("datasources.meta.frequencies", "table"): (),
    ("datasources.meta.dicts", "keys"): (),
    ("datasources.meta.dicts", "values"): (),
    ("features.meta.aggregators", "AggregatorsScalar"): ("func", "returns"),
    ("features.feature", "Constant"): ("value",),
    ("languages.features.stopwords.stopwords", "WordIsInStopwordSet"): ("stopword_set",),
    ("languages.features.dictionary.util", "MultiDictChecker"): ("dicts",),
}
# Those that apply another function.
_APPLY: Final[Mapping[tuple[str, str], tuple[tuple[str, ...], tuple[str, ...]]]] = {
    ("datasources.meta.filters", "filter"): (("include",), ("inverse",)),
    ("datasources.meta.filters", "regex_matching"): (("include",), ("inverse",)),
    ("datasources.meta.mappers", "map"): (("apply",), ()),
    ("languages.features.dictionary.datasources", "dict_splitter"): (("dictionary_check",), ()),
}


def function_key(function: Function) -> Hashable:
    """Return what is equal for functions that are known to do the same.

    Args:
        function: A process, or what a filter or a map applies. The key keeps it alive, so that identities
            stay unique.
    """
    owner = getattr(function, "__self__", None)
    if isinstance(function, MethodType):
        return function.__func__, _object_key(owner)
    if isinstance(function, BuiltinMethodType | BuiltinFunctionType):
        if isinstance(owner, re.Pattern):
            return function.__name__, _pattern_key(owner)
        if owner is builtins:
            return function
    if isinstance(function, FunctionType | type | functools.partial):
        return function
    defines_equality = any("__eq__" in vars(kind) for kind in type(function).__mro__[:-1])
    return function if defines_equality else _Same(function)


class _Same:
    """Equal to the same object alone."""

    __slots__ = ("_object",)

    def __init__(self, same: object) -> None:
        self._object = same

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and other._object is self._object

    def __hash__(self) -> int:
        return id(self._object)


def _object_key(owner: Any) -> Hashable:
    kind = type(owner)
    name = (kind.__module__.removeprefix("revscoring."), kind.__qualname__)
    if name in _APPLY and _is_of_revscoring(kind):
        applied, read = _APPLY[name]
        functions = tuple(function_key(getattr(owner, attribute)) for attribute in applied)
        return (kind, functions, tuple(_value_key(getattr(owner, attribute)) for attribute in read))
    if name in _READ and _is_of_revscoring(kind):
        return kind, tuple(_value_key(getattr(owner, attribute)) for attribute in _READ[name])
    return _Same(owner)


def _is_of_revscoring(kind: type) -> bool:
    return kind.__module__.startswith("revscoring.")


def _value_key(value: Any) -> Hashable:
    """Tell apart what Python's equality does not: 1, 1.0 and True."""
    match value:
        case set() | frozenset():
            key: Hashable = frozenset(map(_value_key, value))
        case list() | tuple():
            key = tuple(map(_value_key, value))
        case dict():
            key = tuple((_value_key(name), _value_key(item)) for name, item in value.items())
        case re.Pattern():
            key = _pattern_key(value)
        case float():
            key = value.hex()
        case bool() | int() | str() | bytes() | None | type() | FunctionType() | BuiltinFunctionType():
            key = value
        case _:
            key = _Same(value)
    return type(value), key


def _pattern_key(pattern: re.Pattern[Any]) -> Hashable:
    return re.Pattern, pattern.pattern, pattern.flags


@functools.cache
def of_revscoring(module: str, name: str) -> Any:
    """Return a class or function of revscoring, ``datasources.meta.filters``, ``filter``."""
    return getattr(resources.module(module), name)
