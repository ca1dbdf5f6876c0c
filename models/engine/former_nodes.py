"""Headings, links, tags and templates as revscoring counted them before release 1.0, without a tree."""

from collections.abc import Mapping
from typing import Any, Final

from msgspec import Struct

from models.engine.nodes import LateNodes, StringsOf, nodes_of
from models.engine.rules import feature_like, source
from models.features.former_markup import HeadingsOf, Matching, Nodes, content, parsed

_STRINGS: Final[Mapping[tuple[str, str], str]] = {
    ("Wikilink", "title"): "wikilink_titles",
    ("Template", "name"): "template_names",
    ("Tag", "tag"): "tag_names",
}


def former_nodes_rule(node: Any) -> Any:
    """Return what computes a node that reads a tree from the tokens that it would be built of, or None."""
    process = getattr(node, "process", None)
    if process is content:
        text = _text_of_tree(node.dependencies[0])
        return None if text is None else source(f"content({text})", StringsOf("content"), nodes_of(text))
    if getattr(node, "returns", None) is not int or len(node.dependencies) != 1:
        return None
    (below,) = node.dependencies
    listed = getattr(below, "process", None)
    if not isinstance(listed, Nodes):
        return None
    text = _text_of_tree(below.dependencies[0])
    counting = _counting(process, listed.kind)
    return None if text is None or counting is None else feature_like(node, counting, nodes_of(text))


def _counting(process: Any, kind: str) -> Any:
    """Return what does the same to the nodes of a text as a process to those of a kind; None if unknown."""
    if process is len:
        return Number(kind)
    if isinstance(process, HeadingsOf) and kind == "Heading":
        return NumberOfLevel(process.level)
    if isinstance(process, Matching) and kind == process.kind:
        return NumberMatching(_STRINGS[process.kind, process.attribute], process)
    return None


class Number(Struct, frozen=True):
    """Counts the nodes of a kind."""

    kind: str

    def __call__(self, nodes: LateNodes) -> int:
        """Return the number."""
        return nodes.found.count(self.kind)


class NumberOfLevel(Struct, frozen=True):
    """Counts headings of a level."""

    level: int

    def __call__(self, nodes: LateNodes) -> int:
        """Return the number."""
        return nodes.found.heading_levels.count(self.level)


class NumberMatching(Struct, frozen=True):
    """Counts nodes of which a string matches.

    Attributes:
        name: Of the property of ``WikitextNodes`` with these strings.
        matching: What matches.
    """

    name: str
    matching: Matching

    def __call__(self, nodes: LateNodes) -> int:
        """Return the number."""
        return sum(bool(self.matching.find(string)) for string in getattr(nodes.found, self.name))


def _text_of_tree(node: Any) -> Any:
    return node.dependencies[0] if getattr(node, "process", None) is parsed else None
