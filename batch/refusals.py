"""What it means that a dump does not give a text."""

from typing import Protocol, TypeVar

from batch.local_index import TextState
from schemas.errors import ContentTooLarge, ParentNotFound, RevisionDeleted, RevisionNotFound


class Read(Protocol):
    """A text, or why there is none."""

    @property
    def rev_id(self) -> int:
        """Of which revision."""

    @property
    def state(self) -> TextState:
        """Whether it is there."""


Found = TypeVar("Found", bound=Read)


class Refusals:
    """Raises what the lack of a text means, in the same words wherever a dump is read.

    Args:
        source: Name of the dump.
        max_text_bytes: Size from which texts were dropped.
    """

    def __init__(self, source: str, max_text_bytes: int) -> None:
        self._source = source
        self._max_text_bytes = max_text_bytes

    def require_text(self, text: Read, wiki_id: str, rev_id: int) -> None:
        """Return if a text is there.

        Args:
            text: Of the revision, or of its parent.
            wiki_id: Database name.
            rev_id: The revision that is wanted.

        Raises:
            RevisionDeleted: It is hidden.
            ContentTooLarge: It is larger than the limit.
            RevisionNotFound: The dump has none.
        """
        if text.state is TextState.HIDDEN:
            raise RevisionDeleted(
                f"the text of revision {text.rev_id} is hidden in {self._source}: an administrator deleted "
                "or suppressed it",
                wiki_id=wiki_id,
                rev_id=rev_id,
            )
        if text.state is TextState.TOO_LARGE:
            raise ContentTooLarge(
                f"the text of revision {text.rev_id} is larger than the limit of {self._max_text_bytes} "
                "bytes; raise the limit if it should be scored",
                wiki_id=wiki_id,
                rev_id=rev_id,
            )
        if text.state is TextState.LEFT_OUT:
            raise RevisionNotFound(
                f"{self._source} gives no text of revision {text.rev_id}: it is a stub dump; use one with "
                "page content",
                wiki_id=wiki_id,
                rev_id=rev_id,
            )

    def require_parent(self, found: Found | None, wiki_id: str, rev_id: int, rev_parent_id: int) -> Found:
        """Return the text of a parent if it is there.

        Args:
            found: None where the dump does not have that revision.
            wiki_id: Database name.
            rev_id: The revision that is wanted.
            rev_parent_id: Its parent.

        Raises:
            ParentNotFound: It is not in the dump, or hidden.
            ContentTooLarge: It is larger than the limit.
        """
        if found is None or found.state in (TextState.HIDDEN, TextState.LEFT_OUT):
            why = "is not in" if found is None else "has no readable text in"
            raise ParentNotFound(
                f"revision {rev_parent_id}, the parent of {rev_id}, {why} {self._source}: it is hidden or "
                "deleted, or the dump has current revisions only",
                wiki_id=wiki_id,
                rev_id=rev_id,
                rev_parent_id=rev_parent_id,
            )
        self.require_text(found, wiki_id, rev_id)
        return found
