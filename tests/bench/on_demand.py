"""How fast revisions are scored that nobody has asked for, beside KServe servers that do it Lift Wing's way.

``python -m tests.bench.on_demand [--rounds 3] [--revisions 12]`` prints JSON. Both sides have two models of
the size of enwiki's damaging and goodfaith, the same files, pages of 36 kB that were never seen, and a wiki
whose API takes 50 ms for each answer. Of KServe there is a server for each model, as Lift Wing has it, and a
client asks both at once; of us there is a worker with as many scoring processes, and a client asks for both
models in one request of ORES's kind. A request is done when both scores are there. Each round gives both
sides the same revisions, by one client and by four; scores that differ end the run.
"""

import argparse
import asyncio
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import aiohttp
import psutil

from tests.bench import engine_corpora as corpora
from tests.bench.engine_models import NAMES, artefacts_folder, reference_models
from tests.bench.report import emit
from tests.bench.wiki_server import rev_id_of
from tests.client_environments import make_client
from tests.conftest import shared_folder
from tests.integration.test_serve import free_port
from tests.programs import Program

ROOT = Path(__file__).resolve().parents[2]
WIKI = "enwiki"
CHARACTERS = 36_000
LATENCY_SECONDS = 0.05
TREES = 700
_CLIENTS = (1, 4)
_WARM_UP = 4
_START_SECONDS = 120.0
_LAST_NICENESS = 19

Probability = dict[str, dict[str, float]]
Ask = Callable[[aiohttp.ClientSession, int], Awaitable[Probability]]


