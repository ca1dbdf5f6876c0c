"""What the syntax tree of a compiled regular expression proves about its matches.

The tree is the one that ``re`` itself compiles, so that groups, flags and the merging of alternatives are
read as ``re`` reads them. Single elements are tried by compiling them alone: case folding is never worked
out here.
"""

import enum
import functools
import importlib
import re
import warnings
from collections.abc import Callable, Collection, Iterator
from typing import Any, NamedTuple

_parser: Any = importlib.import_module("re._parser")
_compiler: Any = importlib.import_module("re._compiler")
_codes: Any = importlib.import_module("re._constants")

_CONSUMING = (_codes.LITERAL, _codes.NOT_LITERAL, _codes.IN, _codes.ANY)
REPEATS = (_codes.MAX_REPEAT, _codes.MIN_REPEAT, _codes.POSSESSIVE_REPEAT)
LOOKAROUNDS = (_codes.ASSERT, _codes.ASSERT_NOT)
_BOUNDARIES = (_codes.AT_BOUNDARY, _codes.AT_NON_BOUNDARY)
_LARGEST_RANGE = 4096
_DIFFERENT_ELEMENTS = 10_000
_CASED_BELOW = 0x20000  # no character from the third plane on has case or is white space

Items = Any
"""A part of a tree: an iterable of pairs of an operation and what it operates on."""


class Unprovable(Exception):
    """Says that the tree has a form from which nothing is derived here."""


class Wrapping(enum.Enum):
    """What surrounds the alternatives of a list.

    Attributes:
        BOUNDARY: A word boundary on either side.
        DELIMITER: A character that is none of a word, which belongs to the match, or the end of the text.
        NONE: Nothing.
    """

    BOUNDARY = enum.auto()
    DELIMITER = enum.auto()
    NONE = enum.auto()


class Element(NamedTuple):
    """One step of a tree, with the flags in force there."""

    code: Any
    operand: Any
    flags: int

    @property
    def consumes(self) -> bool:
        """Whether the step takes one character."""
        return self.code in _CONSUMING

    @property
    def fails(self) -> bool:
        """Whether nothing can follow."""
        return bool(self.code is _codes.FAILURE)


class Alternatives(NamedTuple):
    """The second group of an expression of three groups, as revscoring writes a list of expressions.

    Attributes:
        items: Of the group.
        flags: Of the whole expression.
        wrapping: What the first and the third group hold.
        is_local: Whether no step within looks at more of the text than its own two neighbours.
    """

    items: Items
    flags: int
    wrapping: Wrapping
    is_local: bool


def is_word_character(character: str) -> bool:
    r"""Tell whether ``\w`` matches, as ``re`` decides it for text."""
    return character.isalnum() or character == "_"


def parsed(pattern: re.Pattern[str]) -> Items:
    """Return the syntax tree of a compiled expression."""
    with warnings.catch_warnings():
        # What there is to warn about was said when the expression was compiled.
        warnings.simplefilter("ignore")
        return _parser.parse(pattern.pattern, pattern.flags & ~re.DEBUG)


def alternatives(pattern: re.Pattern[str]) -> Alternatives:
    """Take the expression of a list apart.

    Raises:
        Unprovable: It has another form, may match nothing at all, refers back to what a group matched, or
            knows the letters of ASCII only.
    """
    tree = parsed(pattern)
    if pattern.flags & (re.ASCII | re.MULTILINE) or len(tree) != 3:
        raise Unprovable(pattern.pattern)
    groups: list[tuple[Any, ...]] = [
        operand if code is _codes.SUBPATTERN else (None,) for code, operand in tree
    ]
    if [group[:3] for group in groups] != [(1, 0, 0), (2, 0, 0), (groups[2][0], 0, 0)]:
        raise Unprovable(pattern.pattern)
    before, items, after = (group[3] for group in groups)
    if items.getwidth()[0] == 0:
        raise Unprovable(pattern.pattern)
    steps = list(elements(items, pattern.flags))
    if any(step.code in {_codes.GROUPREF, _codes.GROUPREF_EXISTS} for step in steps):
        raise Unprovable(pattern.pattern)
    is_local = all(
        step.operand in _BOUNDARIES if step.code is _codes.AT else step.code not in LOOKAROUNDS
        for step in steps
    )
    return Alternatives(items, pattern.flags, _wrapping(before, after, pattern), is_local)


