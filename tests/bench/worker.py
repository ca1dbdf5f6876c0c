"""How a whole worker behaves: its start, its memory when idle, and look-ups while it scores at full speed.

``python -m tests.bench.worker [--rounds 5]`` prints JSON. Look-ups are asked of the worker itself, beside
a bare "hello" in a process of its own that meets the same neighbours.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import psutil

from batch.sample_wiki import SampleFiles, SampleSpec, generate
from tests.bench.lookup import one_round, server
from tests.bench.report import emit

_WIKIS = {"samplewiki": {"models": {"reverted": "enwiki-reverted", "langid": "langid"}}}
_SETTLE_SECONDS = 5.0


class Running(NamedTuple):
    """A worker that has scored its first revision."""

    process: psutil.Process
    port: int
    path: str
    seconds_to_first_score: float


@contextmanager
def worker(folder: Path, files: SampleFiles) -> Iterator[Running]:
    """Run `revstream run` over a generated wiki as fast as it goes; stop it in the end."""
    command = [
        sys.executable, "-m", "app", "run", f"--data-dir={folder}", "--http-port=0",
        f"--source={files.events}", f"--content={files.dump}", "--pace-events-per-second=0",
        "--log-level=warning",
    ]  # fmt: skip
    began = time.monotonic()
    environment = {**os.environ, "REVSTREAM_WIKIS": json.dumps(_WIKIS)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        try:
            url = _first_address(process)
            seconds = time.monotonic() - began
            port, _, path = url.partition("127.0.0.1:")[2].partition("/")
            _discard(process)
            yield Running(psutil.Process(process.pid), int(port), f"/{path}", seconds)
        finally:
            process.terminate()
            process.wait(timeout=60)


def _first_address(process: "subprocess.Popen[str]") -> str:
    if process.stdout is None:
        raise RuntimeError("the worker has no standard output")
    for line in process.stdout:
        if "curl " in line:
            return line.split()[-1]
    raise RuntimeError("the worker ended before its first score")


def _discard(process: "subprocess.Popen[str]") -> None:
    """Read the scores on, so that the worker never waits for its screen."""
    subprocess.Popen(["cat"], stdin=process.stdout, stdout=subprocess.DEVNULL)


def idle(folder: Path) -> dict[str, float]:
    """Return what a worker with two models takes once it has nothing to do."""
    files = generate(SampleSpec(pages=10, revisions=50, packing="gz"), folder / "wiki")
    with worker(folder / "data", files) as running:
        time.sleep(_SETTLE_SECONDS)
        family = [running.process, *running.process.children(recursive=True)]
        memory = [member.memory_full_info() for member in family]
        before = sum(sum(member.cpu_times()[:2]) for member in family)
        time.sleep(_SETTLE_SECONDS)
        after = sum(sum(member.cpu_times()[:2]) for member in family)
    return {
        "seconds_to_first_score": running.seconds_to_first_score,
        "processes": len(family),
        "idle_rss_bytes": sum(one.rss for one in memory),
        "idle_pss_bytes": sum(one.pss for one in memory),
        "idle_cpu_share": (after - before) / _SETTLE_SECONDS,
    }


def under_load(folder: Path, rounds: int) -> dict[str, Any]:
    """Return look-ups of one key while events are scored as fast as they can be."""
    files = generate(SampleSpec(pages=1000, revisions=20_000, packing="gz"), folder / "wiki")
    seen: dict[str, list[dict[str, float]]] = {}
    with worker(folder / "data", files) as running, server("hello") as (bare, bare_port):
        for _ in range(rounds):
            for connections in (1, 16):
                for name, process, port in (
                    ("hello", bare, bare_port),
                    ("ours", running.process, running.port),
                ):
                    figures = one_round(process, port, [running.path], connections=connections, seconds=2.0)
                    figures["p99_to_median"] = figures["p99_ms"] / figures["p50_ms"]
                    seen.setdefault(f"{name}_{connections}", []).append(figures)
    return {
        name: {figure: median(one[figure] for one in found) for figure in found[0]}
        for name, found in seen.items()
    }


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory(prefix="revstream-bench-") as name:
        figures = {"idle": idle(Path(name) / "idle"), "under_load": under_load(Path(name) / "load", rounds)}
    emit("worker", figures)


if __name__ == "__main__":
    main()
