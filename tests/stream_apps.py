"""A small app over the loop, the tables and the engines that the worker uses, for tests of the engines.

Each event carries its number, and each key sees its numbers rise. The app keeps two tables: ``seen``, the set
of a key's numbers, which handling an event twice does not change, and ``counts``, how many were handled,
which it does. It sends the number to an output topic.

``python -m tests.stream_apps SPEC`` runs it until it is stopped or killed; SPEC is an `AppSpec` as JSON. It
prints a line for each event handled.
"""

import asyncio
import contextlib
import random
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, cast

import msgspec
from faust.types import EventT

from agents.embedded.transport import Transport as EmbeddedTransport
from agents.ordered import OrderedWindow, UnacknowledgedEvent
from agents.pipeline import settle_by_delivery, settle_with_commit
from app.stream_app import StreamApp
from tables.predictions import CommittingTables, PredictionTable, Sent

PARTITIONS = 4


class AppSpec(msgspec.Struct, frozen=True):
    """What to run on which engine.

    Attributes:
        broker_url: The engine.
        name: App id, and the beginning of its topics' names.
        data_dir: Where the tables lie.
        window_events: Events in flight.
        most_seconds: An event takes up to so long.
        fails_at: The event of this number raises; none does if negative.
        commit_seconds: Between two commits.
        resubscribes_seconds: A process of its own changes its subscription so often; never if 0.
    """

    broker_url: str
    name: str
    data_dir: str
    window_events: int = 16
    most_seconds: float = 0.004
    fails_at: int = -1
    commit_seconds: float = 0.1
    resubscribes_seconds: float = 0.0

    @property
    def source_topic(self) -> str:
        """Where the events come from."""
        return f"{self.name}-source"

    @property
    def output_topic(self) -> str:
        """Where the numbers go."""
        return f"{self.name}-output"

    @property
    def is_embedded(self) -> bool:
        """Whether the engine is ours."""
        return self.broker_url.startswith("embedded:")


class HandlerFailed(Exception):
    """The fault that a test asked for."""


