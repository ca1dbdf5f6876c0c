"""The features of a set of models as one list of steps, each done once for a revision.

The plan lays revscoring's graph of features and datasources out in the order in which its solver would
compute it, each node once by its printed name. Before that, rules put in place of a node an equal one that
costs less. What follows from one text alone is done first, for the parent and then for the revision itself,
and can be kept for the revision that comes next in the page; see ``models.engine.pages``.
"""

from collections.abc import Callable, Hashable, Mapping, Sequence, Set
from typing import Any, Final

from models import resources
from models.engine.functions import function_key
from models.engine.program import Known, Program, Step
from models.engine.rules import Rule

TEXT: Final = "datasource.revision.text"
PARENT_TEXT: Final = "datasource.revision.parent.text"
_NOTHING: Final[Known] = {}
_UNCHANGING: Final = (bool, int, float, str, type(None))
_SIDES: Final = {PARENT_TEXT: 0, TEXT: 1}


class Plan:
    """How to compute features.

    Args:
        features: revscoring's.
        rules: Tried in order on each node; what one gives is tried in turn.

    Attributes:
        roots: Printed names of the datasources that a run is given, those that nothing else makes.
    """

    def __init__(self, features: Sequence[Any], rules: Sequence[Rule]) -> None:
        graph = _Graph(rules)
        self._outputs = [graph.place(feature) for feature in features]
        self.roots = tuple(name for name, _ in graph.roots)
        self._root_places = tuple(graph.roots)
        self._kept = graph.worth_keeping()
        self._steps = graph.steps({*self._outputs, *(place for _, place, _ in self._kept)})
        self._program = Program(self._steps)
        self._size = graph.size

    def run(
        self,
        roots: Mapping[str, Any],
        *,
        of_parent: Known = _NOTHING,
        of_text: Known = _NOTHING,
        of_page: Known = _NOTHING,
    ) -> tuple[list[Any], dict[Hashable, Any]]:
        """Compute the features of one revision.

        Args:
            roots: Value of each of ``roots``.
            of_parent: What was kept of a text equal to the parent's.
            of_text: What was kept of a text equal to the revision's own.
            of_page: What was kept of any text like these.

        Returns:
            The features in the order given; what is worth keeping of the revision's own text.

        Raises:
            Exception: What a process raised.
        """
        values: list[Any] = [None] * self._size
        for name, place in self._root_places:
            values[place] = roots[name]
        self._program.run(values, (of_parent, of_text), of_page)
        kept: dict[Hashable, Any] = {
            key: values[place]
            for key, place, is_lasting in self._kept
            if is_lasting or isinstance(values[place], _UNCHANGING)
        }
        return [values[place] for place in self._outputs], kept


class _Graph:
    """Nodes by printed name, each with what it is made of before it."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._rules = rules
        self._places: dict[str, int] = {}
        self._nodes: list[tuple[Any, tuple[int, ...]]] = []
        self._keys: list[int | None] = []
        self._numbers: dict[Hashable, int] = {}
        self._sides: list[int] = []
        self.roots: list[tuple[str, int]] = []

    @property
    def size(self) -> int:
        """Number of places."""
        return len(self._nodes)

    def place(self, node: Any) -> int:
        """Give a node its place, after all that it is made of."""
        name = str(node)
        if name in self._places:
            return self._places[name]
        instead = next((found for rule in self._rules if (found := rule(node)) is not None), None)
        if instead is not None:
            self._places[name] = self.place(instead)
            return self._places[name]
        below = tuple(self.place(dependency) for dependency in getattr(node, "dependencies", ()))
        place = self._places[name] = len(self._nodes)
        self._nodes.append((node, below))
        if _is_root(node):
            self.roots.append((name, place))
            self._sides.append(_SIDES.get(name, 2))
            self._keys.append(self._number("text") if name in _SIDES else None)
        else:
            sides = {self._sides[each] for each in below}
            side = sides.pop() if len(sides) == 1 else 2
            keys = tuple(self._keys[each] for each in below)
            self._sides.append(side)
            made_by = (function_key(node.process), _returns(node), keys)
            self._keys.append(None if side == 2 else self._number(made_by))
        return place

    def _number(self, key: Hashable) -> int:
        """Return a number for a key, which is looked up far more often than two keys are compared."""
        return self._numbers.setdefault(key, len(self._numbers))

    def worth_keeping(self) -> tuple[tuple[int, int, bool], ...]:
        """Return what a next revision may take over from the text of this one.

        That is what it would compute of its parent's text, and what is made of the text itself; of what
        revscoring's own processes make, only values that cannot change. Some of them write on what they
        are given: the segments of a text are marked when they are compared with others.

        Returns:
            Key, place, and whether the value never changes, whatever it is.
        """
        of_parent = {key for key, side in zip(self._keys, self._sides, strict=True) if side == 0}
        text = tuple(place for name, place in self.roots if name == TEXT)
        return tuple(
            (key, place, _is_lasting(self._nodes[place][0].process))
            for place, (key, side) in enumerate(zip(self._keys, self._sides, strict=True))
            if key is not None
            and side == 1
            and place not in text
            and (key in of_parent or self._nodes[place][1] == text)
        )

    def steps(self, lasting: Set[int]) -> tuple[Step, ...]:
        """Return the steps in the order of their running, what follows from texts first.

        Args:
            lasting: Places whose values are wanted at the end.
        """
        roots = {place for _, place in self.roots}
        order = sorted(set(range(self.size)) - roots, key=lambda place: (self._sides[place], place))
        twins = {self._keys[place]: place for place in order if self._sides[place] == 0}
        read_last: dict[int, int] = {}
        for place in order:
            twin = twins.get(self._keys[place]) if self._sides[place] == 1 else None
            for below in self._nodes[place][1] if twin is None else (*self._nodes[place][1], twin):
                read_last[below] = place
        frees: dict[int, list[int]] = {}
        for place, last in read_last.items():
            if place not in lasting and place not in roots:
                frees.setdefault(last, []).append(place)
        return tuple(self._step(place, twins, tuple(frees.get(place, ()))) for place in order)

    def _step(self, place: int, twins: Mapping[int | None, int], frees: tuple[int, ...]) -> Step:
        node, below = self._nodes[place]
        key, side = self._keys[place], self._sides[place]
        returns, check = _type(node)
        return Step(
            place=place,
            process=node.process,
            below=below,
            returns=returns,
            check=check,
            key=key,
            side=side,
            twin=twins.get(key) if side == 1 else None,
            takes_before=getattr(node.process, "takes_before", False),
            frees=frees,
        )


def _is_root(node: Any) -> bool:
    return node.process is resources.module("dependencies.dependent").not_implemented


def _is_lasting(process: Any) -> bool:
    """Tell whether what a process makes is never changed by who reads it."""
    module = getattr(process, "__module__", None) or type(process).__module__
    return module.startswith("models.engine.") and getattr(process, "is_lasting", True)


def _returns(node: Any) -> Any:
    return getattr(node, "returns", None)


def _type(node: Any) -> tuple[type | tuple[type, ...], Callable[[Any], Any]]:
    """Return which values of a node's process stay as they are, and what is done to the others."""
    feature = resources.module("features.feature").Feature
    if not isinstance(node, feature):
        return object, _as_it_is
    if type(node).validate is not feature.validate:
        return (), node.validate
    return node.returns, node.validate


def _as_it_is(value: Any) -> Any:
    return value
