"""The processes of a pool: the template and those forked from it, started, replaced and buried."""

import asyncio
import pickle
import signal
from collections.abc import Callable
from functools import partial
from itertools import count

from models.pool_call import typed_error
from models.pool_messages import Answer, Died, Failed, Load, Ready, Work
from models.pool_process import ScoringProcess, TemplateProcess, describe_exit
from schemas.errors import EngineError, RevstreamError

_STARTS_IN_A_ROW = 3
_RESTART_PAUSE_SECONDS = 0.2
_LEAVE_SECONDS = 2.0


class Crew:
    """Starts processes that have their models loaded, and knows all that are not buried yet.

    The template is started with the first of them, and anew with the next one when it has died.

    Args:
        load: First message of the template.
        niceness: Added to this process's own.
        load_seconds: Wall time in which the models must be loaded.
        on_answer: Called with a process that is ready and its answer.
        on_death: Called once with a process that was ready and died.
    """

    def __init__(
        self,
        load: Load,
        *,
        niceness: int,
        load_seconds: float,
        on_answer: Callable[[ScoringProcess, Answer], None],
        on_death: Callable[[ScoringProcess], None],
    ) -> None:
        self._load = load
        self._niceness = niceness
        self._load_seconds = load_seconds
        self._on_answer = on_answer
        self._on_death = on_death
        self._numbers = count(1)
        self._members: dict[int, ScoringProcess] = {}
        self._loading: dict[ScoringProcess, asyncio.Future[Answer | None]] = {}
        self._template: asyncio.Task[TemplateProcess] | None = None

    async def start(self) -> ScoringProcess:
        """Start one process and return it once its models are loaded.

        Raises:
            RevstreamError: What loading raised, with its type and fields.
            EngineError: A process could not be started, died, or took too long.
        """
        template = await self._ready_template()
        try:
            process = ScoringProcess(template, next(self._numbers), on_answer=self._hear, on_death=self._lose)
        except OSError as error:
            template.kill()
            raise _refused(error) from error
        self._members[process.number] = process
        loading: asyncio.Future[Answer | None] = asyncio.get_running_loop().create_future()
        self._loading[process] = loading
        try:
            async with asyncio.timeout(self._load_seconds):
                answer = await loading
        except TimeoutError as error:
            await self.bury(process)
            raise self._too_slow() from error
        if isinstance(answer, Ready) and process.is_open:
            del self._loading[process]
            return process
        raise _not_loaded(answer, await self.bury(process))

    async def replace(self) -> ScoringProcess:
        """Start one process for one that died, with pauses between the tries.

        Raises:
            EngineError: None starts.
        """
        last: RevstreamError | None = None
        for attempt in range(_STARTS_IN_A_ROW):
            if attempt:
                await asyncio.sleep(_RESTART_PAUSE_SECONDS * attempt)
            try:
                return await self.start()
            except RevstreamError as error:
                last = error
        raise EngineError(
            f"no scoring process could be started in {_STARTS_IN_A_ROW} tries, so nothing can be scored; the "
            f"last failed because {last}: cure that and start the worker anew, no event is lost"
        ) from last

    async def bury(self, process: ScoringProcess) -> int:
        """Let a process leave, end it if it loads or lingers, and return its exit status. Idempotent."""
        if self._loading.pop(process, None) is not None:
            process.kill()
        status = await process.wait(_LEAVE_SECONDS)
        self._members.pop(process.number, None)
        return status

    async def bury_all(self) -> None:
        """End every process; starts under way raise EngineError."""
        for loading in self._loading.values():
            if not loading.done():
                loading.set_result(None)
        for process in self._members.values():
            process.close()
        if self._template is not None:
            self._template.cancel()
            await asyncio.wait([self._template])
            if _is_loaded(self._template):
                await self._template.result().wait(_LEAVE_SECONDS)
        self._lose_all()

    async def _ready_template(self) -> TemplateProcess:
        """Return the template once it has loaded the models; all who ask meanwhile wait for the same one."""
        task = self._template
        if task is None or (task.done() and not (_is_loaded(task) and task.result().is_open)):
            previous = task.result() if task is not None and _is_loaded(task) else None
            task = self._template = asyncio.create_task(self._start_template(previous))
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            if task.cancelled():
                raise EngineError("the scoring pool was stopped while its models were loaded") from None
            raise

    async def _start_template(self, previous: TemplateProcess | None) -> TemplateProcess:
        if previous is not None:
            await previous.wait(0)
        loaded: asyncio.Future[Ready | Failed | None] = asyncio.get_running_loop().create_future()

        def hear(word: Ready | Failed | Died | None) -> None:
            if isinstance(word, Died):
                self._learn_of_death(word)
            elif not loaded.done():
                loaded.set_result(word)
            else:
                # It has died, or has gone wrong; what it forked does not outlive it.
                template.kill()
                self._lose_all()

        try:
            template = TemplateProcess(self._load, niceness=self._niceness, on_word=hear)
        except OSError as error:
            raise _refused(error) from error
        try:
            async with asyncio.timeout(self._load_seconds):
                answer = await loaded
        except TimeoutError as error:
            await template.wait(0)
            raise self._too_slow() from error
        except asyncio.CancelledError:
            template.kill()
            await template.wait(0)
            raise
        if isinstance(answer, Ready):
            return template
        raise _not_loaded(answer, await template.wait(_LEAVE_SECONDS))

    def _learn_of_death(self, death: Died) -> None:
        process = self._members.get(death.number)
        if process is not None and not process.ended.done():
            process.ended.set_result(death.status)

    def _lose_all(self) -> None:
        """Take every process for ended, as all are once the template is."""
        for process in tuple(self._members.values()):
            if not process.ended.done():
                process.ended.set_result(-signal.SIGKILL)

    def _too_slow(self) -> EngineError:
        return EngineError(
            f"a scoring process did not load its models within {self._load_seconds:g} s; the disk or the "
            "machine is likely overloaded: start again, or raise the limit"
        )

    def _hear(self, process: ScoringProcess, answer: Answer) -> None:
        loading = self._loading.get(process)
        if loading is None:
            self._on_answer(process, answer)
        elif not loading.done():
            loading.set_result(answer)

    def _lose(self, process: ScoringProcess) -> None:
        loading = self._loading.get(process)
        if loading is None:
            self._on_death(process)
        elif not loading.done():
            loading.set_result(None)


