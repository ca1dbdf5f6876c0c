"""How fast `snapshot load` fills the tables of a running worker, and what look-ups notice of it.

``python -m tests.bench.load`` prints JSON. A snapshot of two models is made first; each revision has a row of
both. Another process looks up revisions that were loaded before, a few hundred times a second, while nothing
else goes on, while the snapshot is loaded, and while it is loaded once more, when nothing changes.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter
from typing import Any

import psutil

from schemas.snapshot_row import SnapshotRow
from tests.bench.report import emit
from tests.kafka_broker import KafkaBroker
from tests.loads import scored, write_snapshot
from tests.programs import Program

MODELS = '--wikis={"mosswiki":{"models":{"damaging":"testwiki-revid"}}}'
ASKED = 2_000
CONNECTIONS = 4
PAUSE_SECONDS = 0.02
IDLE_SECONDS = 5.0
WAIT_SECONDS = 7200.0
REVISIONS_PER_PAGE = 20


def rows(first: int, count: int) -> Iterator[SnapshotRow]:
    """Yield the rows of two models of some revisions, in the order of pages."""
    for rev_id in range(first, first + count):
        for name in ("damaging", "goodfaith"):
            yield scored(rev_id, page_id=rev_id // REVISIONS_PER_PAGE, model_name=name)


def ask(port: int, seconds: float) -> subprocess.Popen[str]:
    """Begin to look up what was loaded first; for a time, or until it is told to end."""
    command = [
        sys.executable,
        "-m",
        "tests.bench.http_load",
        str(port),
        str(CONNECTIONS),
        str(seconds),
        str(PAUSE_SECONDS),
    ]
    asking = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    if asking.stdin is not None:
        asking.stdin.write("\n".join(f"/scores/mosswiki/{1 + number}" for number in range(ASKED)))
        asking.stdin.close()
        asking.stdin = None
    return asking


def latencies(asking: subprocess.Popen[str]) -> dict[str, float]:
    """Return what look-ups took."""
    told, _ = asking.communicate(timeout=WAIT_SECONDS)
    found: dict[str, float] = json.loads(told)
    return found


def load(folder: Path, address: str, snapshot: Path) -> dict[str, float]:
    """Load a snapshot; return how long it took, wall and CPU."""
    began = perf_counter()
    with Program(folder, "snapshot", "load", str(snapshot), f"--into={address}") as loading:
        process = psutil.Process(loading.process.pid)
        cpu_seconds = 0.0
        while loading.process.poll() is None:
            try:
                cpu_seconds = sum(process.cpu_times()[:2])
            except psutil.Error:
                break
            try:
                loading.process.wait(timeout=0.2)
            except subprocess.TimeoutExpired:
                continue
        if loading.process.wait():
            raise SystemExit(loading.stderr)
    return {"seconds": perf_counter() - began, "loader_cpu_seconds": cpu_seconds}


def measured(folder: Path, worker: Program, snapshot: Path, revisions: int, seconds: float) -> dict[str, Any]:
    """Load with look-ups going on."""
    port = int(worker.address.rpartition(":")[2])
    process = psutil.Process(worker.process.pid)
    before = sum(process.cpu_times()[:2])
    asking = ask(port, seconds)
    took = load(folder, worker.address, snapshot)
    cpu_seconds = sum(process.cpu_times()[:2]) - before
    return {
        **took,
        "revisions_per_second": revisions / took["seconds"],
        "rows_per_second": 2 * revisions / took["seconds"],
        # Look-ups included, which are few.
        "worker_cpu_us_per_revision": cpu_seconds / revisions * 1e6,
        "loader_cpu_us_per_revision": took["loader_cpu_seconds"] / revisions * 1e6,
        "look_ups": latencies(asking),
    }


def run(engine: str, revisions: int, partitions: int, seconds: float) -> dict[str, Any]:
    """Make a snapshot, and load it twice."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        first = write_snapshot(folder / "snapshots", "first", rows(1, ASKED))
        large = write_snapshot(folder / "snapshots", "large", rows(ASKED + 1, revisions))
        broker = KafkaBroker(folder / "kafka") if engine == "kafka" else None
        if broker is not None:
            broker.start()
        try:
            flags = [] if broker is None else [f"--broker=kafka://{broker.bootstrap}"]
            with Program(
                folder / "worker",
                "worker",
                MODELS,
                "--http-port=0",
                "--log-format=json",
                "--intake=open",
                f"--partitions={partitions}",
                "--mediawiki-contact=bench@example.org",
                f"--data-dir={folder / 'data'}",
                *flags,
            ) as worker:
                worker.until_answered("/readyz")
                load(folder / "load", worker.address, first)
                process = psutil.Process(worker.process.pid)
                memory = process.memory_info().rss
                idle = latencies(ask(int(worker.address.rpartition(":")[2]), IDLE_SECONDS))
                loaded = measured(folder / "load", worker, large, revisions, seconds)
                peak = int(
                    Path(f"/proc/{worker.process.pid}/status").read_text().split("VmHWM:")[1].split()[0]
                )
                again = measured(folder / "load", worker, large, revisions, seconds / 2)
                worker.stop()
        finally:
            if broker is not None:
                broker.stop()
    return {
        "revisions": revisions,
        "rows": 2 * revisions,
        "partitions": partitions,
        "idle_look_ups": idle,
        "load": loaded,
        "load_again": again,
        "memory_before_bytes": memory,
        "memory_peak_bytes": peak << 10,
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--revisions", type=int, default=100_000, help="each has rows of two models")
    parser.add_argument("--partitions", type=int, default=8)
    parser.add_argument("--engine", choices=("embedded", "kafka"), default="embedded")
    parser.add_argument("--seconds", type=float, default=10.0, help="look up for so long during the load")
    given = parser.parse_args()
    emit("load", {given.engine: run(given.engine, given.revisions, given.partitions, given.seconds)})
