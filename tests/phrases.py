"""flashtext's processors of lists of phrases."""

from collections.abc import Sequence
from typing import Any

from models import resources


def processor(phrases: Sequence[str]) -> Any:
    """Return one for a list, as revscoring makes it."""
    return resources.module("datasources.meta.extractors").trie(list(phrases)).word_processor


def english_idioms() -> Any:
    """Return the one of revscoring's English idioms."""
    return resources.language("english").idioms.revision.datasources.matches.process.__self__.word_processor
