"""Features of Wikidata items as revscoring computed them before release 2.3, over the objects of pywikibase.

Releases since read items with mwbase, under the same names of functions but with other outcomes: a source
was a whole reference then and is one of its statements now, and the growth of an item was measured in another
text. Models of 2016 to 2018 were trained on the former outcomes, so artefacts name these functions by
``pywikibase:`` and their former names.
"""

import functools
import importlib
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from models import resources
from schemas.errors import ResourceMissing

MARK = "pywikibase:"
_PROJECTS = Path(__file__).with_name("wikimedia_projects.txt")
_QID = re.compile(r"Q\d{1,8}")
_LINK = re.compile(r"https?\://|wwww\.")


def item_doc(text: str | None) -> Any:
    """Read the text of a revision; None where there is no revision."""
    return None if text is None else json.loads(text)


def item(doc: Any) -> Any:
    """Make pywikibase's item of a document; an empty one where there is no revision."""
    made = _pywikibase().ItemPage()
    made.get(content=doc or {"aliases": {}})
    return made


def claims(item: Any) -> set[tuple[str, str]]:
    """Return what is claimed: property and value, each pair once."""
    return {(property_, _told(claim)) for property_, claim in _claims(item)}


def sources(item: Any) -> set[tuple[str, str, int]]:
    """Return the references of claims, each by its place beneath its claim."""
    return {
        (property_, _told(claim), place)
        for property_, claim in _claims(item)
        for place in range(len(claim.sources))
    }


def qualifiers(item: Any) -> set[tuple[str, str, str]]:
    """Return the properties that qualify claims."""
    return {
        (property_, _told(claim), qualifier)
        for property_, claim in _claims(item)
        for qualifier in claim.qualifiers
    }


def claims_added(properties_diff: Any, parent: Any, current: Any) -> list[Any]:
    """Return the claims whose ids are new."""
    added = [claim for property_ in properties_diff.added for claim in current.claims[property_]]
    for property_ in properties_diff.changed:
        before = {claim.snak for claim in parent.claims[property_]}
        added += [claim for claim in current.claims[property_] if claim.snak not in before]
    return added


def claims_removed(properties_diff: Any, parent: Any, _current: Any) -> list[Any]:
    """Return the claims of properties that went away whole.

    A claim that went away while others of its property stayed never counted: releases until today compare the
    parent with itself there.
    """
    return [claim for property_ in properties_diff.removed for claim in parent.claims[property_]]


def claims_changed(properties_diff: Any, parent: Any, current: Any) -> list[tuple[Any, Any]]:
    """Return claims before and after, where the id stayed and anything else did not."""
    changed = []
    for property_ in properties_diff.changed:
        before = {claim.snak: claim for claim in parent.claims[property_]}
        changed += [
            (before[claim.snak], claim)
            for claim in current.claims[property_]
            if claim.snak in before and claim not in parent.claims[property_]
        ]
    return changed


def sources_added(changed: Iterable[tuple[Any, Any]]) -> list[Any]:
    """Return the statements of references that changed claims have now and had not."""
    return [part for old, new in changed for part in _missing(_of_sources(new), _of_sources(old))]


def sources_removed(changed: Iterable[tuple[Any, Any]]) -> list[Any]:
    """Return the statements of references that changed claims had and have no more."""
    return [part for old, new in changed for part in _missing(_of_sources(old), _of_sources(new))]


def qualifiers_added(changed: Iterable[tuple[Any, Any]]) -> list[Any]:
    """Return the qualifiers that changed claims have now and had not."""
    return [part for old, new in changed for part in _missing(_of_qualifiers(new), _of_qualifiers(old))]


def qualifiers_removed(changed: Iterable[tuple[Any, Any]]) -> list[Any]:
    """Return the qualifiers that changed claims had and have no more."""
    return [part for old, new in changed for part in _missing(_of_qualifiers(old), _of_qualifiers(new))]


def identifiers_changed(changed: Iterable[tuple[Any, Any]]) -> int:
    """Count changed claims whose value was text."""
    return sum(isinstance(old.target, str) for old, _ in changed)


def proportion_of_qid_added(parent: Any, current: Any) -> float:
    """Tell by how much the mentions of items grew."""
    return _growth(_QID, parent, current)


def proportion_of_language_added(parent: Any, current: Any) -> float:
    """Tell by how much the mentions of languages grew."""
    pattern: re.Pattern[str] = resources.module("features.wikibase.features.diff").LANGUAGE_RE
    return _growth(pattern, parent, current)


