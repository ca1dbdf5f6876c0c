"""What the features of a set of models count in a text, found in one pass over its unique tokens.

A feature counts, sums or takes the greatest of a list; the list is made of the text's tokens, or of the
matches of a word list, by filters and maps that look at one item at a time. So each unique item is decided
once in the life of a process, and a text costs one look-up for each of its unique items.
"""

import functools
import struct
from collections import Counter
from collections.abc import Callable, Hashable, Mapping, Sequence
from itertools import chain
from typing import Any, Final, Literal, NamedTuple

from models.engine.blocks import Block, split_blocks
from models.engine.branches import Branches
from models.engine.chains import SEGMENTS, TOKENS, Chain
from models.engine.matches import Matcher, RunSieve
from models.engine.phrases import Phrases
from models.engine.runs import longest_run, word_runs
from models.engine.tokens import tokenizer
from models.engine.words import LONGEST, WordMemo
from models.native import native

# What a process remembers of single words, at some 300 bytes each.
_WORDS: Final = 400_000
_EMPTY: Final[dict[str, int]] = {}
_PAIRS: Final = struct.Struct("=2q")


class Verdict(NamedTuple):
    """What one item of a list counts for. Equal to itself alone, so that verdicts are counted quickly.

    Attributes:
        tables: Tables and the key there.
        sums: Sums and the amount, see `packed`.
        maxima: Maxima and the value, likewise.
    """

    tables: tuple[tuple[int, Any], ...]
    sums: bytes
    maxima: bytes

    def __eq__(self, other: object) -> bool:
        return self is other

    def __hash__(self) -> int:
        return id(self)


def packed(pairs: Sequence[tuple[int, int]]) -> bytes:
    """Return pairs of a place and a number as int64s in turn, as the function in C adds them up."""
    return struct.pack(f"={2 * len(pairs)}q", *chain.from_iterable(pairs))


class Analysis:
    """What to count, as the plan of a set of models collects it; see the module.

    Args:
        unit: What is counted apart, by which a plan tells analyses of one text from each other.
        split: Cuts a text that is not empty into these, see ``models.engine.blocks``. Where segments are
            counted, each is one.
    """

    def __init__(self, unit: str = "blocks", split: Callable[[str], Sequence[str]] = split_blocks) -> None:
        self.unit = unit
        self.split = split
        self._tables: dict[Hashable, int] = {}
        self._sums: dict[Hashable, int] = {}
        self._maxima: dict[Hashable, int] = {}
        self._of_base: dict[Hashable, _Measures] = {}
        self._matchers: list[tuple[Matcher | Phrases, _Measures]] = []
        self._sieve = RunSieve(())
        self._run_place: int | None = None

    def table(self, chain: Chain) -> int:
        """Ask for the count of each item of a list; return the place of the table."""
        return self._place(self._tables, chain, "table")

    def length(self, chain: Chain) -> int:
        """Ask for the number of items of a list; return the place of the sum."""
        return self._place(self._sums, chain, "length")

    def total(self, chain: Chain) -> int:
        """Ask for the sum of a list of lengths; return the place of the sum."""
        return self._place(self._sums, chain, "total")

    def greatest(self, chain: Chain) -> int:
        """Ask for the greatest of a list of lengths; return the place of the maximum."""
        return self._place(self._maxima, chain, "maximum")

    def longest_run(self) -> int:
        """Ask for the length of the longest run of one character; return the place of the maximum."""
        if self._run_place is None:
            self._run_place = self._maxima.setdefault("run", len(self._maxima))
        return self._run_place

    @property
    def sums(self) -> int:
        """Number of sums."""
        return len(self._sums)

    @property
    def tables(self) -> int:
        """Number of tables."""
        return len(self._tables)

    @property
    def maxima(self) -> int:
        """Number of maxima."""
        return len(self._maxima)

    def block(self, text: str) -> Block:
        """Count one block, or a whole text.

        Raises:
            Exception: What a filter or a map raised.
        """
        tables: list[dict[str, int]] = [_EMPTY] * len(self._tables)
        sums = [0] * len(self._sums)
        maxima = [0] * len(self._maxima)
        tokens = self._of_base.get(TOKENS)
        if tokens is not None:
            _tally(tokenizer().split(text), tokens.verdicts, tables, sums, maxima)
        segments = self._of_base.get(SEGMENTS)
        if segments is not None:
            # Not remembered, as words are.
            _add_up({segments.decide(text): 1}, tables, sums, maxima)
        if self._matchers:
            runs = word_runs(text)
            kept = dict.fromkeys(self._sieve.kept(runs))
            for matcher, measures in self._matchers:
                if isinstance(matcher, Phrases):
                    found = matcher.find_among(text, runs)
                else:
                    found = matcher.find_in(text, kept)
                if found:
                    _tally(found, measures.verdicts, tables, sums, maxima)
        if self._run_place is not None:
            maxima[self._run_place] = longest_run(text)
        return Block(tables, sums, maxima)

    def _place(self, places: dict[Hashable, int], chain: Chain, kind: "_Kind") -> int:
        key = (kind, chain.key)
        if key not in places:
            places[key] = len(places)
            self._measures(chain.base).ask(kind, places[key], chain)
        return places[key]

    def _measures(self, base: Hashable) -> "_Measures":
        if base not in self._of_base:
            measures = self._of_base[base] = _Measures(tokenizer().token if base is TOKENS else None)
            if isinstance(base, Matcher | Phrases):
                self._matchers.append((base, measures))
                matchers = (matcher for matcher, _ in self._matchers if isinstance(matcher, Matcher))
                self._sieve = RunSieve(matchers)
        return self._of_base[base]


