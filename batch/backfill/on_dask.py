"""Runs the parts of a plan as tasks of a Dask cluster: the same work, output and resume as on one machine."""

import asyncio
from collections.abc import Callable
from contextlib import ExitStack
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from msgspec import Struct

from batch.backfill.backfill import Means, Outcome, finish, score_parts, score_strays
from batch.backfill.plan import Plan, read_plan
from batch.backfill.run import PartDone, PartFiles, Progress
from batch.snapshot_draft import SnapshotDraft, chunk_path_of
from schemas.errors import BackfillRefused

_LOCAL: Final = "local:"
# A part whose worker dies is done by another; one that ends so many has a fault of its own.
_TRIES: Final = 5


class PartReport(Struct, frozen=True):
    """What a worker tells of a part.

    Attributes:
        done: As it is kept.
        progress: Counts, by name of those of `Progress`.
    """

    done: PartDone
    progress: dict[str, Any]


def run_part(folder: str, number: int, means: Means) -> PartReport:
    """Score one part of the plan that lies in a working folder. What a Dask worker does; blocks.

    Two workers may do the same part at a time, when a cluster takes one for dead that is not: both write the
    same chunks.

    Args:
        folder: Of the draft, which all machines see under this path, as they do dumps and models.
        number: Of the part.
        means: Of each machine.

    Raises:
        BackfillRefused: There is no plan in that folder, or of another version of revstream.
        RevstreamError: As `run_parts`.
    """
    path = Path(folder)
    plan = read_plan(path)
    if plan is None or plan.code_version != version("revstream"):
        raise BackfillRefused(
            f"a worker finds {'no plan' if plan is None else f'a plan of {plan.code_version}'} in {folder}, "
            f"and has revstream {version('revstream')}; let all machines share that folder, and install one "
            "version on all",
            path=folder,
        )
    progress = Progress()
    files = PartFiles(path, lambda part, chunk: chunk_path_of(path, part, chunk))
    asyncio.run(score_parts(plan, [plan.parts[number]], files, means, progress))
    counts = vars(progress) | {"failures": dict(progress.failures), "fallbacks": dict(progress.fallbacks)}
    del counts["parts"], counts["began"]
    return PartReport(progress.parts[number], counts)


def run_on_dask(
    address: str,
    plan: Plan,
    draft: SnapshotDraft,
    means: Means,
    progress: Progress,
    *,
    watch: Callable[[], None] = lambda: None,
) -> Outcome:
    """Do all that a plan says and is not done yet on a cluster, and give the snapshot its name.

    Args:
        address: Of the scheduler, ``tcp://HOST:PORT``, or ``local:N`` for N workers of this machine.
        plan: Of the draft.
        draft: Open, in a folder that all machines see.
        means: Of each worker.
        progress: Is told as parts are done.
        watch: Called as parts are done.

    Raises:
        BackfillRefused: Dask is not installed, or machines differ.
        RevstreamError: As `batch.backfill.backfill.run`.
    """
    dask, distributed = _dask()
    files = PartFiles(draft.path, draft.chunk_path)
    with ExitStack() as stack:
        stack.enter_context(dask.config.set({"distributed.scheduler.allowed-failures": _TRIES}))
        if address.startswith(_LOCAL):
            count = int(address.removeprefix(_LOCAL))
            address = stack.enter_context(
                distributed.LocalCluster(
                    n_workers=count, threads_per_worker=1, host="127.0.0.1", dashboard_address=None
                )
            )
        client = stack.enter_context(distributed.Client(address))
        waiting = {}
        for part in plan.parts:
            kept = files.read(part.number)
            if kept is not None:
                progress.parts[part.number] = kept
                continue
            future = client.submit(run_part, str(draft.path), part.number, means, pure=False)
            waiting[future] = part.number
        for future in distributed.as_completed(list(waiting)):
            report: PartReport = future.result()
            progress.parts[waiting[future]] = report.done
            progress.add(report.progress)
            watch()
    # They are few, so that this machine does them.
    asyncio.run(score_strays(plan, files, means, progress))
    return finish(plan, draft, progress.parts)


def _dask() -> tuple[Any, Any]:
    try:
        return import_module("dask"), import_module("distributed")
    except ImportError as error:
        raise BackfillRefused(
            "Dask is not installed here; install revstream[dask], on all machines of the cluster"
        ) from error
