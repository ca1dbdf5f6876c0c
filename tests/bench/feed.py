"""What many open feeds cost: CPU time of a replica's server while events come, and how late they are told.

``python -m tests.bench.feed`` prints JSON. The server runs in a process of its own, and its readers in
another, so that its CPU time is that of matching, rendering and sending alone. What it takes
without a reader is taken off.
"""

import argparse
import asyncio
import json
import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path
from statistics import quantiles
from typing import Any

import aiohttp
import psutil

from schemas.prediction import PredictionRow
from tests.bench.report import emit
from tests.replica_log import MemoryLog
from tests.rows import REV_DT, binary, catalogue, row, stored
from tests.served import fill, served

FILTERS = (
    "",
    "score=damaging%3E0.5",
    "namespace=0&bots=none",
    "wiki=enwiki&score=damaging%3E0.9&score=goodfaith%3C0.5",
)


def revision(number: int) -> PredictionRow:
    scores = (
        stored(name, binary((number % 97) / 97), namespace_id=number % 3, is_bot=False)
        for name in ("damaging", "goodfaith")
    )
    dt = REV_DT + timedelta(seconds=number)
    return row(*scores, rev_id=number, page_id=number, rev_dt=dt)


async def serve(events_per_second: float, seconds: float, readers: int) -> None:
    """Serve, wait for the readers, and write events; print CPU time, and when each event was written."""
    log = MemoryLog()
    written: dict[int, float] = {}
    models = catalogue({"enwiki": ("damaging", "goodfaith")})
    with tempfile.TemporaryDirectory() as folder:
        async with served(Path(folder), models, log=log, feed_readers=readers + 1) as server:
            print(server.url, flush=True)
            while server.feed.status().readers < readers:  # noqa: ASYNC110 - no event for it
                await asyncio.sleep(0.05)
            process = psutil.Process()
            before = sum(process.cpu_times()[:2])
            started = time.perf_counter()
            for number in range(1, round(events_per_second * seconds) + 1):
                await asyncio.sleep(max(0.0, started + number / events_per_second - time.perf_counter()))
                written[number] = time.time()
                fill(log, [revision(number)])
            await asyncio.sleep(0.5)
            used = sum(process.cpu_times()[:2]) - before
            wall = time.perf_counter() - started
            print(json.dumps({"cpu_share": used / wall, "written": written}), flush=True)


async def read(url: str, query: str, seen: dict[int, list[float]]) -> None:
    """Note when each event came."""
    timeout = aiohttp.ClientTimeout(total=None)
    async with (
        aiohttp.ClientSession(timeout=timeout) as session,
        session.get(f"{url}/feed?{query}") as response,
    ):
        async for line in response.content:
            if line.startswith(b'data: {"wiki'):
                seen.setdefault(json.loads(line[6:])["rev_id"], []).append(time.time())


async def measure(readers: int, events_per_second: float, seconds: float) -> dict[str, Any]:
    """Return CPU share and delays of one run."""
    command = ("-m", "tests.bench.feed", "--serve", str(readers))
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *command,
        f"--events-per-second={events_per_second}",
        f"--seconds={seconds}",
        stdout=asyncio.subprocess.PIPE,
        limit=1 << 24,
    )
    assert process.stdout is not None
    lines = process.stdout
    while not (url := (await lines.readline()).decode().strip()).startswith("http"):
        pass
    seen: dict[int, list[float]] = {}
    reading = [
        asyncio.create_task(read(url, FILTERS[number % len(FILTERS)], seen)) for number in range(readers)
    ]
    while not (line := await lines.readline()).startswith(b'{"cpu_share"'):
        pass
    told = json.loads(line)
    await process.wait()
    await asyncio.gather(*reading, return_exceptions=True)
    delays = [at - told["written"][str(number)] for number, ats in seen.items() for at in ats]
    percentiles = quantiles(delays, n=100) if len(delays) > 1 else [0.0] * 99
    return {
        "readers": readers,
        "events_told": len(delays),
        "cpu_share_of_one_core": round(told["cpu_share"], 4),
        "delay_p50_seconds": round(percentiles[49], 4),
        "delay_p99_seconds": round(percentiles[98], 4),
    }


def main() -> None:
    """Run the benchmark, or its server."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--serve", type=int)
    parser.add_argument("--readers", type=int, default=200)
    parser.add_argument("--events-per-second", type=float, default=10.0)
    parser.add_argument("--seconds", type=float, default=20.0)
    asked = parser.parse_args()
    if asked.serve is not None:
        asyncio.run(serve(asked.events_per_second, asked.seconds, asked.serve))
        return
    runs = [
        asyncio.run(measure(readers, asked.events_per_second, asked.seconds))
        for readers in (0, asked.readers)
    ]
    cost = runs[1]["cpu_share_of_one_core"] - runs[0]["cpu_share_of_one_core"]
    emit("feed", {"runs": runs, "readers_cpu_share_of_one_core": round(cost, 4)})


if __name__ == "__main__":
    main()
