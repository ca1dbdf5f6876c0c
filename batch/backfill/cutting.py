"""A part on its way to the scoring processes: read, cut and encoded, one chunk at a time."""

import time
from collections.abc import Callable, Generator
from pathlib import Path

import msgspec
from msgspec import Struct

from batch.backfill.chunk import Chunk
from batch.backfill.chunks import Chunker
from batch.backfill.plan import Plan, PlannedPart
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

    Attributes:
        cpu_seconds: That reading, cutting and encoding took in the thread that asked for chunks.
    """

    def __init__(self, plan: Plan, part: PlannedPart, chunk_path: Callable[[int, int], Path]) -> None:
        source = plan.input_of(part)
        self.cpu_seconds = 0.0
        self._chunk_path = chunk_path
        self._chunker = Chunker(
            part.number, source.wiki_id, source.name, plan.filters, chunk_bytes=plan.chunk_bytes
        )
        self._revisions = read_range(part.range, max_text_bytes=plan.max_text_bytes)
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
        began = time.thread_time()
        try:
            chunk = next(self._chunks, None)
            return None if chunk is None else self._cut(chunk)
        finally:
            self.cpu_seconds += time.thread_time() - began

    def close(self) -> None:
        """Close the file. Idempotent."""
        self._chunks.close()
        if isinstance(self._revisions, Generator):
            self._revisions.close()

    def _cut(self, chunk: Chunk) -> CutChunk:
        return encode_chunk(chunk, self._chunk_path(chunk.part, chunk.number))


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
