"""What a reader of a table's changelog gives, and the rule by which a record becomes a row."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol

from msgspec import Struct

from schemas.errors import StoreFormatUnsupported
from schemas.keys import PAGES_TABLE, REVISIONS_TABLE
from schemas.prediction import PredictionRow
from tables.codec import decode_row, encode_row
from tables.merge import merge_page, merge_revision

Headers = Sequence[tuple[str, bytes]]

_HEAD_BYTES = 12
_QUIET = "revstream-quiet"
QUIET_HEADERS: Headers = ((_QUIET, b"1"),)
"""Of rows that came with a snapshot, of which no feed tells."""

Merge = Callable[[PredictionRow, PredictionRow], PredictionRow]

MERGES: Mapping[str, Merge] = {REVISIONS_TABLE: merge_revision, PAGES_TABLE: merge_page}


class TopicRecord(Struct, frozen=True):
    """One record of a topic.

    Attributes:
        partition: From 0.
        offset: Its place in the partition.
        key: Table key; None on records that are no rows.
        value: The row as written; None is a tombstone, which deletes the row.
        timestamp_ms: When it was written, by the log's clock.
        is_quiet: Whether feeds tell nothing of it.
    """

    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    timestamp_ms: int
    is_quiet: bool = False


class TopicReader(Protocol):
    """Reads whole topics of a log, without a consumer group.

    All methods but `close` raise BrokerUnavailable where the log cannot be reached, or has no such topic
    yet. A reader never takes silence for the end of a topic.
    """

    async def identity(self) -> str:
        """Return what tells this log from any other: the cluster's id, or one made with the log's file."""
        ...

    async def partitions(self, topic: str) -> list[int]:
        """Return the partitions of a topic, sorted."""
        ...

    async def starts(self, topic: str) -> Mapping[int, int]:
        """Return the first offset that each partition still holds; its end where it holds none."""
        ...

    async def ends(self, topic: str) -> Mapping[int, int]:
        """Return the offset that each partition will give to its next record."""
        ...

    async def read(
        self, topic: str, positions: Mapping[int, int], *, limit: int, timeout_seconds: float
    ) -> list[TopicRecord]:
        """Return records of the partitions named, in offset order within each.

        Args:
            topic: Its name.
            positions: Partition to the first offset wanted.
            limit: Most records to return.
            timeout_seconds: How long to wait for the first record.

        Returns:
            As soon as there is any record: those there are. An empty list says that nothing lies at or
            beyond the positions.
        """
        ...

    async def close(self) -> None:
        """Release connections and files. Idempotent."""
        ...


def is_quiet(headers: Iterable[tuple[str, bytes]] | None) -> bool:
    """Tell whether the headers of a record are `QUIET_HEADERS`, or hold them."""
    return bool(headers) and any(name == _QUIET for name, _ in headers or ())


def row_of(held: bytes) -> bytes:
    """Return the row of what `apply` holds."""
    return held[_HEAD_BYTES:]


def apply(held: bytes | None, record: TopicRecord, merge: Merge) -> bytes | None:
    """Return what to hold under a record's key once the record is applied.

    Within a partition the changelog's order is the truth, whatever the rows say: its writer has merged
    already, and may mean to go back (a withdrawn prediction). Two partitions have no order between them,
    and hold rows of one key where a revision went to another page: their rows are merged, and a
    tombstone deletes only a row that was written before it.

    Args:
        held: What is held so far: partition, timestamp and row; None where there is nothing.
        record: With a key.
        merge: The merge rule of the table.

    Returns:
        The new bytes to hold, or None to hold nothing.
    """
    head = record.partition.to_bytes(4, "big") + record.timestamp_ms.to_bytes(8, "big", signed=True)
    if held is None or held[:4] == head[:4]:
        return head + record.value if record.value else None
    held_ms = int.from_bytes(held[4:_HEAD_BYTES], "big", signed=True)
    if not record.value:
        return held if record.timestamp_ms < held_ms else None
    later = head if record.timestamp_ms >= held_ms else held[:_HEAD_BYTES]
    try:
        merged = merge(decode_row(row_of(held)), decode_row(record.value))
    except StoreFormatUnsupported:
        # Rows of a later version cannot be merged here, yet the later of two can be passed on whole.
        return head + record.value if later is head else held
    return later + encode_row(merged)
