"""Shapley values of the columns of a row, for sums of decision trees: exact, and path-dependent.

In the game that one leaf plays, a column that is told lets the row through or not, and one that is not told
lets through the share of the training that went that way at its splits. With ``o`` in {0, 1} and ``z`` the
products of these over the splits of a column on the way to the leaf, a set of columns is worth the leaf's
value times the product of ``o`` over the set and of ``z`` over the others. By Owen's multilinear extension
(1972), the Shapley value of column ``i`` is then::

    value * (o_i - z_i) * integral over t from 0 to 1 of the product over j != i of (t * o_j + (1 - t) * z_j)

The integrand is a polynomial of a degree below the number of columns on the way, which Gauss and Legendre's
rule integrates without error from half as many points on. At each point all nodes of all trees are handled
together: products go down the levels, sums of leaves go up, and a split takes back what an earlier one of
the same column on its way had said. Hence the cost grows with the nodes, and not with the ways to the leaves.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.estimators.estimator import Arrays, Floats
from models.estimators.tree_walk import LaidOut, Positions, laid_out

# A leaf in which no training ended has a share all the same, or its way would divide by nothing.
_LEAST_COVER = 1e-6


class Shapley(NamedTuple):
    """What the columns of a row add to some sums.

    Attributes:
        base: float64[outputs]; the sums that the training gives on average.
        values: float64[outputs, columns]; base and the values of a row add up to its sums.
    """

    base: Floats
    values: Floats


def shapley_of_trees(arrays: Arrays, values: Floats, initial: Floats, row: Floats) -> Shapley:
    """Return what each column of a row adds to the sums of leaves.

    Args:
        arrays: As of `models.estimators.tree_walk`, after its checks. Without ``cover`` all leaves are
            alike.
        values: float64[L, width], as of `models.estimators.tree_walk.leaf_sums`.
        initial: float64[outputs], likewise.
        row: float64[columns], finite.
    """
    laid = laid_out(arrays)
    levels = _levels(laid)
    cover = arrays.get("cover")
    leaf_covers = np.ones(len(values)) if cover is None else np.maximum(cover, _LEAST_COVER, dtype=np.float64)
    splits = _splits(laid, levels, leaf_covers, row)
    width, outputs, columns = values.shape[1], len(initial), len(row)
    held = np.where(_is_leaf(laid)[:, None], values[laid.leaf], 0.0)
    first = splits.tree * width % outputs
    base = initial.astype(np.float64, copy=True)
    found = np.zeros(outputs * columns)
    reached = splits.share_of_tree[:, None] * held
    for place in range(width):
        base += np.bincount(first + place, weights=reached[:, place], minlength=outputs)
    inner = slice(laid.trees, None)
    for point, weight in _quadrature(splits.most_columns):
        factor = point * splits.passes + (1 - point) * splits.share
        gain = (splits.passes - splits.share) / factor
        sums = _summed(levels, splits, factor, held)
        added = weight * (gain[:-1] - gain[splits.earlier])[inner, None] * sums[inner]
        for place in range(width):
            cells = (first[inner] + place) * columns + splits.column[inner]
            found += np.bincount(cells, weights=added[:, place], minlength=len(found))
    return Shapley(base, found.reshape(outputs, columns))


class _Level(NamedTuple):
    """Nodes of one depth.

    Attributes:
        nodes: Where they are.
        inner: Which of them have children: these are the nodes of the next level, two by two.
        parents: Of each node; nothing at the roots.
    """

    nodes: slice
    inner: Positions
    parents: Positions


class _Splits(NamedTuple):
    """The split that leads to each node, with all earlier ones of its column on the way.

    Those of floats have one entry more at the end, for no split: all pass.

    Attributes:
        column: Asked by the split; 0 at roots.
        earlier: Node behind the split of the same column before; that last entry where there is none.
        passes: 1.0 where the row takes all of them, else 0.0.
        share: What part of the training does.
        share_of_tree: What part of the training of a tree comes to the node.
        tree: That the node is of.
        most_columns: How many columns a way asks at most; at least 1.
    """

    column: Positions
    earlier: Positions
    passes: Floats
    share: Floats
    share_of_tree: Floats
    tree: Positions
    most_columns: int


def _is_leaf(laid: LaidOut) -> NDArray[np.bool_]:
    return np.asarray(laid.child == np.arange(len(laid.child)))


def _levels(laid: LaidOut) -> list[_Level]:
    is_inner = ~_is_leaf(laid)
    levels: list[_Level] = []
    start, parents = 0, np.empty(0, dtype=np.intp)
    size = laid.trees
    while size:
        nodes = slice(start, start + size)
        inner = np.flatnonzero(is_inner[nodes]) + start
        levels.append(_Level(nodes, inner, parents))
        start, parents = start + size, inner.repeat(2)
        size = len(parents)
    return levels


def _splits(laid: LaidOut, levels: list[_Level], leaf_covers: Floats, row: Floats) -> _Splits:
    count = len(laid.feature)
    cover = leaf_covers[laid.leaf]
    for above, below in zip(levels[-2::-1], levels[:0:-1], strict=True):
        cover[above.inner] = cover[below.nodes].reshape(-1, 2).sum(axis=1)
    with np.errstate(over="ignore"):
        goes_right = row.astype(np.float32)[laid.feature] > laid.threshold
    column = np.zeros(count, dtype=np.intp)
    parent = np.full(count, -1, dtype=np.intp)
    earlier = np.full(count, count, dtype=np.intp)
    tree = np.zeros(count, dtype=np.intp)
    asked = np.zeros(count, dtype=np.intp)
    passes, share, share_of_tree = np.ones(count + 1), np.ones(count + 1), np.ones(count)
    tree[levels[0].nodes] = np.arange(laid.trees)
    for level in levels[1:]:
        nodes, parents = level.nodes, level.parents
        column[nodes] = laid.feature[parents]
        parent[nodes] = parents
        tree[nodes] = tree[parents]
        earlier[nodes] = _earlier(column, parent, nodes, count)
        asked[nodes] = asked[parents] + (earlier[nodes] == count)
        takes = goes_right[parents]
        takes[::2] = ~takes[::2]
        part = cover[nodes] / cover[parents]
        passes[nodes] = takes * passes[earlier[nodes]]
        share[nodes] = part * share[earlier[nodes]]
        share_of_tree[nodes] = part * share_of_tree[parents]
    return _Splits(column, earlier, passes, share, share_of_tree, tree, max(1, int(asked.max())))


def _earlier(column: Positions, parent: Positions, nodes: slice, none: int) -> Positions:
    """Return the nearest node above each whose split asks the same column."""
    found = np.full(nodes.stop - nodes.start, none, dtype=np.intp)
    waiting = np.arange(len(found))
    above = parent[nodes]
    while len(waiting):
        # Above a root there is no split.
        is_split = parent[above] >= 0
        waiting, above = waiting[is_split], above[is_split]
        is_same = column[above] == column[nodes.start + waiting]
        found[waiting[is_same]] = above[is_same]
        waiting, above = waiting[~is_same], parent[above[~is_same]]
    return found


def _summed(levels: list[_Level], splits: _Splits, factor: Floats, held: Floats) -> Floats:
    """Return what the leaves below each node hold, times the factors of the columns on the way to them."""
    product = np.ones(len(held))
    for level in levels[1:]:
        nodes = level.nodes
        product[nodes] = product[level.parents] * (factor[nodes] / factor[splits.earlier[nodes]])
    sums: Floats = held * product[:, None]
    for above, below in zip(levels[-2::-1], levels[:0:-1], strict=True):
        sums[above.inner] = sums[below.nodes].reshape(len(above.inner), 2, -1).sum(axis=1)
    return sums


def _quadrature(columns: int) -> list[tuple[float, float]]:
    """Return points in (0, 1) and weights that integrate polynomials of a degree below ``columns``."""
    rule: Any = np.polynomial.legendre.leggauss
    points, weights = rule((columns + 1) // 2)
    return list(zip(((points + 1) / 2).tolist(), (weights / 2).tolist(), strict=True))
