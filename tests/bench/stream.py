"""What the stream path costs without features and prediction: intake, and from the log to tables and outputs.

``python -m tests.bench.stream [--events 20000] [--rounds 3]`` prints JSON: CPU microseconds per event of
the worker process, medians of the rounds, beside stock Faust that writes one table row and one output on the
same log.
"""

import argparse
import asyncio
import gzip
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from agents.embedded.intake import LogIntake
from agents.embedded.log import Log
from agents.embedded.writer import LogWriter
from agents.recorded import RecordedEvents
from batch.sample_wiki import SampleSpec, generate
from schemas.decode import peek_key
from schemas.keys import PAGE_CHANGE_TOPIC
from tests.audit import backlog
from tests.bench.report import emit

_PARTITIONS = 4
_WARM_UP = 0.2
_DEADLINE_SECONDS = 300.0


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="revstream-bench-") as name:
        folder = Path(name)
        spec = SampleSpec(
            pages=max(20, arguments.events // 20),
            revisions=arguments.events,
            wiki_id="testwiki",
            packing="gz",
        )
        source = generate(spec, folder).events
        events = len(gzip.decompress(source.read_bytes()).splitlines())
        rounds = [_round(folder / str(number), source) for number in range(arguments.rounds)]
    figures = {name: statistics.median(one[name] for one in rounds) for name in rounds[0]}
    figures["path_cpu_us"] = figures["intake_cpu_us"] + figures["worker_cpu_us"]
    figures["ratio_to_faust"] = figures["worker_cpu_us"] / figures["faust_cpu_us"]
    emit("stream", {"events": events, **{name: round(value, 3) for name, value in figures.items()}})


def _round(folder: Path, source: Path) -> dict[str, float]:
    return {
        "spin_cpu_ms": _spin(),
        "intake_cpu_us": _intake(folder / "ours", source),
        "worker_cpu_us": _consume(
            folder / "ours",
            [sys.executable, "-m", "app", "worker", f"--data-dir={folder / 'ours'}", "--http-port=0",
             "--content=mediawiki", "--mediawiki-contact=bench@example.org"],
        ),
        "faust_cpu_us": (_intake(folder / "faust", source), _consume(
            folder / "faust",
            [sys.executable, "-m", "tests.bench.stock_faust", str(folder / "faust")],
        ))[1],
    }  # fmt: skip


def _spin() -> float:
    """Return CPU milliseconds of a fixed loop: what this machine's time is worth just now."""
    began = time.process_time()
    for _ in range(3_000_000):
        pass
    return (time.process_time() - began) * 1000


def _intake(data_dir: Path, source: Path) -> float:
    log = Log(data_dir / "log.db")
    intake = LogIntake(log, LogWriter(log), PAGE_CHANGE_TOPIC, partitions=_PARTITIONS)
    began = time.process_time()
    asyncio.run(RecordedEvents(source, peek_key, pace_events_per_second=None).run(intake))
    spent = time.process_time() - began
    events = sum(log.end(PAGE_CHANGE_TOPIC, number) for number in range(_PARTITIONS))
    log.close()
    return spent / events * 1e6


def _consume(data_dir: Path, command: list[str]) -> float:
    """Return CPU microseconds per event of a worker, once it is warm, to its last commit."""
    log = Log(data_dir / "log.db")
    total = backlog(log, "revstream")
    with (data_dir / "worker.log").open("wb") as out:
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=out)
    watched = psutil.Process(process.pid)
    try:
        _wait(lambda: _produced(log) > total * _WARM_UP, process)
        times, produced = watched.cpu_times(), _produced(log)
        _wait(lambda: backlog(log, "revstream") == 0, process)
        ended, all_produced = watched.cpu_times(), _produced(log)
    finally:
        process.terminate()
        process.wait(timeout=30)
        log.close()
    measured = total * (1 - produced / all_produced)
    return (ended.user + ended.system - times.user - times.system) / measured * 1e6


def _produced(log: Log) -> int:
    """Return the records of the fullest topic but the source: how far a worker has come.

    Stock Faust commits too seldom for its offsets to tell.
    """
    log.refresh()
    lengths = (
        sum(log.end(topic, number) for number in range(log.partitions(topic) or 0))
        for topic in log.topics()
        if topic != PAGE_CHANGE_TOPIC
    )
    return max(lengths, default=0)


def _wait(is_true: Callable[[], bool], process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + _DEADLINE_SECONDS
    while not is_true():
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError("the worker ended, or does not come to its end: see its log")
        time.sleep(0.05)


if __name__ == "__main__":
    main()
