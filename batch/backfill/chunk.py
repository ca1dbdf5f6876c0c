"""A chunk: revisions that one scoring process scores in one go, and all texts that they read, once each."""

from collections.abc import Mapping
from datetime import datetime

import msgspec
from msgspec import Struct

from batch.dump_revision import DumpUser
from batch.local_index import TextState
from schemas.prediction import ScoreFailure


class ChunkPage(Struct, frozen=True, array_like=True, gc=False):
    """A page."""

    page_id: int
    page_title: str
    namespace_id: int


class ChunkText(Struct, frozen=True, array_like=True, gc=False):
    """The text of a revision, or why there is none.

    Attributes:
        rev_id: Revision.
        rev_dt: When it was saved.
        user: Who saved it; None where hidden.
        state: Says why there is no text.
        text: Empty unless the state is PRESENT.
    """

    rev_id: int
    rev_dt: datetime
    user: DumpUser | None
    state: TextState
    text: str


class ChunkRevision(Struct, frozen=True, array_like=True, gc=False):
    """A revision to score.

    Attributes:
        page: Place of its page.
        text: Place of its text.
        rev_parent_id: None on first revisions.
        parent: Place of its parent's text; None without a parent, or where the dump does not have it.
        content_model: Of the main slot.
        comment: Empty where hidden or absent.
    """

    page: int
    text: int
    rev_parent_id: int | None
    parent: int | None
    content_model: str
    comment: str


class Chunk(Struct, frozen=True, array_like=True):
    """Consecutive revisions of a part.

    Attributes:
        part: Number of the part.
        number: Of the chunk within it, from 0 and without gaps.
        wiki_id: Database name.
        source: Name of the file that they are from.
        pages: That the revisions are of.
        texts: Of the revisions and their parents.
        revisions: In the order of the file, but those whose parents stand behind them; never none.
    """

    part: int
    number: int
    wiki_id: str
    source: str
    pages: list[ChunkPage]
    texts: list[ChunkText]
    revisions: list[ChunkRevision]

    def rev_id(self, place: int) -> int:
        """Return the id of a revision."""
        return self.texts[self.revisions[place].text].rev_id


class ChunkTask(Struct, frozen=True, array_like=True):
    """What a scoring process is sent.

    Attributes:
        path: Where the rows go.
        settled: Place of a revision to the failure that is recorded for it: it ended the process before.
        chunk: Encoded once, whoever scores it.
    """

    path: str
    settled: Mapping[int, ScoreFailure]
    chunk: msgspec.Raw


class ChunkDone(Struct, frozen=True, array_like=True):
    """What it answers.

    Attributes:
        revisions: That were scored, failures included.
        rows: That were written.
        failures: Rows by code.
        phase_seconds: CPU time by what took it: ``read``, ``features``, ``predict``, ``write`` …
        fallbacks: As ``models.pool_messages.Done`` tells them.
    """

    revisions: int
    rows: int
    failures: dict[str, int]
    phase_seconds: dict[str, float]
    fallbacks: dict[str, int]