def splits_at_lines(pattern: re.Pattern[str]) -> bool:
    """Tell whether the matches in a text are those in its lines, each taken alone, one after the other.

    That is so where no step can take a line feed, and none can tell a line feed from the end of a text:
    then nothing that a match depends on lies beyond its line.
    """
    tree = parsed(pattern)
    return tree.getwidth()[0] > 0 and all(_keeps_to_a_line(step) for step in elements(tree, pattern.flags))


def splits_at_blanks(pattern: re.Pattern[str]) -> bool:
    """Tell whether the same is so for a text cut behind any blank space that a line feed is in.

    Then no step can take a blank either, and what looks around looks for the boundary of a word.
    """
    return splits_at_lines(pattern) and all(
        not any(map(takes(step), " \t\r")) if step.consumes else _is_boundary(step)
        for step in elements(parsed(pattern), pattern.flags)
    )


def element(code: Any, operand: Any, flags: int) -> Element:
    """Return one step of a tree. Steps that take one character are equal where they take the same way."""
    return Element(code, tuple(operand) if code is _codes.IN else operand, flags)


def elements(items: Items, flags: int) -> Iterator[Element]:
    """Yield every step of a tree, those inside of groups, repeats and lookarounds too."""
    for code, operand in items:
        yield element(code, operand, flags)
        for part, its_flags in parts(code, operand, flags):
            yield from elements(part, its_flags)


def parts(code: Any, operand: Any, flags: int) -> list[tuple[Items, int]]:
    """Return the trees inside of one step, each with the flags in force there.

    Raises:
        Unprovable: The step is of a kind unknown here.
    """
    if code is _codes.SUBPATTERN:
        _, added, removed, inner = operand
        kept = flags & ~_parser.TYPE_FLAGS if added & _parser.TYPE_FLAGS else flags
        return [(inner, (kept | added) & ~removed)]
    if code in REPEATS:
        inside = [operand[2]]
    elif code is _codes.BRANCH or code in LOOKAROUNDS:
        inside = operand[1] if code is _codes.BRANCH else [operand[1]]
    elif code is _codes.ATOMIC_GROUP:
        inside = [operand]
    elif code is _codes.GROUPREF_EXISTS:
        inside = [branch for branch in operand[1:] if branch is not None]
    elif code in _CONSUMING or code in {_codes.AT, _codes.GROUPREF, _codes.FAILURE}:
        inside = []
    else:
        raise Unprovable(str(code))
    return [(part, flags) for part in inside]


@functools.lru_cache(_DIFFERENT_ELEMENTS)
def takes(step: Element) -> Callable[[str], object]:
    """Return a test of whether a consuming step takes a character, as ``re`` decides it."""
    return _alone([(step.code, step.operand)], step.flags).fullmatch


@functools.lru_cache(_DIFFERENT_ELEMENTS)
def takes_outside_words(step: Element) -> frozenset[str] | None:
    """Return the characters that a consuming step can take and that belong to no word.

    Returns:
        All of them, or None where they are too many to be listed.
    """
    if step.code is _codes.LITERAL:
        listed: Any = [(_codes.LITERAL, step.operand)]
    elif step.code is _codes.IN:
        listed = step.operand
    else:
        return None
    tried = set(_cased_or_space())
    for code, operand in listed:
        if code is _codes.LITERAL:
            tried.add(chr(operand))
        elif code is _codes.RANGE and operand[1] - operand[0] < _LARGEST_RANGE:
            tried.update(map(chr, range(operand[0], operand[1] + 1)))
        elif code is not _codes.CATEGORY or operand not in {
            _codes.CATEGORY_WORD,
            _codes.CATEGORY_DIGIT,
            _codes.CATEGORY_SPACE,
        }:
            return None
    taken = takes(step)
    return frozenset(
        character for character in tried if not is_word_character(character) and taken(character)
    )


