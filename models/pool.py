"""The pool of scoring processes: models loaded once, off the event loop, with limits per revision.

What it promises to the caller of ``score``:

* One answer per model asked, whatever the text: a score, or the failure that names why there is none.
* A revision that spends its CPU budget is answered ``cpu_limit_exceeded``, one that spends its memory
  ``memory_limit_exceeded``, and neither is tried again.
* A process that dies otherwise is replaced, and its revision tried again on the replacement; when that dies
  too, the answer is ``scorer_crashed``. The other processes go on meanwhile.
* It raises only when the set-up is at fault and nobody can be scored: then the event must not be acked.

Revisions are taken by priority and in the order of their calls, one at a time by each process. Small ones
that wait are sent several ahead, which hides the way there and back; those behind one that turns out slow go
to others.

A text may be prepared while its parent is still on the way: as long as most processes have nothing to do, one
computes its features as if it had no parent, and keeps what it made of the text for the call that follows.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence

from models.pool_call import PoolCall
from models.pool_crew import Crew, pickled
from models.pool_held import Held
from models.pool_messages import Answer, Done, Load, Ready, Told, Work
from models.pool_process import ScoringProcess
from models.pool_queue import PoolQueue
from models.pool_status import KillReason, PoolLimits, PoolObserver, PoolStatus
from models.priority import Priority
from models.trail import Trail
from schemas.catalogue import ModelInfo
from schemas.errors import EngineError
from schemas.prediction import ScoredModel
from schemas.revision import Revision

__all__ = ["KillReason", "PoolLimits", "PoolObserver", "PoolStatus", "ScoringPool", "Work"]

_NOT_STARTED = "the scoring pool is not started: await its start first"
_STOPPED = "the scoring pool has stopped; the revision is not scored: its event comes again after a restart"
# How often revisions are looked at that take longer than this.
_WATCH_SECONDS = 0.05


class ScoringPool:
    """Scores revisions in processes of its own.

    Start, use and stop it on one event loop, whose thread lives as long as the pool: Linux ends a process
    together with the thread that started it.

    Args:
        make_work: Module-level function, or ``functools.partial`` of one, that loads the models; runs once
            in a process that is then forked, see ``models.pool_template``. What it needs travels as its
            arguments.
        processes: How many; at least 1.
        limits: What a revision may take.
        observe: Hears of scores and deaths.
        niceness: Added to this process's own, so that look-ups stay quick under full load; at 19 they run
            while nobody else of the session or container wants the core.

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
        self._queue: PoolQueue[ScoringProcess] = PoolQueue(processes)
        self._idle: list[ScoringProcess] = []
        self._busy: dict[ScoringProcess, Held] = {}
        self._watch_timer: asyncio.TimerHandle | None = None
        self._heals: dict[asyncio.Task[None], PoolCall | None] = {}
        self._stop_task: asyncio.Task[None] | None = None
        # Why nothing can be scored, and what caused that; None while something can.
        self._closed: str | None = _NOT_STARTED
        self._cause: BaseException | None = None
        self._restarts = 0
        self._kills = dict.fromkeys(KillReason, 0)
        self._cpu_seconds = 0.0
        self._fallbacks: Counter[str] = Counter()

    async def start(self) -> None:
        """Load the models, fork all processes, and return when each is ready. Call it once.

        Raises:
            RevstreamError: What loading raised, with its type and fields.
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
        self,
        revision: Revision,
        artefacts: Sequence[ModelInfo],
        *,
        with_features: bool = False,
        with_attribution: bool = False,
        priority: Priority = Priority.STREAM,
        spent: Callable[[float], None] | None = None,
        prepared: PoolCall | None = None,
        trail: Trail | None = None,
    ) -> list[ScoredModel]:
        """Score a revision with each of the models.

        Cancelling drops a revision that waits; one that runs ends within its limits and is forgotten.

        Args:
            revision: What to score.
            artefacts: The models, which the work knows by their ``artefact`` names.
            with_features: Whether answers carry their features.
            with_attribution: Whether they carry features and what moved the scores.
            priority: Its class, of those that wait.
            spent: Hears how long it was scored, in seconds and without the wait, before it is answered.
            prepared: From `prepare`, of the same revision and models.
            trail: Takes note of the wait, the features and the predictions.

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
        call = PoolCall(
            revision,
            artefacts,
            with_features=with_features,
            with_attribution=with_attribution,
            priority=priority,
            prepared=prepared,
        )
        if prepared is None or not self._follow(prepared, call):
            self._queue.append(call)
            self._dispatch()
        try:
            answers = await call.future
        except asyncio.CancelledError:
            self._queue.discard(call)
            raise
        if spent is not None:
            spent(call.seconds_scored)
        if trail is not None:
            call.tell(trail)
        return answers

    def prepare(self, revision: Revision, artefacts: Sequence[ModelInfo]) -> PoolCall | None:
        """Have a text read that is to be scored in a moment, if most processes have nothing to do.

        Args:
            revision: As far as it is known.
            artefacts: The models that are to score it.

        Returns:
            For `score`; None where nothing is prepared.
        """
        # Were more of them busy, another would soon score the revision, without what this one has prepared.
        is_quiet = not self._queue and 2 * len(self._idle) > self._processes
        if self._closed is not None or not is_quiet or not artefacts:
            return None
        call = PoolCall(
            revision, artefacts, with_features=False, priority=Priority.ON_DEMAND, is_preparation=True
        )
        # Nobody has to ask what came of it.
        call.future.add_done_callback(lambda future: future.exception())
        self._queue.append(call)
        self._dispatch()
        return call

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
            queued_by_priority={one.name.lower(): number for one, number in self._queue.waiting().items()},
            restarts=self._restarts,
            killed_for_cpu=self._kills[KillReason.CPU],
            killed_for_memory=self._kills[KillReason.MEMORY],
            pids=tuple(sorted(process.pid for process in alive)),
            cpu_seconds=self._cpu_seconds,
            fallbacks=dict(self._fallbacks),
        )

    def _dispatch(self) -> None:
        while self._idle and self._queue:
            self._give(*self._queue.hand_out(self._idle))

    def _give(self, process: ScoringProcess, calls: Sequence[PoolCall]) -> None:
        """Let a process that has nothing to do score the calls."""
        frames = bytearray()
        given: list[PoolCall] = []
        for call in calls:
            if frame := call.frame():
                if given:
                    frames += frame
                else:
                    frames = frame
                given.append(call)
        if not given:
            self._idle.append(process)
            return
        process.send(frames)
        loop = asyncio.get_running_loop()
        self._busy[process] = Held(given, loop.time())
        if self._watch_timer is None:
            self._watch_timer = loop.call_later(_WATCH_SECONDS, self._watch)

    def _follow(self, prepared: PoolCall, call: PoolCall) -> bool:
        """Give a call to the process that prepares it still; tell whether one does."""
        for process, held in self._busy.items():
            if prepared in held.calls:
                if frame := call.frame():
                    process.send(frame)
                    held.calls.append(call)
                return True
        return False

    def _on_answer(self, process: ScoringProcess, answer: Answer) -> None:
        held = self._busy.get(process)
        if held is None or isinstance(answer, Ready | Told):
            # Nobody asked for this: the process has gone wrong, and its death is settled like any other.
            process.kill()
            return
        call = held.calls.popleft()
        held.go_on(asyncio.get_running_loop().time())
        self._cpu_seconds += answer.cpu_seconds
        if isinstance(answer, Done) and answer.fallbacks:
            self._fallbacks.update(answer.fallbacks)
        is_first = not call.future.done()
        call.answer(answer)
        if not held.calls:
            del self._busy[process]
            if process.memory_bytes - process.loaded_bytes > self._limits.memory_bytes // 2:
                self._heal_later(process, held, is_retired=True)
            elif call.is_preparation:
                # Others are chosen before it for what comes, as long as there are any.
                self._idle.insert(0, process)
            else:
                self._idle.append(process)
        # One turn of the loop later: who is answered asks for the page's next edit before, which this process
        # scores several times sooner than another page.
        asyncio.get_running_loop().call_soon(self._dispatch)
        if self._observe is not None and is_first and not call.is_preparation:
            self._observe.scored(call.seconds_queued, call.cpu_seconds, len(call.job.artefacts))

    def _watch(self) -> None:
        """Look at what takes long: hold nobody up behind it, and end it at its limits."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        for process, held in self._busy.items():
            if now - held.since < _WATCH_SECONDS:
                continue
            if self._stop_task is None:
                self._queue.put_back(held.take_back())
            if held.is_beyond(self._limits, process, now):
                process.kill()
        self._watch_timer = loop.call_later(_WATCH_SECONDS, self._watch) if self._busy else None
        self._dispatch()

    def _lose(self, process: ScoringProcess) -> None:
        """Take a process that died out of the ranks, and see to it that another takes its place."""
        held = self._busy.pop(process, None) or Held()
        if process in self._idle:
            self._idle.remove(process)
        if self._stop_task is None:
            held.end_preparation()
            self._queue.put_back(held.take_back())
            self._heal_later(process, held)
        else:
            for call in held.calls:
                call.refuse(_STOPPED, None)

    def _heal_later(self, process: ScoringProcess, held: Held, *, is_retired: bool = False) -> None:
        self._queue.forget(process)
        task = asyncio.create_task(self._heal(process, held, is_retired=is_retired))
        self._heals[task] = held.call
        task.add_done_callback(self._heals.pop)

    async def _heal(self, process: ScoringProcess, held: Held, *, is_retired: bool) -> None:
        """Put another process in the place of one.

        1. Learn how it died, and answer the call that it scored unless that is to be tried again.
        2. Start another. When that fails several times in a row, give up the pool.
        3. Let it try the call again.
        """
        call = held.call
        try:
            status = await self._crew.bury(process)  # 1
            if not is_retired:
                self._account(held, status)
            fresh = await self._crew.replace()  # 2
        except Exception as error:
            # Also an error that nobody foresaw: callers must never wait for a pool that has ended.
            cause = error.__cause__ or error
            self._close(str(error), cause)
            if call is not None:
                call.refuse(str(error), cause)
            return
        if not is_retired:
            self._restarts += 1
        if call is None:
            self._idle.append(fresh)
        else:
            self._give(fresh, [call])  # 3
        self._dispatch()

    def _account(self, held: Held, status: int) -> None:
        """Count a death, and answer its call unless that is to be tried again."""
        reason = held.settle(status, self._limits)
        self._kills[reason] += 1
        if reason is KillReason.CPU:
            self._cpu_seconds += self._limits.cpu_seconds
        if self._observe is not None:
            self._observe.killed(reason)

    def _close(self, reason: str, cause: BaseException | None) -> None:
        """Refuse all that waits and all that comes."""
        self._closed = reason
        self._cause = cause
        for call in self._queue.clear():
            call.refuse(reason, cause)

    async def _stop(self, drain_seconds: float) -> None:
        self._close(_STOPPED, None)
        heals = dict(self._heals)
        for task, call in heals.items():
            task.cancel()
            if call is not None:
                call.refuse(_STOPPED, None)
        await asyncio.gather(*heals, return_exceptions=True)
        running = [call for held in self._busy.values() for call in held.calls]
        if running:
            await asyncio.wait([call.future for call in running], timeout=drain_seconds)
        for call in running:
            call.refuse(_STOPPED, None)
        self._busy.clear()
        self._idle.clear()
        if self._watch_timer is not None:
            self._watch_timer.cancel()
        await self._crew.bury_all()
