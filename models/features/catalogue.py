"""Everything that the installed packages define: features and datasources by printed name."""

import functools
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from msgspec import Struct

from models import resources, stand_ins
from models.features.definitions import REFUSED, fingerprints
from models.features.describe import describe
from models.features.mirror import Mirror

_BASES = (
    "features.revision_oriented",
    "features.temporal",
    "features.wikitext",
    "features.bytes",
    "features.wikibase",
)
_WORD = re.compile(r"[a-z]+(?=\.)")
_WIKI = re.compile(r"\b[a-z][a-z0-9_]*wik[a-z]+(?=\.)")
# Lists that others build on, which print no wiki in their names.
_COMMON = {
    "editquality": ("wikitext", "mediawiki", "wikipedia", "wikibase"),
    "articlequality": ("wikipedia", "wikibase", "wikisource"),
}
_NOT_LISTS = frozenset({"drafttopic"})  # these open files of word vectors while they are imported


class Entry(Struct, frozen=True):
    """Something installed.

    Attributes:
        dependent: revscoring's object.
        module: Where it was found, ``articlequality.feature_lists.enwiki``.
        patterns: Collection of regular expressions that it reads.
        words: Collection of words that it reads.
    """

    dependent: Any
    module: str
    patterns: str | None = None
    words: str | None = None


def walk(collection: Any) -> Iterator[Any]:
    """Give every feature and datasource that a collection of revscoring holds."""
    dependencies = resources.module("dependencies")
    waiting, seen = [collection], {id(collection)}
    while waiting:
        for attribute in list(vars(waiting.pop()).values()):
            if isinstance(attribute, dependencies.Dependent):
                yield attribute
            elif isinstance(attribute, dependencies.DependentSet) and id(attribute) not in seen:
                seen.add(id(attribute))
                waiting.append(attribute)


def with_needs(dependents: Iterable[Any]) -> Iterator[Any]:
    """Give dependents with all that they rest on, each printed name once; the nearest first."""
    seen: set[str] = set()
    waiting = list(dependents)
    for dependent in waiting:
        if (name := str(dependent)) not in seen:
            seen.add(name)
            yield dependent
            waiting += dependent.dependencies


@functools.cache
def installed() -> Mapping[str, Any]:
    """Return what the base collections of revscoring define, by printed name."""
    collections = [resources.module(base).revision for base in _BASES]
    return {str(found): found for found in with_needs(d for held in collections for d in walk(held))}


@functools.cache
def known() -> Mapping[str, str]:
    """Return the printed names of what is installed, by fingerprint.

    What a revision fills is left out, and so is what rests on nothing that definitions can say.
    """
    mirror = Mirror()
    objects = installed()
    positions, definitions = describe([mirror.of(found) for found in objects.values()])
    hashes = fingerprints(definitions)
    found: dict[str, str] = {}
    for name, position in zip(objects, positions, strict=True):
        if objects[name].dependencies and definitions[position].kind != REFUSED:
            found.setdefault(hashes[position], name)
    return found


def languages_of(name: str) -> list[str]:
    """Return the languages of revscoring that a printed name mentions."""
    return sorted(set(_WORD.findall(name)) & resources.languages())


@functools.cache
def of_language(language: str) -> Mapping[str, Entry]:
    """Return what a language defines, by printed name; all but stop words, which artefacts have of their own.

    Raises:
        ResourceMissing: A Python package that the language needs is not installed.
    """
    dependent_set = resources.module("dependencies").DependentSet
    found: dict[str, Entry] = {}
    for attribute in list(vars(resources.language(language)).values()):
        if isinstance(attribute, dependent_set) and not attribute._name.endswith(".stopwords"):
            patterns = attribute._name if hasattr(attribute, "_match_list") else None
            module = f"revscoring.languages.{language}"
            for dependent in with_needs(walk(attribute.revision)):
                if str(dependent) not in installed():
                    found.setdefault(str(dependent), Entry(dependent, module, patterns))
    return found


def lists_of(name: str) -> list[tuple[str, str]]:
    """Return package and name of the feature lists that may define a printed name."""
    wikis = sorted(set(_WIKI.findall(name)))
    of_wikis = [
        (package, wiki)
        for package in stand_ins.FEATURE_LISTS
        if package not in _NOT_LISTS
        for wiki in wikis
        if wiki in resources.feature_lists(package)
    ]
    common = [
        (package, list_)
        for package, lists in _COMMON.items()
        for list_ in lists
        if list_ in resources.feature_lists(package)
    ]
    return of_wikis or common


@functools.cache
def of_list(package: str, list_: str) -> Mapping[str, Entry]:
    """Return what a feature list beside revscoring defines, by printed name.

    Raises:
        ResourceMissing: A Python package that it needs is not installed.
    """
    module = resources.feature_list(package, list_)
    dependent = resources.module("dependencies").Dependent
    held = list(vars(module).values())
    own = [item for item in held if isinstance(item, dependent)]
    own += [
        item for list_ in held if isinstance(list_, list) for item in list_ if isinstance(item, dependent)
    ]
    found: dict[str, Entry] = {}
    for entry in with_needs(own):
        if str(entry) not in installed():
            found.setdefault(str(entry), Entry(entry, module.__name__))
    return found
