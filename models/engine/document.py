"""A text analysed in blocks, and the change from one text to the next.

A document made from the one before it analyses only the blocks that changed. Its totals are those of the
document before it, moved on by the change; they move rather than being copied, and a document whose totals
were taken counts anew from its blocks if it is ever asked again.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol

from models.engine.blocks import Block

Table = dict[str, int]

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
            self.sums = _moved(before.sums, new, gone)
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
            _add(table, block.tables[place])
        return table

    def counts_of(self, place: int, items: Table) -> Mapping[str, int]:
        """Return at least these items of a table of the whole text, those that it holds; in no order.

        Good until another document is made of this one.
        """
        if place in self._totals:
            return self._totals[place]
        if self.is_kept:
            return self._totals.setdefault(place, self.table(place))
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

    __slots__ = ("_blocks", "_counts", "_gone", "_new", "_shares", "before")

    def __init__(
        self, before: Document, blocks: Sequence[Block], gone: Sequence[Block], new: Sequence[Block]
    ) -> None:
        self.before = before
        self._blocks = blocks
        self._gone = gone
        self._new = new
        self._counts: dict[int, Table] = {}
        self._shares: dict[int, list[float]] = {}

    def counts(self, place: int) -> Table:
        """Return by how much the count of each item changed; those that did not change are left out.

        In no order. Not to be changed.
        """
        found = self._counts.get(place)
        if found is None:
            counts: Table = {}
            for block in self._new:
                if table := block.tables[place]:
                    _add(counts, table)
            for block in self._gone:
                for item, count in block.tables[place].items():
                    left = counts.get(item, 0) - count
                    if left:
                        counts[item] = left
                    else:
                        del counts[item]
            found = self._counts[place] = counts
        return found

    def delta(self, place: int) -> Table:
        """Return what ``frequencies.delta`` gives: items of the new text in its order, then those gone."""
        counts = self.counts(place)
        if len(counts) < 2:
            return dict(counts)
        before = self.before.counts_of(place, counts)
        gone = [item for item, delta in counts.items() if before.get(item, 0) + delta == 0]
        kept = counts.keys() - gone
        ordered = {item: counts[item] for item in self._in_order(place, kept)}
        ordered.update((item, counts[item]) for item in gone)
        return ordered

    def proportions(self, place: int) -> dict[str, float]:
        """Return what ``frequencies.prop_delta`` gives, in the same order as ``delta``."""
        before = self.before.counts_of(place, self.counts(place))
        return {item: _proportion(before.get(item, 0), delta) for item, delta in self.delta(place).items()}

    def amounts(self, place: int) -> list[int]:
        """Return the values of ``delta``, in no order."""
        return list(self.counts(place).values())

    def shares(self, place: int) -> list[float]:
        """Return the values of ``proportions`` in an order of the same sums; not to be changed.

        Floats do not add up the same in every order; what is gone counts -1 each and comes last, and two
        numbers add up the same both ways.
        """
        if place not in self._shares:
            self._shares[place] = self._ordered_shares(place)
        return self._shares[place]

    def _ordered_shares(self, place: int) -> list[float]:
        counts = self.counts(place)
        if not counts:
            return []
        before = self.before.counts_of(place, counts)
        if not before:
            # Nothing was there, so that these are whole numbers, which add up the same in every order.
            return [float(delta) for delta in counts.values()]
        kept: Table = {}
        gone = 0
        for item, delta in counts.items():
            if before.get(item, 0) + delta:
                kept[item] = delta
            else:
                gone += 1
        order = kept if len(kept) < 3 else self._in_order(place, kept.keys())
        return [_proportion(before.get(item, 0), kept[item]) for item in order] + [-1.0] * gone

    def _in_order(self, place: int, items: Iterable[str]) -> list[str]:
        """Sort items of the new text by their first occurrence there."""
        wanted = set(items)
        ordered: list[str] = []
        for block in self._blocks:
            table = block.tables[place]
            if not table or wanted.isdisjoint(table):
                continue
            found = [item for item in table if item in wanted]
            ordered += found
            wanted.difference_update(found)
            if not wanted:
                break
        return ordered


def _proportion(before: int, delta: int) -> float:
    return delta / (before + 1) if delta > 0 else delta / before


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


def _moved(sums: Sequence[int], new: Sequence[Block], gone: Sequence[Block]) -> list[int]:
    moved = list(sums)
    for block in new:
        moved = [total + more for total, more in zip(moved, block.sums, strict=True)]
    for block in gone:
        moved = [total - less for total, less in zip(moved, block.sums, strict=True)]
    return moved


def _add(table: Table, more: Table) -> None:
    if not table:
        table.update(more)
        return
    for item, count in more.items():
        table[item] = table.get(item, 0) + count


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
