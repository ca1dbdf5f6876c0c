"""Nodes that read items of Wikidata in place of revscoring's."""

from collections.abc import Callable, Mapping
from operator import eq
from types import FunctionType, SimpleNamespace
from typing import Any, Final

from msgspec import Struct

from models import resources
from models.engine.functions import of_revscoring
from models.engine.wikibase_item import Item, mentions_of_both
from models.engine.wikibase_mentions import Mentions


class Readers(Struct, frozen=True):
    """What takes the places of revscoring's functions.

    Attributes:
        of_item: By function of an entity, the one that gives the same of an item.
        of_growth: By function of an entity before and now, the field of ``Mentions`` whose growth it gives.
        of_field: By function of an entity, the field of an item that holds the same.
        of_change: Functions of the change of statements and of the entities before and now.
        of_length: By the functions that one after the other make of an entity what is counted, the last one
            first, the one that gives the count.
        of_properties: The function that gives the statements of an entity by property.
    """

    of_item: Mapping[Any, Callable[[Item], Any]] = {}
    of_growth: Mapping[Any, str] = {}
    of_field: Mapping[Any, str] = {}
    of_change: frozenset[Any] = frozenset()
    of_length: Mapping[tuple[Any, ...], Callable[[Item], int]] = {}
    of_properties: Any = None


class EntityOf:
    """Makes the library's object of an item. Those who read it may change it."""

    is_lasting: Final = False

    def __call__(self, item: Item) -> Any:
        """Return the object."""
        return item.entity()


class Length:
    """Counts in an item, as the type of a feature.

    Args:
        count: Of an item.
        returns: The type.
    """

    def __init__(self, count: Callable[[Item], int], returns: Any) -> None:
        self._count = count
        self._returns = returns

    def __call__(self, item: Item) -> Any:
        """Return the count."""
        return self._returns(self._count(item))


class Field:
    """Reads a field of an item.

    Args:
        name: Of the field.
    """

    def __init__(self, name: str) -> None:
        self._name = name

    def __call__(self, item: Item) -> Any:
        """Return its value."""
        return getattr(item, self._name)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Field) and other._name == self._name

    def __hash__(self) -> int:
        return hash((Field, self._name))


class OfChange:
    """Applies a function of a change of statements and of the entities before and now.

    Args:
        function: revscoring's, which asks entities for the statements of single properties alone.
    """

    def __init__(self, function: Callable[[Any, Any, Any], Any]) -> None:
        self._function = function

    def __call__(self, change: Any, before: Item, now: Item) -> Any:
        """Return what the function says."""
        if not (change.added or change.removed or change.changed):
            return []
        return self._function(change, _face(before), _face(now))


class _Statements:
    """The library's objects of the statements of an item, made for who asks."""

    def __init__(self, item: Item) -> None:
        self._item = item

    def __getitem__(self, name: str) -> list[Any]:
        return self._item.made(name)


def _face(item: Item) -> SimpleNamespace:
    return SimpleNamespace(**{item.library.properties: _Statements(item)})


def changed_statements(before: Item, now: Item) -> Any:
    """Compare the statements of each property as revscoring compares mappings."""
    then, new = before.statements, now.statements
    common = then.keys() & new.keys()
    # What reads alike is alike; where it does not, the library says.
    differing = (name for name in common if then[name] != new[name])
    changed = {name for name in differing if not eq(before.made(name), now.made(name))}
    return of_revscoring("features.wikibase.util", "DictDiff")(
        new.keys() - then.keys(), then.keys() - new.keys(), common, changed, common - changed
    )


class LengthOf:
    """Counts what a field of an item holds.

    Args:
        name: Of the field.
    """

    def __init__(self, name: str) -> None:
        self._name = name

    def __call__(self, item: Item) -> int:
        """Return the count."""
        return len(getattr(item, self._name))


class HasValue:
    """Tells whether an item claims a value of a property.

    Args:
        name: Of the property.
        value: As it is compared.
    """

    def __init__(self, name: Any, value: Any) -> None:
        self._name = name
        self._value = value

    def __call__(self, item: Item) -> bool:
        """Tell whether it does."""
        compared = item.library.compared
        return self._value in (compared(each.mainsnak) for each in item.statements.get(self._name, ()))


