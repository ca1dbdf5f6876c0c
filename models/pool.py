"""The pool of scoring processes: models loaded once, off the event loop, with a CPU limit per revision.

What it promises to the caller of ``score``:

* One answer per model asked, whatever the text: a score, or the failure that names why there is none.
* A revision that spends its CPU budget is answered ``cpu_limit_exceeded`` and never tried again.
* A process that dies otherwise is replaced, and its revision tried again on the replacement; when that dies
  too, the answer is ``scorer_crashed``. The other processes go on meanwhile.
* It raises only when the set-up is at fault and nobody can be scored: then the event must not be acked.

Revisions are taken in the order of their calls, one at a time by each process. Sending the next one ahead
would hide some 0.2 ms per revision, but hold it up behind a slow one while other processes idle.
"""

import asyncio
import signal
from collections import deque
from collections.abc import Callable, Sequence

from models.pool_call import PoolCall
from models.pool_crew import Crew, pickled
from models.pool_process import ScoringProcess, describe_exit
from models.pool_status import KillReason, PoolLimits, PoolObserver, PoolStatus
from models.pool_worker import Answer, Load, Ready, Work
from schemas.catalogue import ModelInfo
from schemas.errors import EngineError
from schemas.prediction import ScoredModel
from schemas.revision import Revision

__all__ = ["KillReason", "PoolLimits", "PoolObserver", "PoolStatus", "ScoringPool", "Work"]

_NOT_STARTED = "the scoring pool is not started: await its start first"
_STOPPED = "the scoring pool has stopped; the revision is not scored: its event comes again after a restart"


