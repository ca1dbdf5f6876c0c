"""Backfills from the command line: plans shown, runs watched."""

import asyncio
import contextlib
import os
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final

import msgspec
import structlog
from msgspec.structs import replace

from app.catalogue import build_catalogue, model_folders, open_store
from app.pool_limits import pool_limits
from app.settings import Settings
from batch.backfill.backfill import Means, Outcome, begin, run, trial
from batch.backfill.estimate import sample
from batch.backfill.filters import Filters
from batch.backfill.plan import Plan
from batch.backfill.planning import Wish, make_plan
from batch.backfill.run import Progress
from batch.backfill.verify import rescored
from batch.snapshot_draft import SnapshotDraft
from batch.snapshot_verify import verify_snapshot
from batch.user_facts import UserSource
from schemas.catalogue import ModelInfo

_TERMINAL_SECONDS: Final = 1.0
_LOG_SECONDS: Final = 30.0

_log = structlog.get_logger("revstream.backfill")


def wish_of(
    settings: Settings,
    *,
    sources: Sequence[str],
    name: str,
    wiki_id: str | None,
    only_wikis: Sequence[str],
    model_names: Sequence[str],
    namespaces: Sequence[int],
    since: datetime | None,
    until: datetime | None,
    is_latest_only: bool,
    sample: float,
    users: Sequence[str],
    with_features: bool,
) -> Wish:
    """Return what flags ask for. Times without a zone are UTC."""
    return Wish(
        snapshot=name,
        sources=tuple(sources),
        wiki_id=wiki_id,
        wikis=tuple(only_wikis),
        model_names=tuple(model_names),
        filters=Filters(
            namespaces=tuple(sorted(namespaces)) or None,
            since=since and since.replace(tzinfo=UTC),
            until=until and until.replace(tzinfo=UTC),
            is_latest_only=is_latest_only,
            sample=sample,
        ),
        users=tuple(users),
        with_features=with_features,
        max_text_bytes=settings.max_text_bytes,
    )


def plan_backfill(settings: Settings, wish: Wish) -> Plan:
    """Settle what a backfill would do, and estimate what it costs by scoring a little. Writes nothing.

    Raises:
        RevstreamError: As `run_backfill`.
    """
    plan = make_plan(wish, _models(settings))
    taken = sample(plan)
    seconds: float | None = None
    if taken.chunks:
        with tempfile.TemporaryDirectory(prefix="revstream-trial-") as folder:
            seconds = asyncio.run(trial(plan, taken.chunks, Path(folder), _means(settings, 1)))
    return replace(plan, estimate=taken.estimate(plan, seconds))


def run_backfill(
    settings: Settings, into: Path, wish: Wish, *, processes: int | None, dask: str | None = None
) -> Outcome:
    """Begin a backfill, or go on with it, and make its snapshot.

    Args:
        settings: Name models and limits.
        into: Folder of snapshots.
        wish: What is asked for.
        processes: That score; None for one a core, and with Dask for one a worker.
        dask: Address of a scheduler, or ``local:N``; None for this machine alone.

    Raises:
        SourceError: Nothing can be read.
        BackfillRefused: One of that name was begun that differs.
        RevstreamError: Models, memory or the disk are at fault; what is done is kept.
    """
    with SnapshotDraft(into, wish.snapshot) as draft:
        plan = begin(draft, wish, _models(settings), partial(_open_wiki, settings))
        if dask is not None:
            return _on_dask(dask, plan, draft, _means(settings, processes or 1))
        return asyncio.run(_watched(plan, draft, _means(settings, processes)))


def verify_backfill(settings: Settings, path: Path, *, share: float) -> tuple[int, list[str]]:
    """Check a snapshot by itself and by scoring a share of its revisions once more.

    Returns:
        How many rows were scored anew, and what is wrong, in words.
    """
    found = [f"{finding.path}: {finding.message}" for finding in verify_snapshot(path)]
    if found:
        return 0, found
    return rescored(path, _models(settings), _means(settings, None), share=share)


