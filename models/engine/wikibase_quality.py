"""What the feature list of item quality asks about items, without searches in lists of 2,500 properties."""

import functools
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

from models import resources
from models.engine.wikibase_item import Item, Statement
from models.engine.wikibase_nodes import Readers, count_by
from models.engine.wikibase_told import Told

MODULE: Final = "articlequality.feature_lists.wikidatawiki"


@functools.cache
def readers() -> Readers:
    """Return what takes the places of the list's functions."""
    return Quality(resources.feature_list("articlequality", "wikidatawiki")).readers()


def count(node: Any, item_of: Callable[[Any], Any]) -> Any:
    """Return a node that counts in an item what a function of the list would make first, or None."""
    below = next(iter(getattr(node, "dependencies", ())), None)
    if getattr(getattr(below, "process", None), "__module__", None) != MODULE:
        return None
    return count_by(readers(), node, item_of)


class Quality:
    """The list's questions.

    Args:
        module: Of the list.
    """

    def __init__(self, module: Any) -> None:
        self._module = module
        self._listed = frozenset(module.property_datatypes.NONEXTERNAL_IDENTIFIERS)
        self._media = frozenset(module.property_datatypes.COMMONS_MEDIA)
        self._objects = frozenset(module.items_lists.ASTRONOMICAL_OBJECTS)
        self._wikimedia = module.properties.IMPORTED_FROM_WIKIMEDIA
        self._instance = module.properties.INSTANCE_OF

    def readers(self) -> Readers:
        """Return what takes the places of the list's functions."""
        of = self._function
        return Readers(
            of_item={
                of("commons_media"): self._has_media,
                of("is_astronomical_object"): self._is_astronomical,
                of("referenced_claims_ratio"): self._referenced,
                of("wikimedia_referenced_ratio"): self._referenced_by_wikimedia,
                of("externally_referenced_claims_ratio"): self._referenced_elsewhere,
            },
            of_length={
                (of("references"),): lambda item: sum(1 for _ in self._references(item)),
                (of("wikimedia_references"), of("references")): lambda item: sum(
                    name == self._wikimedia for name, _ in self._references(item)
                ),
                (of("unique_references"), of("references")): lambda item: len(set(self._references(item))),
                (of("external_identifiers"),): lambda item: _number(item) - len(self._others(item)),
                (of("non_external_id_statements"),): lambda item: len(self._others(item)),
            },
        )

    def _function(self, name: str) -> Any:
        return getattr(self._module, f"_process_{name}")

    def _others(self, item: Item) -> list[Told]:
        """Return what is told of the statements whose property is no identifier elsewhere."""
        found: list[Told] = item.fact(self._find_others)
        return found

    def _find_others(self, item: Item) -> list[Told]:
        listed = self._listed
        return [
            statement.told for name, held in item.statements.items() if name in listed for statement in held
        ]

    def _references(self, item: Item) -> Iterator[tuple[str, str]]:
        for told in self._others(item):
            for references in told.references.values():
                yield from references

    def _has_media(self, item: Item) -> bool:
        return not self._media.isdisjoint(item.statements)

    def _is_astronomical(self, item: Item) -> bool:
        held: Iterable[Statement] = item.statements.get(self._instance, ())
        return any(statement.told.value in self._objects for statement in held)

    def _referenced(self, item: Item) -> float:
        return self._part(item, lambda told: bool(told.references))

    def _referenced_by_wikimedia(self, item: Item) -> float:
        return self._part(item, lambda told: self._wikimedia in told.references)

    def _referenced_elsewhere(self, item: Item) -> float:
        return self._part(item, lambda told: not told.references.keys() <= {self._wikimedia})

    def _part(self, item: Item, test: Callable[[Told], bool]) -> float:
        others = self._others(item)
        return sum(map(test, others)) / max(len(others), 1)


def _number(item: Item) -> int:
    return sum(map(len, item.statements.values()))
