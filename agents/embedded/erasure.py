"""Takes what was suppressed out of the embedded log and the files of the tables."""

import asyncio
import base64
import contextlib
import re
from collections.abc import Awaitable, Callable, Iterator, Sequence
from time import monotonic
from typing import Any, Final

import msgspec
import structlog

from agents.embedded.log import Log, LogRecord
from schemas.erasure import Erasure, decode_erasure
from schemas.keys import ERASURE_TOPIC, is_page_key, page_topic_key, row_key
from schemas.on_demand import on_demand_topic
from schemas.retry import is_retry_topic
from schemas.suppressed import is_suppression_notice

Rewrite = Callable[[int, str, int, Sequence[int]], None]

_POLL_SECONDS: Final = 0.2
_THOROUGH_SECONDS: Final = 600.0
_AWAITED_SECONDS: Final = 5.0
_CHUNK_RECORDS: Final = 500
# A whole number in JSON, whether or not the rest of it is whole.
_NUMBER: Final = re.compile(rb"[:\[,]\s*([0-9]{1,16})(?=\s*[,}\]])")

_log = structlog.get_logger(__name__)


async def _at_once() -> None:
    pass


class Eraser:
    """Erases what requests in the log ask for, each once it is committed, and then the request.

    A request is there if and only if the suppression is committed, and goes after its work is done: a process
    that dies in between does it again. It stays while events that were put off, and tell of what was
    suppressed, wait for their time.

    Args:
        log: The log.
        group_id: Of the consumer, which is the name of the application: what it has not consumed stays.
        rewrite: Rewrites the files of the tables, see `tables.predictions.Predictions.rewrite`.
        written: Returns when the tables hold what the log has committed by now. Rewritten before, a file
            would keep the row that the emptied one is written over.
    """

    def __init__(
        self,
        log: Log,
        group_id: str,
        rewrite: Rewrite,
        written: Callable[[], Awaitable[None]] = _at_once,
    ) -> None:
        self._log = log
        self._group_id = group_id
        self._rewrite = rewrite
        self._written = written
        self._is_dirty = False
        self._needs_thorough = False
        self._thorough_at = monotonic()
        self._awaits_events = False
        self._again_at = 0.0

    async def run(self) -> None:
        """Erase for ever.

        Raises:
            EngineError: The log cannot be written.
        """
        done: list[int] = []
        while True:
            # Nothing new in the topic costs no look at the disk.
            ends = [self._log.end(ERASURE_TOPIC, at) for at in self._partitions()]
            if ends != done or (self._awaits_events and monotonic() >= self._again_at):
                await self._written()
                await asyncio.to_thread(self.erase_all, ends)
                self._again_at = monotonic() + _AWAITED_SECONDS
                done = ends
            if self._is_dirty or (self._needs_thorough and monotonic() >= self._thorough_at):
                await asyncio.to_thread(self._scrub)
            await asyncio.sleep(_POLL_SECONDS)

    def erase_all(self, ends: Sequence[int] | None = None) -> int:
        """Do what all requests in the log ask for; return how many there were. Blocks for the disk.

        1. Remove the records that tell what was suppressed, and earlier rows of it in the changelogs.
        2. Rewrite the files of the tables.
        3. Remove the request, unless an event that was put off and not handled yet tells of it, too.

        Args:
            ends: The offset of each partition up to which requests count; all count if None.
        """
        count = 0
        self._awaits_events = False
        for partition in self._partitions():
            end = None if ends is None else ends[partition]
            for record in _records(self._log, ERASURE_TOPIC, partition, end):
                erasure = decode_erasure(record.value or b"")
                # Asked first: what is handled meanwhile is not removed and not awaited.
                is_awaited = self._is_awaited(erasure)
                removed = sum(self._remove(erasure))  # 1
                self._rewrite(  # 2
                    erasure.source_partition, erasure.wiki_id, erasure.page_id, erasure.rev_ids
                )
                if is_awaited:
                    self._awaits_events = True
                else:
                    self._log.remove(ERASURE_TOPIC, partition, (record.offset,))  # 3
                    _log.info("suppressed content erased", wiki_id=erasure.wiki_id, records=removed)
                count += 1
                self._is_dirty = self._needs_thorough = True
        return count

    def _scrub(self) -> None:
        is_thorough = self._needs_thorough and monotonic() >= self._thorough_at
        self._is_dirty = not self._log.scrub(is_thorough=is_thorough)
        if is_thorough:
            self._needs_thorough = self._is_dirty
            self._thorough_at = monotonic() + _THOROUGH_SECONDS

    def _partitions(self) -> range:
        return range(self._log.partitions(ERASURE_TOPIC) or 0)

    def _remove(self, erasure: Erasure) -> Iterator[int]:
        compacted = set(self._log.compacted_topics())
        for topic in self._log.topics():
            for partition in range(self._log.partitions(topic) or 0):
                if topic in compacted:
                    offsets = self._earlier_rows(topic, partition, erasure)
                elif topic != ERASURE_TOPIC:
                    offsets = self._traces(topic, partition, erasure)
                else:
                    continue
                if offsets:
                    self._log.remove(topic, partition, offsets)
                yield len(offsets)

    def _traces(self, topic: str, partition: int, erasure: Erasure) -> list[int]:
        end = self._log.committed(self._group_id, topic, partition)
        if self._is_read_by_us(topic):
            end = end or 0
        is_source = topic == erasure.source_topic
        if is_source:
            if partition != erasure.source_partition:
                return []
            end = min(end or 0, erasure.source_offset + 1)
        return [
            record.offset
            for record in _records(self._log, topic, partition, end)
            if is_trace(record, erasure, is_keyed=is_source or is_page_key(record.key))
        ]

    def _is_awaited(self, erasure: Erasure) -> bool:
        """Tell whether a record of a topic of ours that is not consumed tells of what was suppressed."""
        for topic in self._log.topics():
            for partition in range(self._log.partitions(topic) or 0):
                if self._is_read_by_us(topic):
                    start = self._log.committed(self._group_id, topic, partition) or 0
                    records = _records(self._log, topic, partition, start=start)
                    if any(is_trace(record, erasure, is_keyed=True) for record in records):
                        return True
        return False

    def _is_read_by_us(self, topic: str) -> bool:
        """Tell whether we read a topic that we wrote: events put off, or scores that clients asked for."""
        return is_retry_topic(self._group_id, topic) or topic == on_demand_topic(self._group_id)

    def _earlier_rows(self, topic: str, partition: int, erasure: Erasure) -> list[int]:
        if partition != erasure.source_partition:
            return []
        numbers = (erasure.page_id, *erasure.rev_ids)
        keys = {row_key(erasure.wiki_id, number) for number in numbers}
        newest: dict[bytes, int] = {}
        earlier = []
        for record in _records(self._log, topic, partition):
            if record.key in keys:
                if record.key in newest:
                    earlier.append(newest[record.key])
                newest[record.key] = record.offset
        return earlier