@contextlib.contextmanager
def wiki(
    pages: int, shared: Path, *, latency_seconds: float = LATENCY_SECONDS, goes_last: bool = False
) -> Iterator[str]:
    """Run the stand-in for a wiki; give the address of its API, with a place for the domain.

    Args:
        pages: That it has.
        shared: Shared data.
        latency_seconds: Before each answer.
        goes_last: Whether all others go before it where they want the same core.
    """
    command = [sys.executable, "-m", "tests.bench.wiki_server", str(pages), str(CHARACTERS)]
    with subprocess.Popen(
        [*command, str(latency_seconds), str(shared)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        start_new_session=True,
    ) as process:
        try:
            assert process.stdout is not None
            if goes_last:
                os.setpriority(os.PRIO_PROCESS, process.pid, _LAST_NICENESS)
                with contextlib.suppress(OSError):
                    # Where the kernel schedules sessions as groups.
                    Path(f"/proc/{process.pid}/autogroup").write_text(str(_LAST_NICENESS))
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


@contextlib.contextmanager
def worker(folder: Path, artefacts: Path, api_url: str, *flags: str) -> Iterator[Program]:
    """Run a worker that has both models and asks the stand-in."""
    wikis = {WIKI: {"domain": "en.wikipedia.org", "models": {name: f"enwiki-{name}" for name in NAMES}}}
    with Program(
        folder,
        "worker",
        "--http-port=0",
        "--log-format=json",
        f"--data-dir={folder / 'data'}",
        f"--model-folders={artefacts}",
        f"--wikis={json.dumps(wikis)}",
        "--content=mediawiki",
        "--mediawiki-contact=bench@example.org",
        f"--mediawiki-url={api_url}",
        *flags,
        environment={"REVSTREAM_CLIENT_CLASSES": "{}", "PYTHONPATH": str(ROOT)},
        port=0,
    ) as program:
        yield program


@contextlib.contextmanager
def kserve_servers(files: Path, api_url: str) -> Iterator[list[tuple[int, psutil.Process]]]:
    """Run a KServe server for each model; give the port and process of each."""
    python = make_client("revscoring") / "python"
    url = api_url.replace("{domain}", "en.wikipedia.org")
    environment = {**os.environ, "NLTK_DATA": str(files / "nltk"), "PYTHONPATH": str(ROOT)}
    with contextlib.ExitStack() as held:
        running = []
        for name in NAMES:
            port = free_port()
            file = files / f"enwiki.{name}.gradient_boosting.model"
            command = [str(python), "-m", "tests.bench.kserve_server", f"enwiki-{name}", str(file), url]
            process = held.enter_context(
                subprocess.Popen(
                    [*command, str(port)],
                    cwd=ROOT,
                    env=environment,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                )
            )
            held.callback(process.terminate)
            running.append((port, psutil.Process(process.pid)))
        yield running


def ask_us(address: str) -> Ask:
    """Return what asks a worker for both models."""

    async def ask(session: aiohttp.ClientSession, rev_id: int) -> Probability:
        async with session.get(f"{address}/v3/scores/{WIKI}/{rev_id}?format=json") as response:
            document = await response.json()
            assert response.status == 200, document
        scores = document[WIKI]["scores"][str(rev_id)]
        return {name: scores[name]["score"]["probability"] for name in NAMES}

    return ask


def ask_kserve(ports: Sequence[int]) -> Ask:
    """Return what asks the server of each model, all at once."""

    async def one(session: aiohttp.ClientSession, name: str, port: int, rev_id: int) -> dict[str, float]:
        url = f"http://127.0.0.1:{port}/v1/models/enwiki-{name}:predict"
        async with session.post(url, json={"rev_id": rev_id}) as response:
            document: dict[str, Any] = await response.json()
            assert response.status == 200, document
        probability: dict[str, float] = document["probability"]
        return probability

    async def ask(session: aiohttp.ClientSession, rev_id: int) -> Probability:
        asked = (one(session, name, port, rev_id) for name, port in zip(NAMES, ports, strict=True))
        return dict(zip(NAMES, await asyncio.gather(*asked), strict=True))

    return ask


async def ready(ask: Ask, rev_ids: Sequence[int]) -> None:
    """Wait until a side scores, and let it score a few revisions first."""
    async with aiohttp.ClientSession() as session:
        give_up = time.monotonic() + _START_SECONDS
        while True:
            try:
                await ask(session, rev_ids[0])
                break
            except (aiohttp.ClientError, AssertionError):
                assert time.monotonic() < give_up
                await asyncio.sleep(0.5)
        for rev_id in rev_ids[1:]:
            await ask(session, rev_id)


async def measure(
    ask: Ask, rev_ids: Sequence[int], clients: int, processes: Sequence[psutil.Process]
) -> tuple[dict[str, float], dict[int, Probability]]:
    """Let some clients ask for revisions, each as soon as it has its answer; return figures and answers."""
    waiting, answers, latencies = list(rev_ids), {}, []
    before, began = _cpu_seconds(processes), time.perf_counter()

    async def client(session: aiohttp.ClientSession) -> None:
        while waiting:
            rev_id = waiting.pop()
            asked = time.perf_counter()
            answers[rev_id] = await ask(session, rev_id)
            latencies.append(time.perf_counter() - asked)

    async with aiohttp.ClientSession() as session:
        await asyncio.gather(*(client(session) for _ in range(clients)))
    took = time.perf_counter() - began
    spent = _cpu_seconds(processes) - before
    return {
        "requests_per_second": len(rev_ids) / took,
        "p50_ms": median(latencies) * 1000,
        "p95_ms": quantiles(latencies, n=20, method="inclusive")[-1] * 1000,
        "cpu_ms_per_request": spent / len(rev_ids) * 1000,
    }, answers


def _cpu_seconds(processes: Sequence[psutil.Process]) -> float:
    family = [one for each in processes for one in (each, *each.children(recursive=True))]
    return sum(sum(one.cpu_times()[:2]) for one in family)


@contextlib.asynccontextmanager
async def sides(
    artefacts: Path, folder: Path, api_url: str
) -> AsyncIterator[dict[str, tuple[Ask, list[psutil.Process]]]]:
    """Run both sides."""
    with (
        worker(folder / "worker", artefacts, api_url, f"--pool-processes={len(NAMES)}") as ours,
        kserve_servers(artefacts.parent, api_url) as theirs,
    ):
        yield {
            "ours": (ask_us(ours.address), [psutil.Process(ours.process.pid)]),
            "kserve": (ask_kserve([port for port, _ in theirs]), [process for _, process in theirs]),
        }


async def run(artefacts: Path, shared: Path, rounds: int, revisions: int, folder: Path) -> dict[str, Any]:
    """Return the medians of all rounds, by side and number of clients."""
    pages = _WARM_UP + rounds * revisions * len(_CLIENTS)
    rev_ids = iter([rev_id_of(page_id) for page_id in range(1, pages + 1)])
    seen: dict[str, list[dict[str, float]]] = {}
    with wiki(pages, shared) as api_url:
        async with sides(artefacts, folder, api_url) as both:
            warm_up = [next(rev_ids) for _ in range(_WARM_UP)]
            for ask, _ in both.values():
                await ready(ask, warm_up)
            for _ in range(rounds):
                for clients in _CLIENTS:
                    asked = [next(rev_ids) for _ in range(revisions)]
                    told = []
                    for name, (ask, processes) in both.items():
                        figures, answers = await measure(ask, asked, clients, processes)
                        seen.setdefault(f"{name}_{clients}", []).append(figures)
                        told.append(answers)
                    assert told[0] == told[1], "the sides say different things: the figures are worthless"
    results = {
        name: {figure: round(median(one[figure] for one in found), 3) for figure in found[0]}
        for name, found in seen.items()
    }
    return {
        "revisions": rounds * revisions,
        "characters": CHARACTERS,
        "latency_ms": LATENCY_SECONDS * 1000,
        "trees": TREES,
        "results": results,
        "requests_ratio_to_kserve": {
            str(clients): round(
                median(
                    mine["requests_per_second"] / other["requests_per_second"]
                    for mine, other in zip(seen[f"ours_{clients}"], seen[f"kserve_{clients}"], strict=True)
                ),
                2,
            )
            for clients in _CLIENTS
        },
        "p95_ratio_of_4_clients_to_1": {
            name: round(results[f"{name}_4"]["p95_ms"] / results[f"{name}_1"]["p95_ms"], 2)
            for name in ("ours", "kserve")
        },
    }


def artefacts_of(keep: Path, shared: Path) -> Path:
    """Return the folder of both artefacts, which lies beside the model files; made where it is not there."""
    artefacts = artefacts_folder(keep, TREES)
    if not artefacts.is_dir():
        wikitrust = corpora.history(shared / "data" / "dumps" / corpora.WIKITRUST, WIKI)
        reference_models(keep, shared, wikitrust[::2], TREES)
    return artefacts


def main() -> None:
    """Run, and print the report as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--revisions", type=int, default=12, help="of each round and number of clients")
    parser.add_argument("--keep", type=Path, default=Path(tempfile.gettempdir()) / "revstream-bench-engine")
    given = parser.parse_args()
    shared = shared_folder()
    artefacts = artefacts_of(given.keep, shared)
    with tempfile.TemporaryDirectory(prefix="revstream-bench-") as folder:
        found = asyncio.run(run(artefacts, shared, given.rounds, given.revisions, Path(folder)))
    emit("on_demand", found)


if __name__ == "__main__":
    main()
