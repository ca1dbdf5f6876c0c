"""The transport suite over the embedded log, and what only that engine promises."""

import asyncio
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest
from faust.types import Message
from msgspec.structs import replace

from agents.embedded.log import Log, NewRecord, now_ms
from agents.embedded.transport import Transport, partition_of
from app.stream_app import StreamApp
from schemas.errors import LogLocked, StoreFull
from tables.predictions import CommittingTables, Predictions, PredictionTable
from tests.integration.transport_suite import (
    KEYS,
    Numbers,
    Record,
    TransportSuite,
    changelog_rows,
    output_numbers,
    run_and_kill,
)
from tests.stream_apps import AppSpec, SetsAndCounts


class EmbeddedEngine:
    """The log's file, as another process opens it."""

    is_exactly_once = True

    def __init__(self, path: Path) -> None:
        self.broker_url = f"embedded://{path}"
        self.name = "suite"
        self.path = path
        self.log = Log(path)

    async def create_topic(self, topic: str, partitions: int) -> None:
        self.log.create_topic(topic, partitions)

    async def produce(self, topic: str, records: Sequence[tuple[bytes, bytes]]) -> None:
        partitions = self.log.partitions(topic) or 0
        self.log.transact(
            [NewRecord(topic, partition_of(key, partitions), now_ms(), key, value) for key, value in records]
        )

    async def read(self, topic: str) -> list[Record]:
        self.log.refresh()
        return [
            Record(number, record.offset, record.key, record.value)
            for number in range(self.log.partitions(topic) or 0)
            for record in self.log.read(topic, number, 0, limit=100_000)
        ]

    async def committed(self, group_id: str, topic: str) -> Mapping[int, int]:
        self.log.refresh()
        found = {
            number: self.log.committed(group_id, topic, number)
            for number in range(self.log.partitions(topic) or 0)
        }
        return {number: offset for number, offset in found.items() if offset is not None}

    async def is_compacted(self, topic: str) -> bool:
        row = self.log._db.execute("SELECT is_compacted FROM topic WHERE name=?", (topic,)).fetchone()
        return bool(row[0])


