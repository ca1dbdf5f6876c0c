"""A backfill from its plan to its snapshot."""

import asyncio
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from batch.backfill.chunk import Chunk
from batch.backfill.cutting import encode_chunk
from batch.backfill.plan import Plan, PlannedPart, read_plan, require_same, write_plan
from batch.backfill.planning import Wish, make_plan
from batch.backfill.run import PartDone, PartFiles, Progress, run_parts
from batch.backfill.scorer_setup import ScorerSetup, load_chunk_work
from batch.backfill.stray_scoring import StrayTexts, stray_parts, take_back
from batch.backfill.strays import find_strays
from batch.backfill.team import Team
from batch.backfill.users import OpenWiki, opener, write_users
from batch.snapshot_draft import SnapshotDraft
from batch.snapshot_manifest import SnapshotInput, SnapshotModel, SnapshotOrigin
from models.pool_messages import Work
from models.pool_status import PoolLimits
from schemas.catalogue import ModelInfo

_TRIAL_SECONDS: Final = 3.0


class Outcome(Struct, frozen=True):
    """What came of a backfill.

    Attributes:
        path: Of the snapshot.
        plan: That was followed.
        parts: By number.
        defects: Why parts could not be read to their end, if any could not.
    """

    path: Path
    plan: Plan
    parts: Mapping[int, PartDone]

    @property
    def defects(self) -> list[str]:
        """Why parts could not be read to their end; empty where all could."""
        return [done.defect for _, done in sorted(self.parts.items()) if done.defect is not None]


class Means(Struct, frozen=True, kw_only=True):
    """What a backfill works with on one machine; nothing of it shows in the snapshot.

    Attributes:
        model_folders: Where artefacts lie.
        processes: That score.
        limits: What a revision may take.
        niceness: Of the processes, added to this one's.
        load: Loads what the processes do.
    """

    model_folders: tuple[Path, ...]
    processes: int
    limits: PoolLimits = PoolLimits()
    niceness: int = 5
    load: Callable[[ScorerSetup], Work] = load_chunk_work


def begin(
    draft: SnapshotDraft,
    wish: Wish,
    models: Mapping[str, Mapping[str, ModelInfo]],
    open_wiki: OpenWiki | None = None,
) -> Plan:
    """Settle the plan of a draft, or return the one it was begun with.

    Args:
        draft: Open.
        wish: What is asked for.
        models: By wiki and name, as they answer now.
        open_wiki: Opens a wiki whose API tells of editors, where the wish names it.

    Raises:
        BackfillRefused: It was begun with another plan.
        RevstreamError: As `make_plan`.
    """
    before = read_plan(draft.path)
    plan = make_plan(wish, models, before=before)
    if before is not None:
        require_same(before, plan)
        plan = before
    else:
        write_plan(draft.path, plan)
    write_users(plan, draft.path, open_wiki)
    return plan


async def run(plan: Plan, draft: SnapshotDraft, means: Means, progress: Progress) -> Outcome:
    """Do all that a plan says and is not done yet, and give the snapshot its name.

    Args:
        plan: Of the draft.
        draft: Open.
        means: Of this machine.
        progress: Is told.

    Raises:
        SourceError: A dump at an address broke off; run again to go on.
        RevstreamError: Models, memory or the disk are at fault; run again once that is cured.
    """
    files = PartFiles(draft.path, draft.chunk_path)
    await score_parts(plan, plan.parts, files, means, progress)
    await score_strays(plan, files, means, progress)
    return finish(plan, draft, progress.parts)


