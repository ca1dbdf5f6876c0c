"""Nodes that compute features of revscoring 0.1 to 0.7, at less cost.

Each is recognised by the object of ``models.features`` that computes it; see ``models.engine.plan`` for how
rules are applied, and ``former_pieces`` and ``former_changes`` for what these rest on.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from types import SimpleNamespace
from typing import Any, Final

from msgspec import Struct

from models.engine.document import Document
from models.engine.former_changes import change_between
from models.engine.former_pieces import Counts, Pieces, Test, in_lines, in_whole
from models.engine.former_tokens import FIRST, lexicon
from models.engine.matches import Matcher
from models.engine.rules import ReadSum, document_of, feature_like, source
from models.engine.runs import longest_run
from models.engine.words import WordMemo
from models.features.former_diff import Difference
from models.features.former_edits import same
from models.features.former_texts import (
    FIRST_WORD,
    Compared,
    ComparedTexts,
    Length,
    LongestRun,
    Number,
    OfSegments,
    OfText,
    Tokens,
    Words,
    is_word,
    uppercase,
)
from models.features.former_tokens import Token
from models.features.former_words import (
    Check,
    Filtered,
    InSegments,
    InText,
    Utility,
    counted,
    counted_in_text,
)

_WORDS: Final = 100_000
_LISTED: Final = re.compile(r"\\b\((.*)\)\\b", re.DOTALL)
_REFERENCE: Final = re.compile(r"\\[1-9]|\(\?P=|\(\?\(")


class FormerRules:
    """The rules of one plan, which collect what its features count.

    Args:
        features: Of the plan.
    """

    def __init__(self, features: Iterable[Any]) -> None:
        self._pieces: dict[str, Pieces] = {}
        release = next(filter(None, map(_release, _nodes(features))), None)
        # What is read of the parent's text alone is then known from when that was the revision's.
        self._in_parts = in_lines() if release is None else self._pieces_of(release)
        self._in_whole = in_whole()
        self._known: dict[Check, WordMemo[bool]] = {}

    def __call__(self, node: Any) -> Any:
        """Return an equal node that costs less, or None."""
        if getattr(node, "process", None) is same:
            return node.dependencies[0]
        return self._comparison(node) or self._filtered(node) or self._count(node)

    def _comparison(self, node: Any) -> Any:
        process = getattr(node, "process", None)
        if not isinstance(process, Compared | ComparedTexts):
            return None
        before, after = node.dependencies
        if isinstance(process, ComparedTexts):
            cut = process.tokens
        else:
            made = [getattr(side, "process", None) for side in (before, after)]
            if not isinstance(made[0], Tokens) or made[0] != made[1]:
                return None
            cut = made[0].release
            before, after = before.dependencies[0], after.dependencies[0]
        if (cut == FIRST) != (process.release == FIRST):
            return None
        pieces = self._pieces_of(cut)
        pieces.has_paragraphs = True
        documents = document_of(pieces, before), document_of(pieces, after)
        name = f"former_difference({process.release}, {documents[0]}, {documents[1]})"
        return source(name, Compare(pieces, process.release), *documents)

    def _filtered(self, node: Any) -> Any:
        process = getattr(node, "process", None)
        test = process.built.filter if isinstance(process, Filtered) else None
        if not isinstance(test, Check) or node.process.built.if_none is not None:
            return None
        if test not in self._known:
            self._known[test] = WordMemo(test, _WORDS)
        return source(str(node), Keep(self._known[test]), node.dependencies[0])

    def _count(self, node: Any) -> Any:
        process = getattr(node, "process", None)
        if getattr(node, "returns", None) is not int:
            return None
        if isinstance(process, OfText):
            return self._characters(node, process.count)
        if isinstance(process, OfSegments | LongestRun):
            return _of_change(node)
        if process is len:
            return self._number(node, node.dependencies[0])
        return self._sought(node) if process is counted or process is counted_in_text else None

    def _characters(self, node: Any, count: Callable[[str], int]) -> Any:
        counts = self._in_parts
        if isinstance(count, Number) and counts.keeps(count.pattern):
            place = counts.words(count.pattern)
        elif isinstance(count, Length) and counts.keeps(count.pattern) and not count.pattern.groups:
            place = counts.characters(TotalLength(count.pattern))
        elif count is uppercase:
            place = counts.characters(uppercase_of)
        else:
            return None
        return _sum(node, place, counts, node.dependencies[0])

    def _number(self, node: Any, below: Any) -> Any:
        """Find the number of words, matches or tokens that a list holds."""
        process = getattr(below, "process", None)
        if isinstance(process, Words) and self._in_parts.keeps(process.pattern):
            place = self._in_parts.words(process.pattern)
            return _sum(node, place, self._in_parts, below.dependencies[0])
        if isinstance(process, InText | InSegments) and process.built.if_none is None:
            return self._matches(node, below)
        return self._tokens(node, below)

    def _matches(self, node: Any, below: Any) -> Any:
        matcher = _matcher(below.process.built.group_re)
        if matcher is None:
            return None
        if isinstance(below.process, InSegments):
            return feature_like(node, NumberInSegments(matcher), below.dependencies[0])
        counts = self._in_parts if self._in_parts.keeps(matcher.expression) else self._in_whole
        return _sum(node, counts.matches(matcher), counts, below.dependencies[0])

    def _tokens(self, node: Any, below: Any) -> Any:
        tests: list[Test] = []
        while isinstance(getattr(below, "process", None), Filtered):
            tests.insert(0, below.process.built.filter)
            below = below.dependencies[0]
        process = getattr(below, "process", None)
        if not isinstance(process, Tokens) or not all(
            test is is_word or isinstance(test, Check) for test in tests
        ):
            return None
        pieces = self._pieces_of(process.release)
        return _sum(node, pieces.tokens(tuple(tests)), pieces, below.dependencies[0])

    def _sought(self, node: Any) -> Any:
        """Find the number of words of a text that a function of a language knows."""
        utility, text = node.dependencies
        pattern = FIRST_WORD
        if node.process is counted:
            if not isinstance(getattr(text, "process", None), Words):
                return None
            pattern, text = text.process.pattern, text.dependencies[0]
        if not isinstance(getattr(utility, "process", None), Utility) or not self._in_parts.keeps(pattern):
            return None
        return _sum(node, self._in_parts.words(pattern, utility.process.function), self._in_parts, text)

    def _pieces_of(self, release: str) -> Pieces:
        if release not in self._pieces:
            self._pieces[release] = Pieces(lexicon(release))
        return self._pieces[release]


def _of_change(node: Any) -> Any:
    process = node.process
    if isinstance(process, LongestRun):
        return feature_like(node, LongestOf(process.default), node.dependencies[0])
    return (
        feature_like(node, OfSegments(uppercase_of), node.dependencies[0])
        if process.count is uppercase
        else None
    )


def _sum(node: Any, place: int, analysis: Counts, text: Any) -> Any:
    return feature_like(node, ReadSum(place, int), document_of(analysis, text))


def _nodes(features: Iterable[Any]) -> Iterator[Any]:
    """Yield features and all that they are made of."""
    waiting = [*features]
    seen: set[str] = set()
    while waiting:
        node = waiting.pop()
        if str(node) not in seen:
            seen.add(str(node))
            yield node
            waiting += getattr(node, "dependencies", ())


def _release(node: Any) -> str | None:
    """Return the release whose tokens a node reads."""
    process = getattr(node, "process", None)
    release = getattr(process, "tokens", None) if isinstance(process, ComparedTexts) else None
    return process.release if isinstance(process, Tokens) else release


class Compare(Struct, frozen=True, eq=False):
    """Tells what an edit added and removed."""

    pieces: Pieces
    release: str

    def __call__(self, before: Document, after: Document) -> Difference:
        """Return it."""
        return change_between(before, after, self.pieces.lexicon, self.release)


class Keep(Struct, frozen=True, eq=False):
    """Keeps the tokens of which something is known. Those who read the list may change it."""

    known: WordMemo[bool]

    def __call__(self, tokens: Iterable[Token]) -> list[Token]:
        """Return them in their order."""
        return [*filter(self.known.__getitem__, tokens)]


class NumberInSegments(Struct, frozen=True, eq=False):
    """Counts matches in parts of a text."""

    matcher: Matcher

    def __call__(self, segments: Iterable[str]) -> int:
        """Return the number."""
        return sum(len(self.matcher.find(segment)) for segment in segments)


class LongestOf(Struct, frozen=True):
    """Measures the longest run of one character in parts of a text."""

    default: int

    def __call__(self, segments: Iterable[str]) -> int:
        """Return the number of characters."""
        return max(map(longest_run, filter(None, segments)), default=self.default)


class TotalLength(Struct, frozen=True):
    """Counts the characters within matches of a pattern without groups."""

    pattern: re.Pattern[str]

    def __call__(self, text: str) -> int:
        """Return the number."""
        return len("".join(self.pattern.findall(text)))


def uppercase_of(text: str) -> int:
    """Count the characters that have a lower case, looking at each different one once."""
    return sum(count for character, count in Counter(text).items() if character.lower() != character)


def _matcher(pattern: Any) -> Matcher | None:
    r"""Return what finds as many matches as a list of the form ``\b(…)\b``; None for other forms."""
    listed = _LISTED.fullmatch(pattern.pattern) if isinstance(pattern, re.Pattern) else None
    if listed is None or _REFERENCE.search(listed[1]):
        return None
    return Matcher(SimpleNamespace(group_re=re.compile(rf"(\b)({listed[1]})(\b)", pattern.flags)))
