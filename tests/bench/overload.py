"""What a worker does when ten times as much is asked for as it can score.

``python -m tests.bench.overload [--seconds 60]`` prints JSON. First it is found how many revisions of 36 kB a
second a worker scores with two models. Then ten times as many are asked for, each a new one and whether or
not the ones before are answered, and stored scores are looked up meanwhile. Told are the latencies of those
look-ups, of refusals and of what was scored; the memory of the worker's processes before, at most and at the
end; and how long after the flood a new revision takes again no more than three times its usual time.

Worker, wiki and the one who asks share the cores, where in earnest the last two are elsewhere. So the wiki
goes after all others, and the one who asks before them where the system lets it (as root; ``asker_niceness``
tells), so that its own waiting for a core is not taken for the worker's. How late it came to its turns all
the same is told as ``asker_late``: about as much of each latency is its own, once before the request and once
after the answer.
"""

import argparse
import asyncio
import contextlib
import gc
import os
import tempfile
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import aiohttp
import psutil
import uvloop

from tests.bench.on_demand import WIKI, artefacts_of, wiki, worker
from tests.bench.report import emit
from tests.bench.wiki_server import rev_id_of
from tests.conftest import shared_folder

TIMES = 10
_STORED = 50
_LOOK_UPS_PER_SECOND = 50.0
_CAPACITY_REVISIONS = 60
_CLIENTS = 4
# Counting what processes share walks all their pages, and halts them meanwhile.
_MEMORY_SECONDS = 5.0
_GIVE_UP_SECONDS = 60.0
_ASKER_NICENESS = -10
_REFUSALS = (429, 503)


class Asked:
    """What was answered, by kind, with the time each answer took in seconds."""

    def __init__(self, address: str, session: aiohttp.ClientSession) -> None:
        self._address = address
        self._session = session
        self.took: dict[str, list[float]] = {"scored": [], "refused": [], "failed": [], "stored": []}

    async def ask(self, rev_id: int) -> str:
        """Ask for both scores of a revision; return how it was answered."""
        began = time.perf_counter()
        async with self._session.get(f"{self._address}/v3/scores/{WIKI}/{rev_id}") as response:
            document = await response.json()
            kind = "refused" if response.status in _REFUSALS else "failed"
            if response.status == 200:
                entries = document[WIKI]["scores"][str(rev_id)].values()
                kind = "scored" if all("score" in entry for entry in entries) else "failed"
            elif kind == "refused":
                assert "retry-after" in response.headers
        self.took[kind].append(time.perf_counter() - began)
        return kind

    async def look_up(self, rev_id: int) -> None:
        """Look up what is stored."""
        began = time.perf_counter()
        async with self._session.get(f"{self._address}/v3/scores/{WIKI}/{rev_id}") as response:
            await response.read()
            assert response.status == 200
        self.took["stored"].append(time.perf_counter() - began)


async def at_rate(
    per_second: float, seconds: float, ask: Callable[[], Awaitable[object]], late: list[float]
) -> list["asyncio.Task[object]"]:
    """Begin so many questions a second for some time, whether or not those before are answered.

    Args:
        per_second: How many.
        seconds: How long.
        ask: Asks one.
        late: Takes how late each began that could be waited for, in seconds.
    """
    began, tasks = time.perf_counter(), []
    for number in range(int(per_second * seconds)):
        begins = began + number / per_second
        if (ahead := begins - time.perf_counter()) > 0:
            await asyncio.sleep(ahead)
            late.append(time.perf_counter() - begins)

        async def run() -> object:
            return await ask()

        tasks.append(asyncio.create_task(run()))
    return tasks


def go_first() -> int:
    """Let this thread go before all others, as far as it may; return its niceness.

    Where the kernel schedules sessions as groups, ours goes before the worker's.
    """
    gc.freeze()
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, _ASKER_NICENESS)
        Path("/proc/self/autogroup").write_text(str(_ASKER_NICENESS))
    return os.getpriority(os.PRIO_PROCESS, 0)


def memory_bytes(process: psutil.Process) -> int:
    """Return the memory of a process and all its children; what they share counts once."""
    total = 0
    for one in (process, *process.children(recursive=True)):
        try:
            total += one.memory_full_info().pss
        except psutil.NoSuchProcess:
            continue
    return total


def memory_aside(process: psutil.Process) -> int:
    """Return what `memory_bytes` does, in a thread that goes before nobody."""
    os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 0)
    return memory_bytes(process)


