"""Several chains over one list at once, the steps that they share taken once for an item."""

from collections.abc import Callable, Hashable, Iterable
from typing import Any, Generic, TypeVar

from models.engine.chains import Chain, Filter

Name = TypeVar("Name")

# Names of the chains that end at a branch; what it asks, with the branches behind for no and for yes; what it
# puts in the item's place, with the branch behind.
_Settled = tuple[tuple[Any, ...], tuple[Any, ...], tuple[Any, ...]]


class _Branch(Generic[Name]):
    """Where chains stand that have taken the same steps.

    Attributes:
        names: Of the chains that end here.
        maps: What is put in the item's place on the way to each branch behind.
        filters: What the item is asked, by its key, with the branches behind for no and for yes.
    """

    __slots__ = ("filters", "maps", "names")

    def __init__(self) -> None:
        self.names: list[Name] = []
        self.maps: dict[Hashable, tuple[Callable[[Any], Any], _Branch[Name]]] = {}
        self.filters: dict[Hashable, tuple[Callable[[Any], Any], list[_Branch[Name] | None]]] = {}

    def behind(self, step: Any, key: Any) -> "_Branch[Name]":
        """Return the branch behind one more step."""
        if not isinstance(step, Filter):
            return self.maps.setdefault(key, (step.function, _Branch()))[1]
        _, asked, inverse = key
        branches = self.filters.setdefault(asked, (step.include, [None, None]))[1]
        branch = branches[not inverse]
        if branch is None:
            branch = branches[not inverse] = _Branch()
        return branch

    def settled(self) -> _Settled:
        """Return the same as plain tuples, which are walked in less time."""
        filters = tuple(
            (include, *(None if branch is None else branch.settled() for branch in branches))
            for include, branches in self.filters.values()
        )
        maps = tuple((function, branch.settled()) for function, branch in self.maps.values())
        return tuple(self.names), filters, maps


def _take(branch: _Settled, item: Any, taken: list[tuple[Any, Any]]) -> None:
    """Take an item through all that is behind a branch."""
    names, filters, maps = branch
    for name in names:
        taken.append((name, item))  # noqa: PERF401 (they are one or two: a comprehension takes longer)
    for include, other, same in filters:
        behind = same if include(item) else other
        if behind is not None:
            _take(behind, item, taken)
    for function, behind in maps:
        _take(behind, function(item), taken)


class Branches(Generic[Name]):
    """Takes items through several chains.

    Args:
        chains: Each with what it is called in the answers.
    """

    def __init__(self, chains: Iterable[tuple[Name, Chain]]) -> None:
        root: _Branch[Name] = _Branch()
        for name, chain in chains:
            branch = root
            for step, key in zip(chain.steps, chain.keys, strict=True):
                branch = branch.behind(step, key)
            branch.names.append(name)
        self._root = root.settled()

    def take(self, item: Any) -> list[tuple[Name, Any]]:
        """Return, for each chain that an item passes, what the chain makes of it.

        Raises:
            Exception: What a filter or a map raised.
        """
        taken: list[tuple[Name, Any]] = []
        _take(self._root, item, taken)
        return taken
