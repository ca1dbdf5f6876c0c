"""The nodes of a text that was cut into parts."""

import functools
import re
from collections.abc import Callable, Sequence
from typing import Any, Final

from models.engine.fallbacks import FALLBACKS
from models.engine.node_answer import KINDS, WikitextNodes
from models.engine.node_codes import tokenized
from models.engine.node_content import collapsed
from models.engine.node_scan import ScannedNodes
from models.engine.node_strings import Unproven
from models.engine.node_tokens import TokenNodes
from models.engine.node_tree import TreeNodes

_KIND_OF: Final = {
    "heading_titles": "Heading",
    "wikilink_titles": "Wikilink",
    "external_link_urls": "ExternalLink",
    "template_names": "Template",
    "tag_names": "Tag",
    "templates": "Template",
    "tags": "Tag",
}


PartNodes = TokenNodes | ScannedNodes


class Part:
    """Some lines of a text, with what was asked of their nodes.

    Attributes:
        text: The lines.
        counts: How many nodes there are of each of ``KINDS``.
        answers: By what was asked.
    """

    __slots__ = ("answers", "counts", "text")

    def __init__(self, text: str, nodes: PartNodes) -> None:
        self.text = text
        self.counts = tuple(map(nodes.count, KINDS))
        self.answers: dict[Any, Any] = {}


class Cut(WikitextNodes):
    """The nodes of a text that was cut into parts.

    Args:
        text: All of it.
        parts: In order; joined, they are the text.
        opened: The tokens of some.
    """

    def __init__(self, text: str, parts: Sequence[Part], opened: dict[Part, PartNodes]) -> None:
        self._text = text
        self._parts = parts
        self._opened = opened

    def count(self, kind: str) -> int:
        """Return how many nodes there are of one of ``KINDS``."""
        return self._counts[kind]

    @functools.cached_property
    def _counts(self) -> dict[str, int]:
        columns = (
            zip(*[part.counts for part in self._parts], strict=True) if self._parts else [()] * len(KINDS)
        )
        return dict(zip(KINDS, map(sum, columns), strict=True))

    @property
    def heading_levels(self) -> list[int]:
        """The level of every heading."""
        return self._listed("heading_levels", "Heading")

    @property
    def heading_titles(self) -> list[str]:
        """The title of every heading, without space at its ends."""
        return self._listed("heading_titles", "Heading")

    @property
    def wikilink_titles(self) -> list[str]:
        """The target of every internal link."""
        return self._listed("wikilink_titles", "Wikilink")

    @property
    def external_link_urls(self) -> list[str]:
        """The address of every external link."""
        return self._listed("external_link_urls", "ExternalLink")

    @property
    def template_names(self) -> list[str]:
        """The name of every template."""
        return self._listed("template_names", "Template")

    @property
    def tag_names(self) -> list[str]:
        """The name of every tag."""
        return self._listed("tag_names", "Tag")

    @property
    def templates(self) -> list[str]:
        """Every template in full."""
        return self._listed("templates", "Template")

    @property
    def tags(self) -> list[str]:
        """Every tag in full."""
        return self._listed("tags", "Tag")

    @functools.cached_property
    def content(self) -> str:
        """The text that a reader sees."""
        try:
            return collapsed(
                [self._answer(part, "content", lambda nodes: nodes.shown()) for part in self._parts]
            )
        except Unproven:
            FALLBACKS.count("nodes")
            return TreeNodes(self._text).content

    def matching(self, name: str, pattern: re.Pattern[str]) -> list[str]:
        """Return those of the strings of a property whose beginning matches, in their order."""
        kind = _KIND_OF[name]

        def ask(nodes: PartNodes) -> list[str]:
            return nodes.matching(name, pattern)

        return self._joined((name, pattern), kind, ask)

    def _listed(self, name: str, kind: str) -> list[Any]:
        return self._joined(name, kind, lambda nodes: list(getattr(nodes, name)))

    def _joined(self, key: Any, kind: str, ask: Callable[[PartNodes], list[Any]]) -> list[Any]:
        column = KINDS.index(kind)
        joined: list[Any] = []
        for part in self._parts:
            if part.counts[column]:
                joined += self._answer(part, key, ask)
        return joined

    def _answer(self, part: Part, key: Any, ask: Callable[[PartNodes], Any]) -> Any:
        if key not in part.answers:
            nodes = self._opened.get(part)
            if nodes is None:
                nodes = self._opened[part] = TokenNodes(part.text, *tokenized(part.text))
            part.answers[key] = ask(nodes)
        return part.answers[key]


def _shown(nodes: PartNodes) -> str:
    return nodes.shown()
