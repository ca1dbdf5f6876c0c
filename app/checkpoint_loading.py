"""Checkpoints of the tables, loaded into partitions that lost their disk."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path

import structlog
from msgspec import Struct

from app.settings import Settings
from app.topic_readers import changelog_topics, topic_reader
from batch.checkpoint import (
    CheckpointPart,
    Manifest,
    checkpoints,
    copy_table_file,
    read_manifest,
    require_fit,
)
from schemas.errors import BrokerUnavailable, CheckpointUnusable, StoreError, StoreFull
from tables.changelog import TopicReader
from tables.store import CommittedStore

_log = structlog.get_logger("revstream.checkpoint")


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

    async def fill(
        self, stores: Mapping[str, CommittedStore], partitions: Iterable[int], scratch: Path
    ) -> int:
        """Fill those of some partitions that are new. What cannot be used is told and left to the changelog.

        Args:
            stores: By table.
            partitions: That are ours, and open.
            scratch: Folder on the disk of the tables.

        Returns:
            How many rows were loaded.

        Raises:
            StoreFull: The disk is full.
        """
        new = [(table, one) for table, store in stores.items() for one in partitions if store.is_new(one)]
        found = await self.usable() if new else None
        if found is None:
            return 0
        wanted = [(stores[table], part) for table, one in new if (part := found.part(table, one)) is not None]
        return sum(await asyncio.gather(*(_load(found.path, *one, scratch) for one in wanted)))


async def _load(path: Path, store: CommittedStore, part: CheckpointPart, scratch: Path) -> int:
    file = scratch / part.table_file
    try:
        await asyncio.to_thread(copy_table_file, path, part, file)
        # No waiting from here on: whoever takes the partition away cancels us before.
        store.ingest(part.partition, file)
    except StoreFull:
        raise
    except StoreError as error:
        # As where a later version of RocksDB wrote it.
        _tell(CheckpointUnusable(f"{error.message} It is of a checkpoint, {path}.", path=str(path)))
        return 0
    except CheckpointUnusable as error:
        _tell(error)
        return 0
    _log.info("checkpoint_loaded", table=part.table, partition=part.partition, rows=part.rows)
    return part.rows


async def load_checkpoint(
    settings: Settings, stores: Mapping[str, CommittedStore], partitions: Iterable[int], scratch: Path
) -> int:
    """Fill those of a worker's partitions that are new from ``settings.checkpoint_folder``.

    Args:
        settings: Name the checkpoints, the application and its log.
        stores: By table.
        partitions: That are ours, and open.
        scratch: Folder on the disk of the tables.

    Returns:
        How many rows were loaded.

    Raises:
        StoreFull: The disk is full.
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
        return await loader.fill(stores, partitions, scratch)
    finally:
        await reader.close()


def _tell(error: CheckpointUnusable | BrokerUnavailable) -> None:
    _log.warning("checkpoint_unusable", code=error.code, error=error.message, **error.fields)
