"""A small log of topics in memory that a follower can follow, and that tests can break."""

import asyncio
import itertools
from collections import defaultdict
from collections.abc import Mapping

from schemas.errors import BrokerUnavailable
from tables.changelog import TopicRecord

REVISIONS_TOPIC = "test-revisions-changelog"
PAGES_TOPIC = "test-pages-changelog"
TOPICS = {"revisions": REVISIONS_TOPIC, "pages": PAGES_TOPIC}


class MemoryLog:
    """Topics of partitions of records, with holes where records were compacted away."""

    def __init__(self, *, partitions: int = 2, identity: str = "log-1") -> None:
        self.identity = identity
        self.is_reachable = True
        self.topics: dict[str, list[dict[int, TopicRecord]]] = {
            topic: [{} for _ in range(partitions)] for topic in TOPICS.values()
        }
        self.next_offsets: dict[tuple[str, int], int] = defaultdict(int)
        self._milliseconds = itertools.count(1_000)

    def append(
        self,
        topic: str,
        key: bytes | None,
        value: bytes | None,
        *,
        partition: int = 0,
        timestamp_ms: int | None = None,
    ) -> int:
        offset = self.next_offsets[topic, partition]
        now_ms = next(self._milliseconds) if timestamp_ms is None else timestamp_ms
        self.topics[topic][partition][offset] = TopicRecord(partition, offset, key, value, now_ms)
        self.next_offsets[topic, partition] = offset + 1
        return offset

    def remove(self, topic: str, offset: int, *, partition: int = 0) -> None:
        del self.topics[topic][partition][offset]


class MemoryTopicReader:
    """Reads a MemoryLog the way that readers of brokers do: it waits, and it fails."""

    def __init__(self, log: MemoryLog) -> None:
        self.log = log
        self.reads_left: int | None = None

    def _check(self, topic: str) -> list[dict[int, TopicRecord]]:
        if not self.log.is_reachable:
            raise BrokerUnavailable("The log is out of reach; wait.")
        if topic not in self.log.topics:
            raise BrokerUnavailable(f"There is no topic {topic} yet; start the worker.")
        return self.log.topics[topic]

    def _count_read(self) -> None:
        if self.reads_left is not None:
            if self.reads_left == 0:
                raise BrokerUnavailable("The log went out of reach; wait.")
            self.reads_left -= 1

    async def identity(self) -> str:
        if not self.log.is_reachable:
            raise BrokerUnavailable("The log is out of reach; wait.")
        return self.log.identity

    async def partitions(self, topic: str) -> list[int]:
        return list(range(len(self._check(topic))))

    async def starts(self, topic: str) -> Mapping[int, int]:
        ends = await self.ends(topic)
        return {
            number: min(records, default=ends[number]) for number, records in enumerate(self._check(topic))
        }

    async def ends(self, topic: str) -> Mapping[int, int]:
        return {number: self.log.next_offsets[topic, number] for number in range(len(self._check(topic)))}

    async def read(
        self, topic: str, positions: Mapping[int, int], *, limit: int, timeout_seconds: float
    ) -> list[TopicRecord]:
        deadline = asyncio.get_running_loop().time() + timeout_seconds
        while True:
            partitions = self._check(topic)
            found = [
                record
                for number, first in positions.items()
                for offset, record in partitions[number].items()
                if offset >= first
            ]
            if found or asyncio.get_running_loop().time() >= deadline:
                self._count_read()
                return found[:limit]
            await asyncio.sleep(0.002)

    async def close(self) -> None:
        """Nothing to release."""