async def score_strays(plan: Plan, files: PartFiles, means: Means, progress: Progress) -> None:
    """Score once more what was scored without its parent, where another page has that.

    1. Find these revisions, by what was noted of all parts.
    2. Read the parts that have them or their parents, once more.
    3. Score them, as parts behind those of the plan.
    4. Take back the rows that they had.

    Whoever is interrupted begins again with 1, and scores no chunk twice.

    Args:
        plan: All its parts are done.
        files: Of the run.
        means: Of this machine.
        progress: Is told.

    Raises:
        RevstreamError: As `run`.
    """
    strays = await asyncio.to_thread(find_strays, plan, files.folder)  # 1
    parts = stray_parts(plan, strays)
    if any(files.read(part.number) is None for part in parts):
        with closing(await asyncio.to_thread(StrayTexts, plan, strays)) as texts:  # 2
            await score_parts(plan, parts, files, means, progress, texts=texts)  # 3
    for part in parts:
        progress.parts.pop(part.number, None)
    await asyncio.to_thread(take_back, strays, files.chunk_path)  # 4


async def score_parts(
    plan: Plan,
    parts: Iterable[PlannedPart],
    files: PartFiles,
    means: Means,
    progress: Progress,
    *,
    texts: StrayTexts | None = None,
) -> None:
    """Score some parts of a plan with processes of this machine, see `run_parts`."""
    with tempfile.TemporaryDirectory(prefix="revstream-backfill-") as places:
        team = _team(plan, means, files.folder, Path(places))
        try:
            await run_parts(
                plan, parts, files, team, processes=means.processes, progress=progress, texts=texts
            )
        finally:
            await team.stop()


async def trial(plan: Plan, chunks: Sequence[Chunk], folder: Path, means: Means) -> float:
    """Score some chunks and return the CPU seconds that a revision takes, all its models together.

    Args:
        plan: They are of.
        chunks: To score, the first ones that take some seconds.
        folder: Empty; rows go there.
        means: Of this machine.
    """
    places = folder / "places"
    places.mkdir()
    write_users(plan, folder)
    team = _team(plan, means, folder, places)
    seconds, revisions = 0.0, 0
    try:
        member = await team.join()
        until = time.monotonic() + _TRIAL_SECONDS
        for number, chunk in enumerate(chunks):
            cut = encode_chunk(chunk, folder / str(number))
            done = await member.score(cut)
            seconds += sum(done.phase_seconds.values())
            revisions += done.revisions
            if time.monotonic() > until:
                break
    finally:
        await team.stop()
    return seconds / revisions


def finish(plan: Plan, draft: SnapshotDraft, parts: Mapping[int, PartDone]) -> Outcome:
    """Make the snapshot of a draft whose parts are all done."""
    path = draft.finish(origin_of(plan, parts))
    return Outcome(path, plan, dict(parts))


def origin_of(plan: Plan, parts: Mapping[int, PartDone]) -> SnapshotOrigin:
    """Return what a manifest says of where its rows come from."""
    told = msgspec.to_builtins(plan)
    return SnapshotOrigin(
        source="backfill",
        code_version=plan.code_version,
        models=tuple(sorted(SnapshotModel(model.wiki_id, model.id) for model in plan.models)),
        inputs=tuple(
            SnapshotInput(one.url, one.size_bytes, one.sha256 and f"sha256:{one.sha256}")
            for one in plan.inputs
        ),
        plan={
            **{name: told[name] for name in ("filters", "users", "with_features", "max_text_bytes")},
            "scored_dt": told["created_dt"],
            "parts": len(plan.parts),
            "revisions_read": sum(done.read for done in parts.values()),
            "revisions_without_id": sum(done.without_id for done in parts.values()),
            "defects": [done.defect for _, done in sorted(parts.items()) if done.defect is not None],
        },
    )


def _team(plan: Plan, means: Means, folder: Path, places: Path) -> Team:
    setup = ScorerSetup(
        folders=means.model_folders,
        models=plan.models,
        with_features=plan.with_features,
        max_text_bytes=plan.max_text_bytes,
        scored_dt=plan.created_dt,
        places=places,
        open_users=opener(plan, folder),
    )
    return Team(partial(means.load, setup), places, means.limits, niceness=means.niceness)
