"""Says what a plan will cost, from samples of its inputs."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from batch.backfill.chunk import Chunk
from batch.backfill.chunks import Chunker
from batch.backfill.plan import Estimate, Plan, PlannedPart
from batch.dump_inputs import DumpRange, read_range
from batch.dump_revision import DumpRevision
from schemas.errors import SourceError

_SAMPLED_PARTS: Final = 5
_SAMPLED_BYTES: Final = 1 << 20
_SAMPLED_CHARACTERS: Final = 32 << 20
_ROW_BYTES: Final = 30
"""Of a score, as snapshots are packed."""


class Sample(Struct, frozen=True):
    """What was read of the inputs of a plan.

    Attributes:
        chunks: To be scored, for a trial.
        share: Of all inputs that was read, 0 to 1.
        revisions: In the chunks.
        characters: Of all texts that were read.
    """

    chunks: tuple[Chunk, ...]
    share: float
    revisions: int
    characters: int

    def estimate(self, plan: Plan, cpu_seconds_of_revision: float | None = None) -> Estimate:
        """Return what the whole costs.

        Args:
            plan: That was sampled.
            cpu_seconds_of_revision: As a trial took it.
        """
        whole = 1 / self.share if self.share else 0.0
        revisions = round(self.revisions * whole)
        wikis = {one.wiki_id for one in plan.inputs}
        models = len(plan.models) / max(1, len(wikis))
        return Estimate(
            revisions=revisions,
            text_bytes=round(self.characters * whole),
            cpu_seconds=None if cpu_seconds_of_revision is None else revisions * cpu_seconds_of_revision,
            output_bytes=round(revisions * models * _ROW_BYTES),
        )


def sample(plan: Plan) -> Sample:
    """Read a little of some parts of a plan. Takes some seconds.

    A part that cannot be read counts as one without revisions: the run says why.
    """
    total = sum(one.range.end - one.range.begin for one in plan.parts) or 1
    step = max(1, len(plan.parts) // _SAMPLED_PARTS)
    chunks: list[Chunk] = []
    read_bytes = 0.0
    revisions = characters = 0
    for part in plan.parts[::step][:_SAMPLED_PARTS]:
        reading = _Reading(plan, part)
        for chunk in reading.chunks():
            revisions += len(chunk.revisions)
            chunks.append(chunk)
        characters += reading.characters
        read_bytes += reading.packed_bytes
    return Sample(tuple(chunks), min(1.0, read_bytes / total), revisions, characters)


class _Reading:
    """Reads the beginning of a part."""

    def __init__(self, plan: Plan, part: PlannedPart) -> None:
        self.characters = 0
        self.packed_bytes = 0.0
        self._plan = plan
        self._part = part

    def chunks(self) -> Iterator[Chunk]:
        """Yield what was read, as if the part ended there."""
        source, whole = self._plan.input_of(self._part), self._part.range
        size = whole.end - whole.begin
        is_cut = whole.packing != "7z" and size > _SAMPLED_BYTES
        piece = replace(whole, end=whole.begin + _SAMPLED_BYTES, is_whole=False) if is_cut else whole
        chunker = Chunker(0, source.wiki_id, source.name, self._plan.filters, chunk_bytes=1 << 20)
        yield from chunker.cut(self._revisions(piece))
        self.packed_bytes = float(piece.end - piece.begin)
        if whole.packing == "7z" and not self._is_read:
            unpacked = _unpacked_bytes(whole)
            self.packed_bytes = size * min(1.0, self.characters / unpacked) if unpacked else float(size)

    def _revisions(self, piece: DumpRange) -> Iterator[DumpRevision]:
        self._is_read = False
        try:
            for revision in read_range(piece, max_text_bytes=self._plan.max_text_bytes):
                self.characters += len(revision.text or "")
                yield revision
                if self.characters > _SAMPLED_CHARACTERS:
                    return
        except SourceError:
            # A piece that is cut off always ends so.
            return
        self._is_read = True


def _unpacked_bytes(archive: DumpRange) -> int:
    """Return the size of what is in a 7z archive, as it says itself; 0 where it does not."""
    program = next(filter(None, map(shutil.which, ("7zz", "7z", "7za", "7zr"))), None)
    if program is None or not Path(archive.url).exists():
        return 0
    told = subprocess.run(  # noqa: S603 - a program of this machine, no shell
        [program, "l", "-slt", "-spd", "-p", "--", archive.url], capture_output=True, text=True, check=False
    ).stdout
    sizes = (line.partition(" = ")[2] for line in told.splitlines() if line.startswith("Size = "))
    return sum(int(size) for size in sizes if size.isdecimal())
