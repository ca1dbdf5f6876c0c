"""Headings, links, tags and templates of a page, as revscoring counted them before release 1.0."""

import importlib
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

_FEATURES = "revscoring.features.revision."
_SOURCES = "revscoring.datasources."
_CATEGORY = re.compile("category:", re.IGNORECASE)
_IMAGE = re.compile("(?:file|image):", re.IGNORECASE)
_CITE = re.compile("cite", re.IGNORECASE)
_INFOBOX = re.compile("infobox|sidebar", re.IGNORECASE)
# Headings of level six were counted by those of level five.
_COUNTED_LEVELS = {1: 1, 2: 2, 3: 3, 4: 4, 5: 5, 6: 5}


def _parsed(text: str | None) -> Any:
    return importlib.import_module("mwparserfromhell").parse(text or "")


def _headings_of(level: int) -> Callable[[Iterable[Any]], int]:
    return lambda headings: sum(heading.level == level for heading in headings)


def _matching(read: Callable[[Any], Any], find: Callable[[str], Any]) -> Callable[[Iterable[Any]], int]:
    return lambda nodes: sum(find(str(read(node))) is not None for node in nodes)


FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    f"{_SOURCES}revision.process_parse_tree": _parsed,
    f"{_SOURCES}parent_revision.process_parse_tree": _parsed,
    f"{_SOURCES}revision.process_content": lambda tree: str(tree.strip_code()),
    f"{_SOURCES}revision.process_headings": lambda tree: tree.filter_headings(),
    f"{_SOURCES}revision.process_internal_links": lambda tree: tree.filter_wikilinks(),
    f"{_SOURCES}revision.process_tags": lambda tree: tree.filter_tags(),
    f"{_SOURCES}revision.process_templates": lambda tree: tree.filter_templates(),
    **{
        f"{_FEATURES}process_level_{level}_headings": _headings_of(counted)
        for level, counted in _COUNTED_LEVELS.items()
    },
    f"{_FEATURES}process_content_chars": len,
    f"{_FEATURES}process_internal_links": len,
    f"{_FEATURES}process_templates": len,
    f"{_FEATURES}process_image_links": _matching(lambda link: link.title, _IMAGE.match),
    f"{_FEATURES}process_category_links": _matching(lambda link: link.title, _CATEGORY.match),
    f"{_FEATURES}ref_tags_process": lambda tags: sum(tag.tag == "ref" for tag in tags),
    f"{_FEATURES}process_cite_templates": _matching(lambda template: template.name, _CITE.search),
    f"{_FEATURES}process_infobox_templates": _matching(lambda template: template.name, _INFOBOX.search),
}
