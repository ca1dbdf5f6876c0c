"""The words that the features of a model in training read."""

import hashlib
from pathlib import Path

from models import resources
from models.features.patterns import words_of_nltk
from models.manifest import WordList
from schemas.errors import ResourceMissing


class TrainingWords:
    """Gives the words of collections out of NLTK's archive, and remembers which were asked for.

    Args:
        archive: Zip of NLTK's stop-word corpus; None where the features need none.
    """

    def __init__(self, archive: Path | None) -> None:
        self._archive = archive
        self.read: dict[str, frozenset[str]] = {}

    def __call__(self, collection: str) -> frozenset[str]:
        """Return the words of a collection, ``english.stopwords``.

        Raises:
            ResourceMissing: There is no archive, or it lacks the language.
        """
        if collection not in self.read:
            self.read[collection] = words_of_nltk(collection, self._nltk_words)
        return self.read[collection]

    def files(self) -> dict[str, frozenset[str]]:
        """Return what was asked for, by path in the artefact."""
        return {_file(collection): words for collection, words in self.read.items()}

    def described(self) -> dict[str, WordList]:
        """Return what was asked for, as a manifest tells it, by collection."""
        return {collection: WordList(_file(collection), self._source()) for collection in sorted(self.read)}

    def _nltk_words(self, language: str) -> frozenset[str]:
        if self._archive is None:
            raise ResourceMissing(
                f"a feature reads the stop words of {language}; name a zip of NLTK's stopwords corpus "
                "(stopwords.zip of nltk_data)",
                path=language,
            )
        return resources.nltk_words(self._archive, language)

    def _source(self) -> str:
        if self._archive is None:
            return "revscoring"
        return f"{self._archive.name}, sha512 {hashlib.sha512(self._archive.read_bytes()).hexdigest()}"


def _file(collection: str) -> str:
    return f"word_lists/{collection}.txt"
