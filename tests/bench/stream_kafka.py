"""What share of a worker's CPU time on Kafka is neither features nor prediction, and what it goes to.

``python -m tests.bench.stream_kafka [--keep FOLDER]`` prints JSON. Pages of 10 kB are scored by two models
the size of enwiki's damaging and goodfaith, for the first time (``never_seen``, as most of a live stream
is) and edit after edit (``seen``, whose parent the engine holds). The models are trained on the first run
and kept.

CPU time is that of the worker and all its processes on a real broker, in user and kernel. Features and
prediction are what scoring processes measure around both. All else is overhead: to read events, decode,
decide, ask the wiki and read its answer, hand texts to scoring processes and take scores back (their side
of it too), write rows and changelog, send outputs, commit, log, count, and what a worker does with nothing
to do. The broker, the wiki's stand-in and this program are processes of their own and not counted.

Two processes score, as is the default with three cores. Requests to broker and wiki leave at intervals, with
all that has come by then: on a machine with other work, or with one scoring process, an event takes longer
and has more of them to itself. Shares are to be compared where ``wall_ms`` is alike.
"""

import argparse
import asyncio
import json
import random
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

import psutil
from msgspec.structs import replace
from prometheus_client.parser import text_string_to_metric_families

from schemas.revision import Revision
from tests.bench import engine_corpora as corpora
from tests.bench.engine_models import NAMES, artefacts_folder, reference_models
from tests.bench.report import emit
from tests.bench.sampled import SAMPLER
from tests.busy_wiki import WIKI_ID, api_row, page_change_of
from tests.conftest import ROOT, shared_folder
from tests.histories import changed, edited
from tests.kafka_broker import KafkaBroker, fetch_broker
from tests.kafka_mirror import produce_events
from tests.mediawiki_api import MediaWikiApi, WikiRevision
from tests.programs import Program

_TREES = 700
_SCORING_PROCESSES = 2
_PAGE_CHARACTERS = 10_000
_WARM_UP_PAGES = 100
_NEVER_SEEN_PAGES = 400
_SEEN_PAGES, _SEEN_EDITS = 10, 40
_WAIT_SECONDS = 300.0
_IDLE_SECONDS = 5.0


class Spent(NamedTuple):
    """CPU seconds of a worker so far, when that was, and the events it has handled."""

    at: float
    events: float
    tree: float
    worker: float
    scoring: float
    parts: dict[str, float]


class _Measured:
    """A worker and what it has spent."""

    def __init__(self, program: Program, parts: Path) -> None:
        self._program = program
        self._parts = parts

    def spent(self) -> Spent:
        metrics = self._metrics()
        self._parts.unlink(missing_ok=True)
        self._program.process.send_signal(signal.SIGRTMIN)
        self._program.until(self._parts.exists)
        parts = json.loads(self._parts.read_text())
        sampler = parts.pop(SAMPLER)
        worker, *others = _family(psutil.Process(self._program.process.pid))
        return Spent(
            time.monotonic(),
            metrics["revstream_events_total"],
            worker - sampler + sum(others),
            worker - sampler,
            metrics["revstream_scoring_cpu_seconds_total"],
            parts,
        )

    def _metrics(self) -> dict[str, float]:
        families = text_string_to_metric_families(self._program.get("/metrics").body.decode())
        found: dict[str, float] = {"revstream_events_total": 0.0}
        for family in families:
            for sample in family.samples:
                found[sample.name] = found.get(sample.name, 0.0) + sample.value
        return found

    def _handled(self) -> int:
        # Asking for its metrics again and again would be a load of its own.
        return self._program.stderr.count('"outcome"')

    async def until_handled(self, events: float) -> Spent:
        """Wait until so many were handled."""
        async with asyncio.timeout(_WAIT_SECONDS):
            while self._handled() < events:  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.25)
        return self.spent()


def _family(process: psutil.Process) -> list[float]:
    return [sum(member.cpu_times()[:2]) for member in (process, *process.children(recursive=True))]


def figures(before: Spent, after: Spent, idle_cpu_share: float) -> dict[str, Any]:
    """Return milliseconds of CPU time per event between two moments, and the share of the overhead.

    A worker without events takes CPU time as well. On a machine with other work, where an event takes long,
    that counts for much: ``overhead_share_without_idle`` leaves it out.
    """
    events = after.events - before.events

    def ms(seconds: float) -> float:
        return round(seconds / events * 1000, 3)

    tree, scoring = after.tree - before.tree, after.scoring - before.scoring
    wall = after.at - before.at
    at_work = tree - idle_cpu_share * wall
    parts = {name: ms(after.parts[name] - before.parts.get(name, 0.0)) for name in after.parts}
    parts["scoring processes beside scoring"] = ms(tree - (after.worker - before.worker) - scoring)
    return {
        "events": int(events),
        "cpu_ms": ms(tree),
        "features_and_prediction_ms": ms(scoring),
        "overhead_ms": ms(tree - scoring),
        "overhead_share": round(1 - scoring / tree, 4),
        "overhead_share_without_idle": round(1 - scoring / at_work, 4),
        "wall_ms": ms(wall),
        "overhead_ms_by_part": dict(sorted(parts.items(), key=lambda part: -part[1])),
    }


