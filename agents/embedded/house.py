"""What keeps the embedded log small, and how far it is consumed."""

import asyncio
from collections.abc import Mapping

from agents.embedded.log import Log, now_ms

_EVERY_SECONDS = 600.0
_SHORT_SECONDS = 1.0
# A record may have come this very moment, or by a clock that has been set back since.
_AHEAD_MS = 86_400_000


def backlog(log: Log, topic: str, group_id: str) -> int:
    """Return how many records of a topic a group has not committed."""
    return sum(
        log.end(topic, number) - (log.committed(group_id, topic, number) or 0)
        for number in range(log.partitions(topic) or 0)
    )


async def keep_house(log: Log, retention_seconds: Mapping[str, float], group_id: str) -> None:
    """Compact changelogs, and drop records of some topics that are consumed and past their time; for ever.

    Args:
        log: The log.
        retention_seconds: How long records are kept once they are consumed, by topic.
        group_id: Of the consumer.
    """
    while True:
        await asyncio.sleep(_EVERY_SECONDS)
        await asyncio.to_thread(log.compact)
        for topic, seconds in retention_seconds.items():
            since_ms = now_ms() - int(seconds * 1000)
            await asyncio.to_thread(trim, log, topic, group_id, since_ms=since_ms)


async def keep_short(log: Log, topic: str, group_id: str) -> None:
    """Drop the records of a topic as soon as they are consumed, and leave nothing of them; for ever."""
    is_dirty, done = False, -1
    while True:
        end = sum(log.end(topic, number) for number in range(log.partitions(topic) or 0))
        waiting = backlog(log, topic, group_id)
        if end - waiting != done:
            await asyncio.to_thread(trim, log, topic, group_id, since_ms=now_ms() + _AHEAD_MS)
            is_dirty, done = True, end - waiting
        if is_dirty and not waiting:
            is_dirty = not await asyncio.to_thread(log.scrub)
        await asyncio.sleep(_SHORT_SECONDS)


def trim(log: Log, topic: str, group_id: str, *, since_ms: int) -> int:
    """Drop the records of a topic that are consumed and older than a moment; return how many."""
    dropped = 0
    for number in range(log.partitions(topic) or 0):
        committed = log.committed(group_id, topic, number)
        if committed:
            before = log.oldest_kept(topic, number, since_ms=since_ms, below_offset=committed)
            dropped += log.trim(topic, number, before_offset=before)
    return dropped
