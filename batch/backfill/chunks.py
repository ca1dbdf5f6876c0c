"""Cuts what is read of a part into chunks, the same ones each time."""

import contextlib
from collections.abc import Generator, Iterable, Iterator
from datetime import datetime
from typing import Final, NamedTuple, Protocol

from batch.backfill.chunk import Chunk, ChunkPage, ChunkRevision, ChunkText
from batch.backfill.filters import Filters
from batch.backfill.parents import REMEMBERED_CHARS, ParentTexts
from batch.backfill.strays import StrayNotes
from batch.dump_revision import DumpPage, DumpRevision
from batch.index_builder import VERSIONS_WITHOUT_PARENT, text_state
from schemas.errors import SourceError

LEAST_CHUNK_BYTES: Final = 4 << 20
MOST_CHUNK_BYTES: Final = 32 << 20
_BYTES_OF_REVISION: Final = 8 << 10
"""A chunk has no more revisions than its bytes by this: the scores of short texts take as long as some kB."""


class Parents(Protocol):
    """The texts of a page, see `ParentTexts`."""

    def add(self, text: ChunkText) -> None:
        """Remember a revision of the page."""

    def get(self, rev_id: int) -> ChunkText | None:
        """Return a revision of the page; None where it was not seen."""
        ...

    def forget(self) -> None:
        """Forget all: another page begins."""

    def close(self) -> None:
        """Give up what is held aside. Idempotent."""