_Kind = Literal["table", "length", "total", "maximum"]


class _Measures:
    """What is counted of one list of items, tokens or matches."""

    def __init__(self, typed: Callable[[str], Any] | None) -> None:
        self._asked: list[tuple[tuple[_Kind, int], Chain]] = []
        self._typed = typed
        self._same: dict[Hashable, Verdict] = {}
        self.verdicts: WordMemo[Verdict] = WordMemo(self.decide, _WORDS)

    def ask(self, kind: _Kind, place: int, chain: Chain) -> None:
        """Count a chain; before the first item is decided."""
        self._asked.append(((kind, place), chain))

    @functools.cached_property
    def _branches(self) -> Branches[tuple[_Kind, int]]:
        return Branches(self._asked)

    def decide(self, item: str) -> Verdict:
        """Decide what one item counts for; of short items that are in no table, those alike count as one."""
        tables: list[tuple[int, Any]] = []
        sums: list[tuple[int, int]] = []
        maxima: list[tuple[int, int]] = []
        for (kind, place), made in self._branches.take(item if self._typed is None else self._typed(item)):
            if kind == "table":
                tables.append((place, made))
            elif kind == "maximum":
                maxima.append((place, made))
            else:
                sums.append((place, 1 if kind == "length" else made))
        counted = tuple(sums), tuple(maxima)
        alike = self._same.get(counted)
        if alike is None:
            alike = Verdict((), packed(sums), packed(maxima))
            if len(item) <= LONGEST:
                self._same[counted] = alike
        return Verdict(tuple(tables), alike.sums, alike.maxima) if tables else alike


def _tally(
    items: list[str],
    verdicts: dict[str, Verdict],
    tables: list[dict[str, int]],
    sums: list[int],
    maxima: list[int],
) -> None:
    if native is None:
        _add_up(Counter(map(verdicts.__getitem__, items)), tables, sums, maxima)
    else:
        native.tally(items, verdicts, tables, sums, maxima)


def _add_up(
    verdicts: Mapping[Verdict, int], tables: list[dict[str, int]], sums: list[int], maxima: list[int]
) -> None:
    for verdict, count in verdicts.items():
        for place, key in verdict.tables:
            table = tables[place]
            if table is _EMPTY:
                table = tables[place] = {}
            table[key] = table.get(key, 0) + count
        for place, amount in _PAIRS.iter_unpack(verdict.sums):
            sums[place] += amount * count
        for place, value in _PAIRS.iter_unpack(verdict.maxima):
            maxima[place] = max(maxima[place], value)
