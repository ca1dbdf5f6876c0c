"""A part on its way to the scoring processes: read, cut and encoded, one chunk at a time."""

import resource
import time
from collections.abc import Callable, Generator
from pathlib import Path

import msgspec
from msgspec import Struct

from batch.backfill.chunk import Chunk
from batch.backfill.chunks import Chunker
from batch.backfill.filters import Filters
from batch.backfill.plan import Plan, PlannedPart
from batch.backfill.stray_scoring import StrayParents, StrayTexts
from batch.backfill.strays import StrayNotes
from batch.dump_inputs import read_range

_encoder = msgspec.msgpack.Encoder()


class CutChunk(Struct, frozen=True):
    """A chunk that waits to be scored.

    Attributes:
        part: Number of its part.
        number: Of the chunk within it.
        path: Where its rows go.
        wiki_id: Database name.
        rev_ids: Of its revisions.
        encoded: The chunk; empty where its rows are there already.
    """

    part: int
    number: int
    path: Path
    wiki_id: str
    rev_ids: tuple[int, ...]
    encoded: bytes

    def subject(self, place: int) -> str:
        """Return what messages call a revision."""
        return f"{self.wiki_id} revision {self.rev_ids[place]}"


class PartReader:
    """Reads one part and cuts it.

    Args:
        plan: It is of.
        part: Which.
        chunk_path: Says where the rows of a chunk go.
        notes: Of the part, if they are wanted.
        texts: Of strays, where the part is one of those.

    Attributes:
        cpu_seconds: That reading, cutting and encoding took in the thread that asked for chunks, and that the
            program took which unpacked the part, once it has been read to its end.
    """

    def __init__(
        self,
        plan: Plan,
        part: PlannedPart,
        chunk_path: Callable[[int, int], Path],
        *,
        notes: StrayNotes | None = None,
        texts: StrayTexts | None = None,
    ) -> None:
        source = plan.input_of(part)
        self.cpu_seconds = 0.0
        self._chunk_path = chunk_path
        self._notes = notes
        self._chunker = Chunker(
            part.number,
            source.wiki_id,
            source.name,
            # Strays were let through when they were found.
            plan.filters if texts is None else Filters(),
            chunk_bytes=plan.chunk_bytes,
            parents=None if texts is None else StrayParents(texts, source.wiki_id),
            notes=notes,
        )
        self._revisions = (
            read_range(part.range, max_text_bytes=plan.max_text_bytes)
            if texts is None
            else texts.revisions(part.source)
        )
        self._chunks = self._chunker.cut(self._revisions)

    @property
    def read(self) -> int:
        """Revisions read so far."""
        return self._chunker.read

    @property
    def without_id(self) -> int:
        """Of these, those that no row can name."""
        return self._chunker.without_id

    def next(self) -> CutChunk | None:
        """Return the next chunk; None behind the last.

        Raises:
            SourceError: The part has a defect; all that was complete before it has been returned.
        """
        began, began_beside = time.thread_time(), _ended_programs_seconds()
        try:
            chunk = next(self._chunks, None)
            return None if chunk is None else self._cut(chunk)
        finally:
            self.cpu_seconds += time.thread_time() - began + _ended_programs_seconds() - began_beside

    def keep_notes(self) -> None:
        """Keep what was noted of the part, which has been read to its end."""
        if self._notes is not None:
            self._notes.keep()

    def close(self) -> None:
        """Close the file. Idempotent."""
        if self._notes is not None:
            self._notes.close()
        self._chunks.close()
        if isinstance(self._revisions, Generator):
            self._revisions.close()

    def _cut(self, chunk: Chunk) -> CutChunk:
        return encode_chunk(chunk, self._chunk_path(chunk.part, chunk.number))


def _ended_programs_seconds() -> float:
    """Return the CPU time of all programs that this process started and that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def encode_chunk(chunk: Chunk, path: Path) -> CutChunk:
    """Return a chunk ready to be sent.

    Args:
        chunk: What is to be scored.
        path: Where its rows go; where they are there already, nothing is encoded.
    """
    return CutChunk(
        chunk.part,
        chunk.number,
        path,
        chunk.wiki_id,
        tuple(chunk.texts[one.text].rev_id for one in chunk.revisions),
        b"" if path.exists() else _encoder.encode(chunk),
    )
