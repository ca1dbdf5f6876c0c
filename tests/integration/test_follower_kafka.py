"""A replica over a real Kafka broker."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from agents.topics import KafkaTopicReader
from schemas.errors import BrokerUnavailable
from schemas.keys import REVISIONS_TABLE, row_key
from tables.codec import encode_row
from tables.follower import Follower
from tests.kafka_broker import KafkaBroker
from tests.rows import binary, row, stored
from tests.served import following, until

pytestmark = pytest.mark.kafka

PARTITIONS = 3
WAIT_SECONDS = 60.0


class Topics:
    """The changelogs of one test."""

    def __init__(self, bootstrap: str) -> None:
        self.bootstrap = bootstrap
        token = uuid.uuid4().hex[:8]
        self.by_table = {table: f"test-{token}-{table}-changelog" for table in ("revisions", "pages")}

    @asynccontextmanager
    async def _admin(self) -> AsyncIterator[AIOKafkaAdminClient]:
        admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap)
        await admin.start()
        try:
            yield admin
        finally:
            await admin.close()

    async def create(self) -> None:
        async with self._admin() as admin:
            await admin.create_topics(
                [
                    NewTopic(name, PARTITIONS, 1, topic_configs={"cleanup.policy": "compact"})
                    for name in self.by_table.values()
                ]
            )

    async def delete(self) -> None:
        async with self._admin() as admin:
            await admin.delete_topics(list(self.by_table.values()))

    async def write(self, *rev_ids: int, is_tombstone: bool = False) -> None:
        producer = AIOKafkaProducer(bootstrap_servers=self.bootstrap)
        await producer.start()
        try:
            for rev_id in rev_ids:
                value = None if is_tombstone else encode_row(scored(rev_id))
                await producer.send_and_wait(
                    self.by_table["revisions"], value, row_key("enwiki", rev_id), rev_id % PARTITIONS
                )
        finally:
            await producer.stop()


def scored(rev_id: int):  # type: ignore[no-untyped-def]  # a row
    return row(stored("damaging", binary(0.25)), rev_id=rev_id)


def has(follower: Follower, rev_id: int) -> bool:
    return follower.get(REVISIONS_TABLE, row_key("enwiki", rev_id)) is not None


@pytest.fixture
async def reader(kafka_broker: KafkaBroker) -> AsyncIterator[KafkaTopicReader]:
    reading = KafkaTopicReader(kafka_broker.bootstrap)
    yield reading
    await reading.close()


async def test_a_replica_follows_topics_that_come_to_be_later(
    kafka_broker: KafkaBroker, reader: KafkaTopicReader, tmp_path: Path
) -> None:
    topics = Topics(kafka_broker.bootstrap)
    follower = Follower(reader, tmp_path, topics.by_table)
    async with following(follower):
        await until(lambda: "log_unreachable" in follower.freshness().reasons, WAIT_SECONDS)
        await topics.create()
        await until(lambda: follower.freshness().is_ready, WAIT_SECONDS)
        await topics.write(*range(1, 30))
        await until(lambda: all(has(follower, rev_id) for rev_id in range(1, 30)), WAIT_SECONDS)
        await topics.write(5, is_tombstone=True)
        await until(lambda: not has(follower, 5), WAIT_SECONDS)
        await until(lambda: (follower.freshness().age_seconds or 0.0) < 5, WAIT_SECONDS)


async def test_look_ups_go_on_while_the_broker_is_away(
    kafka_broker: KafkaBroker, reader: KafkaTopicReader, tmp_path: Path
) -> None:
    topics = Topics(kafka_broker.bootstrap)
    await topics.create()
    await topics.write(*range(1, 10))
    follower = Follower(reader, tmp_path, topics.by_table)
    async with following(follower):
        await until(lambda: follower.freshness().is_ready, WAIT_SECONDS)
        assert all(has(follower, rev_id) for rev_id in range(1, 10))
        kafka_broker.kill()
        await until(lambda: "log_unreachable" in follower.freshness().reasons, WAIT_SECONDS)
        assert follower.freshness().is_ready
        assert has(follower, 9)
        await asyncio.to_thread(kafka_broker.start)
        await topics.write(100)
        await until(lambda: has(follower, 100), WAIT_SECONDS)
        await until(lambda: follower.freshness().reasons == (), WAIT_SECONDS)
        assert has(follower, 9)


async def test_topics_made_anew_are_followed_from_their_start(
    kafka_broker: KafkaBroker, reader: KafkaTopicReader, tmp_path: Path
) -> None:
    topics = Topics(kafka_broker.bootstrap)
    await topics.create()
    await topics.write(*range(1, 20))
    first = Follower(reader, tmp_path, topics.by_table)
    async with following(first):
        await until(lambda: first.freshness().is_ready, WAIT_SECONDS)
    await reader.close()
    await topics.delete()
    await asyncio.sleep(1)
    await topics.create()
    await topics.write(*range(100, 160))
    second = Follower(reader, tmp_path, topics.by_table)
    async with following(second):
        await until(lambda: has(second, 159), WAIT_SECONDS)
        assert not has(second, 1)


async def test_an_empty_topic_is_told_from_a_broker_that_is_away(
    kafka_broker: KafkaBroker, reader: KafkaTopicReader
) -> None:
    topics = Topics(kafka_broker.bootstrap)
    await topics.create()
    name = topics.by_table["revisions"]
    nothing = dict.fromkeys(range(PARTITIONS), 0)
    assert await reader.partitions(name) == [0, 1, 2]
    assert await reader.starts(name) == nothing
    assert await reader.ends(name) == nothing
    assert await reader.read(name, nothing, limit=10, timeout_seconds=0.2) == []
    await topics.write(1, 2, 4)
    assert await reader.ends(name) == {0: 0, 1: 2, 2: 1}
    found = await reader.read(name, nothing, limit=2, timeout_seconds=5)
    assert 0 < len(found) <= 2
    assert await reader.identity() == await reader.identity()
    kafka_broker.kill()
    with pytest.raises(BrokerUnavailable):
        await reader.read(name, {0: 0, 1: 2, 2: 1}, limit=10, timeout_seconds=0.2)


async def test_no_broker_at_all_is_named() -> None:
    reader = KafkaTopicReader("127.0.0.1:1")
    with pytest.raises(BrokerUnavailable, match=r"127\.0\.0\.1:1"):
        await reader.identity()
    with pytest.raises(BrokerUnavailable):
        await reader.ends("anything")
    await reader.close()
