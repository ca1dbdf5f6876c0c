"""Printed names bound to definitions of the installed packages, composites by revscoring's own operators."""

import ast
import contextlib
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from msgspec import Struct

from models import resources
from models.features import catalogue, grammar
from models.features.definitions import canonical, fingerprints, printed_name
from models.features.describe import describe
from models.features.grammar import Node
from models.features.mirror import Mirror
from schemas.errors import ModelIncompatible

Stopwords = Callable[[str], Mapping[str, Any]]
_OPERATORS = {
    "+": "add",
    "-": "sub",
    "*": "mul",
    "/": "div",
    ">": "gt",
    "<": "lt",
    ">=": "ge",
    "<=": "le",
    "==": "eq",
    "!=": "ne",
    "and": "and_",
    "or": "or_",
    "log": "log",
    "max": "max",
    "min": "min",
    "not": "not_",
}
# What a method of revscoring's collections takes: literals of a type, or a regular expression.
_METHODS: Mapping[str, tuple[type, ...] | None] = {
    "in_group": (set,),
    "id_in_set": (set,),
    "comment_matches": (str,),
    "title_matches": (str,),
    "text_matches": (str,),
    "name_matches": (str,),
    "has_property": (str,),
    "has_property_value": (str, str),
    "property_changed": (str,),
    "headings_by_level": (int,),
    "tokens_in_types": (set,),
    "tokens_added_in_types": (set,),
    "tokens_removed_in_types": (set,),
    **dict.fromkeys(
        (
            *("heading_titles_matching", "external_link_urls_matching", "wikilink_titles_matching"),
            *("tag_names_matching", "tags_str_matching", "template_names_matching", "templates_str_matching"),
            *("tokens_matching", "tokens_added_matching", "tokens_removed_matching"),
        )
    ),
}
_OWNERS = {
    "revision": "features.revision_oriented",
    "wikitext.revision": "features.wikitext",
    "wikibase.revision": "features.wikibase",
}


class Bound(Struct, frozen=True):
    """What a name was bound to, and the collections beneath it."""

    dependent: Any
    patterns: frozenset[str] = frozenset()
    words: frozenset[str] = frozenset()


class AmbiguousFeature(ModelIncompatible):
    """A name means several things; another feature of the model may settle which."""


class _Undefined(Exception):
    """This way to take the name apart means nothing here."""


class Expressions:
    """Binds printed names.

    Args:
        stopwords: Gives entries by printed name for a collection of stop words, ``english.stopwords``.
        lists: Feature lists to look in, ``articlequality.feature_lists.enwiki``; None for all.
    """

    def __init__(self, stopwords: Stopwords, lists: Iterable[str] | None = None) -> None:
        self._stopwords = stopwords
        self._lists = None if lists is None else frozenset(lists)
        # Lists that alone define something bound before: a model is made from one list of a wiki.
        self._settled: set[str] = set()

    def bind(self, name: str) -> Bound | None:
        """Find or make the feature that prints a name.

        Args:
            name: With ``feature.`` or ``feature_vector.`` in front.

        Returns:
            The feature; None where no way to read the name means anything here.

        Raises:
            AmbiguousFeature: The name means several different things.
            ResourceMissing: A package that a language needs is not installed.
        """
        found = self._find(name)
        if found is not None:
            return found
        prefix, _, text = name.partition(".")
        if prefix != "feature":
            return None
        ways = []
        for node in grammar.parse(text):
            with contextlib.suppress(_Undefined):
                ways.append(self._build(node))
        if len(ways) > 1 and len({_fingerprint(way.dependent) for way in ways}) > 1:
            raise AmbiguousFeature(
                f"{name!r} can be read in several ways that mean different things; import the model from its "
                "file, so that it carries its definitions",
                feature=name,
            )
        return ways[0] if ways else None

    def _find(self, name: str) -> Bound | None:
        if name in (installed := catalogue.installed()):
            return Bound(installed[name])
        for language in catalogue.languages_of(name):
            words = f"{language}.stopwords"
            if f"{words}." in name and name in (entries := self._stopwords(words)):
                return Bound(entries[name], words=frozenset({words}))
            if entry := catalogue.of_language(language).get(name):
                return Bound(entry.dependent, frozenset({entry.patterns} if entry.patterns else ()))
        return self._find_in_lists(name)

    def _find_in_lists(self, name: str) -> Bound | None:
        entries = [
            entry
            for package, list_ in self._candidates(name)
            if (entry := catalogue.of_list(package, list_).get(name)) is not None
        ]
        if len(entries) == 1:
            self._settled.add(entries[0].module)
        elif len({_fingerprint(entry.dependent) for entry in entries}) > 1:
            modules = sorted({entry.module for entry in entries})
            entries = [entry for entry in entries if entry.module in self._settled]
            if len(entries) != 1:
                raise AmbiguousFeature(
                    f"{name!r} is defined differently by {' and '.join(modules)}; import the model from its "
                    "file, so that it carries its definitions, or name the list to use",
                    feature=name,
                )
        if not entries:
            return None
        patterns, words = self._collections(entries[0].dependent)
        # A list rests on NLTK's words, which only an artefact's own list may take the place of.
        return None if words else Bound(entries[0].dependent, patterns)

    def _candidates(self, name: str) -> list[tuple[str, str]]:
        modules = self._settled if self._lists is None else self._lists
        named = [(module.partition(".")[0], module.rpartition(".")[2]) for module in sorted(modules)]
        return named if self._lists is not None else list(dict.fromkeys([*catalogue.lists_of(name), *named]))

    @staticmethod
    def _collections(dependent: Any) -> tuple[frozenset[str], frozenset[str]]:
        patterns: set[str] = set()
        words: set[str] = set()
        for need in catalogue.with_needs([dependent]):
            name = str(need)
            for language in catalogue.languages_of(name):
                if f"{language}.stopwords." in name:
                    words.add(f"{language}.stopwords")
                elif (entry := catalogue.of_language(language).get(name)) and entry.patterns:
                    patterns.add(entry.patterns)
        return frozenset(patterns), frozenset(words)

    def _build(self, node: Node) -> Bound:
        prefix = "datasource" if node.kind in {"source", "mapper"} else "feature"
        if node.kind != "number" and (found := self._find(f"{prefix}.{node.text}")) is not None:
            return found
        parts = [self._build(part) for part in node.parts]
        values = [part.dependent for part in parts]
        match node.kind:
            case "operation" | "function":
                made = _operator(node, values)
            case "number":
                made = resources.module("features.feature").Constant(ast.literal_eval(node.word), node.word)
            case "aggregate":
                made = getattr(resources.module("features.meta.aggregators"), node.word)(values[0])
            case "test":
                made = _test(node, values[0])
            case "mapper":
                made = _mapper(node, values[0])
            case _:
                made = _method(node, prefix)
        # Made again, it must print what it was taken for; marks of an artefact's words aside.
        if printed_name(made) != canonical(f"{prefix}.{node.text}"):
            raise _Undefined
        return Bound(
            made,
            frozenset[str]().union(*(part.patterns for part in parts)),
            frozenset[str]().union(*(part.words for part in parts)),
        )


