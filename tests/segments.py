"""Segments as revscoring makes them of a text."""

import re
from typing import Any, Final

from models import resources

WITHOUT_REFERENCE: Final = re.compile(r"^(?!\s*$)((?!<ref>)(.|\n))*$", re.IGNORECASE)
"""With which lists of article quality tell paragraphs without references."""


def segments_of_revscoring() -> Any:
    """Return revscoring's datasource of the strings of a revision's segments."""
    wikitext = resources.module("features.wikitext").revision.datasources
    mappers = resources.module("datasources.meta.mappers")
    return mappers.map(str, wikitext.paragraphs_sentences_and_whitespace)


def revscorings_segments(text: str) -> list[str]:
    """Return what it gives for a text."""
    solve = resources.module("dependencies").solve
    found: list[str] = solve(segments_of_revscoring(), cache={"datasource.revision.text": text})
    return found