def describe(plan: Plan) -> str:
    """Return a plan for people."""
    lines = [f"snapshot {plan.snapshot}: {len(plan.inputs)} files, {len(plan.parts)} parts"]
    lines += [f"  {one.wiki_id}  {_size(one.size_bytes)}  {one.name}" for one in plan.inputs]
    lines.append("models")
    lines += [f"  {one.wiki_id}  {one.id.model_name}  {one.id.model_version}" for one in plan.models]
    if plan.estimate is not None:
        told = plan.estimate
        lines.append(
            f"about {told.revisions:,} revisions and {_size(told.text_bytes)} of text, for a snapshot of "
            f"{_size(told.output_bytes)}"
        )
        if told.cpu_seconds is not None:
            cores = _cores()
            took = timedelta(seconds=round(told.cpu_seconds / cores))
            lines.append(f"about {took} with {cores} processes on this machine")
    return "\n".join(lines)


def to_json(plan: Plan) -> str:
    """Return a plan as a JSON document."""
    return msgspec.json.format(msgspec.json.encode(plan), indent=2).decode()


def _open_wiki(settings: Settings, wiki_id: str) -> AbstractContextManager[UserSource]:
    # Only who asks a wiki needs its client, and has to name a contact.
    from app.content import mediawiki_settings  # noqa: PLC0415
    from app.user_facts import wiki_user_source  # noqa: PLC0415

    return wiki_user_source(mediawiki_settings(settings), wiki_id)


def _models(settings: Settings) -> Mapping[str, Mapping[str, ModelInfo]]:
    return build_catalogue(settings, open_store(settings)).wikis


def _means(settings: Settings, processes: int | None) -> Means:
    return Means(
        model_folders=model_folders(settings),
        processes=processes or _cores(),
        limits=pool_limits(settings),
    )


def _cores() -> int:
    return len(os.sched_getaffinity(0))


def _on_dask(address: str, plan: Plan, draft: SnapshotDraft, means: Means) -> Outcome:
    from batch.backfill.on_dask import run_on_dask  # noqa: PLC0415 - an extra, which few install

    expected = sample(plan).estimate(plan).revisions
    progress = Progress()

    def watch() -> None:
        _log.info("backfill", **_figures(plan, progress, expected))

    return run_on_dask(address, plan, draft, means, progress, watch=watch)


async def _watched(plan: Plan, draft: SnapshotDraft, means: Means) -> Outcome:
    progress = Progress()
    watch = asyncio.create_task(_watch(plan, progress))
    try:
        return await run(plan, draft, means, progress)
    finally:
        watch.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watch
        _log.info("backfill", **_figures(plan, progress, 0), failures=dict(progress.failures))


async def _watch(plan: Plan, progress: Progress) -> None:
    """Tell how far a run is: each second on a terminal, else in the log every half minute."""
    is_terminal = sys.stderr.isatty()
    expected: int | None = None
    try:
        while True:
            await asyncio.sleep(_TERMINAL_SECONDS if is_terminal else _LOG_SECONDS)
            if expected is None:
                # It takes seconds of reading, so that a run that is done before asks nobody.
                expected = (await asyncio.to_thread(sample, plan)).estimate(plan).revisions
            figures = _figures(plan, progress, expected)
            if is_terminal:
                left = figures["left_seconds"]
                words = (
                    f"part {figures['parts_done']}/{figures['parts']}  {progress.revisions:,} revisions  "
                    f"{figures['revisions_per_second']:,}/s  "
                    f"{'' if left is None else f'{timedelta(seconds=left)} left'}"
                )
                sys.stderr.write(f"\r{words:<79}")
                sys.stderr.flush()
            else:
                _log.info("backfill", **figures)
    finally:
        if is_terminal:
            sys.stderr.write("\n")


def _figures(plan: Plan, progress: Progress, expected: int) -> dict[str, Any]:
    seconds = time.monotonic() - progress.began
    rate = progress.revisions / seconds if seconds else 0.0
    left = max(0, expected - progress.revisions - progress.passed_revisions)
    return {
        "snapshot": plan.snapshot,
        "parts_done": len(progress.parts),
        "parts": len(plan.parts),
        "revisions": progress.revisions,
        "revisions_passed_over": progress.passed_revisions,
        "rows": progress.rows,
        "revisions_per_second": round(rate),
        "left_seconds": round(left / rate) if rate else None,
    }


def _size(size_bytes: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if size_bytes < 1000:
            return f"{size_bytes:.3g} {unit}"
        size_bytes /= 1000
    return f"{size_bytes:.3g} TB"
