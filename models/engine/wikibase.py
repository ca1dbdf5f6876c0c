"""Nodes of revscoring's graph that read Wikidata items, put in place by equal ones that cost less.

An item is read once for all of them, see ``models.engine.wikibase_item``. Where its objects are asked for,
they are mwbase's own, so that whatever is not named here reads them as it always did. See
``models.engine.wikibase_former`` for models of before revscoring 2.3.
"""

import functools
import importlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from models.engine import wikibase_former, wikibase_quality
from models.engine.functions import of_revscoring
from models.engine.wikibase_form import AnySnak, Statement
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
from models.engine.wikibase_told import references_of, value_of, write

_ITEMS: Final = "features.wikibase.datasources.revision_oriented"
_DIFF: Final = "features.wikibase.features.diff"
_CHANGES: Final = "features.wikibase.datasources.diff"
_UTIL: Final = "features.wikibase.util"


def wikibase_rule(node: Any) -> Any:
    """Return an equal node that costs less, or None."""
    process = getattr(node, "process", None)
    module = getattr(process, "__module__", None)
    if module == f"revscoring.{_ITEMS}" and process is _of_items("entity"):
        item = _item(node)
        return None if item is None else source(f"wikibase.entity({item.dependencies[0]})", EntityOf(), item)
    if module in {f"revscoring.{_ITEMS}", f"revscoring.{_CHANGES}", f"revscoring.{_DIFF}"}:
        return read_by(_readers(), node, _item)
    if module == wikibase_quality.MODULE:
        return read_by(wikibase_quality.readers(), node, _item)
    if module == f"revscoring.{_UTIL}":
        return changed_by(_readers(), node, _item) or wikibase_former.former_wikibase_rule(node)
    if type(node) is of_revscoring("features.wikibase.features.revision_oriented", "HasPropertyValue"):
        item = _item(node.dependencies[0])
        return None if item is None else like(node, HasValue(node.property, node.value), item)
    instead = count_by(_readers(), node, _item) or wikibase_quality.count(node, _item)
    return instead or wikibase_former.former_wikibase_rule(node)


def number_of_claims(item: Item) -> int:
    """Count what is claimed: property and value, each pair once."""
    return sum(
        1 if len(held) == 1 else len({value_of(each.mainsnak) for each in held})
        for held in item.statements.values()
    )


def number_of_sources(item: Item) -> int:
    """Count the properties in references, each once for a claim and the first value that it has there."""
    return len(
        {
            (name, value_of(statement.mainsnak), referred, value_of(snaks[0]))
            for name, held in item.statements.items()
            for statement in held
            if statement.references
            for referred, snaks in references_of(statement).items()
        }
    )


def number_of_references(item: Item) -> int:
    """Count the parts of references, each once for a claim and its place."""
    return _number_of_parts(item, references_of)


def number_of_qualifiers(item: Item) -> int:
    """Count the qualifiers, each once for a claim and its place."""
    return _number_of_parts(item, Statement.in_order)


def _number_of_parts(item: Item, parts_of: Callable[[Statement], Mapping[str, Sequence[AnySnak]]]) -> int:
    found = 0
    for held in item.statements.values():
        if len(held) == 1:
            found += sum(map(len, parts_of(held[0]).values()))
        else:
            found += len(
                {
                    (value_of(statement.mainsnak), named, place, value_of(snak))
                    for statement in held
                    for named, snaks in parts_of(statement).items()
                    for place, snak in enumerate(snaks)
                }
            )
    return found


def _item(entity: Any) -> Any:
    """Return the node of the item that an entity is made of; None where it is made otherwise."""
    if getattr(entity, "process", None) is not _of_items("entity"):
        return None
    document = entity.dependencies[0]
    if getattr(document, "process", None) is not _of_items("entity_doc"):
        return None
    text = document.dependencies[0]
    return source(f"wikibase.item({text})", ReadItem(_library()), text)


def _of_items(name: str) -> Any:
    return of_revscoring(_ITEMS, f"_process_{name}")


@functools.cache
def _readers() -> Readers:
    return Readers(
        of_growth={
            of_revscoring(_DIFF, f"_process_proportion_of_{name}_added"): field
            for name, field in {"qid": "items", "language": "languages", "links": "links"}.items()
        },
        of_field={
            _of_items(name): name for name in ("labels", "descriptions", "aliases", "sitelinks", "badges")
        },
        of_change=frozenset(
            of_revscoring(_CHANGES, f"_process_statements_{name}") for name in ("added", "removed", "changed")
        ),
        of_length={
            (_of_items("properties"),): lambda item: len(item.statements),
            (_of_items("claims"),): number_of_claims,
            (_of_items("sources"),): number_of_sources,
            (_of_items("ref_claims"),): number_of_references,
            (_of_items("qualifiers"),): number_of_qualifiers,
        },
        of_properties=_of_items("properties"),
    )


@functools.cache
def _library() -> Library:
    mwbase = importlib.import_module("mwbase")
    return Library(
        name="mwbase",
        check=lambda form: None,
        compared=value_of,
        entity=_of_items("entity"),
        statement=mwbase.Statement.from_json,
        properties="properties",
        write=write,
        written=mwbase.json_dumps,
        quote='"',
        is_complete=True,
    )
