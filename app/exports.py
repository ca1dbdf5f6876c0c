"""The tables as a snapshot, in the format that backfills write."""

import asyncio
import contextlib
from collections.abc import Iterable, Iterator, Set
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from typing import Final

import structlog

from app.checkpoints import EndedTables, ended_tables
from app.settings import Settings
from batch.checkpoint_rows import Page
from batch.snapshot_draft import SnapshotDraft
from batch.snapshot_manifest import SnapshotModel, SnapshotOrigin
from batch.snapshot_rows import write_chunk
from schemas.errors import SnapshotUnusable
from schemas.keys import PAGES_TABLE
from schemas.prediction import PredictionRow
from schemas.snapshot_row import SnapshotRow
from tables.codec import decode_row
from tables.copies import Copy
from tables.withdrawal import is_hidden

_CHUNK_ROWS: Final = 20_000

_log = structlog.get_logger("revstream.export")


async def export_snapshot(settings: Settings, folder: Path, name: str) -> Path:
    """Write the tables of an application as a snapshot, whether or not its workers run.

    It stands for the moment at which it was begun. What was withdrawn by then is not in it, nor is anything
    that a suppression erased.

    1. Note where each changelog ends.
    2. Fill a partition from the latest checkpoint, where there is one, and from the changelog behind it.
    3. Learn from the pages which are hidden, and write the revisions of all others as chunks.
    4. Sort and finish, as a backfill does.

    Args:
        settings: Name the application, its log and the folder of its checkpoints.
        folder: Of snapshots.
        name: Of the snapshot.

    Returns:
        Where it lies.

    Raises:
        BrokerUnavailable: The log cannot be read, or has no tables of that application.
        SnapshotUnusable: There is a snapshot or a draft of that name.
        StoreError: The disk is full, or rows are of a later version.
    """
    async with ended_tables(settings) as tables:  # 1
        with SnapshotDraft(folder, name) as draft, contextlib.ExitStack() as undo:
            if draft.chunks():
                raise SnapshotUnusable(
                    f"{draft.path} holds what a backfill or an export of that name left unfinished. Choose "
                    "another name, carry the backfill on, or delete it by `revstream snapshot prune`.",
                    path=str(draft.path),
                )
            undo.callback(draft.discard)
            checkpoints = Path(settings.checkpoint_folder) if settings.checkpoint_folder else None
            models = await _write_chunks(tables, draft, checkpoints)
            ends = {table: dict(each) for table, each in tables.ends.items()}
            plan = {"app_id": settings.app_id, "log_identity": tables.identity, "next_offsets": ends}
            origin = SnapshotOrigin("export", version("revstream"), tuple(sorted(models)), plan=plan)
            path = await asyncio.to_thread(draft.finish, origin)  # 4
            undo.pop_all()
            return path


async def _write_chunks(
    tables: EndedTables, draft: SnapshotDraft, checkpoints: Path | None
) -> set[SnapshotModel]:
    models: set[SnapshotModel] = set()
    hidden: set[Page] = set()
    scratch = draft.path / "tables"
    scratch.mkdir(exist_ok=True)
    async with contextlib.aclosing(tables.copies(scratch, checkpoints)) as copies:
        async for table, partition, copy in copies:  # 2
            if table == PAGES_TABLE:
                hidden = await asyncio.to_thread(_hidden_pages, copy)
            else:
                found = await asyncio.to_thread(_write_partition, copy, hidden, draft, partition)  # 3
                models |= found
                _log.info("export_part", partition=partition)
    return models


def _hidden_pages(copy: Copy) -> set[Page]:
    pages = (decode_row(row) for _, row in copy.rows())
    return {(page.wiki_id, page.page_id) for page in pages if is_hidden(page)}


def _write_partition(
    copy: Copy, hidden: Set[Page], draft: SnapshotDraft, partition: int
) -> set[SnapshotModel]:
    rows = _shown(copy, hidden)
    models: set[SnapshotModel] = set()
    number = 0
    while chunk := list(islice(rows, _CHUNK_ROWS)):
        summary = write_chunk(draft.chunk_path(partition, number), chunk)
        models.update(SnapshotModel(count.wiki_id, count.model) for count in summary.counts)
        number += 1
    return models


def _shown(copy: Copy, hidden: Set[Page]) -> Iterator[SnapshotRow]:
    for _, encoded in copy.rows():
        row = decode_row(encoded)
        if not is_hidden(row) and (row.wiki_id, row.page_id) not in hidden:
            yield from exported_rows(row)


def exported_rows(row: PredictionRow) -> Iterable[SnapshotRow]:
    """Return a row of the tables as rows of a snapshot, one a model; those say less and more.

    Tables keep neither parents nor which features were missing: both are None.
    """
    for score in row.scores:
        origin = score.provenance
        yield SnapshotRow(
            row.wiki_id,
            row.page_id,
            row.rev_id,
            None,
            row.rev_dt,
            origin.namespace_id,
            origin.is_bot,
            score.model,
            score.outcome,
            None,
            None,
            origin.scored_dt,
            origin.event_id,
            origin.source_topic,
            origin.source_partition,
            origin.source_offset,
            origin.event_dt,
        )
