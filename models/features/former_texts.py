"""Counts of characters and words in texts, as revscoring made them before release 1.0."""

import itertools
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from msgspec import Struct

from models.features.former_diff import Difference, difference
from models.features.former_tokens import WORD, Token, tokenise

_FEATURES = "revscoring.features."
_SOURCES = "revscoring.datasources."
_MARKUP = re.compile(r"(?:[\[\]]|\{\||\|\}|\|-|\{\{|\}\})+")
_NUMERIC = re.compile(r"\d+")
_SYMBOLIC = re.compile(r"[^\w\s]+")
# Of the first releases. Their pattern for symbols names a bell and three letters that it means as a class.
_FIRST_NUMERIC = re.compile(r"[0-9]+")
_FIRST_SYMBOLIC = re.compile(r"[^\w\a\s]+")
_FIRST_UPPERCASE = re.compile(r"[A-Z]+")
FIRST_WORD = re.compile(r"\w+")
LETTERS = re.compile(r"[^\W\d]+")


def no_text() -> None:
    """Refuse a revision without text.

    Raises:
        ValueError: Always.
    """
    raise ValueError("the revision has no text")


class Length(Struct, frozen=True):
    """Counts the characters of a text that are within matches of a pattern."""

    pattern: re.Pattern[str]

    def __call__(self, text: str) -> int:
        """Return the number."""
        return sum(len(match[0]) for match in self.pattern.finditer(text))


class Number(Struct, frozen=True):
    """Counts the matches of a pattern."""

    pattern: re.Pattern[str]

    def __call__(self, text: str) -> int:
        """Return the number."""
        return len(self.pattern.findall(text))


def uppercase(text: str) -> int:
    """Count the characters that have a lower case."""
    return sum(character.lower() != character for character in text)


class OfText(Struct, frozen=True):
    """Counts something of a text."""

    count: Callable[[str], int]

    def __call__(self, text: str | None) -> int:
        """Return the number; None counts as empty."""
        return self.count(text or "")


class OfSegments(Struct, frozen=True):
    """Counts something of parts of a text."""

    count: Callable[[str], int]

    def __call__(self, segments: Iterable[str]) -> int:
        """Return the number."""
        return self.count("".join(segments))


class LongestRun(Struct, frozen=True):
    """Measures the longest run of one character, whatever its case, in parts of a text.

    Attributes:
        default: What counts where there is none.
    """

    default: int

    def __call__(self, segments: Iterable[str]) -> int:
        """Return the number of characters."""
        runs = (len(list(run)) for segment in segments for _, run in itertools.groupby(segment.lower()))
        return max(runs, default=self.default)


def _longest_token(tokens: Iterable[str]) -> int:
    return max(map(len, tokens), default=1)


class Words(Struct, frozen=True):
    """Finds the words of a text, which are the matches of a pattern."""

    pattern: re.Pattern[str]

    def __call__(self, text: str | None) -> list[str]:
        """Return them in their order; None has none."""
        return self.pattern.findall(text or "")


def _words_of_segments(pattern: re.Pattern[str]) -> Callable[[Iterable[str]], list[str]]:
    return lambda segments: [word for segment in segments for word in pattern.findall(segment)]


class Tokens(Struct, frozen=True):
    """Cuts a text into tokens.

    Attributes:
        release: Of deltas, as ``tokenise`` takes it.
    """

    release: str

    def __call__(self, text: str | None) -> list[Token]:
        """Return them; None has none."""
        return tokenise(text or "", self.release)


class Compared(Struct, frozen=True):
    """Compares the tokens of two texts.

    Attributes:
        release: Of deltas, as ``difference`` takes it.
    """

    release: str

    def __call__(self, before: Sequence[Token], after: Sequence[Token]) -> Difference:
        """Return what one has and the other has not."""
        return difference(before, after, self.release)


class ComparedTexts(Struct, frozen=True):
    """Compares two texts.

    Attributes:
        tokens: Release of deltas whose tokens they are cut into.
        release: Of the deltas that compares these.
    """

    tokens: str
    release: str

    def __call__(self, before: str | None, after: str | None) -> Difference:
        """Return what one has and the other has not; None is empty."""
        return difference(
            tokenise(before or "", self.tokens), tokenise(after or "", self.tokens), self.release
        )


def _segments(runs: Iterable[Iterable[str]]) -> list[str]:
    return ["".join(run) for run in runs]


def is_word(token: Any) -> bool:
    """Tell whether a token is a word."""
    return bool(token.type == WORD)


