"""Runs a command of revstream and tells where its process spends CPU time, without slowing its code.

``python -m tests.bench.sampled FILE COMMAND…`` writes JSON to FILE at each SIGRTMIN: seconds of CPU time by
part. Every few milliseconds of CPU time the stacks of all threads are looked at, and each part is given what
its thread's own clock went on since. What that takes is told as `SAMPLER`, to be left out.
"""

import json
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

from app.cli import main

_EVERY_SECONDS = 0.005
# Of each stack the innermost frame that is found here says whose time it is.
_PARTS = {
    "schemas/decode": "decode",
    "agents/decide": "decide",
    "agents/rules": "decide",
    "agents/mediawiki": "content",
    "agents/backoff": "content",
    "/aiohttp/": "content",
    "/yarl/": "content",
    "models/pool": "pool",
    "/tables/": "tables",
    "schemas/revision_score": "outputs",
    "schemas/identity": "outputs",
    "app/observer": "log lines and metrics",
    "/structlog/": "log lines and metrics",
    "/logging/": "log lines and metrics",
    "/prometheus_client/": "log lines and metrics",
    "/aiokafka/": "aiokafka",
    "/faust/": "faust",
    "/mode/": "faust",
    "agents/": "window and pipeline",
    "app/": "window and pipeline",
}
# Beyond these lies what runs the loop, whatever the loop runs.
_LOOPS = (
    "/asyncio/base_events.py",
    "/asyncio/runners.py",
    "/mode/worker.py",
    "/mode/threads.py",
    "/threading.py",
)
_REST = "event loops"
SAMPLER = "sampler"


class Sampler:
    """Counts CPU seconds of the threads of this process by part.

    Args:
        path: Where they are written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seconds = {SAMPLER: 0.0}
        self._clocks: dict[int, float] = {}
        self._parts: dict[str, str | None] = {}
        self._began = time.process_time()

    def start(self) -> None:
        """Take samples from now on; in the main thread."""
        for number, handle in ((signal.SIGPROF, self._sample), (signal.SIGRTMIN, self._write)):
            signal.signal(number, handle)
            signal.siginterrupt(number, False)
        signal.setitimer(signal.ITIMER_PROF, _EVERY_SECONDS, _EVERY_SECONDS)

    def _sample(self, _: int, interrupted: FrameType | None) -> None:
        began = time.thread_time()
        ours = threading.get_ident()
        for thread, frame in sys._current_frames().items():
            try:
                spent = time.clock_gettime(time.pthread_getcpuclockid(thread))
            except OSError:
                continue  # ended this moment
            part = self._part(interrupted if thread == ours else frame)
            since = spent - self._clocks.get(thread, spent)
            self._seconds[part] = self._seconds.get(part, 0.0) + since
            self._clocks[thread] = spent
        own = time.thread_time() - began
        self._clocks[ours] += own
        self._seconds[SAMPLER] += own

    def _write(self, number: int, interrupted: FrameType | None) -> None:
        self._sample(number, interrupted)
        rest = time.process_time() - self._began - sum(self._seconds.values())
        part = self._path.with_suffix(".part")
        part.write_text(json.dumps(self._seconds | {"threads without Python": rest}))
        part.replace(self._path)

    def _part(self, frame: FrameType | None) -> str:
        for name in _files(frame):
            if name not in self._parts:
                self._parts[name] = _part_of(name)
            part = self._parts[name]
            if part is not None:
                return part
        return _REST


def _part_of(name: str) -> str | None:
    if name.endswith(_LOOPS):
        return _REST
    return next((part for place, part in _PARTS.items() if place in name), None)


def _files(frame: FrameType | None) -> Iterator[str]:
    while frame is not None:
        yield frame.f_code.co_filename
        frame = frame.f_back


if __name__ == "__main__":
    Sampler(Path(sys.argv[1])).start()
    sys.argv[1:] = sys.argv[2:]
    main()
