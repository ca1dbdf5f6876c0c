"""How fast stored scores are looked up by ORES's v3 address, beside what others would run for it.

``python -m tests.bench.lookup_rivals`` prints JSON; ``make bench-tools`` installs what it needs. Beside one
process of ours stand ORES's own way (Redis, and Flask under gunicorn with two workers), and a KServe server
whose model does nothing. wrk asks each for two models of 2,000 revisions; rounds take turns, and ratios are
medians of those of the rounds. Requests are told per second of CPU time as well, of all processes of a
server, Redis included.

Then ours answers at about 70 % of its maximum while both cores score: 64 connections ask after waits of
random length, so that requests come whether or not others are answered. The server shares the first core with
one that scores, and wrk the second with another, as on a worker's machine; both go before what scores. A core
that had nothing else to do would halt between two requests, and where it is a virtual one its host gives it
back milliseconds late. Such a round is eight times as long as the others: wrk makes its connections within
it, all at once, and those that are held up by that would be the hundredth of a short round that p99 tells of.
"""

import argparse
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from typing import Any, Final

import psutil

from models.store import PACKAGED_MODELS
from models.work import load_work
from tests.bench.lookup import MODELS, ROWS, server
from tests.bench.report import emit
from tests.client_environments import make_client
from tests.pool_work import revision
from tests.programs import ask

_RIVALS: Final = Path(__file__).resolve().parent / "rivals"
_KEYS: Final = 2_000
_PATHS: Final = {"ours": "/v3/scores/enwiki/{}", "ores_way": "/v3/scores/enwiki/{}/"}
_KSERVE_BODY: Final = '{"rev_id": 12345}'
_WORKERS: Final = 2
_START_SECONDS: Final = 60.0
_PACED_CONNECTIONS: Final = 64
_PACED_TIMES: Final = 8
_WARM_UP_SECONDS: Final = 3
_LINE: Final = "A line of words, with a [[link]] and a {{template|name=value}} and a full stop.\n"
_UNITS: Final = {"us": 0.001, "ms": 1.0, "s": 1000.0, "m": 60_000.0}


class Rival:
    """A server that runs.

    Args:
        pids: Of its processes.
        port: Where it answers.
        script: What wrk asks, in Lua.
    """

    def __init__(self, pids: Sequence[int], port: int, script: str) -> None:
        self._processes = [psutil.Process(pid) for pid in pids]
        self.port = port
        self.script = script

    def all(self) -> list[psutil.Process]:
        """Return its processes and all that they started."""
        return [each for one in self._processes for each in (one, *one.children(recursive=True))]

    def cpu_seconds(self) -> float:
        """Return the CPU time that it took until now."""
        times = [one.cpu_times() for one in self.all()]
        return sum(each.user + each.system for each in times)

    def pin(self, core: int) -> None:
        """Have it run on one core."""
        for one in self.all():
            one.cpu_affinity([core])


def asking(path: str) -> str:
    """Return a script that asks for revisions by chance."""
    return f"""
    request = function()
      return wrk.format("GET", string.format("{path.replace("{}", "%d")}", math.random(1, {_KEYS})))
    end
    """


def posting(path: str, body: str) -> str:
    """Return a script that posts the same again and again."""
    return f"""
    wrk.method = "POST"; wrk.path = "{path}"; wrk.body = '{body}'
    wrk.headers["Content-Type"] = "application/json"
    """


def paced(script: str, most_wait_ms: float) -> str:
    """Return a script that waits before each request, for times of even chance."""
    return f"{script}\n function delay() return math.random(0, {max(1, round(most_wait_ms))}) end"


@contextmanager
def ours() -> Iterator[Rival]:
    """Run our server, over a replica in RocksDB."""
    with server("ours") as (process, port):
        yield Rival([process.pid], port, asking(_PATHS["ours"]))


@contextmanager
def ores_way() -> Iterator[Rival]:
    """Run Redis and Flask under gunicorn."""
    programs = make_client("flask")
    redis_port, port = free_port(), free_port()
    with ExitStack() as held, tempfile.TemporaryDirectory() as folder:
        redis_options = ["--port", str(redis_port), "--bind", "127.0.0.1", "--save", "", "--dir", folder]
        redis = held.enter_context(running([tool("redis-server"), *redis_options]))
        until_listening(redis_port)
        application = str(_RIVALS / "ores_way.py")
        subprocess.run([programs / "python", application, str(redis_port), str(_KEYS), *MODELS], check=True)
        gunicorn = [str(programs / "gunicorn"), "--workers", str(_WORKERS), "--bind", f"127.0.0.1:{port}"]
        environment = {"REDIS_PORT": str(redis_port), "MODELS": ",".join(MODELS)}
        flask = held.enter_context(
            running([*gunicorn, "--chdir", str(_RIVALS), "ores_way:app"], environment=environment)
        )
        until_listening(port)
        yield Rival([redis, flask], port, asking(_PATHS["ores_way"]))


@contextmanager
def kserve_noop() -> Iterator[Rival]:
    """Run a KServe server whose model does nothing."""
    port = free_port()
    with running([str(make_client("kserve") / "python"), str(_RIVALS / "kserve_noop.py"), str(port)]) as pid:
        until_listening(port)
        yield Rival([pid], port, posting("/v1/models/nothing:predict", _KSERVE_BODY))


