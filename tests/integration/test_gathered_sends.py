"""Records that are gathered before they are sent, over a real broker."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, cast

import faust
import pytest
from faust.types import RecordMetadata

from agents.gathered_sends import GatheringProducer
from tests.integration.test_transport_kafka import KafkaEngine

pytestmark = pytest.mark.kafka

LIMIT_BYTES = 10_000


@pytest.fixture
async def engine(kafka_bootstrap: str, kafka_topic_prefix: str) -> KafkaEngine:
    made = KafkaEngine(kafka_bootstrap, kafka_topic_prefix)
    await made.create_topic(made.name, 1)
    return made


@pytest.fixture
async def producer(engine: KafkaEngine) -> AsyncIterator[GatheringProducer]:
    app = faust.App(
        engine.name,
        broker=engine.broker_url,
        producer_max_request_size=LIMIT_BYTES,
        producer_compression_type="zstd",
    )
    made = GatheringProducer(cast(Any, app.transport))
    await made.start()
    yield made
    await made.stop()


async def send(producer: GatheringProducer, topic: str, value: bytes) -> "asyncio.Future[RecordMetadata]":
    sent = await producer.send(topic, b"key", value, None, None, None)
    return cast("asyncio.Future[RecordMetadata]", sent)


async def values(engine: KafkaEngine) -> list[bytes | None]:
    return [record.value for record in await engine.read(engine.name)]


async def test_what_several_tasks_send_is_in_the_log_in_the_order_in_which_it_was_sent(
    engine: KafkaEngine, producer: GatheringProducer
) -> None:
    sent: list[tuple[bytes, asyncio.Future[RecordMetadata]]] = []

    async def task(name: str) -> None:
        for number in range(40):
            value = f"{name}{number}".encode()
            sent.append((value, await send(producer, engine.name, value)))
            await asyncio.sleep(0.003)

    await asyncio.gather(*(task(name) for name in "abc"))
    offsets = [(await future).offset for _, future in sent]
    assert offsets == list(range(120))
    assert await values(engine) == [value for value, _ in sent]


async def test_a_record_that_is_refused_fails_alone(engine: KafkaEngine, producer: GatheringProducer) -> None:
    first = await send(producer, engine.name, b"first")
    large = await send(producer, engine.name, b"x" * (LIMIT_BYTES + 1))
    last = await send(producer, engine.name, b"last")
    outcomes = await asyncio.gather(first, large, last, return_exceptions=True)
    assert [type(each).__name__ for each in outcomes] == [
        "RecordMetadata",
        "ProducerSendError",
        "RecordMetadata",
    ]
    assert await values(engine) == [b"first", b"last"]


async def test_a_flush_waits_for_what_was_gathered(engine: KafkaEngine, producer: GatheringProducer) -> None:
    sent = await send(producer, engine.name, b"one")
    assert not sent.done()
    await producer.flush()
    await asyncio.sleep(0)
    assert sent.done()
    assert await values(engine) == [b"one"]


async def test_what_waits_when_the_producer_stops_is_sent(
    engine: KafkaEngine, producer: GatheringProducer
) -> None:
    sent = await send(producer, engine.name, b"one")
    await producer.stop()
    assert (await sent).offset == 0
    assert await values(engine) == [b"one"]


async def test_nobody_who_gave_up_waiting_holds_up_the_others(
    engine: KafkaEngine, producer: GatheringProducer
) -> None:
    given_up = await send(producer, engine.name, b"one")
    given_up.cancel()
    kept = await send(producer, engine.name, b"two")
    assert (await kept).offset == 1
    assert await values(engine) == [b"one", b"two"]