class TestEmbeddedTransport(TransportSuite):
    @pytest.fixture
    def engine(self, tmp_path: Path) -> Iterator[EmbeddedEngine]:
        engine = EmbeddedEngine(tmp_path / "engine" / "log.db")
        yield engine
        engine.log.close()

    async def test_a_second_worker_is_refused(self, engine: EmbeddedEngine, spec: AppSpec) -> None:
        other = Log(engine.path)
        other.acquire()
        app = SetsAndCounts(spec)
        with pytest.raises(LogLocked, match="Another worker runs"):
            await app.app.start()
        await app.app.stop()
        await app.release()
        other.close()

    async def test_nothing_is_lost_or_repeated_when_the_subscription_changes_in_mid_stream(
        self, engine: EmbeddedEngine, spec: AppSpec, numbers: Numbers
    ) -> None:
        """Faust subscribes again when an agent comes late: a rebalance with events in flight."""
        await numbers.produce(600)
        async with SetsAndCounts(replace(spec, most_seconds=0.02)).running() as app:
            for handled in (50, 150, 300):
                await app.until_handled(handled)
                app.is_recovered.clear()
                await app.app.consumer.subscribe(app.subscribed_topics)
                await asyncio.wait_for(app.is_recovered.wait(), 30)
            await app.until(lambda: app.rows(KEYS) == numbers.rows())
            assert app.most_running <= spec.window_events
        assert await output_numbers(engine, spec) == numbers.all
        assert await changelog_rows(engine, app) == numbers.rows()
        assert sum((await engine.committed(spec.name, spec.source_topic)).values()) == 600

    async def test_kill_9_after_the_subscription_changed_loses_and_repeats_nothing(
        self, engine: EmbeddedEngine, spec: AppSpec, numbers: Numbers
    ) -> None:
        await numbers.produce(600)
        resubscribing = replace(spec, most_seconds=0.01, resubscribes_seconds=0.15)
        for handled in (60, 110):
            await asyncio.to_thread(run_and_kill, resubscribing, handled)
        async with SetsAndCounts(spec).running() as app:
            await app.until(lambda: app.rows(KEYS) == numbers.rows())
        assert await output_numbers(engine, spec) == numbers.all

    async def test_tables_come_back_over_the_holes_of_compaction(
        self, engine: EmbeddedEngine, spec: AppSpec, numbers: Numbers
    ) -> None:
        await numbers.produce(200)
        async with SetsAndCounts(spec).running() as app:
            await app.until_handled(200)
        assert engine.log.compact() > 0
        shutil.rmtree(spec.data_dir)
        async with SetsAndCounts(spec).running() as again:
            await asyncio.wait_for(again.is_recovered.wait(), 60)
            assert again.rows(KEYS) == numbers.rows()

    async def test_tables_go_on_when_the_log_is_compacted_behind_them(
        self, engine: EmbeddedEngine, spec: AppSpec, numbers: Numbers
    ) -> None:
        for _ in range(3):
            await numbers.produce(100)
            async with SetsAndCounts(spec).running() as app:
                await asyncio.wait_for(app.is_recovered.wait(), 60)
                await app.until(lambda app=app: app.rows(KEYS) == numbers.rows())  # type: ignore[misc]  # bound
                engine.log.compact()
        assert await output_numbers(engine, spec) == numbers.all

    async def test_consumed_events_can_be_trimmed(
        self, engine: EmbeddedEngine, spec: AppSpec, numbers: Numbers
    ) -> None:
        await numbers.produce(100)
        async with SetsAndCounts(spec).running() as app:
            await app.until_handled(100)
        for number, offset in (await engine.committed(spec.name, spec.source_topic)).items():
            engine.log.trim(spec.source_topic, number, before_offset=offset)
        async with SetsAndCounts(spec).running() as again:
            await numbers.produce(100)
            await again.until_handled(100)
            await again.until(lambda: again.rows(KEYS) == numbers.rows())
        assert sum((await engine.committed(spec.name, spec.source_topic)).values()) == 200

    async def test_a_disk_that_fills_up_stops_the_worker_and_loses_nothing(
        self, engine: EmbeddedEngine, spec: AppSpec, numbers: Numbers
    ) -> None:
        await numbers.produce(300)
        app = SetsAndCounts(replace(spec, most_seconds=0.02))
        async with app.running():
            await app.until_handled(60)
            transport = app.app.transport
            assert isinstance(transport, Transport)
            pages = transport.log._db.execute("PRAGMA page_count").fetchone()[0]
            transport.log._db.execute(f"PRAGMA max_page_count={pages}")
            await app.until(lambda: app.app.crashed, within_seconds=20)
            assert isinstance(app.app.crash_reason, StoreFull)
        async with SetsAndCounts(spec).running() as again:
            await again.until(lambda: again.rows(KEYS) == numbers.rows())
        assert await output_numbers(engine, spec) == numbers.all

    async def test_whoever_sends_outside_an_event_hears_of_a_full_disk(self, spec: AppSpec) -> None:
        async with SetsAndCounts(spec).running() as app:
            await asyncio.wait_for(app.is_recovered.wait(), 60)
            transport = app.app.transport
            assert isinstance(transport, Transport)
            pages = transport.log._db.execute("PRAGMA page_count").fetchone()[0]
            transport.log._db.execute(f"PRAGMA max_page_count={pages}")
            sending = app.app.producer.send_and_wait(
                spec.output_topic, b"k", b"x" * 100_000, None, None, None
            )
            with pytest.raises(StoreFull):
                await asyncio.wait_for(sending, 10)

    async def test_outputs_and_rows_appear_with_the_commit_and_not_before(
        self, engine: EmbeddedEngine, spec: AppSpec, numbers: Numbers
    ) -> None:
        async with SetsAndCounts(replace(spec, commit_seconds=60)).running() as app:
            await numbers.produce(20)
            await app.until_handled(20)
            assert await output_numbers(engine, spec) == []
            assert app.rows(KEYS) == dict.fromkeys(KEYS, (set(), 0))
            await app.app.consumer.commit()
            assert await output_numbers(engine, spec) == numbers.all
            assert app.rows(KEYS) == numbers.rows()

    async def test_events_appended_by_another_process_are_handled_soon(
        self, spec: AppSpec, numbers: Numbers
    ) -> None:
        async with SetsAndCounts(spec).running() as app:
            await asyncio.wait_for(app.is_recovered.wait(), 60)
            await asyncio.sleep(0.5)
            await numbers.produce(1)
            await app.until(lambda: len(app.handled) == 1, within_seconds=1)

    @pytest.mark.parametrize("after_seconds", [0.0, 1.05, 1.15])
    async def test_a_stop_during_start_or_recovery_ends_in_time(
        self, engine: EmbeddedEngine, spec: AppSpec, numbers: Numbers, after_seconds: float
    ) -> None:
        await numbers.produce(1)
        async with SetsAndCounts(spec).running() as app:
            await app.until_handled(1)
        changelog = app.seen.changelog_topic_name
        engine.log.transact(
            [NewRecord(changelog, 0, now_ms(), b"many %d" % number, b"0") for number in range(5_000)]
        )
        stopped = SetsAndCounts(spec)
        await stopped.app.start()
        await asyncio.sleep(after_seconds)
        await asyncio.wait_for(stopped.app.stop(), 20)
        await stopped.release()
        async with SetsAndCounts(spec).running() as again:
            await asyncio.wait_for(again.is_recovered.wait(), 60)
            assert again.rows(KEYS) == numbers.rows()
            assert again.seen.data.committed(b"many 4999") == b"0"


async def test_the_changelogs_of_predictions_are_read_as_the_bytes_that_were_written(tmp_path: Path) -> None:
    """Faust decodes a changelog before a store sees it; what it cannot decode, it cannot recover."""
    app = StreamApp(
        "predictions",
        broker=f"embedded://{tmp_path}/log.db",
        store="committed://",
        datadir=str(tmp_path / "data"),
        Table=PredictionTable,
        TableManager=CommittingTables,
        web_enabled=False,
    )
    tables = Predictions(app, partitions=1)
    assert {table.changelog_topic_name for table in app.tables.values()} == set(
        tables.changelog_topics.values()
    )
    for table in app.tables.values():
        message = Message(table.changelog_topic_name, 0, 0, 0.0, 0, None, b"\xff\x00key", b"\x01row", None)
        event = await table.changelog_topic.decode(message, propagate=True)
        assert (event.key, event.value) == (b"\xff\x00key", b"\x01row")
