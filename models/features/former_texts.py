"""Counts of characters and words in texts, as revscoring made them before release 1.0."""

import itertools
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

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


def _length(pattern: re.Pattern[str]) -> Callable[[str], int]:
    return lambda text: sum(len(match[0]) for match in pattern.finditer(text))


def _uppercase(text: str) -> int:
    return sum(character.lower() != character for character in text)


def _of_optional(count: Callable[[str], int]) -> Callable[[str | None], int]:
    return lambda text: count(text or "")


def _of_segments(count: Callable[[str], int]) -> Callable[[Iterable[str]], int]:
    return lambda segments: count("".join(segments))


def _longest_run(default: int) -> Callable[[Iterable[str]], int]:
    def longest(segments: Iterable[str]) -> int:
        runs = (len(list(run)) for segment in segments for _, run in itertools.groupby(segment.lower()))
        return max(runs, default=default)

    return longest


def _longest_token(tokens: Iterable[str]) -> int:
    return max(map(len, tokens), default=1)


def _words(pattern: re.Pattern[str]) -> Callable[[str | None], list[str]]:
    return lambda text: pattern.findall(text or "")


def _words_of_segments(pattern: re.Pattern[str]) -> Callable[[Iterable[str]], list[str]]:
    return lambda segments: [word for segment in segments for word in pattern.findall(segment)]


def _tokens(release: str) -> Callable[[str | None], list[Token]]:
    return lambda text: tokenise(text or "", release)


def _compared(before: Sequence[Token], after: Sequence[Token]) -> Difference:
    return difference(before, after, "0.3.1")


def _compared_texts(tokens: str, release: str) -> Callable[[str | None, str | None], Difference]:
    return lambda before, after: difference(
        tokenise(before or "", tokens), tokenise(after or "", tokens), release
    )


def _segments(runs: Iterable[Iterable[str]]) -> list[str]:
    return ["".join(run) for run in runs]


def is_word(token: Any) -> bool:
    """Tell whether a token is a word."""
    return bool(token.type == WORD)


_COUNTS: Mapping[str, Callable[[str], int]] = {
    "chars": len,
    "markup_chars": _length(_MARKUP),
    "numeric_chars": _length(_NUMERIC),
    "symbolic_chars": _length(_SYMBOLIC),
    "uppercase_chars": _uppercase,
}
_FIRST_COUNTS: Mapping[str, Callable[[str], int]] = {
    "chars_added": len,
    "markup_chars_added": _length(_MARKUP),
    "numeric_chars_added": _length(_FIRST_NUMERIC),
    "symbolic_chars_added": _length(_FIRST_SYMBOLIC),
    "uppercase_chars_added": _length(_FIRST_UPPERCASE),
}
_OPERATIONS = f"{_SOURCES}diff.process_operations"
# What tells texts apart by the release of deltas; the mark says which, where it is not the usual one.
MARKED: Mapping[str, Mapping[str, Callable[..., Any]]] = {
    f"{_SOURCES}revision.process_tokens": {"": _tokens("0.3.3"), "deltas 0.3.8:": _tokens("0.3.8")},
    f"{_SOURCES}parent_revision.process_tokens": {"": _tokens("0.3.3"), "deltas 0.3.8:": _tokens("0.3.8")},
    f"{_SOURCES}revision.process_content_tokens": {"": _tokens("0.3.3"), "deltas 0.3.8:": _tokens("0.3.8")},
    _OPERATIONS: {
        "": _compared,
        "deltas 0.3.0:": _compared_texts("0.3.1", "0.3.0"),
        "deltas 0.3.1:": _compared_texts("0.3.1", "0.3.1"),
        "deltas 0.3.3:": _compared_texts("0.3.3", "0.3.1"),
    },
}
FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    **{mark + name: function for name, marked in MARKED.items() for mark, function in marked.items()},
    "revscoring.languages.space_delimited.util.token_is_word": is_word,
    "revscoring.languages.space_delimited.revision.raise_rnf": no_text,
    **{
        f"{_FEATURES}{place}.process_{name}": _of_optional(count)
        for place in ("revision", "parent_revision")
        for name, count in _COUNTS.items()
    },
    **{
        f"{_FEATURES}diff.process_{name}_{change}": _of_segments(count)
        for change in ("added", "removed")
        for name, count in _COUNTS.items()
    },
    **{f"{_FEATURES}{name}.process": _of_segments(count) for name, count in _FIRST_COUNTS.items()},
    **{
        f"{_FEATURES}{name}": len
        for name in (
            *("diff.process_segments_added", "diff.process_segment_removed"),
            *("diff.process_words_added", "diff.process_words_removed"),
            *("revision.process_words", "parent_revision.process_words"),
            *("segments_added.process", "segments_removed.process"),
        )
    },
    f"{_FEATURES}diff.process_longest_repeated_char_added": _longest_run(1),
    f"{_FEATURES}longest_repeated_char_added.process": _longest_run(0),
    f"{_FEATURES}diff.process_longest_token_added": _longest_token,
    f"{_FEATURES}longest_token_added.process": lambda changed: max(map(len, changed.added_tokens), default=0),
    f"{_FEATURES}prev_words.process": lambda text: len(FIRST_WORD.findall(text or "")),
    **{
        f"{_FEATURES}{name}.process": lambda segments: sum(
            len(FIRST_WORD.findall(segment)) for segment in segments
        )
        for name in ("words_added", "words_removed")
    },
    f"{_SOURCES}revision_diff.process": _compared_texts("0.1.1", "0.1.1"),
    **{
        f"{_SOURCES}{name}": read
        for names, read in {
            ("diff.process_added_segments", "contiguous_segments_added.process"): (
                lambda changed: _segments(changed.added)
            ),
            ("diff.process_removed_segments", "contiguous_segments_removed.process"): (
                lambda changed: _segments(changed.removed)
            ),
            ("diff.process_added_tokens", "tokens_added.process"): lambda changed: changed.added_tokens,
            ("diff.process_removed_tokens", "tokens_removed.process"): lambda changed: changed.removed_tokens,
            ("revision.process_words", "parent_revision.process_words"): _words(LETTERS),
            ("revision.process_content_words",): _words(LETTERS),
            ("diff.process_added_words", "diff.process_removed_words"): _words_of_segments(LETTERS),
        }.items()
        for name in names
    },
}
