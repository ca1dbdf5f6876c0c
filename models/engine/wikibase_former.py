"""Nodes of models of before revscoring 2.3, which read items with pywikibase.

Where objects are asked for, they are pywikibase's own, made by the functions that stand in for those of the
former releases (``models.features.former_wikibase``). pywikibase changes the aliases of an item each time
that it is written out; here none is changed, which makes no difference where the codes of its languages
mention nothing, and is refused elsewhere.
"""

import functools
import importlib
import inspect
from collections.abc import Iterator, Mapping, Sequence
from types import FunctionType
from typing import Any, Final

from models.engine.wikibase_former_told import Part, Teller
from models.engine.wikibase_item import Item, Library, Parts, ReadItem
from models.engine.wikibase_mentions import Mentions, mentions_in
from models.engine.wikibase_nodes import Readers, count_by, entity_of, like, read_by, source
from models.features import former_wikibase

_QUOTE: Final = "'"
_WRITTEN: Final = ("labels", "descriptions", "aliases", "sitelinks")
_NOTHING: Final = Mentions(0, 0, 0)
_ITEMS: Final = "revscoring.features.wikibase.datasources.revision_oriented._process_"
_HAS_VALUE: Final = former_wikibase.has_property_value("", "").__code__


def former_wikibase_rule(node: Any) -> Any:
    """Return an equal node that costs less, or None."""
    process = getattr(node, "process", None)
    if process is former_wikibase.item:
        item = _item(node)
        return None if item is None else source(f"pywikibase.entity({item.dependencies[0]})", entity_of, item)
    if isinstance(process, FunctionType) and process.__code__ is _HAS_VALUE:
        item = _item(node.dependencies[0])
        asked = inspect.getclosurevars(process).nonlocals
        return None if item is None else like(node, HasValue(asked["property_"], asked["value"]), item)
    if getattr(process, "__module__", None) == former_wikibase.__name__:
        return read_by(_READERS, node, _item)
    return count_by(_READERS, node, _item)


class HasValue:
    """Tells whether an item claims a value of a property.

    Args:
        name: Of the property.
        value: As text.
    """

    def __init__(self, name: Any, value: Any) -> None:
        self._name = name
        self._value = value

    def __call__(self, item: Item) -> bool:
        """Tell whether it does.

        Raises:
            TypeError: The property has a value that pywikibase compares in its own way.
        """
        held = item.statements.get(self._name, ())
        if not all(statement.told.value.is_plain for statement in held):
            raise TypeError(f"{self._name} of the item has a time, a quantity or a place")
        return self._value in (statement.told.value.simple for statement in held)


def claims(item: Item) -> set[tuple[str, str]]:
    """Return what is claimed: property and value, each pair once."""
    return {(name, statement.told.value.text) for name, held in item.statements.items() for statement in held}


def sources(item: Item) -> set[tuple[str, str, int]]:
    """Return the references of claims, each by its place beneath its claim."""
    return {
        (name, told.value.text, place)
        for name, held in item.statements.items()
        for told in (statement.told for statement in held)
        for place in range(told.sources)
    }


def qualifiers(item: Item) -> set[tuple[str, str, str]]:
    """Return the properties that qualify claims."""
    return {
        (name, told.value.text, qualifier)
        for name, held in item.statements.items()
        for told in (statement.told for statement in held)
        for qualifier in told.qualifiers
    }


def _number_of_parts(item: Item) -> int:
    return sum(1 for _ in _parts_of_sources(item))


def _number_of_wikimedia(item: Item) -> int:
    projects = former_wikibase._projects()
    return sum(part.is_item and part.simple in projects for part in _parts_of_sources(item))


def _number_of_unique(item: Item) -> int:
    return len({(part.property, part.as_simple()) for part in _parts_of_sources(item)})


def _parts_of_sources(item: Item) -> Iterator[Part]:
    for held in item.statements.values():
        for statement in held:
            yield from statement.told.parts


def _of_items(name: str) -> Any:
    return former_wikibase.FUNCTIONS[_ITEMS + name]


_READERS: Final = Readers(
    of_item={
        former_wikibase.claims: claims,
        former_wikibase.sources: sources,
        former_wikibase.qualifiers: qualifiers,
    },
    of_growth={
        former_wikibase.proportion_of_qid_added: "items",
        former_wikibase.proportion_of_language_added: "languages",
        former_wikibase.proportion_of_links_added: "links",
    },
    of_rest=frozenset(map(_of_items, (*_WRITTEN, "badges"))),
    of_length={
        (_of_items("properties"),): lambda item: len(item.statements),
        (former_wikibase.source_claims,): _number_of_parts,
        (former_wikibase.wikimedia_sources, former_wikibase.source_claims): _number_of_wikimedia,
        (former_wikibase.unique_sources, former_wikibase.source_claims): _number_of_unique,
    },
    of_properties=_of_items("properties"),
)


def _item(entity: Any) -> Any:
    """Return the node of the item that an entity is made of; None where it is made otherwise."""
    if getattr(entity, "process", None) is not former_wikibase.item:
        return None
    document = entity.dependencies[0]
    if getattr(document, "process", None) is not former_wikibase.item_doc:
        return None
    text = document.dependencies[0]
    return source(f"pywikibase.item({text})", ReadItem(_library()), text)


@functools.cache
def _library() -> Library:
    pywikibase = importlib.import_module("pywikibase")

    def entity(rest: Any, statements: dict[str, list[Any]]) -> Any:
        rest.claims = statements
        return rest

    def mentions(parts: Parts, statements: Sequence[Any]) -> Mentions:
        _refuse_telling_languages(parts.get("aliases", {}))
        page = pywikibase.ItemPage()
        page.claims = {}
        for name in _WRITTEN:
            # A copy, for pywikibase changes the aliases that it writes out.
            setattr(page, name, dict(parts.get(name, {})))
        written = [page.toJSON(), list(parts.get("claims", ())), [claim.toJSON() for claim in statements]]
        return mentions_in(str(written), _QUOTE)

    statement = pywikibase.Claim.fromJSON
    return Library("pywikibase", Teller(statement), statement, former_wikibase.item, entity, _parts, mentions)


def _parts(item: Item) -> Parts:
    return {
        **{name: getattr(item.rest, name) for name in _WRITTEN},
        "claims": {name: None for name, held in item.statements.items() if held},
    }


def _refuse_telling_languages(aliases: Mapping[str, Any]) -> None:
    if mentions_in(str([*aliases, "language", "value"]), _QUOTE) != _NOTHING:
        raise ValueError("the code of a language mentions what is counted")
