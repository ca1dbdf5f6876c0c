"""A cluster's topics, copied into a log file, where tests read them as they read the embedded engine's."""

from collections.abc import Sequence
from pathlib import Path

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from agents.embedded.log import Log, NewRecord
from schemas.decode import peek_key
from schemas.keys import PAGE_CHANGE_TOPIC
from tests.audit import is_source

_REQUEST_MS = 20_000


async def produce_events(bootstrap: str, lines: Sequence[bytes]) -> None:
    """Write events to the source topic, keyed by their pages, in order."""
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", enable_idempotence=True)
    await producer.start()
    try:
        for line in lines:
            await producer.send(PAGE_CHANGE_TOPIC, line, peek_key(line))
        await producer.flush()
    finally:
        await producer.stop()


async def kafka_backlog(bootstrap: str, group_id: str) -> int:
    """Return how many events the group has not committed, those that it put off included."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, request_timeout_ms=_REQUEST_MS)
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap, request_timeout_ms=_REQUEST_MS)
    await consumer.start()
    await admin.start()
    try:
        places = [
            TopicPartition(topic["topic"], part["partition"])
            for topic in await admin.describe_topics()
            if is_source(topic["topic"], group_id)
            for part in topic["partitions"]
        ]
        ends = await consumer.end_offsets(places)
        committed = await admin.list_consumer_group_offsets(group_id)
    finally:
        await admin.close()
        await consumer.stop()
    done = {place: offset.offset for place, offset in committed.items()}
    return sum(end - max(0, done.get(place, 0)) for place, end in ends.items())


async def mirror(bootstrap: str, group_id: str, path: Path) -> None:
    """Copy all topics, and the group's offsets in those that it consumes, into a new log."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap, auto_offset_reset="earliest", request_timeout_ms=_REQUEST_MS
    )
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap, request_timeout_ms=_REQUEST_MS)
    log = Log(path)
    await consumer.start()
    await admin.start()
    try:
        for topic in await admin.describe_topics():
            if not topic["is_internal"]:
                places = [TopicPartition(topic["topic"], part["partition"]) for part in topic["partitions"]]
                log.create_topic(topic["topic"], len(places))
                await _copy(consumer, places, log)
        committed = await admin.list_consumer_group_offsets(group_id)
        offsets = {place: one.offset for place, one in committed.items() if is_source(place.topic, group_id)}
        log.transact(group_id=group_id, offsets=offsets)
    finally:
        await admin.close()
        await consumer.stop()
        log.close()


async def _copy(consumer: AIOKafkaConsumer, places: list[TopicPartition], log: Log) -> None:
    consumer.assign(places)
    await consumer.seek_to_beginning(*places)
    ends = await consumer.end_offsets(places)
    while any([await consumer.position(place) < end for place, end in ends.items()]):
        batches = await consumer.getmany(timeout_ms=500)
        log.transact(
            [
                NewRecord(place.topic, place.partition, record.timestamp, record.key, record.value)
                for place, batch in batches.items()
                for record in batch
            ]
        )
