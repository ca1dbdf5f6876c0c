"""Keeps cores from halting while latencies of milliseconds are measured."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import psutil


@contextmanager
def cores_awake() -> Iterator[None]:
    """Have every core spin while nobody else of this session wants it.

    A core that has nothing to do halts, and where it is a virtual one its host gives it back milliseconds
    late. A page passes from process to process a dozen times before it is painted.
    """
    with ExitStack() as held:
        for core in os.sched_getaffinity(0):
            spinner = held.enter_context(subprocess.Popen([sys.executable, "-S", "-c", "while True: pass"]))
            held.callback(spinner.kill)
            go_last(spinner.pid, core)
        yield


def go_last(pid: int, core: int) -> None:
    """Have a process run on one core, while nobody else of its session wants it."""
    psutil.Process(pid).cpu_affinity([core])
    os.sched_setscheduler(pid, os.SCHED_IDLE, os.sched_param(0))
