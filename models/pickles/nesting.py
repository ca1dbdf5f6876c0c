"""How deep values are nested, so that who walks them may recurse."""

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any

import numpy as np

from models.pickles.faults import Malformed
from models.pickles.limits import Budget
from models.pickles.values import Instance

_CONTAINERS = frozenset({dict, list, tuple, set, frozenset, Instance, np.ndarray})
_PLACE_BYTES = 160


def check_nesting(root: Any, depth: int, budget: Budget) -> None:
    """Check the longest way down into a value, without recursion.

    Shared parts are walked once. A part that holds itself in a circle counts as ending where the circle
    closes; who walks it must remember where it has been in any case.

    Args:
        root: The value.
        depth: How many containers may lie within one another.
        budget: Pays for remembering where the walk has been.

    Raises:
        Malformed: It is deeper.
    """
    if type(root) not in _CONTAINERS:
        return
    heights = {id(root): 0}  # 0 while the walk is beneath it
    path: list[tuple[int, Iterator[Any]]] = [(id(root), iter(_parts(root)))]
    tallest = [0]
    while path:
        for part in path[-1][1]:
            if type(part) not in _CONTAINERS:
                continue
            height = heights.get(id(part))
            if height is None:
                budget.spend(_PLACE_BYTES)
                heights[id(part)] = 0
                path.append((id(part), iter(_parts(part))))
                tallest.append(0)
                break
            tallest[-1] = max(tallest[-1], height)
        else:
            heights[path.pop()[0]] = height = tallest.pop() + 1
            if tallest:
                tallest[-1] = max(tallest[-1], height)
        if len(path) + (tallest[-1] if tallest else 0) > depth:
            raise Malformed(f"its values are nested deeper than {depth}")


def _parts(container: Any) -> Iterable[Any]:
    if isinstance(container, dict):
        return chain(container.keys(), container.values())
    if isinstance(container, Instance):
        pairs = chain.from_iterable(container.pairs)
        return chain(container.args, container.kwargs.values(), (container.state,), container.items, pairs)
    if isinstance(container, np.ndarray):
        return container.ravel().tolist() if container.dtype.kind == "O" else ()
    parts: Iterable[Any] = container
    return parts
