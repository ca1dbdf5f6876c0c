"""Kills a worker at random moments until its source is done, then audits what is left.

``python -m tests.bench.crash [--kills 30] [--wipes 10] [--revisions 6000]`` prints JSON, and exits
with 1 where anything was lost, doubled or wrong.
"""

import argparse
import asyncio
import gzip
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import msgspec

from agents.embedded.log import Log
from app.settings import Settings, load_settings
from batch.local_source import DumpRevisionSource
from batch.sample_wiki import SampleFiles, SampleSpec, generate
from tests.audit import Audit, ServedModels, audit, backlog, taken
from tests.bench.report import emit

APP_ID = "crash"
_BROKEN_LINES = (b"{", b'{"$schema":"/mediawiki/page/change/2.0.0","meta":{}}', b"\xff\xfe")


class CrashPlan(msgspec.Struct, frozen=True):
    """What to do to the worker.

    Attributes:
        kills: ``kill -9`` at random moments.
        wipes: More of them, each followed by the deletion of all tables.
        revisions: Of the generated wiki.
        seed: Of the moments.
        alive_seconds: Least and greatest time that a worker lives.
        pace_events_per_second: Of the source, so that a quick machine is not done before the kills; 0 is as
            fast as possible.
    """

    kills: int = 30
    wipes: int = 10
    revisions: int = 6000
    seed: int = 1
    alive_seconds: tuple[float, float] = (2.0, 6.0)
    pace_events_per_second: float = 0.0


class CrashReport(msgspec.Struct, frozen=True):
    """What happened.

    Attributes:
        kills: Kills that hit a worker with events left to do.
        wipes: Of these, how many were followed by a deletion of the tables.
        found: The audit.
        seconds: From the first start to the last stop.
    """

    kills: int
    wipes: int
    found: Audit
    seconds: float


def crash(plan: CrashPlan, folder: Path) -> CrashReport:
    """Feed a generated wiki to a worker that is killed again and again, then audit.

    Raises:
        RuntimeError: The worker does not come to the end of its source.
    """
    spec = SampleSpec(pages=max(20, plan.revisions // 15), revisions=plan.revisions, packing="gz")
    files = generate(spec, folder / "wiki")
    lines = _with_broken_lines(files)
    settings = load_settings(
        flags={
            "data_dir": str(folder / "data"),
            "app_id": APP_ID,
            "http_port": "0",
            "source": str(files.events),
            "content": str(files.dump),
            "pace_events_per_second": str(plan.pace_events_per_second),
            "log_format": "json",
            "log_level": "warning",
        },
        environ={},
    )
    began = time.monotonic()
    kills, wipes = _kill_until_done(plan, settings, len(lines), folder / "worker.log")
    seconds = time.monotonic() - began
    found = asyncio.run(
        audit(
            data_dir=settings.data_dir,
            app_id=APP_ID,
            lines=lines,
            models=ServedModels.of(settings),
            content=DumpRevisionSource(files.dump, cache_dir=folder / "scratch"),
        )
    )
    return CrashReport(kills, wipes, found, seconds)


def _with_broken_lines(files: SampleFiles) -> list[bytes]:
    """Put lines that cannot be decoded among the events, and return all."""
    lines = gzip.decompress(files.events.read_bytes()).splitlines()
    step = max(1, len(lines) // len(_BROKEN_LINES))
    for number, line in enumerate(_BROKEN_LINES):
        lines.insert(number * step, line)
    files.events.write_bytes(gzip.compress(b"\n".join(lines) + b"\n", mtime=0))
    return lines


def _kill_until_done(plan: CrashPlan, settings: Settings, events: int, worker_log: Path) -> tuple[int, int]:
    moments = random.Random(plan.seed)
    kills = wipes = 0
    while kills < plan.kills + plan.wipes:
        with _worker(settings, worker_log) as process:
            time.sleep(moments.uniform(*plan.alive_seconds))
            if process.poll() is not None:
                raise RuntimeError(f"the worker ended by itself: see {worker_log}")
            is_done = _is_done(settings, events)
            process.kill()
            process.wait()
        if is_done:
            break
        kills += 1
        if kills > plan.kills:
            shutil.rmtree(settings.data_dir / "worker", ignore_errors=True)
            wipes += 1
    with _worker(settings, worker_log) as process:
        deadline = time.monotonic() + 1800
        while not _is_done(settings, events):
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the worker does not come to the end of its source: see {worker_log}")
            time.sleep(0.5)
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=60)
    return kills, wipes


def _worker(settings: Settings, worker_log: Path) -> "subprocess.Popen[bytes]":
    flags = [
        f"--{name.replace('_', '-')}={getattr(settings, name)}"
        for name in (
            "data_dir", "app_id", "http_port", "source", "content", "pace_events_per_second", "log_level",
            "log_format",
        )
    ]  # fmt: skip
    with worker_log.open("ab") as out:
        return subprocess.Popen(
            [sys.executable, "-m", "app", "run", *flags],
            stdout=subprocess.DEVNULL,
            stderr=out,
            env={name: value for name, value in os.environ.items() if not name.startswith("REVSTREAM_")},
        )


def _is_done(settings: Settings, events: int) -> bool:
    """Tell whether the whole file is taken, and all that is taken is committed."""
    if not settings.log_path.exists():
        return False
    log = Log(settings.log_path)
    try:
        return taken(log) == events and backlog(log, APP_ID) == 0
    finally:
        log.close()


def main() -> int:
    """Run, print the report as JSON, and return the exit code."""
    defaults = CrashPlan()
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("kills", "wipes", "revisions", "seed"):
        parser.add_argument(f"--{name}", type=int, default=getattr(defaults, name))
    arguments = vars(parser.parse_args())
    with tempfile.TemporaryDirectory(prefix="revstream-crash-") as folder:
        report = crash(CrashPlan(**arguments), Path(folder))
    emit("crash", msgspec.to_builtins(report))
    return 1 if report.found.faults else 0


if __name__ == "__main__":
    sys.exit(main())