class Chunker:
    """Cuts one part into chunks.

    A chunk ends at the first border of pages behind so many characters, or within a page behind twice as
    many: the texts that its revisions read go along, so that each chunk can be scored by itself. Where it is
    cut depends on the part and the filters alone.

    Args:
        part: Number of the part.
        wiki_id: Database name.
        source: Name of the file.
        filters: Which revisions are scored.
        chunk_bytes: As above.
        parents: Remembers texts of a page.
        notes: Takes down which revisions there are, and which are scored without their parents.

    Attributes:
        read: Revisions that were read.
        without_id: Of these, those that have no id, or whose page has none, so that no row can name them.
    """

    def __init__(
        self,
        part: int,
        wiki_id: str,
        source: str,
        filters: Filters,
        *,
        chunk_bytes: int,
        parents: Parents | None = None,
        notes: StrayNotes | None = None,
    ) -> None:
        self.read = 0
        self.without_id = 0
        self._part = part
        self._wiki_id = wiki_id
        self._source = source
        self._filters = filters
        self._chunk_chars = chunk_bytes
        self._chunk_revisions = max(1, chunk_bytes // _BYTES_OF_REVISION)
        self._parents: Parents = ParentTexts() if parents is None else parents
        self._notes = notes
        self._number = 0
        self._page: DumpPage | None = None
        self._before: int | None = None
        self._latest: _Chosen | None = None
        # By the parent that they wait for. Of a history that was imported, parents often stand behind.
        self._waiting: dict[int, list[_Chosen]] = {}
        self._waiting_chars = 0
        self._begin()

    def _begin(self) -> None:
        """Begin a chunk."""
        self._pages: list[ChunkPage] = []
        self._texts: list[ChunkText] = []
        self._places: dict[int, int] = {}
        self._revisions: list[ChunkRevision] = []
        self._chars = 0

    def cut(self, revisions: Iterable[DumpRevision]) -> Generator[Chunk, None, None]:
        """Yield the chunks of a part. Call it once.

        Args:
            revisions: In the order of the file.

        Raises:
            SourceError: The revisions raised it; behind the chunk that holds the last of them.
        """
        failure: SourceError | None = None
        with contextlib.closing(self._parents):
            try:
                for revision in revisions:
                    if revision.page is not self._page:
                        yield from self._end_page()
                        self._page = revision.page
                    self._read(revision)
                    if self._is_full(2):
                        yield self._take()
            except SourceError as error:
                failure = error
                # Of a page that breaks off, nobody knows what is its latest revision.
                self._latest = None
            yield from self._end_page()
            if self._revisions:
                yield self._take()
        if failure is not None:
            raise failure

    def _read(self, revision: DumpRevision) -> None:
        self.read += 1
        rev_id = revision.rev_id
        if rev_id is None or revision.page.page_id is None:
            self.without_id += 1
            return
        if self._notes is not None:
            self._notes.saw(rev_id)
        is_told = revision.site.schema_version not in VERSIONS_WITHOUT_PARENT
        parent_id = revision.rev_parent_id if is_told else self._before
        self._before = rev_id
        text = ChunkText(rev_id, revision.rev_dt, revision.user, text_state(revision), revision.text or "")
        self._give(text)
        if self._filters.admits(revision):
            self._choose(revision, parent_id, text)
        self._parents.add(text)

    def _choose(self, revision: DumpRevision, parent_id: int | None, text: ChunkText) -> None:
        """Add a revision to the chunk, or keep it until its page ends."""
        filters = self._filters
        if not filters.is_latest_only and not filters.samples(text.rev_id):
            return
        parent = None if parent_id is None else self._parents.get(parent_id)
        one = _Chosen(revision, parent_id, text, parent)
        if not filters.is_latest_only:
            if parent_id is None or parent is not None:
                self._add(one)
            else:
                self._wait(one, parent_id)
        elif self._latest is None or self._latest.order < one.order:
            self._latest = one

    def _wait(self, one: "_Chosen", parent_id: int) -> None:
        """Hold a revision back until its parent comes, its page ends, or too much is held."""
        self._waiting.setdefault(parent_id, []).append(one)
        self._waiting_chars += len(one.text.text)
        if self._waiting_chars > REMEMBERED_CHARS:
            self._give_up()

    def _give(self, text: ChunkText) -> None:
        """Add the revisions that wait for a text."""
        for one in self._waiting.pop(text.rev_id, ()):
            self._waiting_chars -= len(one.text.text)
            self._add(one._replace(parent=text))
        latest = self._latest
        if latest is not None and latest.parent is None and latest.parent_id == text.rev_id:
            self._latest = latest._replace(parent=text)

    def _give_up(self) -> None:
        """Add the revisions whose parents did not come."""
        for waiting in self._waiting.values():
            for one in waiting:
                self._add(one)
        self._waiting.clear()
        self._waiting_chars = 0

    def _end_page(self) -> Iterator[Chunk]:
        self._give_up()
        if self._latest is not None:
            if self._filters.samples(self._latest.text.rev_id):
                self._add(self._latest)
            self._latest = None
        self._parents.forget()
        self._page = self._before = None
        if self._is_full(1):
            yield self._take()

    def _add(self, one: "_Chosen") -> None:
        if self._notes is not None and one.parent is None and one.parent_id is not None:
            self._notes.missed(one.text.rev_id, one.parent_id, self._number)
        page = one.revision.page
        if not self._pages or self._pages[-1].page_id != page.page_id:
            self._pages.append(ChunkPage(page.page_id or 0, page.page_title, page.namespace_id))
        self._revisions.append(
            ChunkRevision(
                page=len(self._pages) - 1,
                text=self._place(one.text),
                rev_parent_id=one.parent_id,
                parent=None if one.parent is None else self._place(one.parent),
                content_model=one.revision.content_model,
                comment=one.revision.comment or "",
            )
        )

    def _place(self, text: ChunkText) -> int:
        """Return the place of a text among those of the chunk."""
        place = self._places.setdefault(text.rev_id, len(self._texts))
        if place == len(self._texts):
            self._texts.append(text)
            self._chars += len(text.text)
        return place

    def _is_full(self, times: int) -> bool:
        return (
            self._chars >= times * self._chunk_chars or len(self._revisions) >= times * self._chunk_revisions
        )

    def _take(self) -> Chunk:
        chunk = Chunk(
            self._part, self._number, self._wiki_id, self._source, self._pages, self._texts, self._revisions
        )
        self._number += 1
        self._begin()
        return chunk


class _Chosen(NamedTuple):
    """A revision to score."""

    revision: DumpRevision
    parent_id: int | None
    text: ChunkText
    parent: ChunkText | None

    @property
    def order(self) -> tuple[datetime, int]:
        """By which the latest of a page is told."""
        return self.text.rev_dt, self.text.rev_id