def _fingerprint(dependent: Any) -> str:
    (position,), definitions = describe([Mirror().of(dependent)])
    return fingerprints(definitions)[position]


def _operator(node: Node, values: list[Any]) -> Any:
    try:
        return getattr(resources.module("features.feature"), _OPERATORS[node.word])(*values)
    except (TypeError, ZeroDivisionError) as error:
        raise _Undefined from error


def _test(node: Node, source: Any) -> Any:
    literal = _literal(node.argument or "")
    return getattr(resources.module("features.meta.bools"), node.word)(literal, source, name=node.text)


def _mapper(node: Node, source: Any) -> Any:
    for module in ("dicts", "filters", "mappers", "frequencies"):
        held = resources.module(f"datasources.meta.{module}")
        made = getattr(held, node.word, None)
        if made is None:
            continue
        if node.word != "map":
            return made(source)
        if node.argument in {"len", "abs"}:
            return made({"len": len, "abs": abs}[node.argument], source)
    raise _Undefined


def _method(node: Node, prefix: str) -> Any:
    path, _, method = node.word.rpartition(".")
    if node.argument is None or method not in _METHODS:
        raise _Undefined
    owner = _owner(path)
    if prefix == "datasource":
        owner = getattr(owner, "datasources", None)
    if owner is None or not callable(getattr(type(owner), method, None)):
        raise _Undefined
    types = _METHODS[method]
    name = canonical(node.text)
    if types is None:
        return _matching(getattr(owner, method), node.argument, name)
    literal = _literal(f"({node.argument},)")
    if not isinstance(literal, tuple) or [type(item) for item in literal] != list(types):
        raise _Undefined
    try:
        return getattr(owner, method)(*literal, name=name)
    except (re.error, TypeError, AttributeError) as error:
        raise _Undefined from error


def _matching(method: Any, pattern: str, name: str) -> Any:
    try:
        return method(pattern, name=name)
    except (re.error, AttributeError) as error:
        raise _Undefined from error


def _owner(path: str) -> Any:
    for prefix, module in _OWNERS.items():
        if path == prefix or path.startswith(f"{prefix}."):
            owner: Any = resources.module(module).revision
            for attribute in path.removeprefix(prefix).split(".")[1:]:
                owner = getattr(owner, attribute, None)
            is_collection = isinstance(owner, resources.module("dependencies").DependentSet)
            return owner if is_collection and owner._name == path else None
    return None


def _literal(text: str) -> Any:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError) as error:
        raise _Undefined from error
