"""The text that revscoring prints for a feature, taken apart.

::

    feature    = "(" feature SIGN feature ")" | FUNCTION "(" feature ("," feature)* ")" | "not " feature
               | number | aggregate | test | name
    aggregate  = ("len" | "sum" | "max" | "min" | "mean") "(" source ")"
    test       = ("item_in_set" | "set_contains_item" | "sets_intersect" | "regex_match")
                 "(" literal "," source ")"
    source     = "<datasource." (name | MAPPER "(" ["<built-in function len>,"] source ")") ">"
    name       = dotted words, with or without "(" argument ")"

Arguments that are regular expressions are printed bare, parentheses and all, so a text may be taken apart
in several ways. All of them are given; who builds them finds out whether they mean one thing.
"""

import itertools
import re
from collections.abc import Iterator

from msgspec import Struct

SIGNS = ("+", "-", "*", "/", ">=", "<=", "==", "!=", ">", "<", "and", "or")
FUNCTIONS = ("log", "max", "min")
AGGREGATES = ("len", "sum", "max", "min", "mean")
TESTS = ("item_in_set", "set_contains_item", "sets_intersect", "regex_match")
MAPPERS = (
    "values",
    "keys",
    "positive",
    "negative",
    "lower_case",
    "derepeat",
    "de1337",
    "abs",
    "not_none",
    "map",
    "table",
)
_DEPTH = 60
_MOST_WAYS = 1000
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:e[+-]?\d+)?|True|False")
_WORDS = re.compile(r"[A-Za-z_]\w*(?:\.\w+)*")
_LITERAL = re.compile(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|\{[^{}]*\}|-?\d+")
_BUILT_IN = re.compile(r"<built-in function (\w+)>")


class Node(Struct, frozen=True):
    """A part of a printed name.

    Attributes:
        kind: ``operation``, ``function``, ``number``, ``aggregate``, ``test``, ``name``, ``source``,
            ``mapper``.
        text: The part itself, without ``<datasource.`` around it.
        word: Sign, function, or the dotted words of a name.
        argument: Of a name or test, as printed; None without.
        parts: Beneath it.
    """

    kind: str
    text: str
    word: str
    argument: str | None = None
    parts: tuple["Node", ...] = ()


def parse(text: str) -> Iterator[Node]:
    """Give every way to take a printed name apart.

    Args:
        text: Without ``feature.`` in front.
    """
    for node, end in itertools.islice(_Parser(text).feature(0, 0), _MOST_WAYS):
        if end == len(text):
            yield node


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text

    def feature(self, at: int, depth: int) -> Iterator[tuple[Node, int]]:
        if depth > _DEPTH:
            return
        yield from self._operation(at, depth)
        yield from self._not(at, depth)
        yield from self._function(at, depth)
        yield from self._aggregate(at, depth)
        yield from self._test(at, depth)
        yield from self._number(at)
        yield from self._name(at, "name")

    def _operation(self, at: int, depth: int) -> Iterator[tuple[Node, int]]:
        if not self.text.startswith("(", at):
            return
        for left, after in self.feature(at + 1, depth + 1):
            for sign in SIGNS:
                if not self.text.startswith(f" {sign} ", after):
                    continue
                for right, end in self.feature(after + len(sign) + 2, depth + 1):
                    if self.text.startswith(")", end):
                        yield self._node("operation", at, end + 1, sign, parts=(left, right)), end + 1

    def _not(self, at: int, depth: int) -> Iterator[tuple[Node, int]]:
        if self.text.startswith("not ", at):
            for part, end in self.feature(at + 4, depth + 1):
                yield self._node("function", at, end, "not", parts=(part,)), end

    def _function(self, at: int, depth: int) -> Iterator[tuple[Node, int]]:
        for word in FUNCTIONS:
            if self.text.startswith(f"{word}(", at):
                for parts, end in self._list(at + len(word) + 1, depth):
                    yield self._node("function", at, end, word, parts=parts), end

    def _list(self, at: int, depth: int) -> Iterator[tuple[tuple[Node, ...], int]]:
        for part, end in self.feature(at, depth + 1):
            if self.text.startswith(")", end):
                yield (part,), end + 1
            elif self.text.startswith(", ", end):
                for parts, after in self._list(end + 2, depth + 1):
                    yield (part, *parts), after

    def _aggregate(self, at: int, depth: int) -> Iterator[tuple[Node, int]]:
        for word in AGGREGATES:
            if self.text.startswith(f"{word}(<", at):
                for source, end in self._source(at + len(word) + 1, depth):
                    if self.text.startswith(")", end):
                        yield self._node("aggregate", at, end + 1, word, parts=(source,)), end + 1

    def _test(self, at: int, depth: int) -> Iterator[tuple[Node, int]]:
        for word in TESTS:
            if not self.text.startswith(f"{word}(", at):
                continue
            literal = _LITERAL.match(self.text, at + len(word) + 1)
            if literal is None or not self.text.startswith(", ", literal.end()):
                continue
            for source, end in self._source(literal.end() + 2, depth):
                if self.text.startswith(")", end):
                    yield self._node("test", at, end + 1, word, literal[0], parts=(source,)), end + 1

    def _source(self, at: int, depth: int) -> Iterator[tuple[Node, int]]:
        opening = "<datasource."
        if depth > _DEPTH or not self.text.startswith(opening, at):
            return
        start = at + len(opening)
        for node, end in (*self._mapper(start, depth), *self._name(start, "source")):
            if self.text.startswith(">", end):
                yield node, end + 1

    def _mapper(self, at: int, depth: int) -> Iterator[tuple[Node, int]]:
        for word in MAPPERS:
            if not self.text.startswith(f"{word}(", at):
                continue
            start = at + len(word) + 1
            built_in = _BUILT_IN.match(self.text, start) if word == "map" else None
            if built_in is not None:
                start = built_in.end() + 2
            for source, end in self._source(start, depth + 1):
                if self.text.startswith(")", end):
                    function = built_in[1] if built_in else None
                    yield self._node("mapper", at, end + 1, word, function, parts=(source,)), end + 1

    def _number(self, at: int) -> Iterator[tuple[Node, int]]:
        if number := _NUMBER.match(self.text, at):
            yield self._node("number", at, number.end(), number[0]), number.end()

    def _name(self, at: int, kind: str) -> Iterator[tuple[Node, int]]:
        words = _WORDS.match(self.text, at)
        if words is None:
            return
        end = words.end()
        yield self._node(kind, at, end, words[0]), end
        if self.text.startswith("(", end):
            close = self.text.find(")", end)
            while close != -1:
                argument = self.text[end + 1 : close]
                yield self._node(kind, at, close + 1, words[0], argument), close + 1
                close = self.text.find(")", close + 1)

    def _node(
        self,
        kind: str,
        start: int,
        end: int,
        word: str,
        argument: str | None = None,
        *,
        parts: tuple[Node, ...] = (),
    ) -> Node:
        return Node(kind, self.text[start:end], word, argument, parts)
