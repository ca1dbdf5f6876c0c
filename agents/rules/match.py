"""Patterns over events, with ChangeProp's semantics.

================================= ==============================================================
pattern                           matches
================================= ==============================================================
a mapping                         a value that has each key with a value that matches
a list                            a list that contains, for each element, one that matches it
``undefined``                     nothing: the field is absent (null is not absent)
``/expression/flags``             a text in which the expression is found
any other text, number or boolean the same text, number or boolean, and no other type
================================= ==============================================================

What follows from JavaScript is kept: a mapping inside a mapping fails on an empty text, 0, false and null as
on an absent field, so that ``{a: {b: undefined}}`` does not match an event without ``a``; and a list contains
no empty text, 0, false or null, whatever the element asks for.
"""

from collections.abc import Mapping
from typing import Any, Final, TypeAlias

from msgspec import Struct

from agents.rules.javascript import Regex, compile_regex, is_regex

UNDEFINED: Final = "undefined"
MAX_DEPTH: Final = 32


class Absent:
    """The value of a field that an event does not have."""

    def __repr__(self) -> str:
        return "absent"


ABSENT: Final = Absent()


class PatternError(ValueError):
    """A pattern has no meaning.

    Attributes:
        path: Of the part, ``meta.domain``; empty for the whole.
    """

    def __init__(self, path: str, message: str) -> None:
        super().__init__(message)
        self.path = path


class Failure(Struct, frozen=True):
    """The first condition that an event does not meet.

    Attributes:
        path: Of the value, ``page.namespace_id``; ``tags[]`` for an element of a list.
        wanted: What the pattern asks for, in words.
        found: The value of the event; ``ABSENT`` where it has none.
    """

    path: str
    wanted: str
    found: Any

    def __str__(self) -> str:
        return f"{self.path or 'the event'} is {shown(self.found)}, and {self.wanted} is wanted"


class UnmatchableError(Exception):
    """ChangeProp would crash on the event, and so leave it: an element of a list is null, not a mapping."""


class Undefined(Struct, frozen=True):
    """Wants a field to be absent."""

    path: str
    wanted: str = "absent"

    def failure(self, value: Any) -> Failure | None:
        """Return why a value does not match; None if it does."""
        return None if value is ABSENT else Failure(self.path, self.wanted, value)


class Constant(Struct, frozen=True):
    """Wants one text, number or boolean."""

    path: str
    constant: str | float | bool
    wanted: str

    def failure(self, value: Any) -> Failure | None:
        """Return why a value does not match; None if it does."""
        if type(self.constant) in _NUMBERS and type(value) in _NUMBERS:
            is_same = _number(value) == _number(self.constant)
        else:
            is_same = type(value) is type(self.constant) and value == self.constant
        if is_same:
            return None
        return Failure(self.path, self.wanted, value)


class Expression(Struct, frozen=True):
    """Wants a text in which a regular expression is found."""

    path: str
    regex: Regex
    wanted: str

    def failure(self, value: Any) -> Failure | None:
        """Return why a value does not match; None if it does."""
        if isinstance(value, str) and self.regex.matches(value):
            return None
        return Failure(self.path, self.wanted, value)


class Fields(Struct, frozen=True):
    """Wants each of some fields to match."""

    path: str
    fields: tuple[tuple[str, "Pattern"], ...]

    def failure(self, value: Any) -> Failure | None:
        """Return the first field that does not match; None if all do."""
        for name, pattern in self.fields:
            field = get_field(value, name)
            if isinstance(pattern, Fields) and not is_truthy(field):
                return Failure(pattern.path, "a mapping", field)
            failure = pattern.failure(field)
            if failure is not None:
                return failure
        return None


class Contains(Struct, frozen=True):
    """Wants a list that contains something for each of some elements."""

    path: str
    elements: tuple["Pattern", ...]

    def failure(self, value: Any) -> Failure | None:
        """Return the first element that the list does not contain; None if it contains all."""
        if not isinstance(value, list):
            return Failure(self.path, "a list", value)
        for element in self.elements:
            found = next((item for item in value if element.failure(_element(element, item)) is None), ABSENT)
            if not is_truthy(found):
                return Failure(self.path, f"a list with {describe(element)}", value)
        return None


Pattern: TypeAlias = Undefined | Constant | Expression | Fields | Contains
_NUMBERS: Final = (int, float)


