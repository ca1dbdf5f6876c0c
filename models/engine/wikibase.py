"""Nodes of revscoring's graph that read Wikidata items, put in place by equal ones that cost less.

An item is read once for all of them, see ``models.engine.wikibase_item``. Where its objects are asked for,
they are mwbase's own, so that whatever is not named here reads them as it always did. See
``models.engine.wikibase_former`` for models of before revscoring 2.3.
"""

import functools
import importlib
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from models.engine import wikibase_former, wikibase_quality
from models.engine.functions import of_revscoring
from models.engine.wikibase_item import Item, Library, Parts, ReadItem
from models.engine.wikibase_mentions import Mentions, mentions_in, total
from models.engine.wikibase_nodes import Readers, count_by, entity_of, like, read_by, source
from models.engine.wikibase_told import tell

_ITEMS: Final = "features.wikibase.datasources.revision_oriented"
_DIFF: Final = "features.wikibase.features.diff"
_WRITTEN: Final = ("labels", "descriptions", "aliases", "sitelinks")


def wikibase_rule(node: Any) -> Any:
    """Return an equal node that costs less, or None."""
    process = getattr(node, "process", None)
    module = getattr(process, "__module__", None)
    if module == f"revscoring.{_ITEMS}" and process is _of_items("entity"):
        item = _item(node)
        return None if item is None else source(f"wikibase.entity({item.dependencies[0]})", entity_of, item)
    if module in {f"revscoring.{_ITEMS}", f"revscoring.{_DIFF}"}:
        return read_by(_readers(), node, _item)
    if module == wikibase_quality.MODULE:
        return read_by(wikibase_quality.readers(), node, _item)
    if type(node) is of_revscoring("features.wikibase.features.revision_oriented", "HasPropertyValue"):
        item = _item(node.dependencies[0])
        return None if item is None else like(node, HasValue(node.property, node.value), item)
    instead = count_by(_readers(), node, _item) or wikibase_quality.count(node, _item)
    return instead or wikibase_former.former_wikibase_rule(node)


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
        """Tell whether it does."""
        return self._value in (statement.told.value for statement in item.statements.get(self._name, ()))


def claims(item: Item) -> set[tuple[str, str]]:
    """Return what is claimed: property and value, each pair once."""
    return {(name, statement.told.value) for name, held in item.statements.items() for statement in held}


def sources(item: Item) -> set[tuple[str, str, str, str]]:
    """Return the first of the references of each claim by each property."""
    return {
        (name, told.value, referred, references[0][1])
        for name, held in item.statements.items()
        for told in (statement.told for statement in held)
        for referred, references in told.references.items()
    }


def references(item: Item) -> set[tuple[str, str, str, int, str]]:
    """Return the references of each claim, with their places."""
    return {
        (name, told.value, referred, place, text)
        for name, held in item.statements.items()
        for told in (statement.told for statement in held)
        for referred, references in told.references.items()
        for place, (_, text) in enumerate(references)
    }


def qualifiers(item: Item) -> set[tuple[str, str, str, int, str]]:
    """Return the qualifiers of each claim, with their places."""
    return {
        (name, told.value, qualified, place, text)
        for name, held in item.statements.items()
        for told in (statement.told for statement in held)
        for qualified, texts in told.qualifiers.items()
        for place, text in enumerate(texts)
    }


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
        of_item={
            _of_items("claims"): claims,
            _of_items("sources"): sources,
            _of_items("ref_claims"): references,
            _of_items("qualifiers"): qualifiers,
        },
        of_growth={
            of_revscoring(_DIFF, f"_process_proportion_of_{name}_added"): field
            for name, field in {"qid": "items", "language": "languages", "links": "links"}.items()
        },
        of_rest=frozenset(map(_of_items, ("labels", "descriptions", "aliases", "sitelinks", "badges"))),
        of_length={(_of_items("properties"),): lambda item: len(item.statements)},
        of_properties=_of_items("properties"),
    )


@functools.cache
def _library() -> Library:
    mwbase = importlib.import_module("mwbase")

    def entity(rest: Any, statements: dict[str, list[Any]]) -> Any:
        rest["properties"] = statements
        return rest

    def mentions(parts: Parts, statements: Sequence[Any]) -> Mentions:
        return total(map(_mentions_in_json, (parts, statements)))

    def _mentions_in_json(written: Any) -> Mentions:
        # Both writers write strings of ASCII alike, all but DEL, and no number mentions anything.
        quickly = msgspec.json.encode(written)
        is_alike = quickly.isascii() and b"\x7f" not in quickly
        return mentions_in(quickly.decode() if is_alike else mwbase.json_dumps(written))

    statement = mwbase.Statement.from_json
    return Library("mwbase", tell, statement, _of_items("entity"), entity, _parts, mentions)


def _parts(item: Item) -> Parts:
    return {
        "title": {"title": item.rest["title"]},
        **{name: item.rest[name] for name in _WRITTEN},
        "properties": dict.fromkeys(item.statements),
    }
