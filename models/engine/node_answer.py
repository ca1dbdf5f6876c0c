"""What revscoring's features ask of the nodes of one text."""

import re
from abc import ABC, abstractmethod
from collections.abc import Sequence

KINDS = ("Heading", "Wikilink", "ExternalLink", "Template", "Tag", "Argument", "Comment", "HTMLEntity")
"""mwparserfromhell's classes of nodes that are counted."""


class WikitextNodes(ABC):
    """The nodes of one text, in the order of mwparserfromhell's ``filter()``: outer ones first.

    An answer may hold the parser's tokens of the whole text, a few hundred bytes each: keep what was asked
    of it rather than itself.
    """

    @abstractmethod
    def count(self, kind: str) -> int:
        """Return how many nodes there are of one of ``KINDS``.

        Raises:
            KeyError: It is none of them.
        """

    @property
    @abstractmethod
    def heading_levels(self) -> Sequence[int]:
        """The level of every heading, 1 to 6."""

    @property
    @abstractmethod
    def heading_titles(self) -> Sequence[str]:
        """The title of every heading, without space at its ends."""

    @property
    @abstractmethod
    def wikilink_titles(self) -> Sequence[str]:
        """The target of every internal link."""

    @property
    @abstractmethod
    def external_link_urls(self) -> Sequence[str]:
        """The address of every external link."""

    @property
    @abstractmethod
    def template_names(self) -> Sequence[str]:
        """The name of every template, with the space around it."""

    @property
    @abstractmethod
    def tag_names(self) -> Sequence[str]:
        """The name of every tag; tables, lists and bold or italic text have those of HTML."""

    @property
    @abstractmethod
    def templates(self) -> Sequence[str]:
        """Every template in full."""

    @property
    @abstractmethod
    def tags(self) -> Sequence[str]:
        """Every tag in full."""

    @property
    @abstractmethod
    def content(self) -> str:
        """The text that a reader sees: no templates, no markup."""

    def matching(self, name: str, pattern: re.Pattern[str]) -> list[str]:
        """Return those of the strings of a property whose beginning matches, in their order."""
        strings: Sequence[str] = getattr(self, name)
        matching = set(filter(pattern.match, set(strings)))
        return [string for string in strings if string in matching]