def compile_match(pattern: object, path: str = "") -> Fields:
    """Return the meaning of the value of ``match``: a mapping.

    Raises:
        PatternError: It is something else, or a part of it has no meaning.
    """
    if not isinstance(pattern, Mapping):
        raise PatternError(
            path, "a match is a mapping; alternatives go into match_not as a list, or into cases"
        )
    compiled = _compile(pattern, path, 0)
    assert isinstance(compiled, Fields)  # noqa: S101 - for the type checker: of a mapping
    return compiled


def compile_alternatives(pattern: object) -> tuple[Fields, ...]:
    """Return the meaning of the value of ``match_not``: a mapping, or a list of which any one excludes.

    Raises:
        PatternError: It is something else, or a part of it has no meaning.
    """
    if isinstance(pattern, list):
        return tuple(compile_match(one, f"[{index}]") for index, one in enumerate(pattern))
    return (compile_match(pattern),)


def get_field(value: Any, name: str) -> Any:
    """Return a field as JavaScript gives it, ``ABSENT`` where there is none.

    Lists and texts have their elements by number, and ``length``.

    Raises:
        UnmatchableError: The value is null, of which JavaScript has no fields.
    """
    if isinstance(value, dict):
        return value.get(name, ABSENT)
    if value is None or value is ABSENT:
        raise UnmatchableError
    if isinstance(value, list | str):
        if name == "length":
            return len(value)
        if name.isdecimal() and name.isascii() and (name == "0" or name[0] != "0") and int(name) < len(value):
            return value[int(name)]
    return ABSENT


def find_path(event: Any, path: tuple[str, ...]) -> Any:
    """Return the value at a path of an event; ``ABSENT`` where there is none."""
    for name in path:
        if event is None or event is ABSENT:
            return ABSENT
        event = get_field(event, name)
    return event


def is_truthy(value: Any) -> bool:
    """Tell whether JavaScript takes a value for true: lists and mappings are, even without elements."""
    return value is not ABSENT and (isinstance(value, dict | list) or bool(value))


def shown(value: Any) -> str:
    """Return a value for a person to read: as JSON would have it, and not long."""
    match value:
        case Absent():
            return "absent"
        case None | bool():
            return {None: "null", True: "true", False: "false"}[value]
        case str():
            return f'"{value}"' if len(value) <= 80 else f'"{value[:77]}…"'
        case dict():
            return "a mapping"
        case list():
            inside = ", ".join(shown(one) for one in value[:8])
            return f"[{inside}{', …' if len(value) > 8 else ''}]"
    return str(value)


def describe(pattern: Pattern) -> str:
    """Return what a pattern asks for, in words."""
    match pattern:
        case Fields(fields=fields):
            return f"{{{', '.join(f'{name}: {describe(one)}' for name, one in fields)}}}"
        case Contains(elements=elements):
            return f"a list with {' and '.join(map(describe, elements)) or 'anything'}"
    return pattern.wanted


def _element(element: Pattern, item: Any) -> Any:
    if isinstance(element, Fields) and item is None:
        raise UnmatchableError
    return item


def _number(value: Any) -> float:
    # JavaScript has no other numbers.
    try:
        return float(value)
    except OverflowError:
        return float("inf") if value > 0 else float("-inf")


def _compile(pattern: object, path: str, depth: int) -> Pattern:
    if depth > MAX_DEPTH:
        raise PatternError(path, f"the pattern is nested deeper than {MAX_DEPTH}")
    match pattern:
        case str() if pattern == UNDEFINED:
            return Undefined(path)
        case str() if is_regex(pattern):
            try:
                return Expression(path, compile_regex(pattern), f"a text with {pattern}")
            except ValueError as error:
                raise PatternError(path, str(error)) from error
        case str() | bool() | int() | float():
            return Constant(path, pattern, shown(pattern))
        case list():
            return Contains(path, tuple(_compile(one, f"{path}[]", depth + 1) for one in pattern))
        case Mapping():
            return _compile_fields(pattern, path, depth)
    raise PatternError(path, "null matches nothing: write undefined for a field that must be absent")


def _compile_fields(pattern: Mapping[Any, object], path: str, depth: int) -> Fields:
    if not pattern:
        raise PatternError(path, "an empty mapping asks for nothing; leave it out")
    fields = []
    for key, value in pattern.items():
        name = str(key)
        fields.append((name, _compile(value, f"{path}.{name}" if path else name, depth + 1)))
    return Fields(path, tuple(fields))
