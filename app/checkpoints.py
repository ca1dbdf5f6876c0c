"""Checkpoints of the tables: written from their changelogs, loaded into partitions that lost their disk."""

import asyncio
import contextlib
import shutil
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Mapping, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from datetime import UTC, datetime
from itertools import product
from multiprocessing import get_context
from os import cpu_count
from pathlib import Path
from typing import Final

import structlog
from msgspec import Struct

from app.serve import changelog_topics, topic_reader
from app.settings import Settings
from batch.checkpoint import (
    CheckpointPart,
    Draft,
    Manifest,
    checkpoints,
    file_sha256,
    read_manifest,
    require_fit,
    write_sst,
)
from batch.checkpoint_rows import Page, write_rows
from schemas.errors import BrokerUnavailable, CheckpointUnusable, SettingsError
from schemas.keys import PAGES_TABLE, REVISIONS_TABLE
from tables.changelog import TopicReader
from tables.copies import Copy
from tables.store import CommittedStore

_READ_RECORDS: Final = 5000
_READ_SECONDS: Final = 1.0
_PROCESSES_MOST: Final = 4

_log = structlog.get_logger("revstream.checkpoint")


# Writing


async def write_checkpoint(settings: Settings, folder: Path) -> tuple[Path, Manifest]:
    """Write a checkpoint of the tables of an application, whether or not its workers run.

    1. Note where each changelog ends: the checkpoint stands for what lies below.
    2. Fill files from the checkpoint before, where it fits, and from the changelog behind it.
    3. Write them as Parquet, pages first: what hides a page hides its revisions.
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
            copy = Copy(scratch / f"{table}-{partition}.db")
            try:
                earlier = None if former is None else former.part(table, partition)
                if former is not None and earlier is not None:
                    sst = copy.path.with_suffix(".sst")
                    await asyncio.to_thread(write_sst, former.path, earlier, sst)
                    copy.ingest(sst, earlier.next_offset)
                await _catch_up(copy, self._reader, topics[table], partition, self.ends[table][partition])
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


async def _catch_up(copy: Copy, reader: TopicReader, topic: str, partition: int, end: int) -> None:
    copy.next_offset = max(copy.next_offset, (await reader.starts(topic))[partition])
    while copy.next_offset < end:
        records = await reader.read(
            topic, {partition: copy.next_offset}, limit=_READ_RECORDS, timeout_seconds=_READ_SECONDS
        )
        below = [record for record in records if record.offset < end]
        if not below:
            break  # The rest was compacted away.
        copy.apply(below)
    copy.next_offset = max(copy.next_offset, end)


def _write_part(
    folder: Path, table: str, partition: int, copy: Copy, hidden: set[Page]
) -> tuple[CheckpointPart, set[Page]]:
    name = f"{table}-{partition:04d}.parquet"
    count, found = write_rows(folder / name, copy.rows(), hidden)
    sha256 = file_sha256(folder / name)
    return CheckpointPart(table, partition, copy.next_offset, count, name, sha256), found


# Loading


class Usable(Struct, frozen=True):
    """A checkpoint that fits the tables and their log, and the parts of it that the log carries on."""

    path: Path
    parts: Sequence[CheckpointPart]
    created_dt: datetime

    def part(self, table: str, partition: int) -> CheckpointPart | None:
        """Return a part that has rows; None where there is none."""
        for one in self.parts:
            if (one.table, one.partition) == (table, partition) and one.rows:
                return one
        return None


class CheckpointLoader:
    """Fills new partitions from the latest checkpoint that fits.

    Args:
        folder: Of checkpoints.
        app_id: Of the application.
        partitions: Of each table.
        topics: Table name to the topic that is its changelog.
        reader: Of the log; whoever gave it closes it.
    """

    def __init__(
        self,
        folder: Path,
        *,
        app_id: str,
        partitions: int,
        topics: Mapping[str, str],
        reader: TopicReader,
    ) -> None:
        self._folder = folder
        self._app_id = app_id
        self._partitions = partitions
        self._topics = dict(topics)
        self._reader = reader

    async def usable(self) -> Usable | None:
        """Return the latest checkpoint, as far as it can be used; None where it cannot. Says why not."""
        for path in checkpoints(self._folder)[:1]:
            try:
                manifest = read_manifest(path)
                require_fit(
                    path,
                    manifest,
                    app_id=self._app_id,
                    partitions=self._partitions,
                    log_identity=await self._reader.identity(),
                )
                parts = [part async for part in self._carried_on(path, manifest)]
                return Usable(path, parts, manifest.created_dt)
            except (CheckpointUnusable, BrokerUnavailable) as error:
                _tell(error)
        return None

    async def _carried_on(self, path: Path, manifest: Manifest) -> AsyncIterator[CheckpointPart]:
        for table, topic in self._topics.items():
            starts, ends = await self._reader.starts(topic), await self._reader.ends(topic)
            for part in manifest.parts:
                if part.table != table:
                    continue
                if starts[part.partition] <= part.next_offset <= ends[part.partition]:
                    yield part
                else:
                    _tell(
                        CheckpointUnusable(
                            f"The checkpoint {path} ends at offset {part.next_offset} of partition "
                            f"{part.partition} of {topic}, and the log holds {starts[part.partition]} to "
                            f"{ends[part.partition]}: what lies between is lost, or the log was made anew. "
                            "The changelog alone is read. Write a new checkpoint.",
                            path=str(path),
                            partition=part.partition,
                        )
                    )

    async def fill(self, stores: Mapping[str, CommittedStore], partitions: Iterable[int]) -> int:
        """Fill those of some partitions that are new. What cannot be used is told and left to the changelog.

        The Parquet files are turned into RocksDB's in processes of their own, so that look-ups go on.

        Args:
            stores: By table.
            partitions: That are ours, and open.

        Returns:
            How many rows were loaded.
        """
        new = [(table, one) for table, store in stores.items() for one in partitions if store.is_new(one)]
        found = await self.usable() if new else None
        if found is None:
            return 0
        wanted = [(stores[table], part) for table, one in new if (part := found.part(table, one)) is not None]
        if not wanted:
            return 0
        processes = min(_PROCESSES_MOST, cpu_count() or 1, len(wanted))
        executor = ProcessPoolExecutor(processes, mp_context=get_context("spawn"))
        try:
            loads = [self._load(executor, found.path, store, part) for store, part in wanted]
            return sum(await asyncio.gather(*loads))
        finally:
            executor.shutdown(wait=False, cancel_futures=True)

    async def _load(self, executor: Executor, path: Path, store: CommittedStore, part: CheckpointPart) -> int:
        place = store.partition_path(part.partition)
        sst = place.with_name(f"{place.name}.sst")
        try:
            loop = asyncio.get_running_loop()
            await loop.run_in_executor(executor, write_sst, path, part, sst)
        except CheckpointUnusable as error:
            _tell(error)
            return 0
        # No waiting from here on: whoever takes the partition away cancels us before.
        store.ingest(part.partition, sst, part.next_offset)
        _log.info("checkpoint_loaded", table=part.table, partition=part.partition, rows=part.rows)
        return part.rows


async def load_checkpoint(
    settings: Settings, stores: Mapping[str, CommittedStore], partitions: Iterable[int]
) -> int:
    """Fill those of a worker's partitions that are new from ``settings.checkpoint_folder``.

    Returns:
        How many rows were loaded.
    """
    reader = topic_reader(settings)
    loader = CheckpointLoader(
        Path(settings.checkpoint_folder),
        app_id=settings.app_id,
        partitions=settings.partitions,
        topics=changelog_topics(settings.app_id),
        reader=reader,
    )
    try:
        return await loader.fill(stores, sorted(partitions))
    finally:
        await reader.close()


def _tell(error: CheckpointUnusable | BrokerUnavailable) -> None:
    _log.warning("checkpoint_unusable", code=error.code, error=error.message, **error.fields)
