"""How fast a batch of stored scores is answered, beside single look-ups and a plain loop over the same rows.

``python -m tests.bench.batch`` prints JSON. The ways take turns in one run and answer revisions drawn anew
time, out of more than any memory of answers holds; every page has two revisions, so that half of them are not
the page's latest, and many more pages of the wiki are hidden:

- ``batch``: ``POST /scores`` for all revisions at once, over HTTP.
- ``single``: ``GET /scores/…`` for each revision, over HTTP on connections that stay.
- ``loop``: no HTTP at all: read each row and its page's, decode, build the document, ``json.dumps``.

What counts is CPU time of the server (of the loop, its own), so that the figures are one core's.
"""

import argparse
import asyncio
import gc
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import aiohttp
import psutil
import uvloop
from msgspec.structs import replace

from app.api.asgi import create_api
from app.api.documents import row_document
from app.api.server import bind, run_server
from app.logging import configure_logging
from app.metrics import Metrics
from schemas.keys import row_key
from schemas.prediction import Withdrawal
from tables.codec import encode_row
from tables.follower import Follower
from tables.reader import PredictionReader
from tests.bench.lookup import one_round
from tests.bench.report import emit
from tests.replica_log import PAGES_TOPIC, REVISIONS_TOPIC, TOPICS, MemoryLog, MemoryTopicReader
from tests.rows import REV_DT, binary, catalogue, row, stored
from tests.served import until

ROWS = 40_000
HIDDEN_PAGES = 10_000
MODELS = ("damaging", "goodfaith")
WIKIS = catalogue({"enwiki": MODELS})


