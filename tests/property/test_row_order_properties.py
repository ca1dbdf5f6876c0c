"""A row that events of two topics write ends as the later of them left it, whichever is committed first."""

import itertools
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import pytest
from faust.streams import _current_event
from faust.types import TP, Message
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agents.embedded.transport import Producer, Transport
from tables.predictions import PredictionTable
from tests.audit import newest_of_changelog
from tests.table_apps import table_app

TOPICS = ("changes", "late-changes")
_numbers = itertools.count(1)
_steps = st.lists(
    st.tuples(st.just("write"), st.sampled_from(TOPICS), st.integers(0, 2))
    | st.tuples(st.just("commit"), st.sampled_from((TOPICS[:1], TOPICS[1:], TOPICS)), st.integers(1, 4)),
    max_size=30,
)


class Writer:
    """Writes rows and commits their events as the worker does, without a stream."""

    def __init__(self, folder: Path) -> None:
        self.app = table_app("order", folder, topic_partitions=1)
        self.table = cast(
            PredictionTable, self.app.Table("rows", partitions=1, key_type=bytes, value_type=bytes)
        )
        self.app.consumer_generation_id = 1
        self.producer = cast(Producer, self.app.producer)
        self.next = dict.fromkeys(TOPICS, 0)
        self.committed = dict.fromkeys(TOPICS, 0)
        for topic in TOPICS:
            cast(Transport, self.app.transport).ensure_topic(topic)

    async def write(self, topic: str, key: bytes) -> bytes:
        """Handle an event of a topic, which writes a row; return the row."""
        row = b"%d" % next(_numbers)
        message = Message(topic, 0, self.next[topic], 0.0, 0, None, key, b"", None)
        message.generation_id = 1
        self.next[topic] += 1
        event: Any = self.app.create_event(key, b"", None, message)
        token = _current_event.set(weakref.ref(event))
        try:
            await self.table.put(event, key, row)
        finally:
            _current_event.reset(token)
        return row

    def commit(self, topics: Sequence[str], count: int) -> None:
        """Commit so many events more of each topic."""
        for topic in topics:
            self.committed[topic] = min(self.next[topic], self.committed[topic] + count)
        offsets = {TP(topic, 0): self.committed[topic] for topic in topics}
        taken = self.producer.held.take(offsets, self.app.tables.changelog_topics)
        log = cast(Transport, self.app.transport).log
        taken.tell(log.transact(taken.records, group_id="order", offsets=offsets))
        self.table.data.flush_committed(offsets)

    def in_changelog(self) -> dict[bytes, bytes]:
        """Return what the table would be if it were made anew."""
        return newest_of_changelog(cast(Transport, self.app.transport).log, self.table.changelog_topic_name)


@pytest.fixture
async def writer(tmp_path: Path) -> Any:
    writer = Writer(tmp_path)
    yield writer
    await writer.table.data.stop()
    cast(Transport, writer.app.transport).log.close()


async def test_the_later_write_stays_in_table_and_changelog(writer: Writer) -> None:
    @settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(_steps)
    def follow(steps: list[tuple[str, Any, int]]) -> None:
        # Keys of its own for each example, in one store.
        prefix = b"%d-" % next(_numbers)
        written: dict[bytes, bytes] = {}
        for step, what, number in [*steps, ("commit", TOPICS, 1_000)]:
            if step == "write":
                key = prefix + b"%d" % number
                written[key] = _done(writer.write(what, key))
            else:
                writer.commit(what, number)
                newest = writer.in_changelog()
                for key in written:
                    assert writer.table.data.committed(key) == newest.get(key)
        for key, row in written.items():
            assert writer.table.data.committed(key) == row

    follow()


def _done(coroutine: Any) -> Any:
    """Run to its end what never waits."""
    try:
        coroutine.send(None)
    except StopIteration as ended:
        return ended.value
    raise AssertionError("it waited")
