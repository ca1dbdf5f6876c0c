"""Checkpoints of the tables, written from their changelogs."""

import asyncio
import contextlib
import shutil
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from datetime import UTC, datetime
from itertools import product
from pathlib import Path

import structlog
from msgspec.structs import replace

from app.checkpoint_loading import CheckpointLoader
from app.settings import Settings
from app.topic_readers import changelog_topics, topic_reader
from batch.checkpoint import CheckpointPart, Draft, Manifest, copy_table_file, file_sha256
from batch.checkpoint_rows import Page, write_rows
from schemas.errors import SettingsError
from schemas.keys import PAGES_TABLE, REVISIONS_TABLE
from tables.changelog import TopicReader
from tables.copies import Copy
from tables.record_runs import Stretch, gather

_log = structlog.get_logger("revstream.checkpoint")


async def write_checkpoint(settings: Settings, folder: Path) -> tuple[Path, Manifest]:
    """Write a checkpoint of the tables of an application, whether or not its workers run.

    1. Note where each changelog ends: the checkpoint stands for what lies below.
    2. Fill files from the checkpoint before, where it fits, and from the changelog behind it.
    3. Write them as Parquet and as they are, pages first: what hides a page hides its revisions.
    4. Write the manifest, and give the checkpoint its name.

    Args:
        settings: Name the application, its log and its partitions.
        folder: Of checkpoints.

    Returns:
        Where it lies, and its manifest.

    Raises:
        BrokerUnavailable: The log cannot be read, or has no tables of that application.
        StoreError: The disk is full, or rows are of a later version.
    """
    created_dt = datetime.now(UTC)
    async with ended_tables(settings) as tables:  # 1
        draft = Draft(folder, created_dt)
        with contextlib.ExitStack() as undo, tempfile.TemporaryDirectory(dir=draft.path.parent) as scratch:
            undo.callback(draft.discard)
            parts = []
            hidden: set[Page] = set()
            async with contextlib.aclosing(tables.copies(Path(scratch), folder)) as copies:
                async for table, partition, copy in copies:  # 2
                    # A partition's revisions follow its pages.
                    known = hidden if table == REVISIONS_TABLE else set()
                    part, hidden = await asyncio.to_thread(  # 3
                        _write_part, draft.path, table, partition, copy, known
                    )
                    parts.append(part)
                    _log.info("checkpoint_part", table=table, partition=partition, rows=part.rows)
            manifest = Manifest(settings.app_id, tables.partitions, tables.identity, created_dt, parts)
            path = draft.finish(manifest)  # 4
            undo.pop_all()
        return path, manifest


class EndedTables:
    """The tables of an application as they were when this was made, read from their changelogs.

    Args:
        app_id: Of the application.
        reader: Of the log.
        identity: Of the log.
        ends: Table name to where each partition of its changelog ended.

    Attributes:
        partitions: Of each table.

    Raises:
        SettingsError: The tables are not of the same number of partitions.
    """

    def __init__(
        self, app_id: str, reader: TopicReader, identity: str, ends: Mapping[str, Mapping[int, int]]
    ) -> None:
        counts = {len(each) for each in ends.values()}
        if len(counts) != 1:
            raise SettingsError(f"The changelogs of {app_id} have {counts} partitions.")
        (self.partitions,) = counts
        self.identity = identity
        self.ends = ends
        self._app_id = app_id
        self._reader = reader

    async def copies(
        self, scratch: Path, checkpoint_folder: Path | None
    ) -> AsyncGenerator[tuple[str, int, Copy], None]:
        """Yield table, partition and rows of all partitions, one at a time; a partition's pages come first.

        Args:
            scratch: Folder for the copies, each of which goes away when the next is asked for.
            checkpoint_folder: Of checkpoints, the latest of which spares reading what it stands for.

        Raises:
            BrokerUnavailable: The log cannot be read.
            StoreError: The disk is full.
        """
        topics = changelog_topics(self._app_id)
        former = None
        if checkpoint_folder is not None:
            loader = CheckpointLoader(
                checkpoint_folder,
                app_id=self._app_id,
                partitions=self.partitions,
                topics=topics,
                reader=self._reader,
            )
            former = await loader.usable()
        for partition, table in product(range(self.partitions), (PAGES_TABLE, REVISIONS_TABLE)):
            copy = Copy(scratch / f"{table}-{partition}.db", table, partition)
            try:
                earlier = None if former is None else former.part(table, partition)
                if former is not None and earlier is not None:
                    file = copy.path.with_suffix(".sst")
                    await asyncio.to_thread(copy_table_file, former.path, earlier, file)
                    copy.ingest(file)
                stretch = Stretch(
                    table, topics[table], partition, copy.next_offset, self.ends[table][partition]
                )
                await _catch_up(copy, self._reader, stretch)
                yield table, partition, copy
            finally:
                copy.close()
                shutil.rmtree(copy.path, ignore_errors=True)


@contextlib.asynccontextmanager
async def ended_tables(settings: Settings) -> AsyncIterator[EndedTables]:
    """Note where the changelogs of an application end, and give its tables as they were then.

    Args:
        settings: Name the application and its log.

    Raises:
        BrokerUnavailable: The log cannot be read, or has no tables of that application.
    """
    reader = topic_reader(settings)
    try:
        identity = await reader.identity()
        ends = {table: await reader.ends(topic) for table, topic in changelog_topics(settings.app_id).items()}
        yield EndedTables(settings.app_id, reader, identity, ends)
    finally:
        await reader.close()


async def _catch_up(copy: Copy, reader: TopicReader, stretch: Stretch) -> None:
    stretch = replace(
        stretch, first=max(copy.next_offset, (await reader.starts(stretch.topic))[stretch.partition])
    )
    taker, file = copy.run_taker(), copy.path.with_suffix(".sst")
    while stretch.first < stretch.end:
        gathered, next_offset = await gather(reader, stretch)
        run = await asyncio.to_thread(gathered.write, file, next_offset)
        taker.take(run, file)
        stretch = replace(stretch, first=next_offset)
    taker.finish()
    copy.next_offset = max(stretch.first, stretch.end)


def _write_part(
    folder: Path, table: str, partition: int, copy: Copy, hidden: set[Page]
) -> tuple[CheckpointPart, set[Page]]:
    name = f"{table}-{partition:04d}"
    file, table_file = f"{name}.parquet", f"{name}.sst"
    count, found = write_rows(folder / file, copy.rows(), hidden)
    if count:
        copy.dump(folder / table_file)
    part = CheckpointPart(
        table,
        partition,
        copy.next_offset,
        count,
        file,
        file_sha256(folder / file),
        table_file,
        file_sha256(folder / table_file) if count else "",
    )
    return part, found
