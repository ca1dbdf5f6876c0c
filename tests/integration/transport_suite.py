"""What every engine does for the worker. One suite, run over each engine."""

import asyncio
import contextlib
import itertools
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import msgspec
import pytest
from msgspec.structs import replace

from tests.conftest import ROOT
from tests.stream_apps import PARTITIONS, AppSpec, HandlerFailed, SetsAndCounts, members

_WITHIN_SECONDS = 60
KEYS = [b"page %d" % number for number in range(12)]


class Record(msgspec.Struct, frozen=True):
    """A record of a topic, as a test reads it."""

    partition: int
    offset: int
    key: bytes | None
    value: bytes | None


class Engine(Protocol):
    """All in which the engines differ.

    Attributes:
        broker_url: For the app.
        name: For app and topics; no other test has it.
        is_exactly_once: Whether kill -9 leaves neither a lost nor a repeated effect, or no lost one only.
    """

    broker_url: str
    name: str
    is_exactly_once: bool

    async def create_topic(self, topic: str, partitions: int) -> None:
        """Create a topic."""
        ...

    async def produce(self, topic: str, records: Sequence[tuple[bytes, bytes]]) -> None:
        """Append (key, value) records, in order, each key in a partition of its own choice."""
        ...

    async def read(self, topic: str) -> list[Record]:
        """Return all records, each partition in its order."""
        ...

    async def committed(self, group_id: str, topic: str) -> Mapping[int, int]:
        """Return the next offset that a group will consume, of each partition that it committed."""
        ...

    async def is_compacted(self, topic: str) -> bool:
        """Return whether a topic keeps the newest record of each key for ever."""
        ...


class Numbers:
    """Events whose numbers rise, and what must become of them."""

    def __init__(self, engine: Engine, spec: AppSpec) -> None:
        self._engine = engine
        self._spec = spec
        self._next = itertools.count()
        self.of_key: defaultdict[bytes, list[int]] = defaultdict(list)

    @property
    def all(self) -> list[int]:
        return sorted(number for numbers in self.of_key.values() for number in numbers)

    async def produce(self, count: int) -> None:
        """Produce so many events more, turn by turn over the keys."""
        batch = []
        for number in itertools.islice(self._next, count):
            key = KEYS[number % len(KEYS)]
            self.of_key[key].append(number)
            batch.append((key, b"%d" % number))
        await self._engine.produce(self._spec.source_topic, batch)

    def rows(self) -> dict[bytes, tuple[set[int], int]]:
        """Return the rows of events handled once each."""
        return {key: (set(self.of_key[key]), len(self.of_key[key])) for key in KEYS}


