"""What the scoring pool costs: a call, its start, healing, memory, and what a second process brings.

Calls are measured against concurrent.futures doing the same. Both pools run two processes with a work that
answers at once, so that what is measured is the way there and back. Rounds of the two alternate, and medians
are taken over rounds: whatever else the machine does hits both alike. CPU time is that of the whole parent
process, all of its threads included.

Start, healing and memory are measured with the models of a folder, as far as they can be loaded here.

``python -m tests.bench.pool [FOLDER]`` prints JSON; without a folder the packaged models are taken.
"""

import asyncio
import multiprocessing
import os
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import psutil

from models.pool import PoolLimits, ScoringPool, Work
from models.store import PACKAGED_MODELS, ModelStore
from models.work import load_work
from schemas.errors import ModelError
from schemas.prediction import ScoredModel
from schemas.revision import Revision
from tests.bench.report import emit
from tests.pool_work import lengths, model, obedient, revision, until

PROCESSES = 2
IN_FLIGHT = 4
ROUNDS = 9
SPIN_SECONDS = 0.005
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


async def _round(
    call: Callable[[], Awaitable[object]], calls: int, in_flight: int = IN_FLIGHT
) -> tuple[float, float]:
    """Return the CPU and the wall seconds per call, with so many calls at a time."""

    async def lane() -> None:
        for _ in range(calls // in_flight):
            await call()

    cpu, wall = time.process_time(), time.monotonic()
    await asyncio.gather(*(lane() for _ in range(in_flight)))
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


async def measure_calls() -> dict[str, Any]:
    """Return what a call costs by size of the text, against an executor."""
    figures: dict[str, Any] = {}
    loop = asyncio.get_running_loop()
    spawn = multiprocessing.get_context("spawn")
    pool = ScoringPool(lengths, processes=PROCESSES, limits=PoolLimits())
    await pool.start()
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
            figures[str(characters)] = {
                "parent_cpu_us_per_call": round(our_cpu * 1e6, 1),
                "executor_parent_cpu_us_per_call": round(their_cpu * 1e6, 1),
                "cpu_ratio": round(our_cpu / their_cpu, 3),
                "wall_us_per_call": round(our_wall * 1e6, 1),
                "executor_wall_us_per_call": round(their_wall * 1e6, 1),
                "longest_loop_block_us": round(block * 1e6, 1),
            }
    await pool.stop(drain_seconds=1)
    return figures


async def measure_waiting() -> dict[str, Any]:
    """Return the wall time of a small revision by how many there are at a time; one process."""
    pool = ScoringPool(lengths, processes=1, limits=PoolLimits())
    await pool.start()
    text, info = revision(_LINE * 10), model()

    async def call() -> object:
        return await pool.score(text, [info])

    rounds: dict[int, list[float]] = {1: [], 64: []}
    for _ in range(ROUNDS):
        for in_flight, seconds in rounds.items():
            seconds.append((await _round(call, 640, in_flight))[1])
    await pool.stop(drain_seconds=1)
    medians = {in_flight: statistics.median(seconds) for in_flight, seconds in rounds.items()}
    return {f"wall_us_per_call_{n}_at_a_time": round(each * 1e6, 1) for n, each in medians.items()}


async def measure_processes() -> dict[str, Any]:
    """Return how many revisions of 5 ms of work two processes score in the time that one scores one."""
    rates: dict[int, list[float]] = {1: [], 2: []}
    info = model()
    with tempfile.TemporaryDirectory() as scratch:
        pools = {n: ScoringPool(partial(obedient, scratch), processes=n, limits=PoolLimits()) for n in rates}
        for pool in pools.values():
            await pool.start()
        for _ in range(ROUNDS):
            for processes, pool in pools.items():
                _, wall = await _round(partial(pool.score, revision(f"spin {SPIN_SECONDS}"), [info]), 96, 16)
                rates[processes].append(1 / wall)
        for pool in pools.values():
            await pool.stop(drain_seconds=1)
    one, two = (statistics.median(each) for each in rates.values())
    return {"one_per_second": round(one, 1), "two_per_second": round(two, 1), "ratio": round(two / one, 3)}


async def measure_models(folder: Path) -> dict[str, Any]:
    """Return start, healing and memory with the models of a folder."""
    artefacts = _loadable(folder)
    pool = ScoringPool(partial(load_work, (folder,), artefacts), processes=PROCESSES, limits=PoolLimits())
    began = time.monotonic()
    await pool.start()
    start_seconds = time.monotonic() - began
    processes = psutil.Process().children(recursive=True)
    memory = {
        "template" if process.pid not in pool.status().pids else f"process_{process.pid}": {
            "rss_mb": round(process.memory_full_info().rss / 1e6, 1),
            "pss_mb": round(process.memory_full_info().pss / 1e6, 1),
        }
        for process in processes
    }
    heals = []
    for restarts in range(1, ROUNDS + 1):
        os.kill(pool.status().pids[0], signal.SIGKILL)
        began = time.monotonic()
        await until(lambda: pool.status().restarts == restarts)  # noqa: B023 - awaited at once
        heals.append(time.monotonic() - began)
    began = time.monotonic()
    await pool.stop(drain_seconds=1)
    return {
        "models": len(artefacts),
        "start_seconds": round(start_seconds, 3),
        "heal_ms": round(statistics.median(heals) * 1e3, 1),
        "stop_seconds": round(time.monotonic() - began, 3),
        "memory": memory,
    }


def _loadable(folder: Path) -> tuple[str, ...]:
    """Return the artefacts that can be loaded here, as another process finds out."""
    names = ModelStore([folder]).names()
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as executor:
        return tuple(
            name
            for name, can in zip(names, executor.map(partial(_can_load, folder), names), strict=True)
            if can
        )


def _can_load(folder: Path, artefact: str) -> bool:
    try:
        ModelStore([folder]).load(artefact)
    except ModelError:
        return False
    return True


async def measure(folder: Path) -> dict[str, Any]:
    """Return all figures."""
    return {
        "models": await measure_models(folder),
        "waiting": await measure_waiting(),
        "processes": await measure_processes(),
        "sizes": await measure_calls(),
    }


if __name__ == "__main__":
    emit("pool", asyncio.run(measure(Path(sys.argv[1]) if len(sys.argv) > 1 else PACKAGED_MODELS)))
