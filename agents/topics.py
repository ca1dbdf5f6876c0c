"""Whole topics of Kafka, read without a consumer group."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from time import monotonic
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from agents.kafka_access import NO_SECURITY, KafkaAccess
from schemas.errors import BrokerUnavailable
from tables.changelog import TopicRecord, is_quiet

REQUEST_SECONDS = 5.0
_DESCRIBED_SECONDS = 30.0
_PARTITION_FETCH_BYTES = 4 << 20
_PATIENT_FETCH_BYTES = 1 << 16


class _Followed:
    """One topic with its consumer: which partitions are assigned, and where the client stands in each."""

    def __init__(self, consumer: AIOKafkaConsumer, partitions: list[TopicPartition]) -> None:
        self.consumer = consumer
        self.partitions = {each.partition: each for each in partitions}
        self.next: dict[int, int] = {}
        consumer.assign(partitions)
        # A partition without a position would be looked up in the consumer group that there is not.
        for each in partitions:
            consumer.seek(each, 0)
        consumer.pause(*partitions)

    def place(self, positions: Mapping[int, int]) -> list[TopicPartition]:
        """Fetch the partitions named from their positions on, and no others; return them."""
        wanted = [self.partitions[number] for number in positions]
        for number, offset in positions.items():
            if self.next.get(number) != offset:
                self.consumer.seek(self.partitions[number], offset)
                self.next[number] = offset
        paused = set(self.partitions.values()).difference(wanted)
        self.consumer.pause(*paused.difference(self.consumer.paused()))
        self.consumer.resume(*self.consumer.paused().intersection(wanted))
        return wanted


class KafkaTopicReader:
    """Reads topics of a Kafka cluster from positions that the caller keeps.

    Each topic has a consumer of its own, so that waiting for one does not hold up another. Connections
    are made on first use, and again after a failure.

    Args:
        bootstrap: ``host:port`` of one or more brokers, separated by commas.
        access: How the cluster is entered, and how brokers name this reader in their logs and quotas.
        patience_seconds: How long a broker may gather records before it gives any. Without patience each
            record is a request of its own, which takes a worker longer than applying it.
    """

    def __init__(
        self, bootstrap: str, *, access: KafkaAccess = NO_SECURITY, patience_seconds: float = 0.0
    ) -> None:
        self._bootstrap = bootstrap
        self._options = access.options()
        self._fetching: dict[str, Any] = {"max_partition_fetch_bytes": _PARTITION_FETCH_BYTES}
        if patience_seconds:
            self._fetching["fetch_min_bytes"] = _PATIENT_FETCH_BYTES
            self._fetching["fetch_max_wait_ms"] = int(patience_seconds * 1000)
        self._topics: dict[str, _Followed] = {}
        self._admin: AIOKafkaAdminClient | None = None
        self._described: dict[str, list[int]] = {}
        self._described_at = float("-inf")
        self._connecting = asyncio.Lock()
        self._closing: asyncio.Task[None] | None = None

    async def identity(self) -> str:
        """Return the id of the cluster."""
        async with self._named("the cluster"):
            async with self._connecting:
                admin = await self._connected_admin()
            description = await admin.describe_cluster()
        return str(description["cluster_id"])

    async def partitions(self, topic: str) -> list[int]:
        """Return the partitions of a topic, sorted."""
        async with self._named(topic):
            return await self._partitions(topic)

    async def starts(self, topic: str) -> Mapping[int, int]:
        """Return the first offset that each partition still holds."""
        async with self._named(topic):
            followed = await self._followed(topic)
            found = await followed.consumer.beginning_offsets(list(followed.partitions.values()))
        return {partition.partition: offset for partition, offset in found.items()}

    async def ends(self, topic: str) -> Mapping[int, int]:
        """Return the offset that each partition will give to its next record."""
        async with self._named(topic):
            followed = await self._followed(topic)
            found = await followed.consumer.end_offsets(list(followed.partitions.values()))
        return {partition.partition: offset for partition, offset in found.items()}

    async def read(
        self, topic: str, positions: Mapping[int, int], *, limit: int, timeout_seconds: float
    ) -> list[TopicRecord]:
        """Return records from the positions on, as soon as there are any; see `TopicReader.read`.

        The client answers a silent broker with an empty list, as it does the end of a topic. So an empty
        list is passed on only once the brokers confirm that the positions are the ends.
        """
        async with self._named(topic):
            followed = await self._followed(topic)
            wanted = followed.place(positions)
            batches = await followed.consumer.getmany(
                *wanted, timeout_ms=int(timeout_seconds * 1000), max_records=limit
            )
            if not batches and not await self._is_at_end(followed, wanted):
                batches = await followed.consumer.getmany(
                    *wanted, timeout_ms=int(REQUEST_SECONDS * 1000), max_records=limit
                )
                if not batches and not await self._is_at_end(followed, wanted):
                    raise BrokerUnavailable(
                        f"Kafka at {self._bootstrap} tells of records in {topic} and does not give them. See "
                        "the brokers' logs; this is tried again.",
                        topic=topic,
                    )
        records = [
            TopicRecord(
                partition.partition,
                record.offset,
                record.key,
                record.value,
                record.timestamp,
                is_quiet(record.headers),
            )
            for partition, batch in batches.items()
            for record in batch
        ]
        for record in records:
            followed.next[record.partition] = record.offset + 1
        return records

    async def close(self) -> None:
        """Close the connections. Idempotent."""
        while self._topics or self._admin is not None or self._closing is not None:
            if self._closing is None:
                self._closing = asyncio.create_task(self._close())
            # Whoever waits may be cancelled; a client that is half closed would keep its socket for ever.
            await asyncio.shield(self._closing)

    async def _close(self) -> None:
        topics, self._topics = self._topics, {}
        admin, self._admin = self._admin, None
        self._described_at = float("-inf")
        try:
            for followed in topics.values():
                await _stop(followed.consumer)
            if admin is not None:
                await admin.close()
        finally:
            self._closing = None

    async def _is_at_end(self, followed: _Followed, wanted: list[TopicPartition]) -> bool:
        """Tell whether the client has read all; a hole at the end moves it without giving a record."""
        ends = await followed.consumer.end_offsets(wanted)
        return all([await followed.consumer.position(each) >= end for each, end in ends.items()])

    async def _partitions(self, topic: str) -> list[int]:
        """Return the partitions of a topic, at most half a minute late.

        All topics are described at once: a broker that is asked for one by name may make it, with partitions
        of its own choice.
        """
        async with self._connecting:
            is_old = monotonic() - self._described_at > _DESCRIBED_SECONDS
            if is_old or topic not in self._described:
                admin = await self._connected_admin()
                self._described = {
                    each["topic"]: sorted(part["partition"] for part in each["partitions"])
                    for each in await admin.describe_topics()
                }
                self._described_at = monotonic()
        found = self._described.get(topic)
        if not found:
            raise BrokerUnavailable(
                f"Kafka at {self._bootstrap} has no topic {topic} yet. The worker declares it when it "
                "starts; this is tried again.",
                topic=topic,
            )
        return found

    async def _followed(self, topic: str) -> _Followed:
        numbers = await self._partitions(topic)
        async with self._connecting:
            followed = self._topics.get(topic)
            if followed is None:
                consumer = AIOKafkaConsumer(
                    bootstrap_servers=self._bootstrap,
                    **self._options,
                    group_id=None,
                    enable_auto_commit=False,
                    auto_offset_reset="none",
                    request_timeout_ms=int(REQUEST_SECONDS * 1000),
                    **self._fetching,
                )
                await _start(consumer, lambda: _stop(consumer))
                partitions = [TopicPartition(topic, number) for number in numbers]
                followed = self._topics[topic] = _Followed(consumer, partitions)
            elif len(followed.partitions) != len(numbers):
                del self._topics[topic]
                await _stop(followed.consumer)
                raise BrokerUnavailable(
                    f"The topic {topic} has {len(numbers)} partitions now; it is read anew.", topic=topic
                )
            return followed

    async def _connected_admin(self) -> AIOKafkaAdminClient:
        if self._admin is None:
            self._admin = await started_admin(self._bootstrap, self._options)
        return self._admin

    @asynccontextmanager
    async def _named(self, what: str) -> AsyncIterator[None]:
        """Turn the client's errors into ours, and begin with new connections after one."""
        try:
            yield
        except (KafkaError, OSError, TimeoutError) as error:
            await self.close()
            raise BrokerUnavailable(
                f"Kafka at {self._bootstrap} does not answer about {what} ({type(error).__name__}: {error}). "
                "Check the address, that a broker runs, and the settings kafka_…; this is tried again.",
            ) from error


async def started_admin(bootstrap: str, options: Mapping[str, Any]) -> AIOKafkaAdminClient:
    """Return a client that asks brokers, connected; each request may take `REQUEST_SECONDS`.

    Args:
        bootstrap: ``host:port`` of one or more brokers, separated by commas.
        options: As of `agents.kafka_access.KafkaAccess.options`.

    Raises:
        KafkaError: No broker answers.
    """
    admin = AIOKafkaAdminClient(
        bootstrap_servers=bootstrap, **options, request_timeout_ms=int(REQUEST_SECONDS * 1000)
    )
    await _start(admin, admin.close)
    return admin


async def _stop(consumer: AIOKafkaConsumer) -> None:
    """Close a consumer, sockets included.

    Where a fetch is under way, aiokafka cancels it and lets its CancelledError out of `stop` before the
    sockets are closed, after which `stop` does nothing more.
    """
    try:
        await consumer.stop()
    except asyncio.CancelledError:
        # No public way is left; the version is pinned.
        await consumer._client.close()
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise


async def _start(client: Any, stop: Callable[[], Awaitable[None]]) -> None:
    try:
        await client.start()
    except BaseException:
        await stop()
        raise
