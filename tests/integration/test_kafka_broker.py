"""What revstream relies on in a broker, and that our script starts and ends it well."""

import asyncio
import json
import shutil
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import UnknownTopicOrPartitionError

from tests.kafka_broker import SCRIPT, KafkaBroker

pytestmark = pytest.mark.kafka


def script(*arguments: str | Path) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, SCRIPT, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


async def eventually(holds: Callable[[], Awaitable[bool]], within_seconds: float = 20) -> None:
    deadline = time.monotonic() + within_seconds
    while not await holds():
        assert time.monotonic() < deadline, f"not so within {within_seconds} s"
        await asyncio.sleep(0.1)


async def create_topic(bootstrap: str, name: str, partitions: int = 1, **configs: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        names = {key.replace("_", "."): value for key, value in configs.items()}
        answer = await admin.create_topics([NewTopic(name, partitions, 1, topic_configs=names)])
        assert [error[1] for error in answer.topic_errors] == [0]
    finally:
        await admin.close()


@asynccontextmanager
async def producing(bootstrap: str) -> AsyncIterator[AIOKafkaProducer]:
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap)
    await producer.start()
    try:
        yield producer
    finally:
        await producer.stop()


@asynccontextmanager
async def consuming(bootstrap: str, topic: str, group: str | None = None) -> AsyncIterator[AIOKafkaConsumer]:
    consumer = AIOKafkaConsumer(
        topic,
        bootstrap_servers=bootstrap,
        group_id=group,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        session_timeout_ms=3000,
        heartbeat_interval_ms=300,
    )
    await consumer.start()
    try:
        yield consumer
    finally:
        await consumer.stop()


async def records(bootstrap: str, topic: str, count: int) -> list[tuple[int, bytes | None, bytes | None]]:
    async with consuming(bootstrap, topic) as consumer:
        taken = [await asyncio.wait_for(consumer.getone(), 20) for _ in range(count)]
    return [(record.offset, record.key, record.value) for record in taken]


async def test_records_come_back_in_the_order_they_were_sent(
    kafka_bootstrap: str, kafka_topic_prefix: str
) -> None:
    topic = f"{kafka_topic_prefix}changes"
    await create_topic(kafka_bootstrap, topic)
    async with producing(kafka_bootstrap) as producer:
        for number in range(50):
            await producer.send(topic, key=b"testwiki:1", value=b"%d" % number)
        await producer.flush()
    taken = await records(kafka_bootstrap, topic, 50)
    assert taken == [(number, b"testwiki:1", b"%d" % number) for number in range(50)]


async def test_a_compacted_topic_keeps_the_last_value_of_each_key(
    kafka_bootstrap: str, kafka_topic_prefix: str
) -> None:
    topic = f"{kafka_topic_prefix}latest"
    await create_topic(
        kafka_bootstrap,
        topic,
        cleanup_policy="compact",
        segment_ms="100",
        min_cleanable_dirty_ratio="0.01",
    )
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka_bootstrap)
    await admin.start()
    described = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)])
    await admin.close()
    configs = {entry[0]: entry[1] for entry in described[0].resources[0][4]}
    assert configs["cleanup.policy"] == "compact"

    last = -1

    async def earlier_values_are_gone() -> bool:
        nonlocal last
        async with producing(kafka_bootstrap) as producer:
            # The newest segment is never compacted; each of these begins another.
            last = (await producer.send_and_wait(topic, key=b"end", value=b"")).offset
        async with consuming(kafka_bootstrap, topic) as consumer:
            partition = TopicPartition(topic, 0)
            kept: list[tuple[bytes | None, bytes | None]] = []
            while await consumer.position(partition) <= last:
                record = await asyncio.wait_for(consumer.getone(), 20)
                kept.append((record.key, record.value))
        pages = [record for record in kept if record[0] != b"end"]
        assert dict(pages) == {b"page": b"9", b"other": b"0"}
        return len(pages) == 2

    async with producing(kafka_bootstrap) as producer:
        await producer.send_and_wait(topic, key=b"other", value=b"0")
        for number in range(10):
            await producer.send_and_wait(topic, key=b"page", value=b"%d" % number)
    await eventually(earlier_values_are_gone)


