"""Where the text of a revision comes from."""

from typing import Protocol

from schemas.revision import Revision, RevisionRequest


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