def _is_loaded(task: asyncio.Task[TemplateProcess]) -> bool:
    return not task.cancelled() and task.exception() is None


def _not_loaded(answer: Answer | None, status: int) -> RevstreamError:
    if isinstance(answer, Failed):
        return typed_error(answer)
    return EngineError(
        f"a scoring process {describe_exit(status)} while loading its models; memory likely ran out, or "
        "a library failed (then its words are in the worker's log): see there, or lower the number of "
        "scoring processes"
    )


def _refused(error: OSError) -> EngineError:
    return EngineError(
        f"the system refuses to start a scoring process: {error}; memory, processes or open files "
        "have likely run out: raise their limits, or lower the number of scoring processes"
    )


def pickled(make_work: Callable[[], Work]) -> bytes:
    """Return a callable in a form that another process can import.

    Raises:
        ValueError: It lives in the main module or in another function, or holds what cannot be pickled.
    """
    function = make_work.func if isinstance(make_work, partial) else make_work
    if getattr(function, "__module__", None) == "__main__":
        raise ValueError(
            f"{make_work!r} lives in the main module, which a scoring process does not import: move it "
            "into a module"
        )
    try:
        return pickle.dumps(make_work)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise ValueError(
            f"{make_work!r} cannot be sent to a scoring process ({error}): give a function of a module, or "
            "a partial of one whose arguments can be pickled"
        ) from error