def any_of(steps: Collection[Element], following: Collection[Element] = ()) -> re.Pattern[str]:
    """Compile an expression for one character that at least one of some consuming steps takes.

    Args:
        steps: At least one.
        following: The character behind has to be one that at least one of these takes; it is not part of
            what the expression matches. None: it can be any, or none.

    Raises:
        Unprovable: A step takes all characters but some.
    """
    flags = {step.flags for step in (*steps, *following)}
    if len(flags) != 1:
        raise Unprovable("flags that differ")
    items: list[Any] = [_class_of(steps)]
    if following:
        items.append((_codes.ASSERT, (1, [_class_of(following)])))
    return _alone(items, flags.pop())


def _class_of(steps: Collection[Element]) -> tuple[Any, list[Any]]:
    listed: list[Any] = []
    for step in steps:
        if step.code is _codes.LITERAL:
            listed.append((step.code, step.operand))
        elif step.code is _codes.IN and step.operand[0][0] is not _codes.NEGATE:
            listed.extend(step.operand)
        else:
            raise Unprovable(str(step))
    return _codes.IN, listed


def _wrapping(before: Items, after: Items, pattern: re.Pattern[str]) -> Wrapping:
    first, last = list(before), list(after)
    if not first:
        return Wrapping.NONE
    if first == last == [(_codes.AT, _codes.AT_BOUNDARY)]:
        return Wrapping.BOUNDARY
    if _is_delimiter(first, _codes.AT_BEGINNING) and _is_delimiter(last, _codes.AT_END):
        return Wrapping.DELIMITER
    raise Unprovable(pattern.pattern)


def _is_delimiter(items: list[Any], end: Any) -> bool:
    if len(items) != 1 or items[0][0] is not _codes.BRANCH:
        return False
    branches = [list(branch) for branch in items[0][1][1]]
    if len(branches) != 2 or branches[0] != [(_codes.AT, end)] or len(branches[1]) != 1:
        return False
    code, operand = branches[1][0]
    return (
        code is _codes.IN
        and operand[0][0] is _codes.NEGATE
        and (_codes.CATEGORY, _codes.CATEGORY_WORD) in operand
    )


def _is_boundary(step: Element) -> bool:
    return step.code is not _codes.AT or step.operand in _BOUNDARIES


def _keeps_to_a_line(step: Element) -> bool:
    if step.consumes:
        return not takes(step)("\n")
    if step.code is _codes.AT:
        return step.operand in _BOUNDARIES or (
            step.operand in {_codes.AT_BEGINNING, _codes.AT_END} and bool(step.flags & re.MULTILINE)
        )
    return step.code not in {_codes.GROUPREF, _codes.GROUPREF_EXISTS}


def _alone(items: list[Any], flags: int) -> re.Pattern[str]:
    flags &= ~re.DEBUG
    state = _parser.State()
    state.flags = flags
    state.str = ""
    compiled: re.Pattern[str] = _compiler.compile(_parser.SubPattern(state, items), flags)
    return compiled


@functools.cache
def _cased_or_space() -> frozenset[str]:
    """Return the characters outside words that an element may take without naming them.

    Such are white space, and what a letter stands for when case is ignored: the iota below a Greek
    letter (U+0345) is an iota then, though it is no character of a word.
    """
    return frozenset(
        character
        for character in map(chr, range(_CASED_BELOW))
        if not is_word_character(character)
        and (character.isspace() or character.lower() != character or character.upper() != character)
    )
