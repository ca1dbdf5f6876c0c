"""What a scoring process holds in memory, and what a second one brings.

``python -m tests.bench.engine_processes ARTEFACTS ARTICLES REVISIONS`` scores so many revisions made of the
articles of a JSON file, in a process that has done nothing else, and prints its memory.
"""

import asyncio
import json
import multiprocessing
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import count, groupby, islice
from pathlib import Path
from typing import Any

import psutil

from models.pool import PoolLimits, ScoringPool
from models.store import ModelStore
from models.work import load_work
from schemas.prediction import ScoredModel, ScoreFailure
from schemas.revision import Revision
from tests.histories import edited

_ROOT = Path(__file__).resolve().parents[2]
_EDITS = 20
_AT_ONCE = 24
_SAMPLE_EVERY = 50


def histories(articles: Sequence[str]) -> Iterator[Revision]:
    """Make histories of articles without end, each time of other edits."""
    for seed in count(1):
        yield from edited(articles, edits=_EDITS, seed=seed)


def require_scores(told: Sequence[ScoredModel]) -> None:
    """Refuse failures: what they take says nothing.

    Raises:
        ValueError: One of the answers is a failure.
    """
    failed = [each for each in told if isinstance(each.outcome, ScoreFailure)]
    if failed:
        raise ValueError(f"{failed[0].model.model_name} was not scored: {failed[0].outcome}")


def memory(artefacts: Path, articles: Sequence[str], revisions: int, folder: Path) -> dict[str, Any]:
    """Return the memory of a cold process that loads the models and scores revisions."""
    file = folder / "articles.json"
    file.write_text(json.dumps(articles))
    done = subprocess.run(
        [sys.executable, "-m", __name__, str(artefacts), str(file), str(revisions)],
        check=True,
        capture_output=True,
        cwd=_ROOT,
        env=dict(os.environ),
    )
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def score_alone(artefacts: Path, articles: Sequence[str], revisions: int) -> dict[str, Any]:
    """Score revisions in this process, and look at its memory now and then.

    Raises:
        ValueError: One cannot be scored.
    """
    process = psutil.Process()
    began = time.monotonic()
    names = tuple(ModelStore([artefacts]).names())
    work = load_work([artefacts], names)
    loaded = process.memory_info().rss
    seen = []
    for place, revision in enumerate(islice(histories(articles), revisions)):
        require_scores(work(revision, names, False))
        if place % _SAMPLE_EVERY == 0:
            seen.append(process.memory_info().rss)
    return {
        "revisions": revisions,
        "models": len(names),
        "wall_seconds": round(time.monotonic() - began, 1),
        "loaded_rss_mb": round(loaded / 1e6, 1),
        "peak_rss_mb": round(max(seen) / 1e6, 1),
        "last_rss_mb": round(seen[-1] / 1e6, 1),
    }


def second_process(artefacts: Path, revisions: Sequence[Revision], rounds: int) -> dict[str, Any]:
    """Score a history by one process of the pool and by two, in turns; several pages at a time.

    What two can give at best is measured beside: two processes that know nothing of each other and of no pool
    score the whole history each. Cores that share caches, memory or arithmetic give less than twice as much.
    """
    told = asyncio.run(_second_process(artefacts, revisions, rounds))
    walls = {
        copies: [_copies_seconds(artefacts, revisions, copies) for _ in range(rounds)] for copies in (1, 2)
    }
    machine = 2 * statistics.median(walls[1]) / statistics.median(walls[2])
    return {
        **told,
        "two_copies_beside_one": round(machine, 3),
        "share_of_two_copies": round(told["two_beside_one"] / machine, 3),
    }


def _copies_seconds(artefacts: Path, revisions: Sequence[Revision], copies: int) -> float:
    """Return the seconds in which so many processes score all revisions each."""
    fork = multiprocessing.get_context("fork")
    are_ready = fork.Barrier(copies + 1)

    def score_all() -> None:
        names = tuple(ModelStore([artefacts]).names())
        work = load_work([artefacts], names)
        require_scores(work(revisions[0], names, False))
        are_ready.wait()
        for revision in revisions:
            require_scores(work(revision, names, False))

    started = [fork.Process(target=score_all) for _ in range(copies)]
    for process in started:
        process.start()
    are_ready.wait()
    began = time.monotonic()
    for process in started:
        process.join()
    if any(process.exitcode for process in started):
        raise ValueError("a process that scored alone failed")
    return time.monotonic() - began


async def _second_process(artefacts: Path, revisions: Sequence[Revision], rounds: int) -> dict[str, Any]:
    store = ModelStore([artefacts])
    infos = [store.info(name) for name in store.names()]
    make_work = partial(load_work, (artefacts,), tuple(store.names()))
    spent: dict[int, list[tuple[float, float]]] = {1: [], 2: []}
    for _ in range(rounds):
        for processes, found in spent.items():
            pool = ScoringPool(make_work, processes=processes, limits=PoolLimits())
            await pool.start()
            waiting = iter([list(page) for _, page in groupby(revisions, lambda revision: revision.page_id)])

            async def lane(pool: ScoringPool = pool, waiting: Iterator[list[Revision]] = waiting) -> None:
                for page in waiting:
                    for revision in page:
                        require_scores(await pool.score(revision, infos))

            # Each process makes its plan when it scores for the first time.
            await asyncio.gather(*(pool.score(revisions[0], infos) for _ in range(4 * processes)))
            spent_before = pool.status().cpu_seconds
            began, parent = time.monotonic(), time.process_time()
            try:
                await asyncio.gather(*(lane() for _ in range(_AT_ONCE)))
                wall = time.monotonic() - began
                cpu = pool.status().cpu_seconds - spent_before + time.process_time() - parent
                found.append((wall, cpu))
            finally:
                await pool.stop(drain_seconds=1)
    walls, cpus = (
        {processes: statistics.median(each[place] for each in found) for processes, found in spent.items()}
        for place in (0, 1)
    )
    return {
        "revisions": len(revisions),
        "at_once": _AT_ONCE,
        "load_1min": round(os.getloadavg()[0], 2),
        "one_wall_seconds": round(walls[1], 3),
        "two_wall_seconds": round(walls[2], 3),
        "one_cpu_seconds": round(cpus[1], 3),
        "two_cpu_seconds": round(cpus[2], 3),
        "two_beside_one": round(walls[1] / walls[2], 3),
    }


if __name__ == "__main__":
    _artefacts, _articles, _revisions = sys.argv[1:]
    _told = score_alone(Path(_artefacts), json.loads(Path(_articles).read_text()), int(_revisions))
    json.dump(_told, sys.stdout)
