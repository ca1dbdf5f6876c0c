"""A process that reads hostile pickles and tells, one JSON line per attack, what came of it.

``python -m tests.fault.hostile_reader NAME…`` reads with revstream, ``… --with-pickle NAME…`` with Python's
own reader, which shows that the attacks work and that the audit hook sees them.

Each attack is read by revstream under limits of its own: address space, and CPU time to the second, beyond
what the process has used so far. An audit hook notes whatever Python reports while the pickle is read:
imports, files opened, code compiled or run, processes started.
"""

import json
import os
import pickle
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from models.pickles import read_pickle
from tests.hostile_pickles import CORPUS

MEMORY_BYTES = 200 << 20
CPU_SECONDS = 1

_events: list[str] = []
_is_reading = False


def _note(event: str, _arguments: tuple[Any, ...]) -> None:
    # Python reports each call of id(), by which the walk of nested values knows where it has been.
    if _is_reading and event != "builtins.id":
        _events.append(event)


def _status_bytes(field: str) -> int:
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) << 10
    raise LookupError(field)


def _limit() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (_status_bytes("VmSize") + MEMORY_BYTES, hard))
    used = resource.getrusage(resource.RUSAGE_SELF)
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    # The limit is in whole seconds of the whole process: it ends one that hangs; time is measured besides.
    seconds = int(used.ru_utime + used.ru_stime) + CPU_SECONDS + 1
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, hard))


def _read(read: Callable[[bytes], Any], data: bytes) -> str:
    global _is_reading  # noqa: PLW0603 - the hook can be neither removed nor given an argument
    _is_reading = True
    try:
        read(data)
    except Exception as error:
        answer = f"{type(error).__name__}: {error}"
    else:
        answer = ""
    finally:
        _is_reading = False
    return answer


def _attack(name: str, read: Callable[[bytes], Any], *, is_limited: bool) -> dict[str, Any]:
    answers = set()
    slowest_seconds = 0.0
    largest_bytes = 0
    _events.clear()
    for data in CORPUS[name].build():
        if is_limited:
            _limit()
        # Sets the peak that VmHWM tells back to what is in use.
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
        before_bytes = _status_bytes("VmRSS")
        started = time.process_time()
        answers.add(_read(read, data))
        slowest_seconds = max(slowest_seconds, time.process_time() - started)
        largest_bytes = max(largest_bytes, _status_bytes("VmHWM") - before_bytes)
    return {
        "name": name,
        "answers": sorted(answers),
        "events": sorted(set(_events)),
        "seconds": slowest_seconds,
        "bytes": largest_bytes,
    }


def main() -> None:
    """Read the attacks that the command line names."""
    names = sys.argv[1:]
    read: Callable[[bytes], Any] = read_pickle
    # Python's reader imports what it is asked for, which may take longer than any of our limits.
    is_limited = names[0] != "--with-pickle"
    if not is_limited:
        names = names[1:]
        read = pickle.loads
    sys.addaudithook(_note)
    for name in names:
        sys.stdout.write(json.dumps(_attack(name, read, is_limited=is_limited)) + "\n")
        sys.stdout.flush()
    # What hostile values leave behind is not worth tearing down.
    os._exit(0)


if __name__ == "__main__":
    main()
