"""The nodes of wikitext without mwparserfromhell's tree: the tokens that the tree is built of say it all."""

import functools
import importlib
import re
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from msgspec import Struct

from models.engine.fallbacks import FALLBACKS
from models.engine.functions import of_revscoring
from models.engine.node_answer import KINDS, WikitextNodes
from models.engine.node_codes import are_sound, tokenized
from models.engine.node_parts import KnowParts, PageText
from models.engine.node_scan import ScannedNodes, scanned
from models.engine.node_tokens import TokenNodes
from models.engine.node_tree import TreeNodes

__all__ = ["KINDS", "WikitextNodes", "nodes_rule", "wikitext_nodes"]

Dependent = Any
"""One of revscoring's, which is untyped."""

_PARSED = "features.wikitext.datasources.parsed"
_FILTERS = "datasources.meta.filters"
_FIRST_STRINGS: Mapping[str, tuple[str, str]] = {
    "Heading": ("_extract_heading_title", "heading_titles"),
    "Wikilink": ("_extract_wikilink_title", "wikilink_titles"),
    "ExternalLink": ("_extract_external_link_url", "external_link_urls"),
    "Template": ("_extract_template_name", "template_names"),
    "Tag": ("_extract_tag_name", "tag_names"),
}
_WHOLE: Mapping[str, str] = {"Template": "templates", "Tag": "tags"}
_RETURNED = (int, float, bool)
# Longer texts are cut into parts rather than scanned as a whole at each edit.
_SHORT_CHARS = 8_000


def wikitext_nodes(text: Any) -> WikitextNodes:
    """Return the nodes of a text.

    Args:
        text: A string; None is no text. Anything else is left to mwparserfromhell.

    Raises:
        Exception: Whatever mwparserfromhell raises for this text.
    """
    if text is None:
        return TokenNodes("", [], b"")
    if isinstance(text, str):
        if (found := scanned(text)) is not None:
            return ScannedNodes(text, found)
        try:
            tokens, codes = tokenized(text)
        except KeyError:
            pass
        else:
            if are_sound(tokens, codes):
                return TokenNodes(text, tokens, codes)
    FALLBACKS.count("nodes")
    return TreeNodes(text)


def nodes_rule(dependent: Dependent) -> Dependent | None:
    """Return what computes one of revscoring's dependents on parsed wikitext from ``wikitext_nodes``.

    Known are the strings of headings, links, templates and tags, those of them that match a pattern, the
    content, and the numbers of all these and of headings of one level.

    Args:
        dependent: Any of revscoring's datasources and features.

    Returns:
        An equivalent one, over ``revstream.nodes`` of the same text; None where none is known.
    """
    if _is(dependent, "features.meta.aggregators", "AggregatorsScalar"):
        return _number(dependent)
    if _is(dependent, _PARSED, "execute_method"):
        return _content(dependent)
    if (mapped := _mapped(dependent)) is not None:
        _, name, text = mapped
        return _datasource(name, StringsOf(name), text)
    if (matching := _matching(dependent)) is not None:
        chosen, text = matching
        return _datasource(str(chosen), chosen, text)
    return None


class LateNodes:
    """The nodes of a text, found when they are first asked for: never, where all made of them is known.

    Args:
        page: The text, and what is known of its page.
    """

    def __init__(self, page: PageText) -> None:
        self._page = page

    @functools.cached_property
    def found(self) -> WikitextNodes:
        """The nodes."""
        text = self._page.text
        if isinstance(text, str) and len(text) <= _SHORT_CHARS and (counted := scanned(text)) is not None:
            return ScannedNodes(text, counted, self._read)
        return self._read()

    def _read(self) -> WikitextNodes:
        text = self._page.text
        cut = self._page.known.cut_if_worth(text) if isinstance(text, str) else None
        return wikitext_nodes(text) if cut is None else cut


class Parse(Struct, frozen=True):
    """Gives the nodes of a text. They hold its tokens, which are too large to keep."""

    is_lasting: ClassVar[bool] = False

    def __call__(self, page: PageText) -> LateNodes:
        """Return them."""
        return LateNodes(page)


class StringsOf(Struct, frozen=True):
    """Gives one of the properties of ``WikitextNodes``. Those who read the list may change it."""

    name: str
    is_lasting: ClassVar[bool] = False

    def __call__(self, nodes: LateNodes) -> Any:
        """Return it, of a list a new one."""
        found = getattr(nodes.found, self.name)
        return list(found) if isinstance(found, list) else found


class MatchingOf(Struct, frozen=True):
    """Gives the strings whose beginning matches. Those who read the list may change it."""

    name: str
    pattern: re.Pattern[str]
    is_lasting: ClassVar[bool] = False

    def __str__(self) -> str:
        return f"{self.name} matching {self.pattern.pattern!r} {self.pattern.flags}"

    def __call__(self, nodes: LateNodes) -> list[str]:
        """Return them in their order."""
        return nodes.found.matching(self.name, self.pattern)


class NumberOf(Struct, frozen=True):
    """Gives the number of nodes of a kind."""

    kind: str
    returns: Callable[[int], Any]

    def __call__(self, nodes: LateNodes) -> Any:
        """Return it."""
        return self.returns(nodes.found.count(self.kind))