_COUNTS: Mapping[str, Callable[[str], int]] = {
    "chars": len,
    "markup_chars": Length(_MARKUP),
    "numeric_chars": Length(_NUMERIC),
    "symbolic_chars": Length(_SYMBOLIC),
    "uppercase_chars": uppercase,
}
_FIRST_COUNTS: Mapping[str, Callable[[str], int]] = {
    "chars_added": len,
    "markup_chars_added": Length(_MARKUP),
    "numeric_chars_added": Length(_FIRST_NUMERIC),
    "symbolic_chars_added": Length(_FIRST_SYMBOLIC),
    "uppercase_chars_added": Length(_FIRST_UPPERCASE),
}
_OPERATIONS = f"{_SOURCES}diff.process_operations"
# What tells texts apart by the release of deltas; the mark says which, where it is not the usual one.
MARKED: Mapping[str, Mapping[str, Callable[..., Any]]] = {
    f"{_SOURCES}revision.process_tokens": {"": Tokens("0.3.3"), "deltas 0.3.8:": Tokens("0.3.8")},
    f"{_SOURCES}parent_revision.process_tokens": {"": Tokens("0.3.3"), "deltas 0.3.8:": Tokens("0.3.8")},
    f"{_SOURCES}revision.process_content_tokens": {"": Tokens("0.3.3"), "deltas 0.3.8:": Tokens("0.3.8")},
    _OPERATIONS: {
        "": Compared("0.3.1"),
        "deltas 0.3.0:": ComparedTexts("0.3.1", "0.3.0"),
        "deltas 0.3.1:": ComparedTexts("0.3.1", "0.3.1"),
        "deltas 0.3.3:": ComparedTexts("0.3.3", "0.3.1"),
    },
}
_READ: Mapping[tuple[str, ...], Callable[..., Any]] = {
    ("diff.process_added_segments", "contiguous_segments_added.process"): (
        lambda changed: _segments(changed.added)
    ),
    ("diff.process_removed_segments", "contiguous_segments_removed.process"): (
        lambda changed: _segments(changed.removed)
    ),
    ("diff.process_added_tokens", "tokens_added.process"): lambda changed: changed.added_tokens,
    ("diff.process_removed_tokens", "tokens_removed.process"): lambda changed: changed.removed_tokens,
    ("revision.process_words", "parent_revision.process_words"): Words(LETTERS),
    ("revision.process_content_words",): Words(LETTERS),
    ("diff.process_added_words", "diff.process_removed_words"): _words_of_segments(LETTERS),
}
FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    **{mark + name: function for name, marked in MARKED.items() for mark, function in marked.items()},
    "revscoring.languages.space_delimited.util.token_is_word": is_word,
    "revscoring.languages.space_delimited.revision.raise_rnf": no_text,
    **{
        f"{_FEATURES}{place}.process_{name}": OfText(count)
        for place in ("revision", "parent_revision")
        for name, count in _COUNTS.items()
    },
    **{
        f"{_FEATURES}diff.process_{name}_{change}": OfSegments(count)
        for change in ("added", "removed")
        for name, count in _COUNTS.items()
    },
    **{f"{_FEATURES}{name}.process": OfSegments(count) for name, count in _FIRST_COUNTS.items()},
    **{
        f"{_FEATURES}{name}": len
        for name in (
            *("diff.process_segments_added", "diff.process_segment_removed"),
            *("diff.process_words_added", "diff.process_words_removed"),
            *("revision.process_words", "parent_revision.process_words"),
            *("segments_added.process", "segments_removed.process"),
        )
    },
    f"{_FEATURES}diff.process_longest_repeated_char_added": LongestRun(1),
    f"{_FEATURES}longest_repeated_char_added.process": LongestRun(0),
    f"{_FEATURES}diff.process_longest_token_added": _longest_token,
    f"{_FEATURES}longest_token_added.process": lambda changed: max(map(len, changed.added_tokens), default=0),
    f"{_FEATURES}prev_words.process": OfText(Number(FIRST_WORD)),
    **{
        f"{_FEATURES}{name}.process": lambda segments: sum(
            len(FIRST_WORD.findall(segment)) for segment in segments
        )
        for name in ("words_added", "words_removed")
    },
    f"{_SOURCES}revision_diff.process": ComparedTexts("0.1.1", "0.1.1"),
    **{f"{_SOURCES}{name}": read for names, read in _READ.items() for name in names},
}
