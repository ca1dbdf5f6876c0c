"""Several chains over one list at once, the steps that they share taken once for an item."""

from collections.abc import Callable, Hashable, Iterable
from typing import Any, Generic, TypeVar

from models.engine.chains import Chain, Filter

Name = TypeVar("Name")


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

    def take(self, item: Any, taken: list[tuple[Name, Any]]) -> None:
        """Take an item through all that is behind."""
        taken += [(name, item) for name in self.names]
        for include, branches in self.filters.values():
            branch = branches[bool(include(item))]
            if branch is not None:
                branch.take(item, taken)
        for function, branch in self.maps.values():
            branch.take(function(item), taken)


class Branches(Generic[Name]):
    """Takes items through several chains.

    Args:
        chains: Each with what it is called in the answers.
    """

    def __init__(self, chains: Iterable[tuple[Name, Chain]]) -> None:
        self._root: _Branch[Name] = _Branch()
        for name, chain in chains:
            branch = self._root
            for step, key in zip(chain.steps, chain.keys, strict=True):
                branch = branch.behind(step, key)
            branch.names.append(name)

    def take(self, item: Any) -> list[tuple[Name, Any]]:
        """Return, for each chain that an item passes, what the chain makes of it.

        Raises:
            Exception: What a filter or a map raised.
        """
        taken: list[tuple[Name, Any]] = []
        self._root.take(item, taken)
        return taken
