"""Paragraphs, and the whitespace between them, as the strings of deltas' segments.

deltas begins a paragraph at any token but whitespace, and ends it before the next blank line; only a table
that begins where a sentence could goes on to the end of the text, because no token of the lexicon is the end
of a table: it finds a bar first. So a text is cut at its blank lines, but for those within tags and behind
such a table.
"""

import functools
import importlib
import re
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence, Set
from typing import Any, Final, NamedTuple

from models.engine.fallbacks import FALLBACKS
from models.engine.functions import of_revscoring
from models.engine.tokens import tokenizer
from models.engine.words import WordMemo

_BLANK_LINES = re.compile(r"(\n\s*\n)")
_OPEN_TAG = re.compile(r"</?[a-z][a-z0-9]*\b[^>]*\Z")
# An address may begin with what opens a tag elsewhere.
_TAG_IN_ADDRESS = re.compile(r"[:/]</?[a-z]")
_TABLE = "{|"
_REFERENCE = re.compile("<ref>", re.IGNORECASE)
_REFERENCE_TAGS = ("ref_open", "ref_close", "ref_singleton")
_MANY_WORDS = 10
_WITHOUT_REFERENCE = r"^(?!\s*$)((?!<ref>)(.|\n))*$"


def segments(text: str) -> Sequence[str]:
    """Return the strings of what ``ParagraphsSentencesAndWhitespace`` makes of a text's tokens, in order.

    Raises:
        UnicodeEncodeError: The text has a lone surrogate. deltas raises it too.
    """
    if not text.isascii():
        text.encode()
    if "\r" in text or _TAG_IN_ADDRESS.search(text):
        FALLBACKS.count("segments")
        return [str(segment) for segment in _segmenter().segment(_tokens(text))]
    pieces: Sequence[str] = _BLANK_LINES.split(text)
    if "<" in text:
        pieces = _joined_at_tags(pieces)
    found: list[str] = []
    for place, piece in enumerate(pieces):
        if not piece:
            continue
        if place % 2:
            found.append(piece)
            continue
        paragraph = piece.lstrip()
        if len(paragraph) < len(piece):
            found += tokenizer().split(piece[: len(piece) - len(paragraph)])
        if _TABLE in paragraph and _opens_table(paragraph):
            found.append(paragraph + "".join(pieces[place + 1 :]))
            break
        if paragraph:
            found.append(paragraph)
    return found


def quicker(include: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Return a function that is true of the same strings as another, in less time where one is known."""
    expression = getattr(include, "__self__", None)
    if isinstance(expression, re.Pattern) and include == expression.match:
        return _QUICKER.get((expression.pattern, expression.flags), include)
    if include is of_revscoring("features.wikitext.datasources.tokenized", "is_uppercase_word"):
        return is_uppercase
    return include


def is_uppercase(string: str) -> bool:
    """Tell whether a string has two characters or more, all of which lower case changes."""
    if string.isascii():
        return len(string) > 1 and string.isalpha() and string.isupper()
    return bool(of_revscoring("features.wikitext.datasources.tokenized", "is_uppercase_word")(string))


def is_without_reference(string: str) -> bool:
    """Tell whether there is more than whitespace in a string, and no ``<ref>``."""
    return bool(string) and not string.isspace() and _REFERENCE.search(string) is None


def of_string(include: Callable[[Any], Any]) -> Callable[[str], bool] | None:
    """Return a function of a segment's string that says what another says of the segment; None for none."""
    portuguese = sys.modules.get("articlequality.feature_lists.ptwiki")
    known = getattr(portuguese, "filter_paragraphs_without_ref_tags", None)
    return has_words_without_references if known is not None and include is known else None


def has_words_without_references(string: str) -> bool:
    """Tell whether a segment has more than ten words, and no tag of a reference."""
    kinds = Counter(map(_kinds.__getitem__, tokenizer().split(string)))
    return kinds["word"] > _MANY_WORDS and not any(kinds[kind] for kind in _REFERENCE_TAGS)


def _kind(value: str) -> str:
    kind: str = tokenizer().token(value).type
    return kind


_kinds: Final = WordMemo(_kind, 100_000)
_QUICKER: Final[Mapping[tuple[str, int], Callable[[Any], Any]]] = {
    (_WITHOUT_REFERENCE, re.compile("", re.IGNORECASE).flags): is_without_reference,
}


def _joined_at_tags(pieces: Sequence[str]) -> Sequence[str]:
    """Join what a tag reaches over; at even places is still what lies between blank lines."""
    joined: list[str] = []
    start = 0
    while start < len(pieces):
        last = start
        while last % 2 == 0 and _opens_tag(pieces[last]):
            end = next((later for later in range(last + 2, len(pieces), 2) if ">" in pieces[later]), 0)
            if not end:
                return [*joined, "".join(pieces[start : last + 1]), *pieces[last + 1 :]]
            last = end
        joined.append(pieces[start] if last == start else "".join(pieces[start : last + 1]))
        start = last + 1
    return joined


def _opens_tag(piece: str) -> bool:
    return "<" in piece and _OPEN_TAG.search(piece, piece.rfind(">") + 1) is not None


def _opens_table(paragraph: str) -> bool:
    """Tell whether one of the paragraph's sentences is a table."""
    if paragraph.startswith(_TABLE):
        return True
    sets = _kinds_of_segmenter()
    is_begun = False
    depth = visible = 0
    for kind in map(_kinds.__getitem__, tokenizer().split(paragraph[: _end_of_tables(paragraph)])):
        is_visible = kind not in sets.whitespace
        if is_begun:
            depth += (kind in sets.opening) - (kind in sets.closing)
            visible += is_visible
            is_begun = not (kind in sets.ending and depth <= 0 and visible >= sets.shortest)
        elif is_visible:
            if kind == "tab_open":
                return True
            is_begun, depth, visible = True, int(kind in sets.opening), 1
    return False


def _end_of_tables(paragraph: str) -> int:
    """Return where the last beginning of a table ends that is not within a tag."""
    last_closing = paragraph.rfind(">")
    start = paragraph.rfind(_TABLE)
    while 0 <= start < last_closing:
        tag = _OPEN_TAG.search(paragraph, paragraph.rfind(">", 0, start) + 1, start)
        if tag is None:
            break
        start = paragraph.rfind(_TABLE, 0, tag.start())
    return start + len(_TABLE) if start >= 0 else 0


class _Kinds(NamedTuple):
    """Kinds of tokens as deltas sorts them, and the length of the shortest sentence that it ends."""

    whitespace: Set[str]
    opening: Set[str]
    closing: Set[str]
    ending: Set[str]
    shortest: int


@functools.cache
def _kinds_of_segmenter() -> _Kinds:
    module = importlib.import_module("deltas.segmenters.paragraphs_sentences_and_whitespace")
    segmenter = _segmenter()
    return _Kinds(
        segmenter.whitespace,
        module.SUB_OPEN,
        module.SUB_CLOSE,
        segmenter.sentence_end,
        segmenter.min_sentence,
    )


def _tokens(text: str) -> list[Any]:
    split = tokenizer()
    return list(map(split.token, split.split(text)))


@functools.cache
def _segmenter() -> Any:
    return importlib.import_module("deltas.segmenters").ParagraphsSentencesAndWhitespace()
