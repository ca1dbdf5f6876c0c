"""How much faster a backfill is than the loop that a user writes, dump file to Parquet, in the same run.

``python -m tests.bench.backfill`` prints JSON. N1 is that loop: for each model revscoring's solver with a
cache of its own and ``Model.score``; N2 shares one cache among the models. Both read the dump with our
reader, as mwxml 0.3.3, which revscoring's pins ask for, reads no dump of export-0.11; it would take longer.
Times are CPU time of the whole tree of processes; those of N1 and N2 are of a sample of the revisions. Scores
of the sample are compared with those in the snapshot to the last bit, and a difference ends the run with
status 1.

``whole`` counts start, models, planning and the sort at the end; ``work`` is what grows with the dump. What
is around features is all of ``work`` but them, the program that unpacks included. ``ordinary`` is a wiki of
``--copies`` times aawiki, so that start and end are as small a share as usual: its history under other ids,
and with longer words made others in each copy, lest anything be known from the one before. N1 is of a sample
of that dump.

``two`` compares two scoring processes with one, and both with what this machine gives at all: two backfills
side by side with one each (``ceiling``), and one on a single core. The process that reads has a core for
itself where only one scores, so that two cannot be twice as fast: ``at_most`` is what is left if no core ever
waits. ``utilisation`` is CPU time by two cores' time, from models loaded to the last row. All are medians of
``--rounds``.

``memory`` is of a made dump of ``--gigabytes``, zst, of which one revision in fifty is scored: reading is
most of it.
"""

import argparse
import bz2
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import msgspec
import psutil
import zstandard
from msgspec.structs import replace

from batch.compression import open_unpacked
from batch.snapshot import open_snapshot
from schemas.prediction import Score
from schemas.revision import Revision
from tests.bench import engine_corpora as corpora
from tests.bench.engine_models import ReferenceModel, ask_dictionaries_directly, reference_models
from tests.bench.engine_models import artefacts_folder as folder_of
from tests.bench.engine_ways import naive
from tests.bench.report import emit
from tests.conftest import shared_folder
from tests.histories import edited
from tests.packings import pack_7z

_ROOT = Path(__file__).resolve().parents[2]
_HEAD = (
    '<mediawiki xmlns="http://www.mediawiki.org/xml/export-0.11/" version="0.11"><siteinfo><dbname>{}'
    '</dbname><namespaces><namespace key="0" /></namespaces></siteinfo>\n'
)
# Long enough that hardly any name of markup is one, and no such name where it stands.
_WORD = re.compile(r"(?<![</{\[|:#&=\w])[^\W\d_]{6,}")


def written_dump(pages: Iterator[Sequence[Revision]], wiki_id: str = "enwiki") -> Iterator[bytes]:
    """Yield a dump of made histories."""
    yield _HEAD.format(wiki_id).encode()
    for page in pages:
        first = page[0]
        yield (
            f"<page><title>{escape(first.page_title)}</title><ns>{first.namespace_id}</ns>"
            f"<id>{first.page_id}</id>\n"
        ).encode()
        for one in page:
            parent = "" if one.rev_parent_id is None else f"<parentid>{one.rev_parent_id}</parentid>"
            yield (
                f"<revision><id>{one.rev_id}</id>{parent}"
                f"<timestamp>{one.rev_dt:%Y-%m-%dT%H:%M:%SZ}</timestamp>{_contributor(one)}"
                f"<comment>{escape(one.comment)}</comment><model>{one.content_model}</model><format>text/x-wiki</format>"
                f'<text xml:space="preserve">{escape(one.text)}</text></revision>\n'
            ).encode()
        yield b"</page>\n"
    yield b"</mediawiki>\n"


def _contributor(one: Revision) -> str:
    user = one.user
    if user is None:
        return '<contributor deleted="deleted" />'
    name = escape(user.user_text)
    who = f"<username>{name}</username><id>{user.user_id}</id>" if user.user_id else f"<ip>{name}</ip>"
    return f"<contributor>{who}</contributor>"