@contextmanager
def running(command: Sequence[str], environment: dict[str, str] | None = None) -> Iterator[int]:
    """Run a program without a word; give its process id."""
    process = subprocess.Popen(
        command,
        env=os.environ | (environment or {}),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield process.pid
    finally:
        process.terminate()
        process.wait()


@contextmanager
def scoring(core: int) -> Iterator[None]:
    """Have a core score all the while, after whatever else wants it, as a worker's scoring processes do."""
    command = [sys.executable, "-m", "tests.bench.lookup_rivals", "--score"]
    with running(command) as pid:
        psutil.Process(pid).cpu_affinity([core])
        os.sched_setscheduler(pid, os.SCHED_IDLE, os.sched_param(0))
        yield


def score_for_ever() -> None:
    """Score a text again and again."""
    work = load_work([PACKAGED_MODELS], ["enwiki-reverted"])
    while True:
        for lines in range(100, 200):
            work(revision(_LINE * lines, parent_text=_LINE * (lines - 1)), ("enwiki-reverted",), False)


def free_port() -> int:
    """Return a port of loopback that nobody has now."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
    return port


def until_listening(port: int) -> None:
    """Wait until somebody answers."""
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise SystemExit(f"nobody listens on port {port}")


def tool(name: str) -> str:
    """Return the path of a program, or end with what to do."""
    path = shutil.which(name)
    if path is None:
        raise SystemExit(f"{name} is not installed: make bench-tools")
    return path


def load(
    rival: Rival, script: str, *, connections: int, seconds: float, core: int | None = None
) -> dict[str, float]:
    """Load a server with wrk; return what wrk saw, and the server's CPU time."""
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as file:
        file.write(script)
        file.flush()
        command = [tool("wrk"), "-t1", f"-c{connections}", f"-d{max(1, int(seconds))}s", "--latency"]
        command += ["-s", file.name, f"http://127.0.0.1:{rival.port}"]
        if core is not None:
            command = ["taskset", "-c", str(core), *command]
        before = rival.cpu_seconds()
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        spent = rival.cpu_seconds() - before
    if "Non-2xx" in done.stdout or "Socket errors" in done.stdout:
        raise SystemExit(f"requests failed, so the figures would be worthless:\n{done.stdout}")
    requests = int(re.search(r"(\d+) requests in", done.stdout)[1])  # type: ignore[index]  # wrk always says it
    return {
        "requests_per_second": float(re.search(r"Requests/sec:\s+([\d.]+)", done.stdout)[1]),  # type: ignore[index]
        "requests_per_cpu_second": requests / spent,
        "cores": spent / seconds,
        "p50_ms": _milliseconds(done.stdout, "50%"),
        "p99_ms": _milliseconds(done.stdout, "99%"),
    }


def _milliseconds(text: str, name: str) -> float:
    found = re.search(rf"^\s+{name}\s+([\d.]+)(us|ms|s|m)$", text, re.MULTILINE)
    if found is None:
        raise SystemExit(f"wrk says nothing of {name}:\n{text}")
    return float(found[1]) * _UNITS[found[2]]


def compare(rounds: int, seconds: float, connections: int) -> dict[str, Any]:
    """Return the medians of all rounds, and how many times as much ours answers."""
    seen: dict[str, list[dict[str, float]]] = {}
    with ours() as first, ores_way() as second, kserve_noop() as third:
        rivals = {"ours": first, "ores_way": second, "kserve_noop": third}
        for name, path in _PATHS.items():
            answer = ask(f"http://127.0.0.1:{rivals[name].port}{path.format(1)}")
            assert all(model in answer.document["enwiki"]["scores"]["1"] for model in MODELS), answer
        for _ in range(rounds):
            for name, rival in rivals.items():
                figures = load(rival, rival.script, connections=connections, seconds=seconds)
                seen.setdefault(name, []).append(figures)
    results: dict[str, Any] = {
        name: {figure: median(one[figure] for one in found) for figure in found[0]}
        for name, found in seen.items()
    }
    for name in ("ores_way", "kserve_noop"):
        pairs = zip(seen["ours"], seen[name], strict=True)
        ratios = [mine["requests_per_cpu_second"] / other["requests_per_cpu_second"] for mine, other in pairs]
        results[f"ours_to_{name}_per_core"] = median(ratios)
    return results


def while_scoring(rounds: int, seconds: float, connections: int) -> dict[str, Any]:
    """Return what ours answers at about 70 % of its maximum while its core and the other one score."""
    cores = sorted(os.sched_getaffinity(0))[:2]
    if len(cores) < 2:
        return {}
    mine, others = cores
    maxima, paced_rounds, wait_share = [], [], 1.0
    with ours() as rival, scoring(mine), scoring(others):
        rival.pin(mine)
        time.sleep(_WARM_UP_SECONDS)
        for _ in range(rounds):
            # How fast cores are changes within minutes where they are virtual.
            at_most = load(rival, rival.script, connections=connections, seconds=seconds, core=others)
            wanted = 0.7 * at_most["requests_per_second"]
            most_wait_ms = wait_share * 2000 * _PACED_CONNECTIONS / wanted
            found = load(
                rival,
                paced(rival.script, most_wait_ms),
                connections=_PACED_CONNECTIONS,
                seconds=_PACED_TIMES * seconds,
                core=others,
            )
            # Waits are whole milliseconds, and answers take time as well: come nearer.
            wait_share *= found["requests_per_second"] / wanted
            maxima.append(at_most)
            paced_rounds.append(found | {"share_of_maximum": 0.7 * found["requests_per_second"] / wanted})
    return {
        "maximum": {name: median(one[name] for one in maxima) for name in maxima[0]},
        "paced": {name: median(one[name] for one in paced_rounds) for name in paced_rounds[0]},
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--score", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.score:
        score_for_ever()
    emit(
        "lookup_rivals",
        {
            "rows": ROWS,
            "keys": _KEYS,
            "models": len(MODELS),
            "connections": given.connections,
            "rounds": given.rounds,
            "seconds_per_round": given.seconds,
            "at_maximum": compare(given.rounds, given.seconds, given.connections),
            "while_both_cores_score": while_scoring(given.rounds, given.seconds, given.connections),
        },
    )
