"""The answers of mwparserfromhell's own tree, for the texts where its tokens alone prove nothing."""

import functools
import importlib
from collections import Counter
from collections.abc import Sequence
from typing import Any

from models.engine.node_answer import KINDS, WikitextNodes


class TreeNodes(WikitextNodes):
    """Answers from the tree.

    Args:
        text: Whatever ``mwparserfromhell.parse`` takes.

    Raises:
        Exception: Whatever mwparserfromhell raises.
    """

    def __init__(self, text: Any) -> None:
        self._code = importlib.import_module("mwparserfromhell").parse(text)
        self._nodes = self._code.filter()
        self._counts = Counter(type(node).__name__ for node in self._nodes)

    def count(self, kind: str) -> int:
        """Return how many nodes there are of one of ``KINDS``."""
        if kind not in KINDS:
            raise KeyError(kind)
        return self._counts[kind]

    @functools.cached_property
    def heading_levels(self) -> Sequence[int]:
        """The level of every heading."""
        return [node.level for node in self._of("Heading")]

    @functools.cached_property
    def heading_titles(self) -> Sequence[str]:
        """The title of every heading, without space at its ends."""
        return [str(node.title).strip() for node in self._of("Heading")]

    @functools.cached_property
    def wikilink_titles(self) -> Sequence[str]:
        """The target of every internal link."""
        return [str(node.title) for node in self._of("Wikilink")]

    @functools.cached_property
    def external_link_urls(self) -> Sequence[str]:
        """The address of every external link."""
        return [str(node.url) for node in self._of("ExternalLink")]

    @functools.cached_property
    def template_names(self) -> Sequence[str]:
        """The name of every template."""
        return [str(node.name) for node in self._of("Template")]

    @functools.cached_property
    def tag_names(self) -> Sequence[str]:
        """The name of every tag."""
        return [str(node.tag) for node in self._of("Tag")]

    @functools.cached_property
    def templates(self) -> Sequence[str]:
        """Every template in full."""
        return list(map(str, self._of("Template")))

    @functools.cached_property
    def tags(self) -> Sequence[str]:
        """Every tag in full."""
        return list(map(str, self._of("Tag")))

    @functools.cached_property
    def content(self) -> str:
        """The text that a reader sees."""
        return str(self._code.strip_code())

    def _of(self, kind: str) -> list[Any]:
        return [node for node in self._nodes if type(node).__name__ == kind]