def is_trace(record: LogRecord, erasure: Erasure, *, is_keyed: bool) -> bool:
    """Tell whether a record tells something of what was suppressed.

    Args:
        record: Of any topic but a changelog.
        erasure: What was suppressed.
        is_keyed: Whether the record bears the key of its page. In others (dead letters) every number in the
            record counts, in the bytes of the event that it holds as well.
    """
    is_of_page = record.key == page_topic_key(erasure.wiki_id, erasure.page_id)
    if is_suppression_notice(record.value or b""):
        return False
    if is_of_page and erasure.is_whole_page:
        return True
    if is_keyed and not is_of_page:
        return False
    wanted = set(erasure.rev_ids)
    if erasure.is_whole_page:
        wanted.add(erasure.page_id)
    for text in (*_texts(record.value or b""), record.headers or b""):
        numbers = {int(number) for number in _NUMBER.findall(text)}
        if (is_of_page or erasure.wiki_id.encode() in text) and numbers & wanted:
            return True
    return False


def _texts(value: bytes) -> Iterator[bytes]:
    """Yield a value, and the event that it holds where it is a dead letter."""
    yield value
    with contextlib.suppress(ValueError):
        letter: Any = msgspec.json.decode(value)
        if isinstance(letter, dict) and isinstance(letter.get("raw_event"), str):
            yield letter["raw_event"].encode()
        if isinstance(letter, dict) and isinstance(letter.get("value_base64"), str):
            yield base64.b64decode(letter["value_base64"])


def _records(
    log: Log, topic: str, partition: int, end: int | None = None, *, start: int = 0
) -> Iterator[LogRecord]:
    """Yield the records of a partition, up to an offset where one is given, reading some at a time."""
    position = start
    while records := log.read(topic, partition, position, limit=_CHUNK_RECORDS):
        for record in records:
            if end is not None and record.offset >= end:
                return
            yield record
        position = records[-1].offset + 1