class SetsAndCounts:
    """The app, composed as the worker composes its own."""

    def __init__(self, spec: AppSpec, *, on_handled: Callable[[bytes, int], None] | None = None) -> None:
        self.spec = spec
        self.handled: list[tuple[bytes, int]] = []
        self.headers: dict[str, bytes] = {}
        self.most_running = 0
        self._running = 0
        self.is_recovered = asyncio.Event()
        self.failed = asyncio.Event()
        self._on_handled = on_handled
        self._settle = settle_with_commit if spec.is_embedded else settle_by_delivery
        self.app = self._create_app()
        # Declared as `tables.predictions` declares its own, whose rows only real scores fill.
        self.seen, self.counts = (
            cast(
                PredictionTable,
                self.app.Table(name, partitions=PARTITIONS, key_type=bytes, value_type=bytes),
            )
            for name in ("seen", "counts")
        )
        self.window: OrderedWindow | None = None
        self._add_agent()

    def _create_app(self) -> StreamApp:
        kafka_only: dict[str, Any] = (
            {}
            if self.spec.is_embedded
            else {
                # The shortest that leaves a busy test machine some room.
                "broker_session_timeout": 4.0,
                "broker_heartbeat_interval": 0.5,
                "broker_max_poll_interval": 30.0,
                "producer_linger": 0.0,
            }
        )
        app = StreamApp(
            self.spec.name,
            broker=self.spec.broker_url,
            store="committed://",
            datadir=self.spec.data_dir,
            Table=PredictionTable,
            TableManager=CommittingTables,
            processing_guarantee="at_least_once",
            broker_commit_interval=self.spec.commit_seconds,
            topic_partitions=PARTITIONS,
            topic_replication_factor=1,
            topic_disable_leader=True,
            table_standby_replicas=0,
            stream_recovery_delay=0.0,
            stream_wait_empty=False,
            stream_buffer_maxsize=512,
            web_enabled=False,
            consumer_auto_offset_reset="earliest",
            worker_redirect_stdouts=False,
            **kafka_only,
        )
        app.before_recovery = _nothing
        app.before_stop = self._drain
        app.after_stop = _nothing
        return app

    def _add_agent(self) -> None:
        topic = self.app.topic(
            self.spec.source_topic,
            key_type=bytes,
            value_type=bytes,
            key_serializer="raw",
            value_serializer="raw",
            partitions=PARTITIONS,
        )

        async def numbers(stream: Any) -> None:
            self.window = OrderedWindow(
                self._handle,
                size=self.spec.window_events,
                generation=lambda: self.app.consumer_generation_id,
                admit=self.app.admit,
                on_fatal=self._fail,
            )
            await self.window.run(stream.noack().events())

        self.app.agent(topic, name="numbers")(numbers)
        self.app.on_rebalance_complete.connect(self._recovered, weak=False)

    async def _recovered(self, *_: Any, **__: Any) -> None:
        self.is_recovered.set()

    def _fail(self, error: BaseException) -> None:
        self.failed.set()
        self.app.fail(error)

    async def _handle(self, event: UnacknowledgedEvent) -> None:
        key, number = event.message.key or b"", int(event.message.value or b"0")
        self.headers = dict(event.headers)
        self._running += 1
        self.most_running = max(self.most_running, self._running)
        try:
            await asyncio.sleep(random.uniform(0, self.spec.most_seconds))
        finally:
            self._running -= 1
        if number == self.spec.fails_at:
            raise HandlerFailed(number)
        if event.message.generation_id != self.app.consumer_generation_id:
            return
        sent = [*await self._upsert(event, key, number)]
        sent.append(
            cast(
                Sent,
                await self.app.producer.send(self.spec.output_topic, key, b"%d" % number, None, None, None),
            )
        )
        await self._settle(sent)
        self.handled.append((key, number))
        if self._on_handled is not None:
            self._on_handled(key, number)

    async def _upsert(self, event: EventT[Any], key: bytes, number: int) -> list[Sent]:
        partition = event.message.partition
        numbers = members(self.seen.data.newest(partition, key)) | {number}
        count = int(self.counts.data.newest(partition, key) or b"0") + 1
        return [
            await self.seen.put(event, key, b" ".join(b"%d" % one for one in sorted(numbers))),
            await self.counts.put(event, key, b"%d" % count),
        ]

    async def _drain(self) -> None:
        if self.window is not None:
            await self.window.close(drain_seconds=10)
            # After a crash Faust's consumer thread is gone, and a commit would wait for it for ever.
            if not self.app.crashed:
                await self.app.consumer.commit()

    # For tests in the same process

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator["SetsAndCounts"]:
        """Run it for a while, then stop it in good order."""
        await self.app.start()
        try:
            yield self
        finally:
            await self.app.stop()
            await self.release()

    async def release(self) -> None:
        """Give the engine's file back, which the end of a process does."""
        transport = self.app.transport
        if isinstance(transport, EmbeddedTransport):
            transport.log.close()

    async def until(self, holds: Callable[[], bool], *, within_seconds: float = 60) -> None:
        """Wait for something to become so."""
        deadline = time.monotonic() + within_seconds
        while not holds():
            assert time.monotonic() < deadline, (
                f"not so within {within_seconds} s; {len(self.handled)} handled"
            )
            await asyncio.sleep(0.02)

    async def until_handled(self, count: int) -> None:
        """Wait for so many events to be handled since the start."""
        await self.until(lambda: len(self.handled) >= count)

    @property
    def subscribed_topics(self) -> set[str]:
        """What Faust subscribes to: the source and the changelogs."""
        tables = (self.seen, self.counts)
        return {self.spec.source_topic, *(table.changelog_topic_name for table in tables)}

    def rows(self, keys: list[bytes]) -> dict[bytes, tuple[set[int], int]]:
        """Return the committed rows: a key's numbers, and how many were handled."""
        return {
            key: (
                members(self.seen.data.committed(key)),
                int(self.counts.data.committed(key) or b"0"),
            )
            for key in keys
        }


def members(row: bytes | None) -> set[int]:
    """Return the numbers in a row of ``seen``."""
    return {int(one) for one in (row or b"").split()}


async def _nothing() -> None:
    pass


async def _run(spec: AppSpec) -> None:
    def tell(key: bytes, number: int) -> None:
        print(f"{key.decode()} {number}", flush=True)

    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    async with SetsAndCounts(spec, on_handled=tell).running() as running:
        if spec.resubscribes_seconds:
            while not stopped.is_set():
                await running.is_recovered.wait()
                running.is_recovered.clear()
                await asyncio.sleep(spec.resubscribes_seconds)
                await running.app.consumer.subscribe(running.subscribed_topics)
        await stopped.wait()


if __name__ == "__main__":
    _spec = msgspec.json.decode(sys.argv[1], type=AppSpec)
    Path(_spec.data_dir).mkdir(parents=True, exist_ok=True)
    asyncio.run(_run(_spec))
