"""What an edit added and removed, by the engine and by ``models.features``, in one form."""

from typing import Any

from models.engine.document import Document
from models.engine.former_changes import change_between
from models.engine.former_pieces import Pieces
from models.engine.former_tokens import lexicon
from models.features.former_diff import Difference, difference
from models.features.former_tokens import tokenise

# Release of deltas that cuts texts into tokens, and release that compares these.
WAYS = (("0.1.1", "0.1.1"), ("0.3.1", "0.3.0"), ("0.3.1", "0.3.1"), ("0.3.3", "0.3.1"), ("0.3.8", "0.3.1"))


def pieces(release: str) -> Pieces:
    """Return an analysis that finds paragraphs."""
    analysis = Pieces(lexicon(release))
    analysis.has_paragraphs = True
    return analysis


def told(found: Difference) -> list[Any]:
    """Return the runs of tokens with their types."""
    return [
        [[(str(token), token.type) for token in run] for run in runs] for runs in (found.added, found.removed)
    ]


def by_engine(before: Document, after: Document, tokens: str, release: str) -> list[Any]:
    """Compare two documents as the engine does."""
    return told(change_between(before, after, lexicon(tokens), release))


def by_features(before: str, after: str, tokens: str, release: str) -> list[Any]:
    """Compare two texts as ``models.features`` does."""
    return told(difference(tokenise(before, tokens), tokenise(after, tokens), release))
