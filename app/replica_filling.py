"""New replicas filled from a checkpoint, so that they need not read all of the log."""

import asyncio
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Final

import structlog

from app.checkpoint_loading import CheckpointLoader
from app.settings import Settings
from app.topic_readers import changelog_topics, topic_reader
from batch.checkpoint import CheckpointPart, require_undamaged
from batch.checkpoint_rows import read_rows
from schemas.errors import CheckpointUnusable
from schemas.keys import REVISIONS_TABLE
from tables.changelog import MERGES, TopicRecord, apply
from tables.replica import Position, Replica

# Written at once; look-ups wait for it, about 10 ms, where this process answers as well.
_BATCH_ROWS: Final = 1000

_log = structlog.get_logger("revstream.checkpoint")


async def fill_replica(settings: Settings, replica: Replica) -> int:
    """Fill a new replica from the latest checkpoint in ``settings.checkpoint_folder`` that fits its log.

    What cannot be used is told and left to the changelog, which is read from where the checkpoint ends.

    Returns:
        How many rows were loaded.

    Raises:
        BrokerUnavailable: The log cannot be read now.
        StoreError: The disk is full.
    """
    reader = topic_reader(settings)
    topics = changelog_topics(settings.app_id)
    try:
        partitions = len(await reader.partitions(topics[REVISIONS_TABLE]))
        loader = CheckpointLoader(
            Path(settings.checkpoint_folder),
            app_id=settings.app_id,
            partitions=partitions,
            topics=topics,
            reader=reader,
        )
        found = await loader.usable()
    finally:
        await reader.close()
    if found is None:
        return 0
    # Whatever the log has told since is later, and so wins over a row of another partition.
    written_ms = int(found.created_dt.timestamp() * 1000)
    rows = 0
    for part in found.parts:
        try:
            await asyncio.to_thread(require_undamaged, found.path, part)
        except CheckpointUnusable as error:
            _log.warning("checkpoint_unusable", code=error.code, error=error.message, **error.fields)
            continue
        rows += await _fill_part(replica, topics[part.table], found.path, part, written_ms)
    _log.info("replica_filled", path=str(found.path), rows=rows)
    return rows


async def _fill_part(replica: Replica, topic: str, path: Path, part: CheckpointPart, written_ms: int) -> int:
    """Write the rows of a part, and last the position that they stand for."""
    prefix, merge = part.table.encode() + b"\0", MERGES[part.table]
    count = 0
    for batch in _batches(read_rows(path / part.file) if part.rows else ()):
        rows = []
        for key, row in batch:
            record = TopicRecord(part.partition, part.next_offset - 1, key, row, written_ms)
            rows.append((prefix + key, apply(replica.get(prefix + key), record, merge)))
        replica.write(rows, topic, {}, table=part.table)
        count += len(rows)
        await asyncio.sleep(0)
    replica.write((), topic, {part.partition: Position(part.next_offset)})
    return count


def _batches(rows: Iterable[tuple[bytes, bytes]]) -> Iterator[list[tuple[bytes, bytes]]]:
    remaining = iter(rows)
    while batch := list(islice(remaining, _BATCH_ROWS)):
        yield batch
