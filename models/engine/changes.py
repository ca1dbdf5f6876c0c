"""By how much the counts of a text change, from the blocks that came and went."""

from collections.abc import Mapping, Sequence

from models.native import native

Table = dict[str, int]
Figures = tuple[float, float, float, float, float, float]
"""The sum of all changes, of those above 0, and of those below 0; the same of their proportions."""


def change_counts(new: list[list[Table]], gone: list[list[Table]], places: int) -> list[Table]:
    """Return by how much the count of each item changed in each table; others are left out.

    Args:
        new: Tables of the blocks that came.
        gone: Tables of those that went; no item of the text goes more often than it was there.
        places: Number of tables of each.

    Returns:
        A table for each place, in no order, not to be changed.
    """
    if native is not None:
        return native.change_counts(new, gone, places)
    return [_change(new, gone, place) for place in range(places)]


def in_order(tables: list[Table], items: Table) -> Table:
    """Return items in the order of their first occurrence in the tables of a text, then those not there."""
    if native is not None:
        return native.in_order(tables, items)
    wanted = set(items)
    ordered: Table = {}
    for table in tables:
        if not wanted:
            break
        if table and not wanted.isdisjoint(table):
            found = [item for item in table if item in wanted]
            ordered.update((item, items[item]) for item in found)
            wanted.difference_update(found)
    return ordered | items


def change_figures(counts: list[Table], before: list[Table], blocks: list[list[Table]]) -> list[Figures]:
    """Return the sums of what changed in each table.

    Args:
        counts: By how much each count changed, never 0.
        before: At least what there was of these items.
        blocks: All tables of the blocks that the text has now.

    Returns:
        By table; zeros where nothing changed.
    """
    if native is not None:
        return native.change_figures(counts, before, blocks)
    return [
        _figures(changed, known, [tables[place] for tables in blocks])
        for place, (changed, known) in enumerate(zip(counts, before, strict=True))
    ]


def move_sums(sums: list[int], new: list[list[int]], gone: list[list[int]]) -> list[int]:
    """Return the sums of a text with blocks that came and without blocks that went."""
    if native is not None:
        return native.move_sums(sums, new, gone)
    moved = sums
    for block in new:
        moved = [total + more for total, more in zip(moved, block, strict=True)]
    for block in gone:
        moved = [total - less for total, less in zip(moved, block, strict=True)]
    return moved


def proportion(before: int, delta: int) -> float:
    """Return what ``frequencies.prop_delta`` gives for one item."""
    return delta / (before + 1) if delta > 0 else delta / before


def add(table: Table, more: Mapping[str, int]) -> None:
    """Add the counts of one table to another."""
    if not table:
        table.update(more)
        return
    for item, count in more.items():
        table[item] = table.get(item, 0) + count


def _change(new: list[list[Table]], gone: list[list[Table]], place: int) -> Table:
    counts: Table = {}
    for tables in new:
        add(counts, tables[place])
    for tables in gone:
        for item, count in tables[place].items():
            left = counts.get(item, 0) - count
            if left:
                counts[item] = left
            else:
                del counts[item]
    return counts


def _figures(counts: Table, before: Table, tables: list[Table]) -> Figures:
    if not counts:
        return 0, 0, 0, 0, 0, 0
    # Floats do not add up the same in every order. Two do; so do the whole numbers of all that is new.
    ordered = in_order(tables, counts) if before and len(counts) > 2 else counts
    shares = [proportion(before.get(item, 0), delta) for item, delta in ordered.items()]
    return *_sums(list(counts.values())), *_sums(shares)


def _sums(values: Sequence[float]) -> tuple[float, float, float]:
    return sum(values), sum(each for each in values if each > 0), sum(each for each in values if each < 0)
