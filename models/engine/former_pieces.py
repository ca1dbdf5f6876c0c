"""What the features of 2015 read of a text, each part of it analysed once for a page.

Both analyses go with ``models.engine.document``: one counts characters and words, the other finds paragraphs
and sentences of a former release as well.
"""

import re
from collections.abc import Callable, Hashable, Sequence
from typing import Any, Final

from models.engine.blocks import Block, split_blocks
from models.engine.former_tokens import FIRST, Lexicon
from models.engine.matches import Matcher, RunSieve
from models.engine.patterns_syntax import splits_at_blanks, splits_at_lines
from models.engine.runs import word_runs
from models.engine.words import WordMemo

Test = Callable[[Any], Any]

_WORDS: Final = 100_000
_BLANK: Final = " \t\r\n"
# Blank space with two line feeds in it, from where it begins.
_BREAKS_OF_FIRST = re.compile(r"(?<![ \t\r\n])([ \t\r]*+\n[ \t\r]*+\n[ \t\r\n]*+)")
_PARAGRAPHS = re.compile("[sb]|[^sb][^b]*")
# What begins a sentence does not end it, and since release 0.3 nor does the word or sign behind that.
_SENTENCES = re.compile("s|[^s]s*+[^s][^e]*+e|.+")


class Counts:
    """The analysis of texts as characters, words and matches.

    Args:
        unit: What is counted apart.
        split: Cuts a text.
        keeps: Tells whether the matches of a pattern in a text are those in what it is cut into.
    """

    tables: Final = 0
    maxima: Final = 0

    def __init__(
        self,
        unit: str,
        split: Callable[[str], Sequence[str]],
        keeps: Callable[[re.Pattern[str]], bool],
    ) -> None:
        self.unit = unit
        self.keeps = keeps
        self._split = split
        self._places: dict[Hashable, int] = {}
        self._of_text: list[tuple[int, Callable[[str], int]]] = []
        self._of_words: dict[re.Pattern[str], list[tuple[int, WordMemo[bool] | None]]] = {}
        self._matchers: list[tuple[int, Matcher]] = []
        self._sieve = RunSieve(())

    @property
    def sums(self) -> int:
        """Number of sums."""
        return len(self._places)

    def split(self, text: str, /) -> Sequence[str]:
        """Cut a text that is not empty into parts to be analysed apart."""
        return self._split(text)

    def characters(self, count: Callable[[str], int]) -> int:
        """Ask for what a function counts in a text; return the place of the sum."""
        place = self._places.get(count)
        if place is None:
            place = self._place(count)
            self._of_text.append((place, count))
        return place

    def words(self, pattern: re.Pattern[str], is_sought: Test | None = None) -> int:
        """Ask for the number of words; return the place of the sum.

        Args:
            pattern: Matches a word.
            is_sought: Of a word alone, whether it counts; None for all words.
        """
        key = (pattern, is_sought)
        place = self._places.get(key)
        if place is None:
            place = self._place(key)
            known = None if is_sought is None else WordMemo(_whether(is_sought), _WORDS)
            self._of_words.setdefault(pattern, []).append((place, known))
        return place

    def matches(self, matcher: Matcher) -> int:
        """Ask for the number of matches; return the place of the sum."""
        place = self._places.get(matcher)
        if place is None:
            place = self._place(matcher)
            self._matchers.append((place, matcher))
            self._sieve = RunSieve([each for _, each in self._matchers])
        return place

    def block(self, text: str, /) -> Block:
        """Count in a part of a text."""
        return Block([], self._counted(text), [])

    def _counted(self, text: str) -> list[int]:
        sums = [0] * len(self._places)
        for place, count in self._of_text:
            sums[place] = count(text)
        for pattern, asked in self._of_words.items():
            words = pattern.findall(text)
            for place, known in asked:
                sums[place] = len(words) if known is None else sum(map(known.__getitem__, words))
        if self._matchers:
            runs = dict.fromkeys(self._sieve.kept(word_runs(text)))
            for place, matcher in self._matchers:
                sums[place] = len(matcher.find_in(text, runs))
        return sums

    def _place(self, key: Hashable) -> int:
        self._places[key] = len(self._places)
        return self._places[key]


class Paragraph:
    """A paragraph of a text.

    Attributes:
        key: Its text, alone in a tuple.
        parts: Its sentences, each alone in a tuple, and the blank space between them.
        sentences: Number of sentences.
    """

    __slots__ = ("key", "parts", "sentences")

    def __init__(self, text: str, parts: Sequence[str | tuple[str]], sentences: int) -> None:
        self.key = (text,)
        self.parts = parts
        self.sentences = sentences


