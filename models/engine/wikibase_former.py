"""Nodes of models of before revscoring 2.3, which read items with pywikibase.

Where objects are asked for, they are pywikibase's own, made by the functions that stand in for those of the
former releases (``models.features.former_wikibase``). pywikibase changes the aliases of an item each time
that it is written out; here none is changed, which makes no difference: languages that mention something
are refused.
"""

import functools
import importlib
import inspect
from types import FunctionType
from typing import Any, Final

from models.engine.wikibase_form import AnySnak, OfEntity, Snak, Statement
from models.engine.wikibase_former_told import check, compared, parts_of, simple_of, value_of, write
from models.engine.wikibase_item import Item, Library, ReadItem
from models.engine.wikibase_nodes import (
    EntityOf,
    HasValue,
    Readers,
    changed_by,
    count_by,
    like,
    read_by,
    source,
)
from models.features import former_wikibase

_ITEMS: Final = "revscoring.features.wikibase.datasources.revision_oriented._process_"
_HAS_VALUE: Final = former_wikibase.has_property_value("", "").__code__


def former_wikibase_rule(node: Any) -> Any:
    """Return an equal node that costs less, or None."""
    process = getattr(node, "process", None)
    if process is former_wikibase.item:
        item = _item(node)
        return (
            None if item is None else source(f"pywikibase.entity({item.dependencies[0]})", EntityOf(), item)
        )
    if isinstance(process, FunctionType) and process.__code__ is _HAS_VALUE:
        item = _item(node.dependencies[0])
        asked = inspect.getclosurevars(process).nonlocals
        return None if item is None else like(node, HasValue(asked["property_"], asked["value"]), item)
    if getattr(process, "__module__", None) == former_wikibase.__name__:
        return read_by(_READERS, node, _item)
    return changed_by(_READERS, node, _item) or count_by(_READERS, node, _item)


def number_of_claims(item: Item) -> int:
    """Count what is claimed: property and value, each pair once."""
    several = item.fact(_told_apart)
    single = sum(len(held) == 1 for held in item.statements.values())
    return single + sum(len(set(values)) for _, values in several)


def number_of_sources(item: Item) -> int:
    """Count the references of claims, each once for a claim and its place."""
    found = sum(len(held[0].references) for held in item.statements.values() if len(held) == 1)
    for held, values in item.fact(_told_apart):
        most: dict[str, int] = {}
        for statement, value in zip(held, values, strict=True):
            most[value] = max(most.get(value, 0), len(statement.references))
        found += sum(most.values())
    return found


def number_of_qualifiers(item: Item) -> int:
    """Count the properties that qualify claims, each once for a claim."""
    found = sum(len(held[0].in_order()) for held in item.statements.values() if len(held) == 1)
    for held, values in item.fact(_told_apart):
        pairs = zip(held, values, strict=True)
        found += len({(value, name) for statement, value in pairs for name in statement.in_order()})
    return found


def _told_apart(item: Item) -> list[tuple[list[Statement], list[str]]]:
    """Return the statements of each property that has several, with their values."""
    return [
        (held, [value_of(each.mainsnak) for each in held])
        for held in item.statements.values()
        if len(held) > 1
    ]


def _number_of_parts(item: Item) -> int:
    return len(item.fact(_parts_of_sources))


def _number_of_wikimedia(item: Item) -> int:
    projects = former_wikibase._projects()
    return sum(
        isinstance(part, Snak) and isinstance(part.datavalue, OfEntity) and compared(part) in projects
        for part in item.fact(_parts_of_sources)
    )


def _number_of_unique(item: Item) -> int:
    return len(simple_of(item.fact(_parts_of_sources)))


def _parts_of_sources(item: Item) -> list[AnySnak]:
    return [
        part
        for held in item.statements.values()
        for statement in held
        if statement.references
        for part in parts_of(statement)
    ]


def _of_items(name: str) -> Any:
    return former_wikibase.FUNCTIONS[_ITEMS + name]


_READERS: Final = Readers(
    of_growth={
        former_wikibase.proportion_of_qid_added: "items",
        former_wikibase.proportion_of_language_added: "languages",
        former_wikibase.proportion_of_links_added: "links",
    },
    of_field={_of_items(name): name for name in ("labels", "descriptions", "aliases", "sitelinks", "badges")},
    of_change=frozenset(
        {former_wikibase.claims_added, former_wikibase.claims_removed, former_wikibase.claims_changed}
    ),
    of_length={
        (_of_items("properties"),): lambda item: len(item.statements),
        (former_wikibase.claims,): number_of_claims,
        (former_wikibase.sources,): number_of_sources,
        (former_wikibase.qualifiers,): number_of_qualifiers,
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
    return Library(
        name="pywikibase",
        check=check,
        compared=compared,
        entity=former_wikibase.item,
        statement=importlib.import_module("pywikibase").Claim.fromJSON,
        properties="claims",
        write=write,
        written=str,
        quote="'",
        is_complete=False,
    )
