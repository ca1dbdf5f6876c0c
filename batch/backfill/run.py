"""Runs parts of a plan: reads, hands chunks to the scoring processes, keeps what is done."""

import asyncio
import os
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec
from msgspec import Struct

from batch.backfill.chunk import ChunkDone
from batch.backfill.cutting import CutChunk, PartReader
from batch.backfill.plan import Plan, PlannedPart
from batch.backfill.stray_scoring import StrayTexts
from batch.backfill.strays import StrayNotes
from batch.backfill.team import Member, Team
from batch.locations import is_remote
from models.process_memory import keep_freed_memory
from schemas.errors import SourceError

Result = TypeVar("Result")

_AHEAD: Final = 1
"""Chunks that wait for each process beside the one that it scores."""


class PartDone(Struct, frozen=True, kw_only=True):
    """What is kept of a part whose chunks all have their rows.

    Attributes:
        chunks: How many there are.
        read: Revisions in it, those that no filter let through as well.
        without_id: Of these, those that no row can name.
        defect: Why it could not be read to its end; None where it could.
    """

    chunks: int
    read: int
    without_id: int
    defect: str | None = None


class Progress:
    """How far a run is. Changes while it runs; to be read at any time from the same event loop.

    Attributes:
        parts: That are done, by number.
        revisions: Scored by this run.
        rows: Written by this run.
        failures: Rows by code.
        passed_over: Chunks whose rows were there already.
        passed_revisions: Revisions in them.
        phase_seconds: CPU time by phase: ``read`` is the reader's, the others are those of the processes.
        fallbacks: As ``models.pool_messages.Done`` tells them.
        began: When the processes were ready, on the monotonic clock; rates count from there.
    """

    def __init__(self) -> None:
        self.parts: dict[int, PartDone] = {}
        self.revisions = self.rows = self.passed_over = self.passed_revisions = 0
        self.failures: Counter[str] = Counter()
        self.phase_seconds: dict[str, float] = {}
        self.fallbacks: Counter[str] = Counter()
        self.began = time.monotonic()

    def hear(self, done: ChunkDone) -> None:
        """Count what came of a chunk."""
        self.revisions += done.revisions
        self.rows += done.rows
        self.failures.update(done.failures)
        for phase, seconds in done.phase_seconds.items():
            self.spend(phase, seconds)
        self.fallbacks.update(done.fallbacks)

    def add(self, counts: Mapping[str, Any]) -> None:
        """Count what another run counted, by the names of attributes."""
        for name, count in counts.items():
            if not isinstance(count, Mapping):
                setattr(self, name, getattr(self, name) + count)
            elif name == "phase_seconds":
                for phase, seconds in count.items():
                    self.spend(phase, seconds)
            else:
                getattr(self, name).update(count)

    def spend(self, phase: str, seconds: float) -> None:
        """Count CPU time."""
        self.phase_seconds[phase] = self.phase_seconds.get(phase, 0.0) + seconds


class PartFiles:
    """What a run keeps beside the rows: which parts are done.

    Args:
        folder: Of the run.
        chunk_path: Where the rows of a chunk go, by numbers of part and chunk.
    """

    def __init__(self, folder: Path, chunk_path: Callable[[int, int], Path]) -> None:
        self.chunk_path = chunk_path
        self.folder = folder

    def read(self, part: int) -> PartDone | None:
        """Return what is kept of a part; None where it is not done."""
        try:
            return msgspec.json.decode(self._path(part).read_bytes(), type=PartDone)
        except FileNotFoundError:
            return None

    def write(self, part: int, done: PartDone) -> None:
        """Keep that a part is done, at once or not at all."""
        path = self._path(part)
        beside = path.with_suffix(f".{os.getpid()}")
        with beside.open("wb") as file:
            file.write(msgspec.json.encode(done))
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)

    def _path(self, part: int) -> Path:
        return self.folder / f"plan-part-{part:06d}.json"


