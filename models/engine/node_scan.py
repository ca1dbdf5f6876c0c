"""The nodes of wikitext that is read once from its beginning to its end, without the parser's tokens.

mwparserfromhell tries what may open a node, and goes back where nothing closes it. In most texts a few rules
say how that ends. These are counted by ``models.engine.node_scan_of``, or by the same in C, at a tenth of the
cost of the parser's tokens; whoever scans tells where he meets anything else, and then the parser reads the
text. What is asked beyond counts is read from the parser's tokens as well.
"""

import functools
import importlib
import re
from collections.abc import Callable, Sequence
from typing import Final

from models.engine import node_scan_spans as spans
from models.engine.characters import known_classes
from models.engine.node_answer import KINDS, WikitextNodes
from models.engine.node_codes import tokenized
from models.engine.node_scan_of import Scanned, scan_nodes_of
from models.engine.node_tokens import TokenNodes
from models.native import native

# How others read is not known.
_VERSIONS: Final = frozenset({"0.6.6"})
_PLACES: Final = {kind: place for place, kind in enumerate(KINDS)}


def scanned(text: str) -> Scanned | None:
    """Count the nodes of a text; return None where that takes the parser."""
    if not _is_parser_known():
        return None
    return scan_nodes_of(text) if native is None else native.scan_nodes(text, known_classes())


class ScannedNodes(WikitextNodes):
    """Answers from what was counted, and from the parser's tokens.

    Args:
        text: What was scanned.
        found: What came of it.
        read: Gives what is not known of it; without it, the parser's tokens do.

    Attributes:
        text: What was scanned.
        heading_levels: The level of every heading.
        tag_names: The name of every tag.
    """

    heading_levels: Sequence[int] = ()
    tag_names: Sequence[str] = ()

    def __init__(self, text: str, found: Scanned, read: Callable[[], WikitextNodes] | None = None) -> None:
        self.text = text
        self._read = read
        self._counts, self.heading_levels, self.tag_names, self._is_closed = found

    def count(self, kind: str) -> int:
        """Return how many nodes there are of one of ``KINDS``."""
        return self._counts[_PLACES[kind]]

    @property
    def heading_titles(self) -> Sequence[str]:
        """The title of every heading, without space at its ends."""
        return self._others.heading_titles

    @property
    def wikilink_titles(self) -> Sequence[str]:
        """The target of every internal link."""
        return self._others.wikilink_titles

    @property
    def external_link_urls(self) -> Sequence[str]:
        """The address of every external link."""
        return self._others.external_link_urls

    @property
    def template_names(self) -> Sequence[str]:
        """The name of every template."""
        return self._others.template_names

    @property
    def templates(self) -> Sequence[str]:
        """Every template in full."""
        return self._others.templates

    @property
    def tags(self) -> Sequence[str]:
        """Every tag in full."""
        return self._others.tags

    @property
    def content(self) -> str:
        """The text that a reader sees."""
        return self._others.content

    def shown(self) -> str:
        """Return what is to be collapsed to ``content``.

        Raises:
            Unproven: The tokens do not tell.
        """
        return self._tokens.shown()

    def are_closed(self) -> bool:
        """Tell whether the nodes are known to stay the same, whatever follows the text."""
        return self._is_closed

    def matching(self, name: str, pattern: re.Pattern[str]) -> list[str]:
        """Return those of the strings of a property whose beginning matches, in their order."""
        if name == "tag_names":
            return [tag for tag in self.tag_names if pattern.match(tag)]
        return self._others.matching(name, pattern)

    @functools.cached_property
    def _others(self) -> WikitextNodes:
        return self._tokens if self._read is None else self._read()

    @functools.cached_property
    def _tokens(self) -> TokenNodes:
        return TokenNodes(self.text, *tokenized(self.text))


@functools.cache
def _is_parser_known() -> bool:
    """Tell whether the installed parser reads as is known here."""
    parser = importlib.import_module("mwparserfromhell.parser")
    definitions = importlib.import_module("mwparserfromhell.definitions")
    return (
        importlib.import_module("mwparserfromhell").__version__ in _VERSIONS
        and parser.use_c
        and {name for name, needs_slashes in definitions.URI_SCHEMES.items() if needs_slashes}
        == spans.SCHEMES_WITH_SLASHES
        and set(definitions.URI_SCHEMES) == spans.SCHEMES_WITH_SLASHES | spans.SCHEMES
        and set(definitions.PARSER_BLACKLIST) == spans.UNPARSED_TAGS
        and set(definitions.SINGLE_ONLY) == spans.VOID_TAGS
        and set(definitions.SINGLE) == spans.VOID_TAGS | spans.OPTIONAL_TAGS
    )
