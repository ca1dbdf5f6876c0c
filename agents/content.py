"""Where the text of a revision comes from."""

from collections.abc import Callable
from typing import Protocol, runtime_checkable

from schemas.revision import ParentRevision, Revision, RevisionRequest


class RevisionSource(Protocol):
    """Gives revisions with their parents and editors."""

    async def get(self, request: RevisionRequest) -> Revision:
        """Return one revision.

        Implementations gather concurrent calls into batches where the wiki can answer them together.

        Raises:
            ContentError: ``retryable`` tells a wiki that does not answer (try again) from a revision that
                is missing, deleted or suppressed (do not).
        """
        ...

    async def close(self) -> None:
        """Release connections and files. Idempotent."""
        ...


@runtime_checkable
class EarlySource(Protocol):
    """A source that has a revision before its parent."""

    async def get_early(self, request: RevisionRequest, early: Callable[[Revision], None]) -> Revision:
        """Return one revision as `RevisionSource.get` does, and show it before where its parent takes longer.

        Args:
            request: Which.
            early: Hears of the revision as if it had no parent; of the account of its editor nothing is
                known yet. It raises nothing.

        Raises:
            ContentError: As `RevisionSource.get`.
        """
        ...


class WikiSource(RevisionSource, Protocol):
    """A wiki, or a copy of one, that can be asked for a parent alone."""

    async def parent(self, request: RevisionRequest) -> ParentRevision:
        """Return the parent that a request names.

        Raises:
            ContentError: As for ``get``; what is missing or hidden for good is ``ParentNotFound``.
        """
        ...