async def capacity(asked: Asked, rev_ids: Iterator[int]) -> tuple[float, float]:
    """Return how many revisions a second are scored, and the usual time of one alone."""
    alone = []
    for _ in range(5):
        began = time.perf_counter()
        assert await asked.ask(next(rev_ids)) == "scored"
        alone.append(time.perf_counter() - began)
    waiting = [next(rev_ids) for _ in range(_CAPACITY_REVISIONS)]
    began = time.perf_counter()

    async def client() -> None:
        while waiting:
            await asked.ask(waiting.pop())

    await asyncio.gather(*(client() for _ in range(_CLIENTS)))
    return _CAPACITY_REVISIONS / (time.perf_counter() - began), median(alone)


async def recovery(asked: Asked, rev_ids: Iterator[int], usual_seconds: float) -> float:
    """Return after how many seconds a new revision takes no more than three times its usual time."""
    began = time.perf_counter()
    while (now := time.perf_counter()) < began + _GIVE_UP_SECONDS:
        kind = await asked.ask(next(rev_ids))
        if kind == "scored" and time.perf_counter() - now <= 3 * usual_seconds:
            return now - began
        await asyncio.sleep(0.02)
    raise SystemExit("the worker did not recover")


async def run(artefacts: Path, shared: Path, seconds: float, folder: Path, pages: int) -> dict[str, Any]:
    """Flood a worker, and return what became of it."""
    rev_ids = iter([rev_id_of(page_id) for page_id in range(1, pages + 1)])
    connector = aiohttp.TCPConnector(limit=0)
    with (
        wiki(pages, shared, goes_last=True) as api_url,
        worker(folder / "worker", artefacts, api_url) as program,
    ):
        await asyncio.to_thread(program.until_answered, "/readyz")
        process = psutil.Process(program.process.pid)
        async with aiohttp.ClientSession(connector=connector) as session:
            before = Asked(program.address, session)
            stored = [next(rev_ids) for _ in range(_STORED)]
            for rev_id in stored:
                assert await before.ask(rev_id) == "scored"
            per_second, usual_seconds = await capacity(before, rev_ids)
            flood, looked_up = Asked(program.address, session), Asked(program.address, session)
            turn = iter(range(1 << 30))
            memory = [memory_bytes(process)]
            niceness = go_first()
            late: list[float] = []

            async def watch() -> None:
                while True:
                    memory.append(await asyncio.to_thread(memory_aside, process))
                    await asyncio.sleep(_MEMORY_SECONDS)

            watching = asyncio.create_task(watch())
            floods, look_ups = await asyncio.gather(
                at_rate(TIMES * per_second, seconds, lambda: flood.ask(next(rev_ids)), late),
                at_rate(
                    _LOOK_UPS_PER_SECOND,
                    seconds,
                    lambda: looked_up.look_up(stored[next(turn) % _STORED]),
                    late,
                ),
            )
            recovered_seconds = await recovery(Asked(program.address, session), rev_ids, usual_seconds)
            await asyncio.gather(*floods, *look_ups)
            watching.cancel()
            memory.append(memory_bytes(process))
    return {
        "seconds": seconds,
        "capacity_per_second": round(per_second, 2),
        "asked_per_second": round(TIMES * per_second, 2),
        "usual_ms": round(usual_seconds * 1000, 1),
        "asker_niceness": niceness,
        "asker_late": told(late),
        "stored": told(looked_up.took["stored"]),
        **{kind: told(flood.took[kind]) for kind in ("scored", "refused", "failed")},
        "recovered_seconds": round(recovered_seconds, 3),
        "memory_bytes": {
            "before": memory[0],
            "first_half_most": max(memory[: len(memory) // 2]),
            "second_half_most": max(memory[len(memory) // 2 :]),
            "end": memory[-1],
        },
    }


def told(seconds: Sequence[float]) -> dict[str, float]:
    """Return number and latencies in milliseconds."""
    if not seconds:
        return {"number": 0}
    ordered = sorted(seconds)
    return {
        "number": len(ordered),
        "p50_ms": round(ordered[len(ordered) // 2] * 1000, 2),
        "p99_ms": round(ordered[int(len(ordered) * 0.99)] * 1000, 2),
        "most_ms": round(ordered[-1] * 1000, 2),
    }


def main() -> None:
    """Run, and print the report as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--pages", type=int, default=0, help="of the wiki; enough for 50 a second if 0")
    parser.add_argument("--keep", type=Path, default=Path(tempfile.gettempdir()) / "revstream-bench-engine")
    given = parser.parse_args()
    shared = shared_folder()
    artefacts = artefacts_of(given.keep, shared)
    pages = given.pages or int(500 * given.seconds) + 2_000
    with tempfile.TemporaryDirectory(prefix="revstream-bench-") as folder:
        found = uvloop.run(run(artefacts, shared, given.seconds, Path(folder), pages))
    emit("overload", found)


if __name__ == "__main__":
    main()