class ScoringPool:
    """Scores revisions in processes of its own.

    Start, use and stop it on one event loop, whose thread lives as long as the pool: Linux ends a process
    together with the thread that started it.

    Args:
        make_work: Module-level function, or ``functools.partial`` of one, that loads the models; runs once
            in each process. What it needs travels as its arguments.
        processes: How many; at least 1.
        limits: What a revision may take.
        observe: Hears of scores and deaths.
        niceness: Added to this process's own, 0 to 19, so that look-ups stay quick under full load.

    Raises:
        ValueError: ``processes`` is below 1, or another process cannot import ``make_work``.
    """

    def __init__(
        self,
        make_work: Callable[[], Work],
        *,
        processes: int,
        limits: PoolLimits,
        observe: PoolObserver | None = None,
        niceness: int = 5,
    ) -> None:
        if processes < 1:
            raise ValueError(f"a pool of {processes} processes scores nothing: give at least 1")
        self._crew = Crew(
            Load(pickled(make_work), limits.cpu_seconds),
            niceness=niceness,
            load_seconds=limits.load_seconds,
            on_answer=self._on_answer,
            on_death=self._lose,
        )
        self._processes = processes
        self._limits = limits
        self._observe = observe
        self._queue: deque[PoolCall] = deque()
        self._idle: list[ScoringProcess] = []
        self._busy: dict[ScoringProcess, PoolCall] = {}
        self._heals: dict[asyncio.Task[None], PoolCall | None] = {}
        self._stop_task: asyncio.Task[None] | None = None
        # Why nothing can be scored, and what caused that; None while something can.
        self._closed: str | None = _NOT_STARTED
        self._cause: BaseException | None = None
        self._restarts = 0
        self._killed_for_cpu = 0
        self._cpu_seconds = 0.0

    async def start(self) -> None:
        """Start all processes at once and return when each has loaded its models. Call it once.

        Raises:
            RevstreamError: What loading raised in a process, with its type and fields.
            EngineError: A process could not be started, died while loading, or took too long.
        """
        starts = [asyncio.create_task(self._start_one()) for _ in range(self._processes)]
        try:
            await asyncio.gather(*starts)
        except BaseException:
            for task in starts:
                task.cancel()
            await asyncio.gather(*starts, return_exceptions=True)
            await self.stop(drain_seconds=0)
            raise
        if self._closed is _NOT_STARTED:
            self._closed = None

    async def _start_one(self) -> None:
        self._idle.append(await self._crew.start())

    async def score(
        self, revision: Revision, artefacts: Sequence[ModelInfo], *, with_features: bool = False
    ) -> list[ScoredModel]:
        """Score a revision with each of the models.

        Cancelling drops a revision that waits; one that runs ends within its limits and is forgotten.

        Args:
            revision: What to score.
            artefacts: The models, which the work knows by their ``artefact`` names.
            with_features: Whether answers carry their features.

        Returns:
            One answer per model, in their order; a ScoreFailure where there is no score.

        Raises:
            ModelError: The work does not know one of the models.
            EngineError: No process can be started, or the pool does not run. Do not ack the event: a
                worker that starts anew reads it again.
        """
        if self._closed is not None:
            raise EngineError(self._closed) from self._cause
        if not artefacts:
            return []
        call = PoolCall(revision, artefacts, with_features=with_features)
        self._queue.append(call)
        self._dispatch()
        try:
            return await call.future
        except asyncio.CancelledError:
            if call in self._queue:
                self._queue.remove(call)
            raise

    async def stop(self, *, drain_seconds: float) -> None:
        """Refuse new work, let running work finish, and end all processes. Idempotent.

        Args:
            drain_seconds: How long running revisions may take. Those that take longer, and those that
                wait for a process, raise EngineError in their callers.
        """
        if self._stop_task is None:
            self._stop_task = asyncio.create_task(self._stop(drain_seconds))
        await asyncio.shield(self._stop_task)

    def status(self) -> PoolStatus:
        """Return how the pool is at this moment."""
        alive = (*self._idle, *self._busy)
        return PoolStatus(
            processes=self._processes,
            alive=len(alive),
            busy=len(self._busy),
            queued=len(self._queue),
            restarts=self._restarts,
            killed_for_cpu=self._killed_for_cpu,
            pids=tuple(sorted(process.pid for process in alive)),
            cpu_seconds=self._cpu_seconds,
        )

    def _dispatch(self) -> None:
        while self._idle and self._queue:
            self._give(self._idle.pop(), self._queue.popleft())

    def _give(self, process: ScoringProcess, call: PoolCall) -> None:
        """Let a process that has nothing to do score the call."""
        if not call.future.done():
            try:
                process.send(call.job)
            except UnicodeEncodeError:
                call.fail_encoding()
        if call.future.done():
            self._idle.append(process)
            return
        loop = call.future.get_loop()
        call.begin(loop.call_later(self._limits.wall_seconds, self._end_overdue, process))
        self._busy[process] = call

    def _on_answer(self, process: ScoringProcess, answer: Answer) -> None:
        call = self._busy.get(process)
        if call is None or isinstance(answer, Ready):
            # Nobody asked for this: the process has gone wrong, and its death is settled like any other.
            process.kill()
            return
        del self._busy[process]
        call.end()
        self._idle.append(process)
        self._cpu_seconds += answer.cpu_seconds
        call.answer(answer)
        self._dispatch()
        if self._observe is not None:
            self._observe.scored(call.seconds_queued, answer.cpu_seconds, len(call.job.artefacts))

    def _end_overdue(self, process: ScoringProcess) -> None:
        process.kill()
        process.close()
        self._lose(process, is_overdue=True)

    def _lose(self, process: ScoringProcess, *, is_overdue: bool = False) -> None:
        """Take a process that died out of the ranks, and see to it that another takes its place."""
        call = self._busy.pop(process, None)
        if call is not None:
            call.end()
        if process in self._idle:
            self._idle.remove(process)
        if self._stop_task is None:
            task = asyncio.create_task(self._heal(process, call, is_overdue=is_overdue))
            self._heals[task] = call
            task.add_done_callback(self._heals.pop)
        elif call is not None:
            call.refuse(_STOPPED, None)

    async def _heal(self, process: ScoringProcess, call: PoolCall | None, *, is_overdue: bool) -> None:
        """Settle the death of a process.

        1. Learn how it died, and answer a call that is not to be tried again.
        2. Start another. When that fails several times in a row, give up the pool.
        3. Let it try the call again.
        """
        try:
            status = await self._crew.bury(process)  # 1
            self._account(call, status, is_overdue=is_overdue)
            fresh = await self._crew.replace()  # 2
        except Exception as error:
            # Also an error that nobody foresaw: callers must never wait for a pool that has ended.
            cause = error.__cause__ or error
            self._close(str(error), cause)
            if call is not None:
                call.refuse(str(error), cause)
            return
        self._restarts += 1
        if call is None:
            self._idle.append(fresh)
        else:
            self._give(fresh, call)  # 3
        self._dispatch()

    def _account(self, call: PoolCall | None, status: int, *, is_overdue: bool) -> None:
        """Count a death, and answer its call unless that is to be tried again."""
        death = describe_exit(status)
        if status == -signal.SIGPROF:
            reason = KillReason.CPU
            self._killed_for_cpu += 1
            self._cpu_seconds += self._limits.cpu_seconds
        elif is_overdue:
            reason = KillReason.WALL
            death = f"did not answer within {self._limits.wall_seconds:g} s"
        else:
            reason = KillReason.CRASH
        if self._observe is not None:
            self._observe.killed(reason)
        if call is None:
            return
        if reason is KillReason.CPU:
            call.fail_cpu(self._limits.cpu_seconds)
        elif call.tries >= self._limits.attempts:
            call.fail_crashed(death)

    def _close(self, reason: str, cause: BaseException | None) -> None:
        """Refuse all that waits and all that comes."""
        self._closed = reason
        self._cause = cause
        while self._queue:
            self._queue.popleft().refuse(reason, cause)

    async def _stop(self, drain_seconds: float) -> None:
        self._close(_STOPPED, None)
        heals = dict(self._heals)
        for task, call in heals.items():
            task.cancel()
            if call is not None:
                call.refuse(_STOPPED, None)
        await asyncio.gather(*heals, return_exceptions=True)
        if self._busy:
            await asyncio.wait([call.future for call in self._busy.values()], timeout=drain_seconds)
        for process, running in self._busy.items():
            process.kill()
            running.end()
            running.refuse(_STOPPED, None)
        self._busy.clear()
        self._idle.clear()
        await self._crew.bury_all()
