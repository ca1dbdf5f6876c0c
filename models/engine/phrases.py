"""The phrases of a list that a text has, as flashtext finds them, by the words of a phrase at once.

flashtext goes through a text character by character. Words are runs of ASCII letters, digits and ``_``; any
other character is a boundary. A phrase is found where it begins at a word or at a boundary that follows no
word, and a boundary or the end of the text follows it; of several phrases that begin at a place, the longest;
and the boundary behind a phrase begins none. So the words of a phrase are words of the text, one after the
other.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain, compress, count, pairwise
from typing import Any, Final

from models.engine.runs import word_runs
from models.engine.words import WordMemo

_WORDS: Final = re.compile("[A-Za-z0-9_]+").findall
_WORD_CHARACTERS: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_")
_MEMO: Final = 100_000

_Pair = tuple[str, str]


class _Continuations:
    """Phrases that begin with the same two words.

    Attributes:
        phrases: Those of these words alone.
        longer: Those with more words, by the next.
    """

    __slots__ = ("longer", "phrases")

    def __init__(self) -> None:
        self.phrases: list[str] = []
        self.longer: dict[str, _Continuations] = {}


class Phrases:
    """Finds the phrases of a list in texts.

    Args:
        phrases: What is found by the phrase in lower case.

    Attributes:
        splits_at_lines: Whether ``find(a + b) == find(a) + find(b)`` for every ``a`` that ends with a line
            feed.
    """

    def __init__(self, phrases: Mapping[str, str]) -> None:
        self._found = dict(phrases)
        self.splits_at_lines = not any("\n" in phrase for phrase in phrases)
        self._without_words: list[str] = []
        self._of_one_word: dict[str, list[str]] = {}
        self._of_more: dict[_Pair, _Continuations] = {}
        for phrase in phrases:
            self._sort_in(phrase)
        self._key = tuple(self._found.items())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Phrases) and self._key == other._key

    def __hash__(self) -> int:
        return hash(len(self._key))

    def find(self, text: str) -> list[str]:
        """Return the phrases in a text, in their order, with repetitions."""
        return self.find_among(text, word_runs(text))

    def find_among(self, text: str, runs: Iterable[str]) -> list[str]:
        r"""Return the phrases in a text whose runs of word characters are known.

        Args:
            text: Any.
            runs: ``re.findall(r"\w+", text)``: what gets an ASCII letter by being lowered is one of these.
        """
        words = list(chain.from_iterable(map(_words_in.__getitem__, runs)))
        possible = self._possible(words)
        if self._without_words:
            possible.update(self._without_words)
        if not possible:
            return []
        lowered = text.lower()
        places = [
            (start, -len(phrase), phrase) for phrase in possible for start in _occurrences(lowered, phrase)
        ]
        places.sort()
        found = []
        free_from = 0
        for start, minus_length, phrase in places:
            if start >= free_from:
                found.append(self._found[phrase])
                free_from = start - minus_length + 1
        return found

    def _sort_in(self, phrase: str) -> None:
        words = _WORDS(phrase)
        if not words:
            self._without_words.append(phrase)
        elif len(words) == 1:
            self._of_one_word.setdefault(words[0], []).append(phrase)
        else:
            node = self._of_more.setdefault((words[0], words[1]), _Continuations())
            for word in words[2:]:
                node = node.longer.setdefault(word, _Continuations())
            node.phrases.append(phrase)

    def _possible(self, words: Sequence[str]) -> set[str]:
        """Return all phrases whose words a text has one after the other, whatever is between them."""
        possible: set[str] = set()
        of_one, of_more = self._of_one_word, self._of_more
        if of_one:
            for word in of_one.keys() & set(words):
                possible.update(of_one[word])
        for place in compress(count(), map(of_more.__contains__, pairwise(words))):
            node: _Continuations | None = of_more[words[place], words[place + 1]]
            behind = place + 2
            while node is not None:
                possible.update(node.phrases)
                node = node.longer.get(words[behind]) if behind < len(words) else None
                behind += 1
        return possible


def phrases_of(processor: Any) -> Phrases | None:
    """Return what finds the same as a ``flashtext.KeywordProcessor``; None where none is known to."""
    if processor.case_sensitive or processor.non_word_boundaries != _WORD_CHARACTERS:
        return None
    return Phrases(processor.get_all_keywords())


def _occurrences(text: str, phrase: str) -> Iterable[int]:
    """Yield where a phrase lies between boundaries."""
    start = text.find(phrase)
    while start >= 0:
        end = start + len(phrase)
        is_begun = not start or text[start - 1] not in _WORD_CHARACTERS
        if is_begun and (end == len(text) or text[end] not in _WORD_CHARACTERS):
            yield start
        start = text.find(phrase, start + 1)


def _lowered_words(run: str) -> tuple[str, ...]:
    return tuple(_WORDS(run.lower()))


_words_in: Final = WordMemo(_lowered_words, _MEMO)
