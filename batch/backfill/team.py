"""The processes that score chunks, with the protections of the live pool (``models.pool``)."""

import asyncio
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from batch.backfill.chunk import ChunkDone, ChunkTask
from batch.backfill.cutting import CutChunk
from batch.backfill.place import NOWHERE, At, forget_place, read_place
from models.pool_call import cpu_limit_exceeded, memory_limit_exceeded, scorer_crashed, typed_error
from models.pool_crew import Crew, pickled
from models.pool_messages import HEADER_BYTES, Answer, Failed, Load, Told, Work
from models.pool_process import ScoringProcess, describe_exit
from models.pool_status import PoolLimits
from models.process_memory import memory_bytes
from schemas.errors import EngineError, ScoringError
from schemas.prediction import ScoreFailure

_WATCH_SECONDS: Final = 0.05
_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(ChunkDone)


class Team:
    """Starts the processes.

    Start, use and stop it on one event loop, whose thread lives as long as the team.

    Args:
        make_work: Loads what they do, ``batch.backfill.scorer_setup.load_chunk_work`` with its setup.
        places: Folder where they say which revision they are at.
        limits: What a revision may take.
        niceness: Added to this process's own, 0 to 19.

    Attributes:
        killed: How many processes died, by code of what was recorded for it; ``retried`` for those whose
            revision was tried again.
    """

    def __init__(
        self, make_work: Callable[[], Work], places: Path, limits: PoolLimits, *, niceness: int = 5
    ) -> None:
        self.killed: dict[str, int] = {}
        self._places = places
        self._limits = limits
        self._heard: dict[ScoringProcess, asyncio.Future[Answer | None]] = {}
        self._crew = Crew(
            Load(pickled(make_work), limits.cpu_seconds),
            niceness=niceness,
            load_seconds=limits.load_seconds,
            on_answer=self._hear,
            on_death=lambda process: self._hear(process, None),
        )

    async def join(self) -> "Member":
        """Start a process, and return it once its models are loaded.

        Raises:
            RevstreamError: What loading raised.
            EngineError: It could not be started, died, or took too long.
        """
        return Member(self, await self._crew.start())

    async def stop(self) -> None:
        """End all processes. Idempotent."""
        await self._crew.bury_all()

    def _hear(self, process: ScoringProcess, answer: Answer | None) -> None:
        heard = self._heard.get(process)
        if heard is not None and not heard.done():
            heard.set_result(answer)


class Member:
    """One place in the team: a process, and when it dies the one that takes its place.

    Args:
        team: It belongs to.
        process: Ready.
    """

    def __init__(self, team: Team, process: ScoringProcess) -> None:
        self._team = team
        self._crew = team._crew
        self._limits = team._limits
        self._places = team._places
        self._process = process

    async def score(self, cut: CutChunk) -> ChunkDone:
        """Score a chunk and write its rows, whatever its texts do to the process.

        1. Send it with what is known of revisions that ended a process.
        2. Wait for the answer, and watch what the process takes.
        3. When it dies, find out at which revision and why; record a failure for that one, or note the try.
        4. Start another process, and begin again.

        Raises:
            EngineError: No process starts, or they die without scoring anything.
            StoreFull: The disk is full.
            RevstreamError: Of any other kind, where the set-up is at fault.
        """
        settled: dict[int, ScoreFailure] = {}
        deaths: dict[int, int] = {}
        while True:
            answer, reason = await self._try(cut, settled)
            if answer is not None:
                await self._replace_if_large(answer)
                return _decoder.decode(answer.body)
            at = read_place(self._places, self._process.pid)
            status = await self._bury()
            deaths[at.place] = deaths.get(at.place, 0) + 1
            failure = self._failure(cut, at, status, reason, deaths[at.place])
            if failure is not None:
                settled[at.place] = ScoreFailure(failure.code, failure.message)
            elif at == NOWHERE and deaths[at.place] >= self._limits.attempts:
                raise EngineError(
                    f"a scoring process {describe_exit(status)} before or after it scored chunk {cut.number} "
                    f"of part {cut.part}, in each of {deaths[at.place]} tries; memory likely ran out: give "
                    "the machine more, or use fewer processes, and run again to go on"
                )
            killed = "retried" if failure is None else failure.code
            self._team.killed[killed] = self._team.killed.get(killed, 0) + 1
            self._process = await self._crew.replace()

    async def leave(self) -> None:
        """Let the process end."""
        await self._bury()

    async def _try(
        self, cut: CutChunk, settled: dict[int, ScoreFailure]
    ) -> tuple[Told | None, ScoringError | None]:
        """Return the answer; without one the process has died, and what it was killed for, if it was."""
        heard: asyncio.Future[Answer | None] = asyncio.get_running_loop().create_future()
        self._team._heard[self._process] = heard
        try:
            self._process.send(_framed(ChunkTask(str(cut.path), settled, msgspec.Raw(cut.encoded))))
            reason = await self._watch(cut, heard)
        finally:
            del self._team._heard[self._process]
        answer = heard.result()
        if isinstance(answer, Failed):
            raise typed_error(answer)
        if answer is not None and not isinstance(answer, Told):
            raise EngineError(f"a scoring process answered {type(answer).__name__} to a chunk: report it")
        return answer, reason

    async def _watch(self, cut: CutChunk, heard: asyncio.Future[Answer | None]) -> ScoringError | None:
        """Wait for the answer; end the process where a revision takes too much, and return what that is."""
        loop = asyncio.get_running_loop()
        at, since = NOWHERE, loop.time()
        reason: ScoringError | None = None
        while not (await asyncio.wait([heard], timeout=_WATCH_SECONDS))[0]:
            now, found = loop.time(), read_place(self._places, self._process.pid)
            if found != at:
                at, since = found, now
            elif at.place >= 0 and reason is None:
                limits = self._limits
                if memory_bytes(self._process.pid) - at.memory_bytes > limits.memory_bytes:
                    reason = memory_limit_exceeded(cut.subject(at.place), limits.memory_bytes)
                elif now - since >= limits.wall_seconds:
                    overdue = f"did not answer within {limits.wall_seconds:g} s"
                    reason = scorer_crashed(cut.subject(at.place), overdue, 1)
                if reason is not None:
                    self._process.kill()
        return reason

    def _failure(
        self, cut: CutChunk, at: At, status: int, reason: ScoringError | None, deaths: int
    ) -> ScoringError | None:
        """Return what is recorded for the revision that a process died of; None where it is tried again."""
        if at.place < 0:
            return None
        if status == -signal.SIGPROF:
            return cpu_limit_exceeded(cut.subject(at.place), self._limits.cpu_seconds)
        if reason is not None:
            return reason
        if deaths >= self._limits.attempts:
            return scorer_crashed(cut.subject(at.place), describe_exit(status), deaths)
        return None

    async def _replace_if_large(self, answer: Told) -> None:
        """Put a fresh process in the place of one that keeps much of what it scored."""
        if answer.memory_bytes - self._process.loaded_bytes > self._limits.memory_bytes // 2:
            await self._bury()
            self._process = await self._crew.replace()

    async def _bury(self) -> int:
        status = await self._crew.bury(self._process)
        forget_place(self._places, self._process.pid)
        return status


def _framed(task: ChunkTask) -> bytearray:
    frame = bytearray(HEADER_BYTES)
    _encoder.encode_into(task, frame, HEADER_BYTES)
    frame[:HEADER_BYTES] = (len(frame) - HEADER_BYTES).to_bytes(HEADER_BYTES, "big")
    return frame
