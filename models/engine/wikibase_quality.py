"""What the feature list of item quality asks about items, without searches in lists of 2,500 properties."""

import functools
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from models import resources
from models.engine.wikibase_form import AnySnak, Statement
from models.engine.wikibase_item import Item
from models.engine.wikibase_nodes import Readers, count_by
from models.engine.wikibase_told import references_of, value_of

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
                (of("references"),): lambda item: len(self._references(item)),
                (of("wikimedia_references"), of("references")): self._number_of_wikimedia,
                (of("unique_references"), of("references")): self._number_of_unique,
                (of("external_identifiers"),): self._number_of_identifiers,
                (of("non_external_id_statements"),): self._number_of_others,
            },
        )

    def _function(self, name: str) -> Any:
        return getattr(self._module, f"_process_{name}")

    def _others(self, item: Item) -> list[Statement]:
        """Return the statements whose property is no identifier elsewhere."""
        found: list[Statement] = item.fact(self._find_others)
        return found

    def _find_others(self, item: Item) -> list[Statement]:
        listed = self._listed
        return [each for name, held in item.statements.items() if name in listed for each in held]

    def _references(self, item: Item) -> list[AnySnak]:
        found: list[AnySnak] = item.fact(self._find_references)
        return found

    def _find_references(self, item: Item) -> list[AnySnak]:
        return [
            part
            for statement in self._others(item)
            if statement.references
            for parts in references_of(statement).values()
            for part in parts
        ]

    def _number_of_wikimedia(self, item: Item) -> int:
        return sum(part.property == self._wikimedia for part in self._references(item))

    def _number_of_unique(self, item: Item) -> int:
        return len({(part.property, value_of(part)) for part in self._references(item)})

    def _number_of_others(self, item: Item) -> int:
        return len(self._others(item))

    def _number_of_identifiers(self, item: Item) -> int:
        return sum(map(len, item.statements.values())) - len(self._others(item))

    def _has_media(self, item: Item) -> bool:
        return not self._media.isdisjoint(item.statements)

    def _is_astronomical(self, item: Item) -> bool:
        held: Iterable[Statement] = item.statements.get(self._instance, ())
        return any(value_of(each.mainsnak) in self._objects for each in held)

    def _referenced(self, item: Item) -> float:
        return self._part(item, bool)

    def _referenced_by_wikimedia(self, item: Item) -> float:
        return self._part(item, lambda references: self._wikimedia in references)

    def _referenced_elsewhere(self, item: Item) -> float:
        return self._part(item, lambda references: not references.keys() <= {self._wikimedia})

    def _part(self, item: Item, test: Callable[[Mapping[str, Any]], bool]) -> float:
        others = self._others(item)
        held = sum(test(references_of(each)) for each in others if each.references)
        return held / max(len(others), 1)