class Piece(Block):
    """What is known of one part of a text.

    Attributes:
        tops: Its paragraphs, and the blank space between them.
        whole: The same, of each paragraph the key.
        paragraphs: Texts of its paragraphs.
        segments: Texts of its paragraphs and sentences, each paragraph before its sentences.
    """

    __slots__ = ("paragraphs", "segments", "tops", "whole")

    def __init__(self, sums: list[int]) -> None:
        super().__init__([], sums, [])
        self.tops: list[str | Paragraph] = []
        self.whole: list[str | tuple[str]] = []
        self.paragraphs: list[str] = []
        self.segments: list[str] = []

    def add_blank(self, text: str) -> None:
        """Add blank space that belongs to no paragraph."""
        self.tops.append(text)
        self.whole.append(text)

    def add_paragraph(self, text: str, parts: Sequence[str | tuple[str]]) -> None:
        """Add a paragraph.

        Args:
            text: Its text.
            parts: As in ``Paragraph``.
        """
        sentences = [part[0] for part in parts if type(part) is tuple]
        paragraph = Paragraph(text, parts, len(sentences))
        self.tops.append(paragraph)
        self.whole.append(paragraph.key)
        self.paragraphs.append(text)
        self.segments.append(text)
        self.segments += sentences


class Pieces(Counts):
    """The analysis of texts as paragraphs and sentences of a former release as well.

    Args:
        lexicon: Cuts them into tokens.
    """

    def __init__(self, lexicon: Lexicon) -> None:
        keeps = splits_at_blanks if lexicon.release == FIRST else splits_at_lines
        super().__init__(f"former {lexicon.release}", lexicon.parts, keeps)
        self.lexicon = lexicon
        self.has_paragraphs = False
        self._tests: list[tuple[int, WordMemo[bool]]] = []

    def tokens(self, tests: tuple[Test, ...]) -> int:
        """Ask for the number of tokens that pass all of some tests; return the place of the sum."""
        if tests not in self._places:
            place = self._place(tests)

            def passes(value: str) -> bool:
                (token,) = self.lexicon.tokens_of((value,))
                return all(test(token) for test in tests)

            self._tests.append((place, WordMemo(passes, _WORDS)))
        return self._places[tests]

    def block(self, text: str, /) -> Piece:
        """Analyse a part of a text."""
        sums = self._counted(text)
        piece = Piece(sums)
        if self.has_paragraphs and self.lexicon.release == FIRST:
            self._part_first(text, piece)
        elif self.has_paragraphs or self._tests:
            values = self.lexicon.split(text)
            for place, test in self._tests:
                sums[place] = sum(map(test.__getitem__, values))
            if self.has_paragraphs:
                self._part(values, piece)
        return piece

    def _part(self, values: Sequence[str], piece: Piece) -> None:
        codes = self.lexicon.codes(values)
        for match in _PARAGRAPHS.finditer(codes):
            start, end = match.span()
            if codes[start] in "sb":
                piece.add_blank(values[start])
                continue
            parts: list[str | tuple[str]] = []
            for part in _SENTENCES.finditer(codes, start, end):
                first, last = part.span()
                parts.append(values[first] if codes[first] == "s" else ("".join(values[first:last]),))
            piece.add_paragraph("".join(values[start:end]), parts)

    def _part_first(self, text: str, piece: Piece) -> None:
        is_blank = False
        for field in _BREAKS_OF_FIRST.split(text):
            body = field
            if is_blank:
                piece.add_blank(field)
            elif field:
                if field[0] in _BLANK:
                    body = field.lstrip(_BLANK)
                    piece.add_blank(field[: len(field) - len(body)])
                if body:
                    found = self.lexicon.sentences_of_first(body)
                    piece.add_paragraph(body, [part if part[0] in _BLANK else (part,) for part in found])
            is_blank = not is_blank


def in_lines() -> Counts:
    """Return an analysis that cuts texts into a few lines each."""
    return Counts("former lines", split_blocks, splits_at_lines)


def in_whole() -> Counts:
    """Return an analysis that cuts no text."""
    return Counts("former text", lambda text: [text], lambda _: True)


def _whether(test: Test) -> Callable[[str], bool]:
    return lambda word: bool(test(word))