class NumberOfLevel(Struct, frozen=True):
    """Gives the number of headings of a level."""

    level: int
    returns: Callable[[int], Any]

    def __call__(self, nodes: LateNodes) -> Any:
        """Return it."""
        return self.returns(nodes.found.heading_levels.count(self.level))


class NumberMatching(Struct, frozen=True):
    """Gives the number of strings whose beginning matches."""

    chosen: MatchingOf
    returns: Callable[[int], Any]

    def __call__(self, nodes: LateNodes) -> Any:
        """Return it."""
        return self.returns(len(self.chosen(nodes)))


def _number(dependent: Dependent) -> Dependent | None:
    returns = dependent.returns
    if dependent.func is not len or returns not in _RETURNED:
        return None
    (items,) = dependent.dependencies
    if (nodes := _nodes(items) or _mapped(items)) is not None:
        kind, text = nodes[0], nodes[-1]
        return _feature(f"number_of({kind})", NumberOf(kind, returns), returns, text)
    if (matching := _matching(items)) is not None:
        chosen, text = matching
        return _feature(f"number_of({chosen})", NumberMatching(chosen, returns), returns, text)
    if (heading := _headings_of_level(items)) is not None:
        level, text = heading
        return _feature(f"number_of(Heading, {level})", NumberOfLevel(level, returns), returns, text)
    return None


def _content(dependent: Dependent) -> Dependent | None:
    if dependent.method_name != "strip_code" or dependent.args or dependent.kwargs:
        return None
    text = _text_of_code(dependent.dependencies[0])
    return None if text is None else _datasource("content", StringsOf("content"), text)


def _nodes(dependent: Dependent) -> tuple[str, Dependent] | None:
    """Recognise the list of all nodes of a kind; return the kind and the text."""
    if not _is(dependent, _PARSED, "get_key") or dependent.default != []:
        return None
    (node_map,) = dependent.dependencies
    if not _runs(node_map, "_process_node_class_map"):
        return None
    text = _text_of_code(node_map.dependencies[0])
    kind = getattr(dependent.key, "__name__", None)
    if text is None or kind not in KINDS or dependent.key is not _class_of_nodes(kind):
        return None
    return kind, text


def _mapped(dependent: Dependent) -> tuple[str, str, Dependent] | None:
    """Recognise a string for every node of a kind; return the kind, what the strings are, and the text."""
    if not _is(dependent, "datasources.meta.mappers", "map"):
        return None
    nodes = _nodes(dependent.dependencies[0])
    if nodes is None:
        return None
    kind, text = nodes
    if dependent.apply is str and kind in _WHOLE:
        return kind, _WHOLE[kind], text
    if kind in _FIRST_STRINGS and dependent.apply is of_revscoring(_PARSED, _FIRST_STRINGS[kind][0]):
        return kind, _FIRST_STRINGS[kind][1], text
    return None


def _matching(dependent: Dependent) -> tuple[MatchingOf, Dependent] | None:
    if not _is(dependent, _FILTERS, "regex_matching") or dependent.inverse:
        return None
    pattern = dependent.regex
    if not isinstance(pattern, re.Pattern) or dependent.include != pattern.match:
        return None
    mapped = _mapped(dependent.dependencies[0])
    return None if mapped is None else (MatchingOf(mapped[1], pattern), mapped[2])


def _headings_of_level(dependent: Dependent) -> tuple[int, Dependent] | None:
    if not _is(dependent, _FILTERS, "filter") or dependent.inverse:
        return None
    asked: Any = getattr(dependent.include, "__self__", None)
    of_level: Any = of_revscoring(_PARSED, "HeadingOfLevel")
    if type(asked) is not of_level or dependent.include.__func__ is not of_level.filter:
        return None
    nodes = _nodes(dependent.dependencies[0])
    return None if nodes is None or nodes[0] != "Heading" else (asked.level, nodes[1])


def _text_of_code(dependent: Dependent) -> Dependent | None:
    return dependent.dependencies[0] if _runs(dependent, "_process_wikicode") else None


def _class_of_nodes(kind: str) -> Any:
    return getattr(importlib.import_module("mwparserfromhell.nodes"), kind)


def _is(dependent: Dependent, module: str, name: str) -> bool:
    """Tell whether it is of this class of revscoring and does what the class does."""
    kind = of_revscoring(module, name)
    process = getattr(dependent, "process", None)
    return type(dependent) is kind and getattr(process, "__func__", None) is kind.process


def _runs(dependent: Dependent, function: str) -> bool:
    return getattr(dependent, "process", None) is of_revscoring(_PARSED, function)


def nodes_of(text: Dependent) -> Dependent:
    """Return the datasource of the nodes of a text."""
    datasource = of_revscoring("datasources.datasource", "Datasource")
    parts = datasource(f"revstream.parts({text})", KnowParts(), depends_on=[text])
    return datasource(f"revstream.nodes({text})", Parse(), depends_on=[parts])


def _datasource(name: str, process: Any, text: Dependent) -> Dependent:
    datasource = of_revscoring("datasources.datasource", "Datasource")
    return datasource(f"revstream.{name}({text})", process, depends_on=[nodes_of(text)])


def _feature(name: str, process: Any, returns: type, text: Dependent) -> Dependent:
    nodes = _datasource(name, process, text).dependencies
    return of_revscoring("features.feature", "Feature")(
        f"revstream.{name}({text}, {returns.__name__})", process, returns=returns, depends_on=nodes
    )