def copies(revisions: Sequence[Revision], count: int) -> Iterator[list[Revision]]:
    """Yield the pages of a history so many times, each time with other ids and other long words."""
    pages: dict[int, list[Revision]] = {}
    for one in revisions:
        pages.setdefault(one.page_id, []).append(one)
    step = max(one.rev_id for one in revisions) + 1
    for copy in range(count):
        ending = chr(ord("a") + copy % 26) * (1 + copy // 26)
        for page in pages.values():
            yield [
                replace(
                    one,
                    page_id=one.page_id + copy * step,
                    rev_id=one.rev_id + copy * step,
                    rev_parent_id=None if one.rev_parent_id is None else one.rev_parent_id + copy * step,
                    text=_WORD.sub(rf"\g<0>{ending}", one.text) if copy else one.text,
                )
                for one in page
            ]


def histories(articles: Sequence[str], edits: int) -> Iterator[Sequence[Revision]]:
    """Yield histories without end, of the articles in turn."""
    for number in count():
        found = edited([articles[number % len(articles)]], edits=edits, seed=number)
        page_id = number + 1
        yield [_of_page(one, page_id) for one in found]


def _of_page(one: Revision, page_id: int) -> Revision:
    shift = (page_id - 1) * 1000
    parent = None if one.rev_parent_id is None else one.rev_parent_id + shift
    return replace(
        one, page_id=page_id, page_title=f"Article {page_id}", rev_id=one.rev_id + shift, rev_parent_id=parent
    )


def ours(
    dump: Path,
    wiki_id: str,
    artefacts: Path,
    processes: int,
    *,
    sample: float = 1.0,
    users: Path | None = None,
    cores: int | None = None,
) -> tuple[dict[str, Any], dict[int, list[Score]]]:
    """Backfill a dump in a process of its own; return what it took, and scores by revision.

    ``cores`` are how many it may use.
    """
    with tempfile.TemporaryDirectory() as into:
        asked = {
            "dump": str(dump),
            "wiki_id": wiki_id,
            "artefacts": str(artefacts),
            "into": into,
            "processes": processes,
            "sample": sample,
            "users": [] if users is None else [str(users)],
            "cores": cores,
        }
        command = [sys.executable, "-m", "tests.bench.backfill_process", json.dumps(asked)]
        with (
            subprocess.Popen(command, cwd=_ROOT, stdout=subprocess.PIPE) as process,
            _Peak(process.pid) as peak,
        ):
            assert process.stdout is not None
            told: dict[str, Any] = json.loads(process.stdout.read() or b"{}")
            # Who ends a tree is told the time of all that its processes waited for.
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise RuntimeError(f"a backfill ended with {process.returncode}")
        scores: dict[int, list[Score]] = {}
        for row in open_snapshot(Path(told.pop("path"))).rows(is_errors=False):
            assert isinstance(row.outcome, Score)
            scores.setdefault(row.rev_id, []).append(row.outcome)
        return {
            **told,
            "whole_cpu_seconds": usage.ru_utime + usage.ru_stime,
            "work_cpu_seconds": sum(told["phase_seconds"].values()),
            "peak_mb": round(peak.bytes / 1e6, 1),
        }, scores


class _Peak:
    """Looks at the memory of a tree of processes; pages that several share count once."""

    def __init__(self, pid: int) -> None:
        self.bytes = 0
        self._process = psutil.Process(pid)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> "_Peak":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._ended.wait(0.5):
            total = 0
            try:
                for process in (self._process, *self._process.children(recursive=True)):
                    total += process.memory_full_info().pss
            except psutil.Error:
                continue
            self.bytes = max(self.bytes, total)


def beside_the_loop(
    dump: Path, wiki_id: str, models: Sequence[ReferenceModel], artefacts: Path, sampled: int
) -> dict[str, Any]:
    """Backfill a dump with one process, and score a sample of it as a user does."""
    began = time.process_time()
    revisions = corpora.history(dump, wiki_id)
    reading = (time.process_time() - began) / len(revisions)
    step = max(1, len(revisions) // sampled)
    chosen = revisions[::step]
    first = [naive(models, one, is_shared=False) for one in chosen]
    second = [naive(models, one, is_shared=True) for one in chosen]
    with tempfile.TemporaryDirectory() as folder:
        # Both sides know the same of each editor: neither groups nor a registration.
        users = Path(folder) / "bench.users.jsonl"
        known = {one.user.user_text: one.user for one in revisions if one.user is not None}
        users.write_bytes(b"".join(msgspec.json.encode(user) + b"\n" for user in known.values()))
        told, scores = ours(dump, wiki_id, artefacts, 1, users=users)
    different = compared = 0
    for one, answer in zip(chosen, first, strict=True):
        for ours_, theirs in zip(scores[one.rev_id], answer.probabilities, strict=True):
            compared += len(theirs)
            different += sum(ours_.probability[label].hex() != each.hex() for label, each in theirs.items())
    n1 = sum(answer.seconds for answer in first) / len(chosen) + reading
    n2 = sum(answer.seconds for answer in second) / len(chosen) + reading
    each = told["revisions"]
    work, whole = told["work_cpu_seconds"] / each, told["whole_cpu_seconds"] / each
    features = told["phase_seconds"]["features"] / each
    return {
        **told,
        "mean_chars": round(sum(len(one.text) for one in revisions) / len(revisions)),
        "sampled": len(chosen),
        "n1_cpu_ms": round(n1 * 1e3, 2),
        "n2_cpu_ms": round(n2 * 1e3, 2),
        "work_cpu_ms": round(work * 1e3, 3),
        "whole_cpu_ms": round(whole * 1e3, 3),
        "work_times_n1": round(n1 / work, 1),
        "work_times_n2": round(n2 / work, 1),
        "whole_times_n1": round(n1 / whole, 1),
        "around_features": round(1 - features / work, 4),
        "probabilities_compared": compared,
        "probabilities_different": different,
    }


def two_processes(dump: Path, wiki_id: str, artefacts: Path, count_of_rounds: int) -> dict[str, Any]:
    """Backfill a dump with one scoring process and with two, on one core, and twice at a time, in turns."""
    rounds: list[dict[str, float]] = []

    def run(processes: int, cores: int | None = None) -> dict[str, Any]:
        return ours(dump, wiki_id, artefacts, processes, cores=cores)[0]

    for _ in range(count_of_rounds):
        one, two, one_core = run(1), run(2), run(1, cores=1)
        with ThreadPoolExecutor(2) as both:
            beside = [asked.result() for asked in [both.submit(run, 1) for _ in range(2)]]
        walls = {
            "one": one["scoring_wall_seconds"],
            "two": two["scoring_wall_seconds"],
            "one_core": one_core["scoring_wall_seconds"],
            "side_by_side": max(each["scoring_wall_seconds"] for each in beside),
        }
        work = one["work_cpu_seconds"]
        rounds.append(
            {
                **{f"{name}_wall_seconds": wall for name, wall in walls.items()},
                "two_beside_one": walls["one"] / walls["two"],
                "two_beside_one_core": walls["one_core"] / walls["two"],
                "ceiling": 2 * walls["one"] / walls["side_by_side"],
                "share_of_ceiling": walls["side_by_side"] / walls["two"] / 2,
                "at_most": 2 * (work - one["phase_seconds"]["read"]) / work,
                "utilisation": two["work_cpu_seconds"] / (2 * walls["two"]),
            }
        )
    # Each of its own round: from one to the next the machine is faster or slower by a half.
    medians = {name: round(statistics.median(one[name] for one in rounds), 3) for name in rounds[0]}
    return {**medians, "rounds": len(rounds), "load_1min": round(os.getloadavg()[0], 2)}


def memory(gigabytes: float, articles: Sequence[str], artefacts: Path, folder: Path) -> dict[str, Any]:
    """Backfill a made dump of so many gigabytes, and look at the memory. One revision in fifty is scored."""
    path, size = folder / "large.xml.zst", 0
    with path.open("wb") as file, zstandard.ZstdCompressor(level=1).stream_writer(file) as packed:

        def pages() -> Iterator[Sequence[Revision]]:
            for page in histories(articles, 100):
                if size > gigabytes * 1e9:
                    return
                yield page

        for piece in written_dump(pages()):
            size += len(piece)
            packed.write(piece)
    told, _ = ours(path, "enwiki", artefacts, 2, sample=0.02)
    return {**told, "unpacked_bytes": size, "packed_bytes": path.stat().st_size}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    kept = Path(tempfile.gettempdir()) / "revstream-bench-engine"
    parser.add_argument("--keep", type=Path, default=kept, help="keeps trained models")
    names = ["aawiki_7z", "aawiki_bz2", "ordinary_7z", "ordinary_bz2", "36_kb_bz2", "two", "memory"]
    parser.add_argument("--only", choices=names, nargs="*")
    parser.add_argument("--copies", type=int, default=8, help="of aawiki in a wiki of ordinary size")
    parser.add_argument("--sampled", type=int, default=60, help="revisions that are scored as users do")
    parser.add_argument("--rounds", type=int, default=3, help="of one process and two")
    parser.add_argument("--gigabytes", type=float, default=10.0)
    asked = parser.parse_args()
    dumps = shared_folder() / "data" / "dumps"
    learned = corpora.history(dumps / corpora.WIKITRUST, "enwiki")
    models = reference_models(asked.keep, shared_folder(), learned[::2], 700)
    models[0].solve(models[0].cache(learned[5]))
    ask_dictionaries_directly()
    artefacts = folder_of(asked.keep, 700)
    wanted = asked.only or names
    figures: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        articles = corpora.articles(shared_folder(), 20_000, 60_000, 18)
        packed = folder / "aawiki.xml.bz2"
        with open_unpacked(dumps / corpora.AAWIKI) as plain:
            packed.write_bytes(bz2.compress(plain.read()))
        made_dump = folder / "enwiki.xml.bz2"
        ordinary: dict[str, Path] = {}
        if {"ordinary_7z", "ordinary_bz2", "two"} & set(wanted):
            history = corpora.history(dumps / corpora.AAWIKI, "aawiki")
            content = b"".join(written_dump(copies(history, asked.copies), "aawiki"))
            ordinary = {"ordinary_7z": pack_7z(content, folder), "ordinary_bz2": folder / "ordinary.xml.bz2"}
            ordinary["ordinary_bz2"].write_bytes(bz2.compress(content))
        if "36_kb_bz2" in wanted:
            pages = (page for page, _ in zip(histories(articles, 20), articles, strict=False))
            made_dump.write_bytes(bz2.compress(b"".join(written_dump(pages))))
        for name in wanted:
            if name == "aawiki_7z":
                figures[name] = beside_the_loop(
                    dumps / corpora.AAWIKI, "aawiki", models, artefacts, asked.sampled
                )
            elif name in ordinary:
                figures[name] = beside_the_loop(ordinary[name], "aawiki", models, artefacts, asked.sampled)
            elif name == "aawiki_bz2":
                figures[name] = beside_the_loop(packed, "aawiki", models, artefacts, asked.sampled)
            elif name == "36_kb_bz2":
                figures[name] = beside_the_loop(made_dump, "enwiki", models, artefacts, asked.sampled // 3)
            elif name == "two":
                figures[name] = two_processes(ordinary["ordinary_7z"], "aawiki", artefacts, asked.rounds)
            else:
                figures[name] = memory(asked.gigabytes, articles, artefacts, folder)
    emit("backfill", figures)
    return int(any(row.get("probabilities_different") for row in figures.values()))


if __name__ == "__main__":
    sys.exit(main())