class TransportSuite:
    """Inherit it, and give the fixture ``engine``."""

    @pytest.fixture
    async def spec(self, engine: Engine, tmp_path: Path) -> AppSpec:
        spec = AppSpec(engine.broker_url, engine.name, str(tmp_path / "data"))
        await engine.create_topic(spec.source_topic, PARTITIONS)
        await engine.create_topic(spec.output_topic, PARTITIONS)
        return spec

    @pytest.fixture
    def numbers(self, engine: Engine, spec: AppSpec) -> Numbers:
        return Numbers(engine, spec)

    async def test_every_event_is_handled_once_and_its_output_arrives(
        self, engine: Engine, spec: AppSpec, numbers: Numbers
    ) -> None:
        await numbers.produce(150)
        async with SetsAndCounts(spec).running() as app:
            await app.until_handled(150)
            await numbers.produce(150)
            await app.until_handled(300)
        assert sorted(number for _, number in app.handled) == numbers.all
        assert await output_numbers(engine, spec) == numbers.all
        assert 1 < app.most_running <= spec.window_events

    async def test_the_order_of_a_page_holds_with_many_in_flight(
        self, engine: Engine, spec: AppSpec, numbers: Numbers
    ) -> None:
        await numbers.produce(300)
        async with SetsAndCounts(spec).running() as app:
            await app.until_handled(300)
        handled, sent = defaultdict(list), defaultdict(list)
        for key, number in app.handled:
            handled[key].append(number)
        for record in await engine.read(spec.output_topic):
            sent[record.key].append(int(record.value or b""))
        assert handled == numbers.of_key
        assert sent == numbers.of_key
        assert [number for _, number in app.handled] != numbers.all, (
            "events did overtake others of other keys"
        )

    async def test_the_committed_offsets_are_the_number_of_events(
        self, engine: Engine, spec: AppSpec, numbers: Numbers
    ) -> None:
        await numbers.produce(200)
        async with SetsAndCounts(spec).running() as app:
            await app.until_handled(200)
        committed = await engine.committed(spec.name, spec.source_topic)
        assert dict(committed) == await lengths(engine, spec.source_topic)
        assert sum(committed.values()) == 200

    async def test_offsets_are_committed_while_the_app_runs(
        self, engine: Engine, spec: AppSpec, numbers: Numbers
    ) -> None:
        await numbers.produce(50)
        async with SetsAndCounts(spec).running() as app:
            await app.until_handled(50)
            for _ in range(100):
                committed = await engine.committed(spec.name, spec.source_topic)
                if sum(committed.values()) == 50:
                    break
                await asyncio.sleep(0.1)
            assert sum(committed.values()) == 50
            assert app.rows(KEYS) == numbers.rows()

    async def test_events_that_the_engine_dropped_behind_the_fetch_come_again(
        self, engine: Engine, spec: AppSpec, numbers: Numbers
    ) -> None:
        """Faust empties its queues, and goes back to committed offsets, where nobody expects it."""
        await numbers.produce(400)
        async with SetsAndCounts(replace(spec, most_seconds=0.01)).running() as app:
            for handled in (30, 100, 170, 240, 310):
                await app.until_handled(handled)
                app.app.flow_control.clear()
                if handled % 20 == 0:
                    await app.app.consumer.perform_seek()
            await app.until_handled(400)
        assert sorted(number for _, number in app.handled) == numbers.all
        assert await output_numbers(engine, spec) == numbers.all
        committed = await engine.committed(spec.name, spec.source_topic)
        assert sum(committed.values()) == 400

    async def test_rows_equal_the_changelog_and_what_the_events_say(
        self, engine: Engine, spec: AppSpec, numbers: Numbers
    ) -> None:
        await numbers.produce(300)
        async with SetsAndCounts(spec).running() as app:
            await app.until_handled(300)
            await app.until(lambda: app.rows(KEYS) == numbers.rows(), within_seconds=10)
        assert await changelog_rows(engine, app) == numbers.rows()

    async def test_a_restart_goes_on_behind_the_committed_offsets(
        self, engine: Engine, spec: AppSpec, numbers: Numbers
    ) -> None:
        handled = []
        for _ in range(3):
            await numbers.produce(60)
            app = SetsAndCounts(spec)
            async with app.running():
                await app.until_handled(60)
            handled += app.handled
        assert sorted(number for _, number in handled) == numbers.all
        assert await output_numbers(engine, spec) == numbers.all
        assert await changelog_rows(engine, app) == numbers.rows()

    async def test_a_stop_in_mid_stream_finishes_what_it_took_and_repeats_nothing(
        self, engine: Engine, spec: AppSpec, numbers: Numbers
    ) -> None:
        await numbers.produce(400)
        async with SetsAndCounts(replace(spec, most_seconds=0.02)).running() as first:
            await first.until_handled(60)
        assert len(first.handled) < 400
        async with SetsAndCounts(spec).running() as second:
            await second.until_handled(400 - len(first.handled))
        assert sorted(number for _, number in first.handled + second.handled) == numbers.all
        assert await output_numbers(engine, spec) == numbers.all
        assert await changelog_rows(engine, second) == numbers.rows()

    async def test_tables_come_back_when_their_directory_is_deleted(
        self, spec: AppSpec, numbers: Numbers
    ) -> None:
        await numbers.produce(200)
        async with SetsAndCounts(spec).running() as app:
            await app.until_handled(200)
        shutil.rmtree(spec.data_dir)
        async with SetsAndCounts(spec).running() as again:
            await asyncio.wait_for(again.is_recovered.wait(), 60)
            assert again.rows(KEYS) == numbers.rows()
            assert again.handled == []
            await numbers.produce(100)
            await again.until_handled(100)
            await again.until(lambda: again.rows(KEYS) == numbers.rows(), within_seconds=10)

    async def test_tables_need_no_changelog_after_a_clean_stop(
        self, engine: Engine, spec: AppSpec, numbers: Numbers
    ) -> None:
        await numbers.produce(100)
        async with SetsAndCounts(spec).running() as app:
            await app.until_handled(100)
        async with SetsAndCounts(spec).running() as again:
            await asyncio.wait_for(again.is_recovered.wait(), 60)
            assert again.rows(KEYS) == numbers.rows()
            persisted = {
                tp: again.seen.data.persisted_offset(tp)
                for tp in again.app.consumer.assignment()
                if tp.topic == again.seen.changelog_topic_name
            }
        ends = await lengths(engine, again.seen.changelog_topic_name)
        assert {tp.partition: offset for tp, offset in persisted.items() if offset is not None} == {
            partition: end - 1 for partition, end in ends.items()
        }

    async def test_an_event_whose_handling_failed_is_handled_again_after_a_restart(
        self, engine: Engine, spec: AppSpec, numbers: Numbers
    ) -> None:
        await numbers.produce(200)
        async with SetsAndCounts(replace(spec, fails_at=77)).running() as failing:
            await asyncio.wait_for(failing.failed.wait(), 60)
        assert isinstance(failing.app.failure, HandlerFailed)
        committed = await engine.committed(spec.name, spec.source_topic)
        async with SetsAndCounts(spec).running() as app:
            await app.until_handled(200 - sum(committed.values()))
        assert 77 in [number for _, number in app.handled]
        check_nothing_lost(engine, numbers, await output_numbers(engine, spec))
        check_rows(engine, numbers, await changelog_rows(engine, app))

    async def test_records_sent_outside_an_event_arrive(self, engine: Engine, spec: AppSpec) -> None:
        async with SetsAndCounts(spec).running() as app:
            await asyncio.wait_for(app.is_recovered.wait(), 60)
            sent = [
                await app.app.producer.send(spec.output_topic, b"k", b"%d" % number, None, None, None)
                for number in range(10)
            ]
            places = await asyncio.wait_for(asyncio.gather(*sent), 10)
        records = await engine.read(spec.output_topic)
        assert [int(record.value or b"") for record in records] == list(range(10))
        assert [place.offset for place in places] == [record.offset for record in records]

    async def test_a_record_keeps_its_headers(self, engine: Engine, spec: AppSpec) -> None:
        async with SetsAndCounts(spec).running() as app:
            await asyncio.wait_for(app.is_recovered.wait(), 60)
            await app.app.producer.send_and_wait(
                spec.source_topic, KEYS[0], b"0", None, None, {"trace": b"\x00\xff"}
            )
            await app.until_handled(1)
        assert app.headers == {"trace": b"\x00\xff"}

    async def test_changelogs_are_compacted_and_the_other_topics_are_not(
        self, engine: Engine, spec: AppSpec, numbers: Numbers
    ) -> None:
        await numbers.produce(10)
        async with SetsAndCounts(spec).running() as app:
            await app.until_handled(10)
        for table in (app.seen, app.counts):
            assert await engine.is_compacted(table.changelog_topic_name)
        assert not await engine.is_compacted(spec.source_topic)
        assert not await engine.is_compacted(spec.output_topic)

    async def test_kill_9_loses_no_event(self, engine: Engine, spec: AppSpec, numbers: Numbers) -> None:
        await numbers.produce(500)
        for handled_before_the_kill in (40, 90, 10):
            await asyncio.to_thread(run_and_kill, replace(spec, most_seconds=0.01), handled_before_the_kill)
        committed = await engine.committed(spec.name, spec.source_topic)
        assert sum(committed.values()) < 500, "the kills came in mid-stream"
        async with SetsAndCounts(spec).running() as app:
            await app.until_handled(500 - sum(committed.values()))
            await app.until(lambda: rows_are_right(engine, numbers, app.rows(KEYS)), within_seconds=10)
        check_nothing_lost(engine, numbers, await output_numbers(engine, spec))
        check_rows(engine, numbers, await changelog_rows(engine, app))

    async def test_kill_9_with_the_tables_lost_loses_no_event(
        self, engine: Engine, spec: AppSpec, numbers: Numbers
    ) -> None:
        await numbers.produce(300)
        await asyncio.to_thread(run_and_kill, replace(spec, most_seconds=0.01), 100)
        shutil.rmtree(spec.data_dir)
        committed = await engine.committed(spec.name, spec.source_topic)
        async with SetsAndCounts(spec).running() as app:
            await app.until_handled(300 - sum(committed.values()))
            await app.until(lambda: rows_are_right(engine, numbers, app.rows(KEYS)), within_seconds=10)
        check_nothing_lost(engine, numbers, await output_numbers(engine, spec))


