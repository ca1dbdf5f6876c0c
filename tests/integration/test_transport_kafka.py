"""The transport suite over a real Kafka broker, and what only a cluster shows."""

import asyncio
import signal
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from msgspec.structs import replace

from tests.integration.transport_suite import (
    KEYS,
    Numbers,
    Record,
    TransportSuite,
    changelog_rows,
    check_nothing_lost,
    check_rows,
    output_numbers,
    rows_are_right,
    worker_process,
)
from tests.kafka_broker import KafkaBroker
from tests.stream_apps import PARTITIONS, AppSpec, SetsAndCounts

pytestmark = pytest.mark.kafka


class KafkaEngine:
    """A broker, as clients other than Faust see it."""

    # Kafka cannot take outputs, rows and offsets together in one step, so an event may be handled twice.
    is_exactly_once = False

    def __init__(self, bootstrap: str, prefix: str) -> None:
        self.broker_url = f"kafka://{bootstrap}"
        self.name = f"{prefix}suite"
        self._bootstrap = bootstrap

    @asynccontextmanager
    async def _admin(self) -> AsyncIterator[AIOKafkaAdminClient]:
        admin = AIOKafkaAdminClient(bootstrap_servers=self._bootstrap)
        await admin.start()
        try:
            yield admin
        finally:
            await admin.close()

    async def create_topic(self, topic: str, partitions: int) -> None:
        async with self._admin() as admin:
            answer = await admin.create_topics([NewTopic(topic, partitions, 1)])
        assert [error[1] for error in answer.topic_errors] == [0]

    async def produce(self, topic: str, records: Sequence[tuple[bytes, bytes]]) -> None:
        producer = AIOKafkaProducer(bootstrap_servers=self._bootstrap)
        await producer.start()
        try:
            for key, value in records:
                await producer.send(topic, value, key=key)
            await producer.flush()
        finally:
            await producer.stop()

    async def produce_transaction(self, topic: str, records: Sequence[tuple[bytes, bytes]]) -> None:
        """Append records in one transaction, which ends with a marker."""
        producer = AIOKafkaProducer(bootstrap_servers=self._bootstrap, transactional_id=self.name)
        await producer.start()
        try:
            async with producer.transaction():
                for key, value in records:
                    await producer.send(topic, value, key=key)
        finally:
            await producer.stop()

    async def read(self, topic: str) -> list[Record]:
        consumer = AIOKafkaConsumer(bootstrap_servers=self._bootstrap, auto_offset_reset="earliest")
        await consumer.start()
        try:
            async with self._admin() as admin:
                described = (await admin.describe_topics([topic]))[0]
            places = [TopicPartition(topic, one["partition"]) for one in described["partitions"]]
            consumer.assign(places)
            ends = await consumer.end_offsets(places)
            found: defaultdict[TopicPartition, list[Record]] = defaultdict(list)
            while any([await consumer.position(place) < ends[place] for place in places]):
                for place, records in (await consumer.getmany(timeout_ms=500)).items():
                    found[place] += [
                        Record(record.partition, record.offset, record.key, record.value)
                        for record in records
                    ]
        finally:
            await consumer.stop()
        return [record for place in places for record in found[place]]

    async def committed(self, group_id: str, topic: str) -> Mapping[int, int]:
        async with self._admin() as admin:
            offsets = await admin.list_consumer_group_offsets(group_id)
        return {
            place.partition: offset.offset
            for place, offset in offsets.items()
            if place.topic == topic and offset.offset >= 0
        }

    async def is_compacted(self, topic: str) -> bool:
        async with self._admin() as admin:
            answers = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)])
        configs = {entry[0]: entry[1] for answer in answers for entry in answer.resources[0][4]}
        return bool(configs["cleanup.policy"] == "compact")