def pages(shared: Path) -> Iterator[str]:
    """Yield pieces of real articles, of 10 kB each, none twice."""
    for text in corpora.articles(shared, 2_000, 10_000_000, 1_000):
        for start in range(0, len(text) - _PAGE_CHARACTERS, _PAGE_CHARACTERS):
            yield text[start : start + _PAGE_CHARACTERS]


def _first_edits(texts: Sequence[str], numbers: Iterator[int]) -> Iterator[Revision]:
    """Yield a saved page and an edit of it, of each text."""
    chance = random.Random(1)
    for text in texts:
        (saved,) = edited([text], edits=0)
        page_id, parent_id, rev_id = next(numbers), next(numbers), next(numbers)
        saved = replace(saved, page_id=page_id, rev_id=parent_id)
        yield saved
        yield replace(
            saved,
            rev_id=rev_id,
            rev_parent_id=parent_id,
            text=changed(text, chance),
            parent_text=text,
            parent_dt=saved.rev_dt,
        )


async def measure(artefacts: Path, shared: Path, folder: Path) -> dict[str, Any]:
    """Run a worker over never seen pages, then over histories, and return what both took."""
    texts, numbers = pages(shared), count(1)
    warm_up = list(_first_edits([next(texts) for _ in range(_WARM_UP_PAGES)], numbers))
    never_seen = list(_first_edits([next(texts) for _ in range(_NEVER_SEEN_PAGES)], numbers))
    first_page = next(numbers)
    seen = [
        replace(
            revision,
            page_id=first_page + revision.page_id,
            rev_id=revision.rev_id + 10_000,
            rev_parent_id=None if revision.rev_parent_id is None else revision.rev_parent_id + 10_000,
        )
        for revision in edited([next(texts) for _ in range(_SEEN_PAGES)], edits=_SEEN_EDITS)
    ]
    rows: list[WikiRevision] = [api_row(revision) for revision in (*warm_up, *never_seen, *seen)]
    broker = KafkaBroker(folder / "broker")
    broker.start()
    try:
        async with MediaWikiApi(rows).serving() as api:
            flags = {
                "broker": f"kafka://{broker.bootstrap}",
                "http_port": "0",
                "log_format": "json",
                "data_dir": str(folder / "data"),
                "model_folders": str(artefacts),
                "wikis": json.dumps({WIKI_ID: {"models": {name: f"enwiki-{name}" for name in NAMES}}}),
                "content": "mediawiki",
                "mediawiki_contact": "bench@example.org",
                "mediawiki_url": api.url,
                "pool_processes": str(_SCORING_PROCESSES),
            }
            options = [f"--{flag.replace('_', '-')}={text}" for flag, text in flags.items()]
            parts = folder / "parts.json"
            with Program(
                folder / "run",
                str(parts),
                "worker",
                *options,
                module="tests.bench.sampled",
                environment={"PYTHONPATH": str(ROOT)},
            ) as program:
                await asyncio.to_thread(program.until_answered, "/readyz", 200, _WAIT_SECONDS)
                worker = _Measured(program, parts)
                found: dict[str, Any] = {}
                began = await worker.until_handled(0)
                await asyncio.sleep(_IDLE_SECONDS)
                before = worker.spent()
                idle = (before.tree - began.tree) / (before.at - began.at)
                found["idle_cpu_share"] = round(idle, 4)
                for name, revisions in (("", warm_up), ("never_seen", never_seen), ("seen", seen)):
                    events = [each for each in revisions if each.rev_parent_id is not None]
                    await produce_events(broker.bootstrap, [page_change_of(each) for each in events])
                    after = await worker.until_handled(before.events + len(events))
                    if name:
                        found[name] = figures(before, after, idle)
                    before = after
                program.stop()
            return found
    finally:
        broker.stop()


def main() -> int:
    """Run, and print the report as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keep", type=Path, default=Path(tempfile.gettempdir()) / "revstream-bench-engine")
    keep: Path = parser.parse_args().keep
    shared = shared_folder()
    fetch_broker()
    artefacts = artefacts_folder(keep, _TREES)
    if not artefacts.is_dir():
        wikitrust = corpora.history(shared / "data" / "dumps" / corpora.WIKITRUST, "enwiki")
        reference_models(keep, shared, wikitrust[::2], _TREES)
    with tempfile.TemporaryDirectory(prefix="revstream-bench-") as folder:
        found = asyncio.run(measure(artefacts, shared, Path(folder)))
    emit("stream_kafka", found)
    return 0


if __name__ == "__main__":
    sys.exit(main())