async def reader_over(directory: Path) -> PredictionReader:
    """Return a replica that has all rows, and follows nothing any more."""
    log = MemoryLog(partitions=1)
    for rev_id in range(1, ROWS + 1):
        scores = (stored(name, binary(random.random())) for name in MODELS)
        value = row(*scores, page_id=(rev_id + 1) // 2, rev_id=rev_id)
        log.append(REVISIONS_TOPIC, row_key("enwiki", rev_id), encode_row(value))
        log.append(PAGES_TOPIC, row_key("enwiki", value.page_id), encode_row(value))
    hidden = Withdrawal(True, REV_DT, 9)
    for page_id in range(ROWS, ROWS + HIDDEN_PAGES):
        value = replace(row(page_id=page_id, rev_id=page_id), withdrawal=hidden)
        log.append(PAGES_TOPIC, row_key("enwiki", page_id), encode_row(value))
    follower = Follower(MemoryTopicReader(log), directory, TOPICS)
    following = asyncio.create_task(follower.run())
    await until(lambda: follower.freshness().is_ready, timeout_seconds=120)
    following.cancel()
    return PredictionReader(follower)


async def serve(directory: Path) -> None:
    """Serve until the process is ended; print the port once connections are taken."""
    configure_logging("warning", "json")
    api = create_api(
        reader=await reader_over(directory),
        catalogue=WIKIS,
        on_demand=None,
        readiness=tuple,
        metrics=Metrics(),
    )
    gc.freeze()
    listener = bind("127.0.0.1", 0)
    print(listener.getsockname()[1], flush=True)
    await run_server(api, "", 0, stop=asyncio.Event(), listener=listener)


@contextmanager
def server() -> Iterator[tuple[psutil.Process, int]]:
    """Run a server in a process of its own; give the process and its port."""
    with tempfile.TemporaryDirectory() as directory:
        command = [sys.executable, "-m", "tests.bench.batch", "--serve", directory]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            try:
                assert process.stdout is not None
                yield psutil.Process(process.pid), int(process.stdout.readline())
            finally:
                process.terminate()


async def post(port: int, batches: Sequence[Sequence[int]]) -> list[float]:
    """Post batches one after the other; return the seconds of each."""
    seconds = []
    async with aiohttp.ClientSession() as session:
        for rev_ids in batches:
            body = json.dumps({"lookups": [{"wiki_id": "enwiki", "rev_ids": list(rev_ids)}]}).encode()
            started = time.perf_counter()
            async with session.post(f"http://127.0.0.1:{port}/scores", data=body) as response:
                answered = await response.read()
            seconds.append(time.perf_counter() - started)
            if answered.count(b'"prediction"') != len(rev_ids) * len(MODELS):
                raise SystemExit("a batch was not answered in full: the figures would be worthless")
    return seconds


def of_batches(process: psutil.Process, port: int, revisions: int, repeats: int) -> dict[str, float]:
    """Return scores per second of the server's CPU time, and the median of a batch's milliseconds."""
    batches = [random.sample(range(1, ROWS + 1), revisions) for _ in range(repeats)]
    before = process.cpu_times()
    seconds = uvloop.run(post(port, batches))
    after = process.cpu_times()
    spent = after.user + after.system - before.user - before.system
    return {
        "scores_per_core_second": revisions * repeats * len(MODELS) / spent,
        "cpu_us_per_revision": spent / revisions / repeats * 1e6,
        "p50_ms": median(seconds) * 1000,
    }


def of_singles(process: psutil.Process, port: int, revisions: int, seconds: float) -> dict[str, float]:
    """Return the same of single look-ups."""
    paths = [f"/scores/enwiki/{rev_id}" for rev_id in random.sample(range(1, ROWS + 1), revisions)]
    figures = one_round(process, port, paths, connections=16, seconds=seconds)
    spent_us = figures["server_cpu_us_per_request"]
    return {
        "scores_per_core_second": len(MODELS) / spent_us * 1e6,
        "cpu_us_per_revision": spent_us,
        "p50_ms": figures["p50_ms"],
    }


def of_loop(reader: PredictionReader, revisions: int, repeats: int) -> dict[str, float]:
    """Return the same of a loop without a server."""
    batches = [random.sample(range(1, ROWS + 1), revisions) for _ in range(repeats)]
    models, size_bytes = WIKIS.models("enwiki"), 0
    seconds = []
    started = time.process_time()
    for rev_ids in batches:
        begun = time.perf_counter()
        for rev_id in rev_ids:
            found = reader.revision("enwiki", rev_id)
            assert found is not None
            size_bytes += len(json.dumps(row_document(found, models), default=str))
        seconds.append(time.perf_counter() - begun)
    spent = time.process_time() - started
    assert size_bytes > revisions
    return {
        "scores_per_core_second": revisions * repeats * len(MODELS) / spent,
        "cpu_us_per_revision": spent / revisions / repeats * 1e6,
        "p50_ms": median(seconds) * 1000,
    }


async def measure(rounds: int, revisions: int, repeats: int) -> dict[str, Any]:
    """Return the medians of all rounds, by way."""
    seen: dict[str, list[dict[str, float]]] = {"batch": [], "single": [], "loop": []}
    with tempfile.TemporaryDirectory() as directory, server() as (process, port):
        reader = await reader_over(Path(directory))
        for _ in range(rounds):
            seen["batch"].append(await asyncio.to_thread(of_batches, process, port, revisions, repeats))
            seen["single"].append(await asyncio.to_thread(of_singles, process, port, revisions, 2.0))
            seen["loop"].append(of_loop(reader, revisions, repeats))
    results: dict[str, Any] = {
        way: {name: median(figures[name] for figures in found) for name in found[0]}
        for way, found in seen.items()
    }
    for way in ("single", "loop"):
        pairs = zip(seen["batch"], seen[way], strict=True)
        results["batch"][f"times_{way}"] = median(
            ours["scores_per_core_second"] / other["scores_per_core_second"] for ours, other in pairs
        )
    return {
        "rows": ROWS,
        "revisions": revisions,
        "models": len(MODELS),
        "rounds": rounds,
        "batches_per_round": repeats,
        "results": results,
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--revisions", type=int, default=1000)
    parser.add_argument("--batches", type=int, default=40)
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        uvloop.run(serve(given.serve))
    else:
        emit("batch", asyncio.run(measure(given.rounds, given.revisions, given.batches)))
