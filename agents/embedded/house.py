"""What keeps the embedded log small, and how far it is consumed."""

import asyncio
from collections.abc import Mapping

from agents.embedded.log import Log, now_ms

_EVERY_SECONDS = 600.0


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
        log.compact()
        for topic, seconds in retention_seconds.items():
            trim(log, topic, group_id, since_ms=now_ms() - int(seconds * 1000))


def trim(log: Log, topic: str, group_id: str, *, since_ms: int) -> int:
    """Drop the records of a topic that are consumed and older than a moment; return how many."""
    dropped = 0
    for number in range(log.partitions(topic) or 0):
        committed = log.committed(group_id, topic, number)
        if committed:
            before = log.oldest_kept(topic, number, since_ms=since_ms, below_offset=committed)
            dropped += log.trim(topic, number, before_offset=before)
    return dropped
