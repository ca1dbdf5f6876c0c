"""Backfills for tests: over dumps made of orders that their scoring processes obey."""

import asyncio
import os
from collections.abc import Sequence
from pathlib import Path

from batch.backfill.backfill import Means, Outcome, begin, run
from batch.backfill.planning import Wish
from batch.backfill.run import Progress
from batch.backfill.scorer import ChunkWork
from batch.backfill.scorer_setup import ScorerSetup
from batch.snapshot import Snapshot, open_snapshot
from batch.snapshot_draft import SnapshotDraft
from models.pool_messages import Work
from models.pool_status import PoolLimits
from schemas.prediction import ScoredModel, ScoreFailure
from schemas.revision import Revision
from tests import pool_work
from tests.dump_documents import document, page

SCRATCH = "REVSTREAM_TEST_SCRATCH"
MODELS = {"testwiki": {"length": pool_work.model()}}


class _Obedient:
    """Does what texts say, see ``tests.pool_work.obedient``."""

    def __init__(self) -> None:
        self._work = pool_work.obedient(os.environ[SCRATCH])

    def __call__(
        self, revision: Revision, artefacts: tuple[str, ...], with_features: bool, /
    ) -> list[ScoredModel]:
        return self._work(revision, artefacts, with_features)

    def missing(self, artefact: str, revision: Revision) -> tuple[str, ...]:
        return ()


def obedient(setup: ScorerSetup) -> Work:
    return ChunkWork(_Obedient(), setup)


def write_dump(folder: Path, pages: Sequence[Sequence[str]]) -> Path:
    """Write a dump whose pages have these texts; revisions are numbered ``10 * page_id + 1`` and so on."""
    path = folder / "testwiki.xml"
    path.write_text(document([page(number, list(texts)) for number, texts in enumerate(pages, 1)]))
    return path


def means(processes: int = 1, **limits: float) -> Means:
    return Means(
        model_folders=(),
        processes=processes,
        limits=PoolLimits(**limits),  # type: ignore[arg-type]  # what a test names
        load=obedient,
    )


def wish(dump: Path, **more: object) -> Wish:
    return Wish(snapshot="one", sources=(str(dump),), **more)  # type: ignore[arg-type]  # what a test names


def backfill(
    folder: Path, wanted: Wish, with_means: Means | None = None, progress: Progress | None = None
) -> Outcome:
    """Begin a backfill or go on with it, in this process and those that it starts."""
    with SnapshotDraft(folder, wanted.snapshot) as draft:
        plan = begin(draft, wanted, MODELS)
        return asyncio.run(run(plan, draft, with_means or means(), progress or Progress()))


def outcomes(snapshot: Path | Snapshot) -> dict[int, str]:
    """Return by revision the code of its failure; empty for a score."""
    opened = open_snapshot(snapshot) if isinstance(snapshot, Path) else snapshot
    return {
        row.rev_id: row.outcome.code if isinstance(row.outcome, ScoreFailure) else "" for row in opened.rows()
    }