class HasProperty:
    """Tells whether an item has statements of a property.

    Args:
        name: Of the property.
    """

    def __init__(self, name: Any) -> None:
        self._name = name

    def __call__(self, item: Item) -> bool:
        """Tell whether it has."""
        return self._name in item.statements


class ReadGrowth:
    """Gives by which part of what is mentioned now the mentions grew.

    Args:
        field: Of ``Mentions``.
    """

    def __init__(self, field: str) -> None:
        self._field = field

    def __call__(self, counted: tuple[Mentions, Mentions]) -> float:
        """Return the part, as revscoring counts it."""
        before, now = (getattr(mentions, self._field) for mentions in counted)
        return float(now - before) / float(now + 1)


def read_by(readers: Readers, node: Any, item_of: Callable[[Any], Any]) -> Any:
    """Return a node that reads items where another reads entities; None where it is of another form.

    Args:
        readers: That are known.
        node: revscoring's.
        item_of: Gives the node of the item for the node of an entity, or None.
    """
    reader = readers.of_item.get(node.process)
    if reader is None and node.process in readers.of_field:
        reader = Field(readers.of_field[node.process])
    if reader is not None:
        item = item_of(node.dependencies[0])
        return None if item is None else like(node, reader, item)
    if node.process in readers.of_growth:
        before, now = map(item_of, node.dependencies)
        if before is None or now is None:
            return None
        counted = source(f"wikibase.mentions({before.name}, {now.name})", mentions_of_both, before, now)
        return like(node, ReadGrowth(readers.of_growth[node.process]), counted)
    if node.process in readers.of_change:
        change, *entities = node.dependencies
        before, now = map(item_of, entities)
        if before is None or now is None or not _is_of_statements(readers, change, item_of):
            return None
        return source(str(node), OfChange(node.process), change, before, now)
    return None


def changed_by(readers: Readers, node: Any, item_of: Callable[[Any], Any]) -> Any:
    """Return a node that compares the statements of items where another compares those of entities."""
    if not _is_of_statements(readers, node, item_of):
        return None
    return source(
        str(node), changed_statements, *(item_of(each.dependencies[0]) for each in node.dependencies)
    )


def _is_of_statements(readers: Readers, node: Any, item_of: Callable[[Any], Any]) -> bool:
    """Tell whether a node compares the statements of two items."""
    return getattr(node, "process", None) is of_revscoring("features.wikibase.util", "diff_dicts") and all(
        each.process is readers.of_properties and item_of(each.dependencies[0]) is not None
        for each in node.dependencies
    )


def count_by(readers: Readers, node: Any, item_of: Callable[[Any], Any]) -> Any:
    """Return a node that counts in an item, or looks for a property, without making what it counts.

    Args:
        readers: That are known.
        node: revscoring's.
        item_of: Gives the node of the item for the node of an entity, or None.
    """
    scalar = of_revscoring("features.meta.aggregators", "AggregatorsScalar")
    in_set = of_revscoring("features.meta.bools", "item_in_set")
    if type(node) not in {scalar, in_set}:
        return None
    functions: list[Any] = []
    below = node.dependencies[0]
    while (item := item_of(below)) is None:
        process = getattr(below, "process", None)
        if not isinstance(process, FunctionType) or len(below.dependencies) != 1:
            return None
        functions.append(process)
        below = below.dependencies[0]
    count = readers.of_length.get(tuple(functions))
    if len(functions) == 1 and functions[0] in readers.of_field:
        count = LengthOf(readers.of_field[functions[0]])
    if type(node) is scalar and node.func is len and count is not None:
        return like(node, Length(count, node.returns), item)
    if type(node) is in_set and functions == [readers.of_properties]:
        return like(node, HasProperty(node.item), item)
    return None


def source(name: str, process: Any, *below: Any) -> Any:
    """Return a datasource of ours."""
    return resources.module("datasources").Datasource(f"revstream.{name}", process, depends_on=list(below))


def like(node: Any, process: Any, below: Any) -> Any:
    """Return a node of the same kind as another, a datasource or a feature."""
    feature = resources.module("features.feature").Feature
    if isinstance(node, feature):
        return feature(f"revstream.{node.name}", process, returns=node.returns, depends_on=[below])
    return source(str(node), process, below)