def proportion_of_links_added(parent: Any, current: Any) -> float:
    """Tell by how much the web addresses grew."""
    return _growth(_LINK, parent, current)


def source_claims(item: Any) -> list[Any]:
    """Return every statement of every reference."""
    return [part for _, claim in _claims(item) for part in _of_sources(claim)]


def wikimedia_sources(parts: Iterable[Any]) -> list[Any]:
    """Return the statements of references that name a Wikimedia project."""
    page = _pywikibase().ItemPage
    projects = _projects()
    return [part for part in parts if isinstance(part.target, page) and part.target.id in projects]


def unique_sources(parts: Iterable[Any]) -> set[tuple[str, Any]]:
    """Return the statements of references, each property and value once.

    Raises:
        TypeError: A value is of a kind that no release of the time could tell apart, such as a quantity.
    """
    return {(part.id, _simple(part.target)) for part in parts}


FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    **{
        f"revscoring.features.wikibase.datasources.revision_oriented._process_{name}": function
        for name, function in {
            "item_doc": item_doc,
            "item": item,
            "claims": claims,
            "sources": sources,
            "qualifiers": qualifiers,
            "properties": lambda item: item.claims,
            "aliases": lambda item: item.aliases,
            "badges": lambda item: item.badges,
            "labels": lambda item: item.labels,
            "sitelinks": lambda item: item.sitelinks,
            "descriptions": lambda item: item.descriptions,
        }.items()
    },
    **{
        f"revscoring.features.wikibase.datasources.diff._process_{function.__name__}": function
        for function in (
            *(claims_added, claims_removed, claims_changed),
            *(sources_added, sources_removed, qualifiers_added, qualifiers_removed),
        )
    },
    **{
        f"revscoring.features.wikibase.features.diff._process_{function.__name__}": function
        for function in (
            *(proportion_of_qid_added, proportion_of_language_added, proportion_of_links_added),
            identifiers_changed,
        )
    },
    **{
        f"{package}.feature_lists.wikidatawiki._process_{function.__name__}": function
        for package in ("articlequality", "wikiclass")
        for function in (source_claims, wikimedia_sources, unique_sources)
    },
}


def has_property_value(property_: str, value: Any) -> Callable[[Any], bool]:
    """Return a test whether an item claims a value of a property."""
    return lambda item: value in (claim.target for claim in item.claims.get(property_, []))


def _claims(item: Any) -> Iterator[tuple[str, Any]]:
    for property_, held in item.claims.items():
        for claim in held:
            yield property_, claim


def _told(claim: Any) -> str:
    library, target = _pywikibase(), claim.target
    if isinstance(target, library.ItemPage):
        return str(target.id)
    if isinstance(target, library.WbTime):
        return str(target.toTimestr())
    return repr(target) if isinstance(target, library.WbQuantity) else str(target)


def _simple(target: Any) -> Any:
    if hasattr(target, "id"):
        return target.id
    if target is None or hasattr(target, "lstrip"):
        return target
    if hasattr(target, "toTimestr"):
        return target.toTimestr()
    if isinstance(target, dict) and "text" in target:
        return target["text"]
    raise TypeError(f"a reference of the item holds {target!r}, which the model's release cannot tell apart")


def _of_sources(claim: Any) -> list[Any]:
    return [part for source in claim.sources for held in source.values() for part in held]


def _of_qualifiers(claim: Any) -> list[Any]:
    return [part for held in claim.qualifiers.values() for part in held]


def _missing(parts: list[Any], others: list[Any]) -> list[Any]:
    hashes = {other.hash for other in others}
    return [part for part in parts if part.hash not in hashes]


def _growth(pattern: re.Pattern[str], parent: Any, current: Any) -> float:
    # toJSON changes the aliases of its item each time; the order of these calls is that of the release.
    doc = {} if parent is None else parent.toJSON()
    now = len(pattern.findall(str(current.toJSON())))
    before = len(pattern.findall(str(doc)))
    return float(now - before) / float(now + 1)


@functools.cache
def _projects() -> frozenset[str]:
    return frozenset(f"Q{number}" for number in _PROJECTS.read_text().split())


@functools.cache
def _pywikibase() -> Any:
    try:
        return importlib.import_module("pywikibase")
    except ImportError as error:
        raise ResourceMissing(
            "the model reads Wikidata items as revscoring did before 2.3, with the Python package "
            "pywikibase, which is not installed; run: pip install pywikibase==0.0.5",
            path="pywikibase",
        ) from error
