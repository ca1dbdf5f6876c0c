"""Features by their printed names, bound to revscoring's definitions and to the word lists of one artefact.

A name is looked up among everything that revscoring's collections (``wikitext.revision``,
``temporal.revision``, ``english.badwords`` …) hold as attributes. Names with an argument, such as
``feature.revision.user.in_group({'bot', 'sysop'})``, are made from it; sets print in random order in
Python, so names here hold them sorted.
"""

import ast
import hashlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from models import inputs, resources
from schemas.errors import ModelIncompatible, ResourceMissing

WordsOf = Callable[[str], frozenset[str]]

_BASES = ("features.revision_oriented", "features.temporal", "features.wikitext", "features.bytes")
_WIKIBASE = "features.wikibase"
_WITH_ARGUMENT: Mapping[str, type[Any]] = {
    "in_group": set,
    "id_in_set": set,
    "comment_matches": str,
    "title_matches": str,
    "text_matches": str,
    "name_matches": str,
}
_CALL = re.compile(r"feature\.revision((?:\.\w+)*)\.(\w+)\((.*)\)", re.DOTALL)
_WORD = re.compile(r"[a-z]+(?=\.)")
_TYPES: Mapping[type, str] = {bool: "bool", int: "int", float: "float"}


class BoundFeature(Struct, frozen=True):
    """A feature ready to be computed.

    Attributes:
        name: Canonical printed name.
        feature: revscoring's object. Its internal name may differ from the printed one.
        returns: ``bool``, ``int`` or ``float``.
        roots: Printed names of the datasources beneath it; all injectable.
        patterns: Collection of regular expressions that it reads, ``english.badwords``; None if none.
        words: Collection of words that it reads, ``english.stopwords``; None if none.
    """

    name: str
    feature: Any
    returns: str
    roots: frozenset[str]
    patterns: str | None = None
    words: str | None = None


class _Entry(Struct, frozen=True):
    feature: Any
    patterns: str | None = None
    words: str | None = None


class FeatureBinder:
    """Finds the features of one artefact.

    Args:
        words_of: Gives the words of a collection, ``english.stopwords``; those of the artefact. Two
            binders with different words share no values, even in one cache.
    """

    def __init__(self, words_of: WordsOf) -> None:
        self._words_of = words_of
        self._languages: dict[str, dict[str, _Entry]] = {}
        self._base: dict[str, _Entry] = {}

    def bind(self, name: str) -> BoundFeature:
        """Find a feature.

        Args:
            name: As revscoring prints it; sets in any order.

        Raises:
            ModelIncompatible: There is no such feature here, or it reads what a revision does not hold.
            ResourceMissing: A Python package that its language needs is not installed.
        """
        bound = _with_argument(name)
        if bound is None and (entry := self._find(name)) is not None:
            bound = _bound(name, entry)
        if bound is None:
            raise ModelIncompatible(
                f"the model reads {name!r}, which the installed revscoring does not define; install the "
                "version that the artefact's environment names, or train the model anew",
                feature=name,
            )
        unknown = bound.roots - inputs.injectable()
        if unknown:
            raise ModelIncompatible(
                f"the model reads {name!r}, which rests on {', '.join(sorted(unknown))}; revisions here do "
                "not carry that. Train the model without the feature",
                feature=name,
            )
        return bound

    def _find(self, name: str) -> _Entry | None:
        if not self._base:
            self._base = _index([resources.module(base).revision for base in _BASES])
        if name in self._base:
            return self._base[name]
        if "wikibase." in name:
            self._base |= _index([resources.module(_WIKIBASE).revision])
            return self._base.get(name)
        for language in sorted(set(_WORD.findall(name)) & resources.languages()):
            found = self._language(language, name)
            if found is not None:
                return found
        return None

    def _language(self, language: str, name: str) -> _Entry | None:
        if language not in self._languages:
            self._languages[language] = {}
            for collection in _collections(language):
                self._languages[language] |= _index_matches(collection)
        index = self._languages[language]
        words = f"{language}.stopwords"
        if name not in index and f"{words}." in name:
            index |= _index_stopwords(words, self._words_of(words))
        return index.get(name)