# What is looked at


async def output_numbers(engine: Engine, spec: AppSpec) -> list[int]:
    """Return the numbers sent, sorted."""
    return sorted(int(record.value or b"") for record in await engine.read(spec.output_topic))


async def lengths(engine: Engine, topic: str) -> dict[int, int]:
    """Return how many records each partition has, of those that have any."""
    counted: defaultdict[int, int] = defaultdict(int)
    for record in await engine.read(topic):
        counted[record.partition] += 1
    return dict(counted)


async def changelog_rows(engine: Engine, app: SetsAndCounts) -> dict[bytes, tuple[set[int], int]]:
    """Return the rows as the changelogs tell them."""
    seen, counts = [
        {record.key: record.value for record in await engine.read(table.changelog_topic_name)}
        for table in (app.seen, app.counts)
    ]
    return {key: (members(seen.get(key)), int(counts.get(key) or b"0")) for key in KEYS}


def check_nothing_lost(engine: Engine, numbers: Numbers, sent: list[int]) -> None:
    """Compare the outputs after a fault with the promise of the engine."""
    if engine.is_exactly_once:
        assert sent == numbers.all
    else:
        assert sorted(set(sent)) == numbers.all


def rows_are_right(engine: Engine, numbers: Numbers, rows: dict[bytes, tuple[set[int], int]]) -> bool:
    """Return whether rows after a fault keep the promise of the engine."""
    if engine.is_exactly_once:
        return rows == numbers.rows()
    expected = numbers.rows()
    return all(rows[key][0] == expected[key][0] and rows[key][1] >= expected[key][1] for key in KEYS)


def check_rows(engine: Engine, numbers: Numbers, rows: dict[bytes, tuple[set[int], int]]) -> None:
    """Compare rows after a fault with the promise of the engine."""
    assert rows_are_right(engine, numbers, rows), rows


# Other processes


@contextlib.contextmanager
def worker_process(spec: AppSpec) -> Iterator["subprocess.Popen[str]"]:
    """Run the app in a process of its own, which ends with the test at the latest."""
    command = [sys.executable, "-m", "tests.stream_apps", msgspec.json.encode(spec).decode()]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def run_and_kill(spec: AppSpec, handled: int) -> None:
    """Run the app until it has handled so many events, then kill -9 it."""
    with worker_process(spec) as process:
        assert process.stdout is not None
        too_late = threading.Timer(_WITHIN_SECONDS, process.kill)
        too_late.start()
        for number in range(handled):
            assert process.stdout.readline(), f"the app ended, or stood still, after {number} events"
        too_late.cancel()
        os.kill(process.pid, signal.SIGKILL)
