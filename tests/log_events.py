"""Puts events into an embedded log as a source does, from wherever a test stands."""

from collections.abc import Iterable

from agents.embedded.log import Log, NewRecord, now_ms
from agents.embedded.transport import partition_of
from schemas.decode import peek_key
from schemas.keys import PAGE_CHANGE_TOPIC


def append_events(log: Log, events: Iterable[bytes], *, partitions: int) -> None:
    """Append page changes, each to the partition of its page; the topic is made where it is missing."""
    log.create_topic(PAGE_CHANGE_TOPIC, partitions)
    keyed = [(peek_key(event), event) for event in events]
    log.transact(
        [
            NewRecord(PAGE_CHANGE_TOPIC, partition_of(key, partitions), now_ms(), key, event)
            for key, event in keyed
        ]
    )