def pattern_list_sha512(collection: str) -> str:
    """Hash the regular expressions of a collection in the installed revscoring.

    Args:
        collection: ``english.badwords``.

    Raises:
        ModelIncompatible: There is no such collection.
    """
    language, _, attribute = collection.partition(".")
    matches = (
        getattr(resources.language(language), attribute, None) if language in resources.languages() else None
    )
    if matches is None or not hasattr(matches, "_match_list"):
        raise ModelIncompatible(
            f"the model reads the patterns of {collection}, which the installed revscoring does not have; "
            "install the version that the artefact's environment names",
            feature=collection,
        )
    content = msgspec.json.encode([matches._match_list, matches._exclusions])
    return hashlib.sha512(content).hexdigest()


def words_of_nltk(collection: str, nltk_words: Callable[[str], frozenset[str]]) -> frozenset[str]:
    """Compute the words that revscoring makes of NLTK's list and of its own additions.

    Args:
        collection: ``french.stopwords``.
        nltk_words: Gives NLTK's list of a language.

    Raises:
        ResourceMissing: The language has no stop words.
    """
    language = collection.partition(".")[0]
    collected = getattr(resources.language(language), "stopwords", None)
    if collected is None:
        raise ResourceMissing(f"revscoring's language {language!r} has no stop words", path=collection)
    words = frozenset(collected.revision.diff.datasources.is_stopword.stopword_set)
    marks = {word for word in words if word.startswith(resources.NLTK_MARK)}
    lists = [nltk_words(mark.removeprefix(resources.NLTK_MARK)) for mark in marks]
    return (words - marks).union(*lists)


def _collections(language: str) -> Iterator[Any]:
    dependent_set = resources.module("dependencies").DependentSet
    for attribute in vars(resources.language(language)).values():
        if isinstance(attribute, dependent_set) and not attribute._name.endswith(".stopwords"):
            yield attribute


def _index_matches(collection: Any) -> dict[str, _Entry]:
    name = collection._name if hasattr(collection, "_match_list") else None
    return _index([collection.revision], patterns=name)


def _index_stopwords(name: str, words: frozenset[str]) -> dict[str, _Entry]:
    # revscoring's caches know a value by the name of what computes it; a name of its own for each list keeps
    # the values of two artefacts apart, and lets equal lists share them.
    mark = "@" + hashlib.sha512("\n".join(sorted(words)).encode()).hexdigest()[:16]
    collection = resources.module("languages.features.stopwords").Stopwords(name + mark, words)
    index = _index([collection.revision], words=name)
    return {printed.replace(mark, ""): entry for printed, entry in index.items()}


def _index(
    collections: Sequence[Any], *, patterns: str | None = None, words: str | None = None
) -> dict[str, _Entry]:
    return {
        str(feature): _Entry(feature, patterns, words)
        for collection in collections
        for feature in _features(collection)
        if feature.returns in _TYPES
    }


def _features(collection: Any) -> Iterator[Any]:
    feature_type = resources.module("features.feature").Feature
    dependent_set = resources.module("dependencies").DependentSet
    for name, attribute in vars(collection).items():
        if isinstance(attribute, feature_type):
            yield attribute
        elif isinstance(attribute, dependent_set) and name != "datasources":
            yield from _features(attribute)


def _bound(name: str, entry: _Entry) -> BoundFeature:
    roots = frozenset(str(root) for root in resources.module("dependencies").dig(entry.feature))
    return BoundFeature(
        name, entry.feature, _TYPES[entry.feature.returns], roots, entry.patterns, entry.words
    )


def _with_argument(name: str) -> BoundFeature | None:
    call = _CALL.fullmatch(name)
    if call is None or call[2] not in _WITH_ARGUMENT:
        return None
    try:
        owner = resources.module(_BASES[0]).revision
        for attribute in call[1].split(".")[1:]:
            owner = getattr(owner, attribute)
        argument: Any = ast.literal_eval(call[3])
        if not isinstance(argument, _WITH_ARGUMENT[call[2]]):
            return None
        canonical = name[: call.start(3)] + _printed(argument) + ")"
        feature = getattr(owner, call[2])(argument, name=canonical.removeprefix("feature."))
    except (AttributeError, ValueError, SyntaxError, TypeError, re.error):
        return None
    return _bound(canonical, _Entry(feature))


def _printed(argument: Any) -> str:
    if isinstance(argument, set):
        return "{" + ", ".join(repr(item) for item in sorted(argument, key=repr)) + "}"
    return repr(argument)
