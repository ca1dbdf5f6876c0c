"""One backfill in its own process: ``python -m tests.bench.backfill_process JSON`` prints what it took."""

import asyncio
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from batch.backfill.backfill import Means, begin, finish, score_parts, score_strays
from batch.backfill.filters import Filters
from batch.backfill.planning import Wish
from batch.backfill.run import PartFiles, Progress
from batch.snapshot_draft import SnapshotDraft
from models.store import ModelStore


def backfill(
    *,
    dump: str,
    wiki_id: str,
    artefacts: str,
    into: str,
    processes: int,
    sample: float,
    users: list[str],
    cores: int | None,
) -> dict[str, Any]:
    """Backfill a dump with all models of a folder."""
    if cores is not None:
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])
    store = ModelStore([Path(artefacts)])
    infos = [store.info(name) for name in store.names()]
    models = {info.artefact.partition("-")[2]: info for info in infos}
    named = {name: replace(info, id=replace(info.id, model_name=name)) for name, info in models.items()}
    wish = Wish(
        snapshot="bench",
        sources=(dump,),
        wiki_id=wiki_id,
        filters=Filters(sample=sample),
        users=tuple(users),
    )
    progress = Progress()
    with SnapshotDraft(Path(into), "bench") as draft:
        plan = begin(draft, wish, {wiki_id: named})
        began = time.monotonic()
        means = Means(model_folders=(Path(artefacts),), processes=processes)
        files = PartFiles(draft.path, draft.chunk_path)
        asyncio.run(score_parts(plan, plan.parts, files, means, progress))
        scored = time.monotonic()
        asyncio.run(score_strays(plan, files, means, progress))
        outcome = finish(plan, draft, progress.parts)
    return {
        "revisions": progress.revisions,
        "rows": progress.rows,
        "failures": dict(progress.failures),
        "fallbacks": dict(progress.fallbacks),
        "phase_seconds": progress.phase_seconds,
        "wall_seconds": time.monotonic() - began,
        "scoring_wall_seconds": scored - progress.began,
        "path": str(outcome.path),
        "snapshot_bytes": sum(path.stat().st_size for path in outcome.path.rglob("*.parquet")),
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(backfill(**json.loads(sys.argv[1]))))
