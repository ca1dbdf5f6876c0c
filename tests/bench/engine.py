"""How much faster the engine scores than revscoring does, on the same revisions in the same run.

``python -m tests.bench.engine`` prints JSON, with ``--table`` a table for people. N1 is what a user of
revscoring writes: for each model its solver with a cache of its own, and its ``Model.score``. N2 shares one
cache among the models. Reading a dump is counted for nobody. Times are CPU time; ours are of every
revision, those of revscoring of a sample, and ratios are of the same revisions. Whatever is scored twice is
compared bit for bit; a difference ends the run with status 1.

The two models are trained on the first run and kept in the folder of ``--keep``. With ``--compare REPORT``
the run fails where a ratio is more than a tenth worse than in that report.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from schemas.errors import RevstreamError
from schemas.revision import Revision
from tests.bench import engine_corpora as corpora
from tests.bench import engine_imported, engine_phases, engine_processes, engine_rows
from tests.bench.engine_compare import differing, regressions
from tests.bench.engine_models import (
    ReferenceModel,
    artefacts_folder,
    ask_dictionaries_directly,
    imported_models,
    reference_models,
)
from tests.bench.engine_table import table
from tests.bench.engine_ways import warm
from tests.bench.report import emit, report
from tests.conftest import shared_folder
from tests.histories import dump_history, edited

_SIZES = {"1_kb": 1_000, "10_kb": 10_000, "50_kb": 50_000, "100_kb": 100_000}
_LARGEST = 10_000_000
_DICTIONARY_TRIALS = 5


class Bench:
    """What the rows are measured with, each part made when the first row asks for it.

    Args:
        keep: Keeps trained models.
        published: Model files.
        extracted: Holds unpacked copies of dumps; None without.
        is_quick: Whether to measure less.
        scratch: An empty folder.
    """

    def __init__(
        self, keep: Path, published: Path, extracted: Path | None, scratch: Path, *, is_quick: bool
    ) -> None:
        self.shared = shared_folder()
        self.is_quick = is_quick
        self._keep = keep
        self._published = published
        self._extracted = extracted
        self._scratch = scratch
        self._trees = 100 if is_quick else 700

    def rows(self) -> Mapping[str, Callable[[], dict[str, Any]]]:
        """Return what is measured, by name."""
        return {
            "backfill_aawiki": self.backfill_aawiki,
            "backfill_wikitrust": lambda: self._backfill(self.wikitrust, 48),
            "backfill_36_kb": lambda: self._backfill(list(edited(self.long_articles, edits=20)), 27),
            "online": self.online,
            "imported": self.imported,
            "topics": self.topics,
            "prediction": lambda: engine_rows.prediction(self.models, self.wikitrust[50], self._of(60)),
            "per_request": lambda: engine_rows.service(self.models, self.wikitrust[:: self._of(5, 40)]),
            "memory": self.memory,
            "processes": self.processes,
            "phases": self.phases,
        }

    @cached_property
    def wikitrust(self) -> list[Revision]:
        """The history of one page of enwiki."""
        return corpora.history(self.shared / "data" / "dumps" / corpora.WIKITRUST, "enwiki")

    @cached_property
    def long_articles(self) -> list[str]:
        """Articles of some 36 kB."""
        return corpora.articles(self.shared, 20_000, 60_000, self._of(18, 3))

    @cached_property
    def models(self) -> list[ReferenceModel]:
        """The two models; their dictionaries are open."""
        models = reference_models(self._keep, self.shared, self.wikitrust[::2], self._trees)
        for model in models:
            model.solve(model.cache(self.wikitrust[_DICTIONARY_TRIALS]))
        ask_dictionaries_directly()
        return models

    def backfill_aawiki(self) -> dict[str, Any]:
        """Score the whole history of a small wiki."""
        name = corpora.AAWIKI
        copy = self._extracted / name.removesuffix(".7z") if self._extracted else None
        path = copy if copy is not None and copy.exists() else self.shared / "data" / "dumps" / name
        try:
            revisions = corpora.history(path, "aawiki")
        except corpora.NoUnpacker as error:
            return {"left_out": str(error)}
        return self._backfill(revisions, 120)

    def online(self) -> dict[str, Any]:
        """Score single edits of pages by their size; the largest page of the shared dumps as well."""
        texts = corpora.articles(self.shared, 8_000, _LARGEST, 40)
        pages = {name: corpora.of_size(texts, chars) for name, chars in _SIZES.items()}
        if self.is_quick:
            pages = {name: pages[name] for name in ("1_kb", "10_kb")}
        else:
            pages["largest_page"] = max(texts, key=len)
        return {
            name: engine_rows.online(self.models, page, edits=self._of(4), rounds=3)
            for name, page in pages.items()
        }

    def imported(self) -> dict[str, Any]:
        """Extract the features of every published model that can be loaded here."""
        if not self._published.is_dir():
            return {"left_out": f"{self._published} is no folder; name one of model files as FOLDER"}
        into = self._scratch / "imported"
        names, refused = imported_models(self._published, into, self.shared)
        ask_dictionaries_directly()
        found: dict[str, Any] = {}
        for name in names[:: self._of(1, 6)]:
            features = engine_imported.loaded(into, name)
            sample = self._of(8)
            if name.startswith("wikidatawiki"):
                revisions = corpora.item_history(self.shared, self._of(40))
                sample = len(revisions)
            else:
                revisions = corpora.language_history(self.shared, name.partition("-")[0], self._of(25))
            failure = features.solve(revisions[1])
            if isinstance(failure, RevstreamError):
                refused.append(f"{name}: {failure.message}")
            else:
                found[name] = engine_imported.beside_solver(features, revisions, sample=sample)
        return {**found, "left_out": refused}

    def topics(self) -> dict[str, Any]:
        """Compute the mean of word vectors, as topic models read it."""
        texts = corpora.articles(self.shared, 8_000, 20_000, self._of(6))
        features = engine_imported.topic_features(texts, self._scratch)
        revisions = list(edited(texts, edits=10))
        return engine_imported.beside_solver(features, revisions, sample=self._of(24))

    def memory(self) -> dict[str, Any]:
        """Score 10,000 revisions in a cold process."""
        many = corpora.articles(self.shared, 5_000, 40_000, 60)
        return engine_processes.memory(self._artefacts, many, self._of(10_000, 600), self._scratch)

    def processes(self) -> dict[str, Any]:
        """Score a history by one process and by two."""
        articles = corpora.articles(self.shared, 8_000, 30_000, self._of(24))
        # So many edits that the words of the articles, which each process learns for itself, weigh little.
        revisions = list(edited(articles, edits=self._of(300)))
        return engine_processes.second_process(self._artefacts, revisions, rounds=self._of(3))

    def phases(self) -> dict[str, Any]:
        """Score a history with the time of each phase."""
        path = self.shared / "data" / "dumps" / corpora.WIKITRUST
        extractor = warm(self.models, self.wikitrust[0])
        scorers = [model.scorer for model in self.models]
        return engine_phases.phases(scorers, lambda: dump_history(path), extractor)

    @property
    def _artefacts(self) -> Path:
        assert self.models
        return artefacts_folder(self._keep, self._trees)

    def _backfill(self, revisions: list[Revision], sample: int) -> dict[str, Any]:
        return engine_rows.backfill(self.models, revisions, sample=self._of(sample), rounds=3)

    def _of(self, full: int, quick: int | None = None) -> int:
        if not self.is_quick:
            return full
        return max(1, full // 3) if quick is None else quick


def measure(bench: Bench, only: list[str]) -> dict[str, Any]:
    """Measure rows, all of them where none is named, and say on standard error what takes how long."""
    figures: dict[str, Any] = {"is_quick": bench.is_quick}
    for name, row in bench.rows().items():
        if only and name not in only:
            continue
        began = time.monotonic()
        figures[name] = row()
        sys.stderr.write(f"{name}: {time.monotonic() - began:.0f} s\n")
    return figures


def main() -> int:
    """Measure, print, and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    published = shared_folder() / "data" / "models" / "revscoring"
    parser.add_argument("folder", nargs="?", type=Path, default=published, help="of published model files")
    parser.add_argument("--only", action="append", default=[], metavar="ROW", help="measure this row; repeat")
    parser.add_argument("--quick", action="store_true", help="measure less, in two minutes")
    parser.add_argument("--table", action="store_true", help="print a table in place of the JSON")
    parser.add_argument("--write", type=Path, metavar="REPORT", help="write the JSON here too")
    parser.add_argument("--compare", type=Path, metavar="REPORT", help="fail where a ratio is a tenth worse")
    parser.add_argument("--flame", type=Path, metavar="FILE", help="write folded stacks of our side's phases")
    parser.add_argument("--keep", type=Path, default=Path(tempfile.gettempdir()) / "revstream-bench-engine")
    parser.add_argument("--extracted", type=Path, metavar="FOLDER", help="of unpacked copies of 7z dumps")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        bench = Bench(given.keep, given.folder, given.extracted, Path(scratch), is_quick=given.quick)
        unknown = set(given.only) - bench.rows().keys()
        if unknown:
            parser.error(f"no row {', '.join(sorted(unknown))}; there are {', '.join(bench.rows())}")
        if given.flame:
            assert bench.models
            with engine_phases.sampled_stacks(given.flame):
                bench.phases()
        figures = measure(bench, given.only)
    if given.table:
        sys.stdout.write(table(figures))
    else:
        emit("engine", figures)
    if given.write:
        given.write.write_text(json.dumps(report("engine", figures), indent=2) + "\n")
    wrong = list(differing(figures))
    if given.compare:
        wrong = regressions(figures, json.loads(given.compare.read_text())["figures"])
    sys.stderr.write("".join(f"{line}\n" for line in wrong))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
