"""Headings, links, tags and templates of a page, as revscoring counted them before release 1.0."""

import importlib
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from msgspec import Struct

_FEATURES = "revscoring.features.revision."
_SOURCES = "revscoring.datasources."
_CATEGORY = re.compile("category:", re.IGNORECASE)
_IMAGE = re.compile("(?:file|image):", re.IGNORECASE)
_CITE = re.compile("cite", re.IGNORECASE)
_INFOBOX = re.compile("infobox|sidebar", re.IGNORECASE)
# Headings of level six were counted by those of level five.
_COUNTED_LEVELS = {1: 1, 2: 2, 3: 3, 4: 4, 5: 5, 6: 5}


def parsed(text: str | None) -> Any:
    """Return the tree of a text; None is empty."""
    return importlib.import_module("mwparserfromhell").parse(text or "")


def content(tree: Any) -> str:
    """Return what a reader sees."""
    return str(tree.strip_code())


class Nodes(Struct, frozen=True):
    """Finds the nodes of a kind in a tree.

    Attributes:
        kind: Name of mwparserfromhell's class.
    """

    kind: str

    def __call__(self, tree: Any) -> list[Any]:
        """Return them in their order."""
        return list(getattr(tree, f"filter_{self.kind.lower()}s")())


class HeadingsOf(Struct, frozen=True):
    """Counts headings of a level."""

    level: int

    def __call__(self, headings: Iterable[Any]) -> int:
        """Return the number."""
        return sum(heading.level == self.level for heading in headings)


class Matching(Struct, frozen=True):
    """Counts the nodes of which a string matches.

    Attributes:
        kind: Of the nodes, as in ``Nodes``.
        attribute: Of a node, that holds the string.
        find: Whether it matches.
    """

    kind: str
    attribute: str
    find: Callable[[str], Any]

    def __call__(self, nodes: Iterable[Any]) -> int:
        """Return the number."""
        return sum(bool(self.find(str(getattr(node, self.attribute)))) for node in nodes)


FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    f"{_SOURCES}revision.process_parse_tree": parsed,
    f"{_SOURCES}parent_revision.process_parse_tree": parsed,
    f"{_SOURCES}revision.process_content": content,
    f"{_SOURCES}revision.process_headings": Nodes("Heading"),
    f"{_SOURCES}revision.process_internal_links": Nodes("Wikilink"),
    f"{_SOURCES}revision.process_tags": Nodes("Tag"),
    f"{_SOURCES}revision.process_templates": Nodes("Template"),
    **{
        f"{_FEATURES}process_level_{level}_headings": HeadingsOf(counted)
        for level, counted in _COUNTED_LEVELS.items()
    },
    f"{_FEATURES}process_content_chars": len,
    f"{_FEATURES}process_internal_links": len,
    f"{_FEATURES}process_templates": len,
    f"{_FEATURES}process_image_links": Matching("Wikilink", "title", _IMAGE.match),
    f"{_FEATURES}process_category_links": Matching("Wikilink", "title", _CATEGORY.match),
    f"{_FEATURES}ref_tags_process": Matching("Tag", "tag", "ref".__eq__),
    f"{_FEATURES}process_cite_templates": Matching("Template", "name", _CITE.search),
    f"{_FEATURES}process_infobox_templates": Matching("Template", "name", _INFOBOX.search),
}
