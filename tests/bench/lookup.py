"""How fast stored scores are looked up over HTTP, beside a bare ASGI answer from the same server.

``python -m tests.bench.lookup`` prints JSON. Rounds of the bare "hello" and of each face take turns, so that
both meet the same neighbours; the figures are medians over the rounds.
"""

import argparse
import asyncio
import gc
import json
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import psutil
import uvloop
from starlette.types import Receive, Scope, Send

from app.api.asgi import create_api
from app.api.server import bind, run_server
from app.logging import configure_logging
from app.metrics import Metrics
from schemas.keys import row_key
from tables.codec import encode_row
from tables.follower import Follower
from tables.reader import PredictionReader
from tests.bench.report import emit
from tests.replica_log import TOPICS, MemoryLog, MemoryTopicReader
from tests.rows import binary, catalogue, row, stored
from tests.served import until

ROWS = 20_000
MODELS = ("damaging", "goodfaith")
# What is asked, and over how many keys: one, those of a busy hour, or all, which no memory of answers holds.
ASKED = {
    "hello": ("/scores/enwiki/{rev_id}", 1),
    "scores": ("/scores/enwiki/{rev_id}", 1),
    "pages": ("/pages/enwiki/{rev_id}", 1),
    "ores": ("/v3/scores/enwiki/{rev_id}", 1),
    "ores_model": ("/v3/scores/enwiki/{rev_id}/damaging", 1),
    "ores_2000_keys": ("/v3/scores/enwiki/{rev_id}", 2_000),
    "ores_all_keys": ("/v3/scores/enwiki/{rev_id}", ROWS),
    "scores_all_keys": ("/scores/enwiki/{rev_id}", ROWS),
}
_HELLO = b"Hello, world!"


async def hello(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer everything with the same few bytes."""
    headers = [(b"content-type", b"text/plain"), (b"content-length", b"%d" % len(_HELLO))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": _HELLO})


async def serve(what: str, directory: Path) -> None:
    """Serve until the process is ended; print the port once connections are taken."""
    configure_logging("warning", "json")
    listener = bind("127.0.0.1", 0)
    app: Any = hello
    if what != "hello":
        follower = Follower(MemoryTopicReader(_filled_log()), directory, TOPICS)
        following = asyncio.create_task(follower.run())
        await until(lambda: follower.freshness().is_ready, timeout_seconds=60)
        app = create_api(
            reader=PredictionReader(follower),
            catalogue=catalogue({"enwiki": MODELS}),
            on_demand=None,
            readiness=tuple,
            metrics=Metrics(),
        )
        following.cancel()
        gc.freeze()
    print(listener.getsockname()[1], flush=True)
    await run_server(app, "", 0, stop=asyncio.Event(), listener=listener)


def _filled_log() -> MemoryLog:
    log = MemoryLog(partitions=1)
    for number in range(1, ROWS + 1):
        scores = (stored(name, binary(random.random())) for name in MODELS)
        value = row(*scores, page_id=number, rev_id=number)
        for topic in TOPICS.values():
            log.append(topic, row_key("enwiki", number), encode_row(value))
    return log


@contextmanager
def server(what: str) -> Iterator[tuple[psutil.Process, int]]:
    """Run one server in a process of its own; give the process and its port."""
    with tempfile.TemporaryDirectory() as directory:
        command = [sys.executable, "-m", "tests.bench.lookup", "--serve", what, "--directory", directory]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            try:
                assert process.stdout is not None
                yield psutil.Process(process.pid), int(process.stdout.readline())
            finally:
                process.terminate()


def one_round(
    process: psutil.Process, port: int, paths: list[str], *, connections: int, seconds: float
) -> dict[str, float]:
    """Load a server for a while; return what the generator saw and the server's CPU per request."""
    before = process.cpu_times()
    command = [sys.executable, "-m", "tests.bench.http_load", str(port), str(connections), str(seconds)]
    done = subprocess.run(command, input="\n".join(paths), stdout=subprocess.PIPE, text=True, check=True)
    after = process.cpu_times()
    figures: dict[str, float] = json.loads(done.stdout)
    spent = after.user + after.system - before.user - before.system
    figures["server_cpu_us_per_request"] = spent / figures["requests"] * 1e6
    if figures["failures"]:
        raise SystemExit(f"{figures['failures']} requests failed: the figures would be worthless")
    return figures


def wrk(port: int, path: str, connections: int, seconds: float) -> float | None:
    """Return requests/s for one key as wrk counts them; None where it is not installed."""
    tool = shutil.which("wrk")
    if tool is None:
        return None
    url = f"http://127.0.0.1:{port}{path.format(rev_id=ROWS // 2)}"
    command = [tool, "-t1", f"-c{connections}", f"-d{max(1, int(seconds))}s", url]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    line = next(line for line in done.stdout.splitlines() if line.startswith("Requests/sec"))
    return float(line.split()[1])


def measure(rounds: int, seconds: float, connections: int) -> dict[str, Any]:
    """Return the medians of all rounds, by what was asked."""
    seen: dict[str, list[dict[str, float]]] = {what: [] for what in ASKED}
    with server("hello") as bare, server("ours") as ours:
        for _ in range(rounds):
            for what, (path, keys) in ASKED.items():
                process, port = bare if what == "hello" else ours
                numbers = random.sample(range(1, ROWS + 1), keys)
                paths = [path.format(rev_id=number) for number in numbers]
                figures = one_round(process, port, paths, connections=connections, seconds=seconds)
                if (counted := wrk(port, path, connections, seconds)) is not None:
                    figures["wrk_requests_per_second"] = counted
                seen[what].append(figures)
        peak_rss_bytes = ours[0].memory_info().rss
    results: dict[str, Any] = {
        what: {name: median(figures[name] for figures in found) for name in found[0]}
        for what, found in seen.items()
    }
    for what, found in seen.items():
        pairs = zip(found, seen["hello"], strict=True)
        results[what]["requests_ratio_to_hello"] = median(
            mine["requests_per_second"] / bare["requests_per_second"] for mine, bare in pairs
        )
        pairs = zip(found, seen["hello"], strict=True)
        results[what]["cpu_ratio_to_hello"] = median(
            mine["server_cpu_us_per_request"] / bare["server_cpu_us_per_request"] for mine, bare in pairs
        )
    return {
        "rows": ROWS,
        "models": len(MODELS),
        "connections": connections,
        "rounds": rounds,
        "seconds_per_round": seconds,
        "server_rss_bytes": peak_rss_bytes,
        "results": results,
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--serve", choices=("hello", "ours"), help=argparse.SUPPRESS)
    parser.add_argument("--directory", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        uvloop.run(serve(given.serve, given.directory))
    else:
        emit("lookup", measure(given.rounds, given.seconds, given.connections))