class TestKafkaTransport(TransportSuite):
    @pytest.fixture
    def engine(self, kafka_bootstrap: str, kafka_topic_prefix: str) -> KafkaEngine:
        return KafkaEngine(kafka_bootstrap, kafka_topic_prefix)

    async def test_an_event_behind_a_hole_in_the_log_is_not_committed_before_it_is_done(
        self, engine: KafkaEngine, spec: AppSpec, numbers: Numbers
    ) -> None:
        """A transaction leaves a marker with an offset; Faust takes the event behind it for done, too."""
        for first in (0, 5, 10):
            await engine.produce_transaction(
                spec.source_topic, [(KEYS[0], b"%d" % number) for number in range(first, first + 5)]
            )
        async with SetsAndCounts(replace(spec, fails_at=5)).running() as failing:
            await asyncio.wait_for(failing.failed.wait(), 60)
        async with SetsAndCounts(spec).running() as app:
            await app.until_handled(10)
            await app.until(lambda: app.rows(KEYS[:1])[KEYS[0]][0] == set(range(15)))
        assert sorted({*(await output_numbers(engine, spec))}) == list(range(15))

    async def test_a_second_worker_takes_over_when_the_first_is_killed(
        self, engine: KafkaEngine, spec: AppSpec, numbers: Numbers, tmp_path: Path
    ) -> None:
        await numbers.produce(600)
        first = replace(spec, most_seconds=0.05)
        with worker_process(first) as process:
            assert process.stdout is not None
            await asyncio.to_thread(process.stdout.readline)
            second = replace(spec, data_dir=str(tmp_path / "second"), most_seconds=0.02)
            async with SetsAndCounts(second).running() as app:
                await app.until_handled(50)
                shared = app.app.consumer.assignment()
                assert 0 < len([tp for tp in shared if tp.topic == spec.source_topic]) < 4, "they share"
                process.kill()
                await app.until(lambda: rows_are_right(engine, numbers, app.rows(KEYS)))
                assert app.most_running <= spec.window_events
        check_nothing_lost(engine, numbers, await output_numbers(engine, spec))
        check_rows(engine, numbers, await changelog_rows(engine, app))
        assert sum((await engine.committed(spec.name, spec.source_topic)).values()) == 600

    async def test_a_worker_that_stood_still_writes_no_row_behind_who_took_over(
        self, engine: KafkaEngine, spec: AppSpec, numbers: Numbers, tmp_path: Path
    ) -> None:
        await numbers.produce(100)
        with worker_process(replace(spec, most_seconds=2.0)) as process:
            assert process.stdout is not None
            await asyncio.to_thread(process.stdout.readline)
            # Its window is full of events, whose handling ends as soon as it goes on.
            process.send_signal(signal.SIGSTOP)
            second = replace(spec, data_dir=str(tmp_path / "second"))
            async with SetsAndCounts(second).running() as app:
                await app.until(lambda: rows_are_right(engine, numbers, app.rows(KEYS)))
                process.send_signal(signal.SIGCONT)
                # It has said all that it had to say when it joins again and takes its share.
                await app.until(lambda: len(app.app.consumer.assignment()) < 3 * PARTITIONS)
                check_rows(engine, numbers, await changelog_rows(engine, app))
        check_rows(engine, numbers, await changelog_rows(engine, app))

    async def test_a_worker_that_leaves_hands_its_partitions_over(
        self, engine: KafkaEngine, spec: AppSpec, numbers: Numbers, tmp_path: Path
    ) -> None:
        await numbers.produce(600)
        slow = replace(spec, most_seconds=0.1, window_events=4)
        async with SetsAndCounts(replace(slow, data_dir=str(tmp_path / "second"))).running() as staying:
            async with SetsAndCounts(slow).running() as leaving:
                await leaving.until_handled(30)
            await staying.until(lambda: rows_are_right(engine, numbers, staying.rows(KEYS)))
        check_nothing_lost(engine, numbers, await output_numbers(engine, spec))
        check_rows(engine, numbers, await changelog_rows(engine, staying))

    async def test_a_worker_outlives_a_restart_of_the_broker(
        self, engine: KafkaEngine, spec: AppSpec, numbers: Numbers, kafka_broker: KafkaBroker
    ) -> None:
        await numbers.produce(200)
        async with SetsAndCounts(replace(spec, most_seconds=0.05)).running() as app:
            await app.until_handled(40)
            await asyncio.to_thread(kafka_broker.restart)
            await app.until(
                lambda: rows_are_right(engine, numbers, app.rows(KEYS)) or app.app.crashed, within_seconds=90
            )
        async with SetsAndCounts(spec).running() as again:
            await again.until(lambda: rows_are_right(engine, numbers, again.rows(KEYS)))
        check_nothing_lost(engine, numbers, await output_numbers(engine, spec))