async def run_parts(
    plan: Plan,
    parts: Iterable[PlannedPart],
    files: PartFiles,
    team: Team,
    *,
    processes: int,
    progress: Progress,
    texts: StrayTexts | None = None,
) -> None:
    """Score all chunks of some parts that have no rows yet.

    1. Start the processes.
    2. Read part after part in a thread; hand each chunk to the process that is free first. Few chunks are in
       memory at a time: those that are scored, and as many that wait.
    3. Note that a part is done when it is read, which of its parents are missing is kept, and the last of its
       chunks has its rows.

    Args:
        plan: What is done.
        parts: Of the plan.
        files: Keep what is done.
        team: Not started; it is left as it is.
        processes: How many to start.
        progress: Is told.
        texts: Where the parts are those of strays.

    Raises:
        SourceError: A part at an address breaks off; run again to go on. One on this machine would break off
            again: what was complete is kept, and its note says why.
        RevstreamError: The set-up is at fault: models, memory, the disk.
    """
    keep_freed_memory()
    run = _Run(plan, files, processes, progress, texts)
    members: list[Member] = await _all([team.join() for _ in range(processes)])  # 1
    if not progress.revisions:
        progress.began = time.monotonic()
    await _all([run.read(parts), *(run.score(member) for member in members)])  # 2


class _Part:
    """A part under way."""

    def __init__(self, planned: PlannedPart) -> None:
        self.number = planned.number
        self.source = planned.source
        self.chunks = 0
        self.waiting = 0
        self.done: PartDone | None = None


class _Run:
    def __init__(
        self, plan: Plan, files: PartFiles, processes: int, progress: Progress, texts: StrayTexts | None
    ) -> None:
        self._texts = texts
        self._plan = plan
        self._files = files
        self._processes = processes
        self._progress = progress
        self._chunks: asyncio.Queue[tuple[_Part, CutChunk] | None] = asyncio.Queue(_AHEAD * processes)

    async def read(self, parts: Iterable[PlannedPart]) -> None:
        loop = asyncio.get_running_loop()
        with ThreadPoolExecutor(1, "backfill-reader") as thread:
            for part in parts:
                kept = self._files.read(part.number)
                if kept is not None:
                    self._progress.parts[part.number] = kept
                    continue
                reader = self._open(part)
                try:
                    await self._read(_Part(part), reader, loop, thread)
                finally:
                    thread.submit(reader.close)
        for _ in range(self._processes):
            await self._chunks.put(None)

    def _open(self, part: PlannedPart) -> PartReader:
        notes = StrayNotes(self._files.folder, part.number) if self._texts is None else None
        return PartReader(self._plan, part, self._files.chunk_path, notes=notes, texts=self._texts)

    async def _read(
        self,
        part: _Part,
        reader: PartReader,
        loop: asyncio.AbstractEventLoop,
        thread: ThreadPoolExecutor,
    ) -> None:
        defect: str | None = None
        told_seconds = 0.0
        while True:
            try:
                cut = await loop.run_in_executor(thread, reader.next)
            except SourceError as error:
                if is_remote(self._plan.inputs[part.source].url):
                    raise
                cut, defect = None, error.message
            self._progress.spend("read", reader.cpu_seconds - told_seconds)
            told_seconds = reader.cpu_seconds
            if cut is None:
                break
            part.chunks += 1
            if cut.encoded:
                part.waiting += 1
                await self._chunks.put((part, cut))
            else:
                self._progress.passed_over += 1
                self._progress.passed_revisions += len(cut.rev_ids)
        await loop.run_in_executor(thread, reader.keep_notes)
        part.done = PartDone(
            chunks=part.chunks, read=reader.read, without_id=reader.without_id, defect=defect
        )
        self._note(part)

    async def score(self, member: Member) -> None:
        while (given := await self._chunks.get()) is not None:
            part, cut = given
            self._progress.hear(await member.score(cut))
            part.waiting -= 1
            self._note(part)
        await member.leave()

    def _note(self, part: _Part) -> None:
        if part.done is not None and part.waiting == 0:  # 3
            self._files.write(part.number, part.done)
            self._progress.parts[part.number] = part.done


async def _all(jobs: Sequence[Coroutine[Any, Any, Result]]) -> list[Result]:
    """Run jobs side by side; end the others where one fails, and raise what it raised."""
    tasks = [asyncio.ensure_future(job) for job in jobs]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
