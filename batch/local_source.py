"""Revisions out of a dump on this machine, in place of a wiki's API."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import zstandard
from msgspec.structs import replace

from batch.index_builder import build_index
from batch.local_index import DumpIndex, IndexedRevision, IndexedText
from batch.refusals import Refusals
from batch.users_beside import users_beside
from schemas.errors import (
    ContentError,
    ParentNotFound,
    RevisionNotFound,
    RevstreamError,
    SourceError,
)
from schemas.prediction import ScoreFailure
from schemas.revision import ParentRevision, Revision, RevisionRequest

MAX_TEXT_BYTES = 8 << 20
_INLINE_INDEX_BYTES = 256 << 20
_INLINE_TEXT_BYTES = 1 << 19


class DumpRevisionSource:
    """Gives the revisions of one dump by their ids, with parents and editors.

    Memory is bounded whatever the dump's size: the first call, or `prepare`, builds an index on disk
    (`batch.local_index`), and later ones read from it. Building happens in a thread. So does reading, unless
    the index is so small that the system keeps it in memory: then a call takes about 0.1 ms on the loop, and
    a thread would cost three times as much. Large texts are always unpacked in the thread.

    A dump tells less than a wiki. It marks hidden text without saying whether it was deleted or suppressed:
    both are RevisionDeleted here. Deleted pages are absent: their revisions are RevisionNotFound. It knows
    no groups and registration dates: those come from the users file, and an account that is not in it has
    ``is_known`` False.

    Args:
        path: Anything that `batch.dump.read_dump` reads.
        cache_dir: Where the index lies; made where absent.
        wiki_id: Database name; needed where the dump does not say (before export-0.9), and stronger.
        users_path: JSON lines of `RevisionUser`; by default ``NAME.users.jsonl[.gz]`` beside ``NAME.xml*``,
            if there is one.
        max_text_bytes: Larger texts are ContentTooLarge.
    """

    def __init__(
        self,
        path: Path,
        *,
        cache_dir: Path,
        wiki_id: str | None = None,
        users_path: Path | None = None,
        max_text_bytes: int = MAX_TEXT_BYTES,
    ) -> None:
        self._path = path
        self._cache_dir = cache_dir
        self._wiki_id = wiki_id
        self._users_path = users_path if users_path is not None else users_beside(path)
        self._max_text_bytes = max_text_bytes
        self._refusals = Refusals(path.name, max_text_bytes)
        self._index: DumpIndex | None = None
        self._failure: RevstreamError | None = None
        self._thread = ThreadPoolExecutor(1, "dump-source")
        # For the event loop only: an unpacker serves one thread, and a new one costs as much as a page.
        self._unpacker = zstandard.ZstdDecompressor()
        self._is_closed = False

    async def prepare(self) -> None:
        """Build or open the index now instead of at the first call. Idempotent.

        Raises:
            SourceError: The dump or the users file cannot be read, or the wiki's name is not known.
            StoreFull: The disk is full.
        """
        await asyncio.get_running_loop().run_in_executor(self._thread, self._opened)

    async def get(self, request: RevisionRequest) -> Revision:
        """Return one revision.

        The parent is the one that the dump names, or the request where the dump names none.

        Raises:
            RevisionNotFound: The dump is of another wiki, or holds no such revision or no text of it.
            RevisionDeleted: Its text is hidden.
            ParentNotFound: It has a parent whose text the dump does not give.
            ContentTooLarge: Its text or its parent's is larger than the limit.
            SourceError: The dump cannot be read.
            StoreFull: The index does not fit on the disk.
        """
        run_in_thread = partial(asyncio.get_running_loop().run_in_executor, self._thread)
        if self._index is None or self._index.size_bytes > _INLINE_INDEX_BYTES:
            found, parent, failure = await run_in_thread(self._find, request)
        else:
            found, parent, failure = self._find(request)
        if found.text.text_bytes + (0 if parent is None else parent.text_bytes) > _INLINE_TEXT_BYTES:
            unpacker = zstandard.ZstdDecompressor()
            revision = await run_in_thread(_revision, request, found, parent, unpacker)
        else:
            revision = _revision(request, found, parent, self._unpacker)
        if failure is None:
            return revision
        parent_id = found.rev_parent_id or request.rev_parent_id
        return replace(revision, rev_parent_id=parent_id, parent_failure=failure)

    async def parent(self, request: RevisionRequest) -> ParentRevision:
        """Return the text of the parent that a request names, alone.

        Raises:
            ParentNotFound: The dump does not give its text, or the request names none.
            ContentTooLarge: It is larger than the limit.
            SourceError: The dump cannot be read.
            StoreFull: The index does not fit on the disk.
        """
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._find_parent, request)

    async def close(self) -> None:
        """Release the index and the thread. Idempotent."""
        if not self._is_closed:
            self._is_closed = True
            await asyncio.to_thread(self._thread.shutdown)
            if self._index is not None:
                self._index.close()

    def _opened(self) -> DumpIndex:
        if self._failure is not None:
            raise self._failure
        if self._index is None:
            try:
                self._index = self._open()
            except RevstreamError as failure:
                # A broken dump stays broken: do not read it again for each revision.
                self._failure = failure
                raise
        return self._index

    def _open(self) -> DumpIndex:
        index_path = build_index(
            self._path, self._users_path, self._cache_dir, max_text_bytes=self._max_text_bytes
        )
        index = DumpIndex(index_path)
        self._wiki_id = self._wiki_id or index.wiki_id
        if self._wiki_id is None:
            index.close()
            raise SourceError(
                f"{self._path} does not name its wiki, as dumps before export-0.9 do not; say which it is",
                path=str(self._path),
            )
        return index

    def _find(
        self, request: RevisionRequest
    ) -> tuple[IndexedRevision, IndexedText | None, ScoreFailure | None]:
        """Return the revision and its parent's text, both readable and still packed, or why there is none."""
        index = self._opened()
        if request.wiki_id != self._wiki_id:
            raise RevisionNotFound(
                f"{self._path.name} holds {self._wiki_id}, not {request.wiki_id}; name a dump of that wiki",
                wiki_id=request.wiki_id,
                rev_id=request.rev_id,
            )
        found = index.get(request.rev_id)
        if found is None:
            raise RevisionNotFound(
                f"{self._path.name} holds no revision {request.rev_id}: its page is deleted, or it is newer "
                "than the dump, or the dump has current revisions only",
                wiki_id=request.wiki_id,
                rev_id=request.rev_id,
            )
        self._refusals.require_text(found.text, request.wiki_id, request.rev_id)
        parent_id = found.rev_parent_id or request.rev_parent_id
        if parent_id is None:
            return found, None, None
        try:
            return found, self._text_of_parent(index, request, parent_id), None
        except ContentError as error:
            if not request.may_lack_parent:
                raise
            return found, None, ScoreFailure(error.code, error.message)

    def _find_parent(self, request: RevisionRequest) -> ParentRevision:
        index = self._opened()
        if request.wiki_id != self._wiki_id or not request.rev_parent_id:
            raise ParentNotFound(
                f"{self._path.name} holds no parent of revision {request.rev_id} of {request.wiki_id}: it is "
                f"of {self._wiki_id}, or the request names no parent",
                wiki_id=request.wiki_id,
                rev_id=request.rev_id,
            )
        found = self._text_of_parent(index, request, request.rev_parent_id)
        return ParentRevision(found.text(zstandard.ZstdDecompressor()), found.rev_dt, found.user)

    def _text_of_parent(self, index: DumpIndex, request: RevisionRequest, parent_id: int) -> IndexedText:
        found = index.text(parent_id)
        return self._refusals.require_parent(found, request.wiki_id, request.rev_id, parent_id)


def _revision(
    request: RevisionRequest,
    found: IndexedRevision,
    parent: IndexedText | None,
    unpacker: zstandard.ZstdDecompressor,
) -> Revision:
    return Revision(
        wiki_id=request.wiki_id,
        page_id=found.page_id,
        page_title=found.page_title,
        namespace_id=found.namespace_id,
        rev_id=found.text.rev_id,
        rev_parent_id=None if parent is None else parent.rev_id,
        rev_dt=found.text.rev_dt,
        content_model=found.content_model,
        text=found.text.text(unpacker),
        parent_text=None if parent is None else parent.text(unpacker),
        comment=found.comment,
        user=found.user,
        parent_dt=None if parent is None else parent.rev_dt,
        parent_user=None if parent is None else parent.user,
    )
