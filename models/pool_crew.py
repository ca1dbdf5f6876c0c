"""The processes of a pool: started, replaced and buried."""

import asyncio
import pickle
from collections.abc import Callable
from functools import partial

from models.pool_call import typed_error
from models.pool_process import ScoringProcess, describe_exit
from models.pool_worker import Answer, Failed, Load, Ready, Work
from schemas.errors import EngineError, RevstreamError

_STARTS_IN_A_ROW = 3
_RESTART_PAUSE_SECONDS = 0.2
_LEAVE_SECONDS = 2.0


class Crew:
    """Starts processes that have their models loaded, and knows all that are not buried yet.

    Args:
        load: First message of each process.
        niceness: Added to this process's own.
        load_seconds: Wall time in which a process must have loaded its models.
        on_answer: Called with a process that has loaded and its answer.
        on_death: Called once with a process that has loaded and died.
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
        self._members: set[ScoringProcess] = set()
        self._loading: dict[ScoringProcess, asyncio.Future[Answer | None]] = {}

    async def start(self) -> ScoringProcess:
        """Start one process and return it once its models are loaded.

        Raises:
            RevstreamError: What loading raised in the process, with its type and fields.
            EngineError: The process could not be started, died, or took too long.
        """
        try:
            process = ScoringProcess(
                self._load, niceness=self._niceness, on_answer=self._hear, on_death=self._lose
            )
        except OSError as error:
            raise EngineError(
                f"the system refuses to start a scoring process: {error}; memory, processes or open files "
                "have likely run out: raise their limits, or lower the number of scoring processes"
            ) from error
        self._members.add(process)
        loading: asyncio.Future[Answer | None] = asyncio.get_running_loop().create_future()
        self._loading[process] = loading
        try:
            async with asyncio.timeout(self._load_seconds):
                answer = await loading
        except TimeoutError as error:
            await self.bury(process)
            raise EngineError(
                f"a scoring process did not load its models within {self._load_seconds:g} s; the disk or the "
                "machine is likely overloaded: start again, or raise the limit"
            ) from error
        if isinstance(answer, Ready) and process.is_open:
            del self._loading[process]
            return process
        status = await self.bury(process)
        if isinstance(answer, Failed):
            raise typed_error(answer)
        raise EngineError(
            f"a scoring process {describe_exit(status)} while loading its models; memory likely ran out, or "
            "a library failed (then its words are in the worker's log): see there, or lower the number of "
            "scoring processes"
        )

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
        self._members.discard(process)
        return status

    async def bury_all(self) -> None:
        """Bury every process; starts under way raise EngineError."""
        for loading in self._loading.values():
            if not loading.done():
                loading.set_result(None)
        await asyncio.gather(*(self.bury(process) for process in tuple(self._members)))

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
