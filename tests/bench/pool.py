"""What one call of the scoring pool costs its parent, against concurrent.futures doing the same.

Both pools run two spawned processes with a work that answers at once, so that what is measured is the way
there and back. Rounds of the two alternate, and medians are taken over rounds: whatever else the machine
does hits both alike. CPU time is that of the whole parent process, all of its threads included.

``python -m tests.bench.pool`` prints JSON.
"""

import asyncio
import multiprocessing
import statistics
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ProcessPoolExecutor
from typing import Any

from models.pool import PoolLimits, ScoringPool, Work
from schemas.prediction import ScoredModel
from schemas.revision import Revision
from tests.bench.report import emit
from tests.pool_work import lengths, model, revision

PROCESSES = 2
IN_FLIGHT = 4
ROUNDS = 9
CALLS_BY_CHARACTERS = {1_000: 600, 10_000: 600, 100_000: 300, 1_000_000: 60}

# Like most wiki text: nearly all ASCII, but not all, so that it must be encoded and not just copied.
_LINE = "A line of words, with a [[link]] and a {{template|name=value}} \N{EM DASH} and a full stop.\n"

_work: Work | None = None


def _load() -> None:
    global _work  # noqa: PLW0603 - how an executor's initializer hands over
    _work = lengths()


def _call(revision: Revision, artefacts: tuple[str, ...], with_features: bool) -> list[ScoredModel]:
    assert _work is not None
    return _work(revision, artefacts, with_features)


async def _round(call: Callable[[], Awaitable[object]], calls: int) -> tuple[float, float]:
    """Return the CPU and the wall seconds per call, with IN_FLIGHT calls at a time."""

    async def lane() -> None:
        for _ in range(calls // IN_FLIGHT):
            await call()

    cpu, wall = time.process_time(), time.monotonic()
    await asyncio.gather(*(lane() for _ in range(IN_FLIGHT)))
    return (time.process_time() - cpu) / calls, (time.monotonic() - wall) / calls


async def _longest_block_seconds(call: Callable[[], Awaitable[object]]) -> float:
    """Return how long the event loop was held at most during one call."""
    longest = 0.0
    task = asyncio.ensure_future(call())
    while not task.done():
        began = time.thread_time()
        await asyncio.sleep(0)
        longest = max(longest, time.thread_time() - began)
    await task
    return longest


async def measure() -> dict[str, Any]:
    """Return the figures by size of the text."""
    pool = ScoringPool(lengths, processes=PROCESSES, limits=PoolLimits())
    began = time.monotonic()
    await pool.start()
    figures: dict[str, Any] = {"start_seconds": round(time.monotonic() - began, 3), "sizes": {}}
    loop = asyncio.get_running_loop()
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(PROCESSES, mp_context=spawn, initializer=_load) as executor:
        info = model()
        for characters, calls in CALLS_BY_CHARACTERS.items():
            text = revision((_LINE * (characters // len(_LINE) + 1))[:characters])

            async def ours(text: Revision = text) -> object:
                return await pool.score(text, [info])

            async def theirs(text: Revision = text) -> object:
                return await loop.run_in_executor(executor, _call, text, (info.artefact,), False)

            for warm in (ours, theirs):
                await _round(warm, IN_FLIGHT * 4)
            rounds = [(await _round(ours, calls), await _round(theirs, calls)) for _ in range(ROUNDS)]
            our_cpu, their_cpu = (statistics.median(r[i][0] for r in rounds) for i in (0, 1))
            our_wall, their_wall = (statistics.median(r[i][1] for r in rounds) for i in (0, 1))
            block = statistics.median([await _longest_block_seconds(ours) for _ in range(ROUNDS)])
            figures["sizes"][str(characters)] = {
                "parent_cpu_us_per_call": round(our_cpu * 1e6, 1),
                "executor_parent_cpu_us_per_call": round(their_cpu * 1e6, 1),
                "cpu_ratio": round(our_cpu / their_cpu, 3),
                "wall_us_per_call": round(our_wall * 1e6, 1),
                "executor_wall_us_per_call": round(their_wall * 1e6, 1),
                "longest_loop_block_us": round(block * 1e6, 1),
            }
    began = time.monotonic()
    await pool.stop(drain_seconds=1)
    figures["stop_seconds"] = round(time.monotonic() - began, 3)
    return figures


if __name__ == "__main__":
    emit("pool", asyncio.run(measure()))
