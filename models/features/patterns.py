"""Word lists of revscoring's languages: their hashes, and what they make of NLTK's lists."""

import hashlib
from collections.abc import Callable

import msgspec

from models import resources
from schemas.errors import ModelIncompatible, ResourceMissing


def pattern_list_sha512(collection: str) -> str:
    """Hash the regular expressions of a collection in the installed revscoring.

    Args:
        collection: ``english.badwords``.

    Raises:
        ModelIncompatible: There is no such collection.
    """
    language, _, attribute = collection.partition(".")
    matches = (
        getattr(resources.language(language), attribute, None) if language in resources.languages() else None
    )
    if matches is None or not hasattr(matches, "_match_list"):
        raise ModelIncompatible(
            f"the model reads the patterns of {collection}, which the installed revscoring does not have; "
            "install the version that the artefact's environment names",
            feature=collection,
        )
    content = msgspec.json.encode([matches._match_list, matches._exclusions])
    return hashlib.sha512(content).hexdigest()


def words_of_nltk(collection: str, nltk_words: Callable[[str], frozenset[str]]) -> frozenset[str]:
    """Compute the words that revscoring makes of NLTK's list and of its own additions.

    Args:
        collection: ``french.stopwords``.
        nltk_words: Gives NLTK's list of a language.

    Raises:
        ResourceMissing: The language has no stop words.
    """
    language = collection.partition(".")[0]
    collected = getattr(resources.language(language), "stopwords", None)
    if collected is None:
        raise ResourceMissing(f"revscoring's language {language!r} has no stop words", path=collection)
    words = frozenset(collected.revision.diff.datasources.is_stopword.stopword_set)
    marks = {word for word in words if word.startswith(resources.NLTK_MARK)}
    lists = [nltk_words(mark.removeprefix(resources.NLTK_MARK)) for mark in marks]
    return (words - marks).union(*lists)