async def test_a_misspelt_topic_is_not_created(kafka_bootstrap: str, kafka_topic_prefix: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka_bootstrap)
    await admin.start()
    try:
        topic = f"{kafka_topic_prefix}misspelt"
        described = await admin.describe_topics([topic])
        assert [one["error_code"] for one in described] == [UnknownTopicOrPartitionError.errno]
        assert topic not in await admin.list_topics()
    finally:
        await admin.close()


async def test_two_members_share_the_partitions_and_one_takes_over(
    kafka_bootstrap: str, kafka_topic_prefix: str
) -> None:
    topic, group = f"{kafka_topic_prefix}changes", f"{kafka_topic_prefix}group"
    await create_topic(kafka_bootstrap, topic, partitions=4)
    async with consuming(kafka_bootstrap, topic, group) as first:
        everything = {TopicPartition(topic, number) for number in range(4)}

        async def first_has_all() -> bool:
            return bool(first.assignment() == everything)

        await eventually(first_has_all)
        async with consuming(kafka_bootstrap, topic, group) as second:

            async def each_has_half() -> bool:
                shares = first.assignment(), second.assignment()
                return [len(share) for share in shares] == [2, 2] and set().union(*shares) == everything

            await eventually(each_has_half)
        await eventually(first_has_all)


@pytest.mark.parametrize("end", ["stop", "kill"])
async def test_records_and_committed_offsets_survive_the_end_of_the_broker(
    kafka_broker: KafkaBroker, kafka_topic_prefix: str, end: str
) -> None:
    topic, group = f"{kafka_topic_prefix}changes", f"{kafka_topic_prefix}group"
    address = kafka_broker.bootstrap
    await create_topic(address, topic)
    async with producing(address) as producer:
        for number in range(10):
            await producer.send_and_wait(topic, value=b"%d" % number)
    async with consuming(address, topic, group) as consumer:
        for _ in range(4):
            await asyncio.wait_for(consumer.getone(), 20)
        await consumer.commit({TopicPartition(topic, 0): 4})

    if end == "kill":
        kafka_broker.kill()
    else:
        kafka_broker.stop()
    kafka_broker.start()

    assert kafka_broker.bootstrap == address
    assert len(await records(address, topic, 10)) == 10
    async with consuming(address, topic, group) as consumer:
        assert (await asyncio.wait_for(consumer.getone(), 20)).value == b"4"


def test_a_jar_of_another_digest_is_named_and_nothing_starts(
    kafka_session: KafkaBroker, tmp_path: Path
) -> None:
    fetched = Path(script("fetch").stdout.strip())
    cache = tmp_path / "jars"
    shutil.copytree(fetched, cache)
    jar = next(cache.glob("kafka-clients-*.jar"))
    content = bytearray(jar.read_bytes())
    content[-1] ^= 1
    jar.write_bytes(content)

    refused = script("--cache", cache, "start", "--dir", tmp_path / "broker")

    assert refused.returncode == 1
    assert jar.name in refused.stderr
    assert refused.stdout == ""
    assert not (tmp_path / "broker").exists()


def test_a_second_broker_in_the_same_folder_or_on_the_same_port_is_refused(
    kafka_session: KafkaBroker, tmp_path: Path
) -> None:
    same_folder = script("start", "--dir", kafka_session.folder)
    assert same_folder.returncode == 1
    assert "runs in" in same_folder.stderr

    port = kafka_session.bootstrap.rpartition(":")[2]
    same_port = script("start", "--dir", tmp_path / "broker", "--port", port)
    assert same_port.returncode == 1
    assert f"port {port} is in use" in same_port.stderr


def test_stop_leaves_no_process_and_does_no_harm_twice(kafka_session: KafkaBroker, tmp_path: Path) -> None:
    place = ["--dir", str(tmp_path / "broker")]
    started = script("start", *place)
    assert started.returncode == 0, started.stderr
    process = psutil.Process(json.loads((tmp_path / "broker" / "broker.pid").read_text())["pid"])
    assert "kafka.Kafka" in process.cmdline()
    assert script("status", *place).stdout == started.stdout

    stopped = script("stop", *place)

    assert (stopped.returncode, stopped.stderr) == (0, "kafka: stopped\n")
    # The process that takes over orphans may leave its entry for a while, as a zombie.
    assert not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    assert script("status", *place).returncode == 1
    again = script("stop", *place)
    assert again.returncode == 0
    assert "no broker runs" in again.stderr
