"""A text analysed in blocks, and the change from one text to the next.

A document made from the one before it analyses only the blocks that changed. Its totals are those of the
document before it, moved on by the change; they move rather than being copied, and a document whose totals
were taken counts anew from its blocks if it is ever asked again.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from models.engine.blocks import Block
from models.engine.changes import (
    Figures,
    Table,
    add,
    change_counts,
    change_figures,
    in_order,
    move_sums,
    proportion,
)

# Characters of blocks that are remembered for each of a page's text, before all of them are forgotten.
_ROOM_FOR_EACH = 4
_FEW_CHARS = 10_000


class Analysed(Protocol):
    """What is counted in texts, such as ``models.engine.analysis.Analysis``.

    Attributes:
        unit: What is counted apart, by which a plan tells analyses of one text from each other.
    """

    unit: str

    def split(self, text: str, /) -> Sequence[str]:
        """Cut a text that is not empty into blocks."""
        ...

    @property
    def tables(self) -> int:
        """Number of tables of each block."""
        ...

    @property
    def sums(self) -> int:
        """Number of sums of each block."""
        ...

    @property
    def maxima(self) -> int:
        """Number of maxima of each block."""
        ...

    def block(self, text: str, /) -> Block:
        """Count one block."""
        ...


class Document:
    """The analysis of one text.

    Args:
        analysis: What is counted.
        text: None counts as empty.
        before: Of a text that may share blocks with this one; speeds it up, and changes no value.

    Attributes:
        blocks: In order.
        sums: Of the whole text.
        maxima: Of the whole text.
        is_kept: Whether more texts will follow this one, so that its totals are worth making.
    """

    __slots__ = ("_analysis", "_before", "_known", "_texts", "_totals", "blocks", "is_kept", "maxima", "sums")

    def __init__(self, analysis: Analysed, text: str | None, before: "Document | None" = None) -> None:
        self._analysis = analysis
        self._texts = analysis.split(text) if text else []
        self._totals: dict[int, Table] = {}
        self._before: Change | None = None
        self.is_kept = False
        if before is None or before._analysis is not analysis:
            self._known = _KnownBlocks(analysis)
            self.blocks = self._known.of(self._texts, len(text or ""))
            self.sums = _columns(sum, [block.sums for block in self.blocks], analysis.sums)
        else:
            before._settle()
            first, last = _shared(before._texts, self._texts)
            self._known = before._known
            new = self._known.of(self._texts[first : len(self._texts) - last], len(text or ""))
            end = len(before.blocks) - last
            gone = before.blocks[first:end]
            self.blocks = [*before.blocks[:first], *new, *before.blocks[end:]]
            sums_of_new, sums_of_gone = ([block.sums for block in blocks] for blocks in (new, gone))
            self.sums = move_sums(before.sums, sums_of_new, sums_of_gone)
            self._before = Change(before, self.blocks, gone, new)
        self.maxima = _columns(max, [block.maxima for block in self.blocks], analysis.maxima)

    @property
    def text(self) -> str:
        """The text; None has become empty."""
        return "".join(self._texts)

    def change_from(self, before: "Document") -> "Change":
        """Return the change that made this text out of another."""
        known = self._before
        if known is not None and known.before is before:
            return known
        first, last = _shared(before._texts, self._texts)
        gone = before.blocks[first : len(before.blocks) - last]
        return Change(before, self.blocks, gone, self.blocks[first : len(self.blocks) - last])

    def table(self, place: int) -> Table:
        """Return a table of the whole text, its items in the order of their first occurrence; a new one."""
        table: Table = {}
        for block in self.blocks:
            add(table, block.tables[place])
        return table

    def counts_of(self, place: int, items: Table) -> Table:
        """Return at least these items of a table of the whole text, those that it holds; in no order.

        Not to be changed; good until another document is made of this one.
        """
        if not self._totals and self.is_kept:
            tables = change_counts([block.tables for block in self.blocks], [], self._analysis.tables)
            # Those that are empty are one.
            self._totals = {each: table or {} for each, table in enumerate(tables)}
        if self._totals:
            return self._totals[place]
        counts: Table = {}
        wanted = items.keys()
        for block in self.blocks:
            table = block.tables[place]
            if table and not wanted.isdisjoint(table):
                for item in wanted & table.keys():
                    counts[item] = counts.get(item, 0) + table[item]
        return counts

    def _settle(self) -> None:
        """Move the totals of the document before this one on to this one, and let go of it."""
        change, self._before = self._before, None
        if change is None:
            return
        totals, change.before._totals = change.before._totals, {}
        for place, table in totals.items():
            for item, delta in change.counts(place).items():
                count = table.get(item, 0) + delta
                if count:
                    table[item] = count
                else:
                    del table[item]
        self._totals = totals


class Change:
    """What one text has more and less than another.

    Args:
        before: The other.
        blocks: Of the one, all of them.
        gone: Blocks of the other alone.
        new: Blocks of the one alone.
    """

    __slots__ = ("_blocks", "_counts", "_figures", "_gone", "_new", "before")

    def __init__(
        self, before: Document, blocks: Sequence[Block], gone: Sequence[Block], new: Sequence[Block]
    ) -> None:
        self.before = before
        self._blocks = blocks
        self._gone = gone
        self._new = new
        self._counts: list[Table] | None = None
        self._figures: Sequence[Figures] | None = None

    def counts(self, place: int) -> Table:
        """Return by how much the count of each item changed; those that did not change are left out.

        In no order. Not to be changed.
        """
        counts = self._all_counts()
        return counts[place] if counts else {}

    def _all_counts(self) -> list[Table]:
        """Return the same by place; nothing where no block came or went."""
        if self._counts is None:
            new, gone = ([block.tables for block in blocks] for blocks in (self._new, self._gone))
            self._counts = change_counts(new, gone, len((new or gone or [[]])[0]))
        return self._counts

    def delta(self, place: int) -> Table:
        """Return what ``frequencies.delta`` gives: items of the new text in its order, then those gone."""
        counts = self.counts(place)
        return self._in_order(place) if len(counts) > 1 else dict(counts)

    def proportions(self, place: int) -> dict[str, float]:
        """Return what ``frequencies.prop_delta`` gives, in the same order as ``delta``."""
        before = self.before.counts_of(place, self.counts(place))
        return {item: proportion(before.get(item, 0), delta) for item, delta in self.delta(place).items()}

    def figures(self) -> Sequence[Figures]:
        """Return by place the sums of the values of ``delta`` and ``proportions``; none if all is equal."""
        if self._figures is None:
            counts = self._all_counts()
            known = self.before.counts_of
            before = [known(place, table) if table else table for place, table in enumerate(counts)]
            self._figures = change_figures(counts, before, [block.tables for block in self._blocks])
        return self._figures

    def _in_order(self, place: int) -> Table:
        return in_order([block.tables[place] for block in self._blocks], self.counts(place))


class _KnownBlocks:
    """Blocks of the last texts of a page by their text: what was removed often comes back."""

    def __init__(self, analysis: Analysed) -> None:
        self._analysis = analysis
        self._blocks: dict[str, Block] = {}
        self._room_chars = 0

    def of(self, texts: Sequence[str], chars: int) -> list[Block]:
        """Return the analyses of blocks, those of equal ones once.

        Args:
            texts: The blocks.
            chars: Length of the whole text.
        """
        blocks = []
        for text in texts:
            block = self._blocks.get(text)
            if block is None:
                self._room_chars -= len(text)
                if self._room_chars < 0:
                    self._blocks.clear()
                    self._room_chars = _ROOM_FOR_EACH * max(chars, _FEW_CHARS)
                block = self._blocks[text] = self._analysis.block(text)
            blocks.append(block)
        return blocks


def _columns(
    function: Callable[[Iterable[int]], int], rows: Sequence[Sequence[int]], width: int
) -> list[int]:
    return [function(column) for column in zip(*rows, strict=True)] if rows else [0] * width


def _shared(before: Sequence[str], after: Sequence[str]) -> tuple[int, int]:
    """Return how many blocks two lists share at their beginning, and behind that at their end."""
    most = min(len(before), len(after))
    first = _leading(before, after, most)
    most -= first
    return first, _leading(before[::-1], after[::-1], most)


def _leading(one: Sequence[str], other: Sequence[str], most: int) -> int:
    """Return how many leading items are equal, by comparing slices: most edits change few blocks."""
    shared, step = 0, most
    while shared < most and step:
        if one[shared : shared + step] == other[shared : shared + step]:
            shared += min(step, most - shared)
        else:
            step //= 2
    return shared
