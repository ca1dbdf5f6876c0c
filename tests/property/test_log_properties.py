"""The embedded log against plain lists, through two connections at once."""

import tempfile
from collections import defaultdict
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from agents.embedded.log import Log, LogRecord, NewRecord

TOPICS = {"plain": 2, "compacted": 1}
PLACES = [(topic, number) for topic, partitions in TOPICS.items() for number in range(partitions)]
BAD_PLACE = ("plain", 99)

places = st.sampled_from(PLACES)
keys = st.sampled_from([None, b"", b"a", b"b", b"c"])
new_records = st.lists(
    st.builds(
        lambda place, at_ms, key, value, headers: NewRecord(place[0], place[1], at_ms, key, value, headers),
        places,
        st.integers(0, 50),
        keys,
        st.none() | st.binary(max_size=4),
        st.none() | st.binary(max_size=2),
    ),
    max_size=6,
)
connections = st.sampled_from([0, 1])


class LogMachine(RuleBasedStateMachine):
    """Two connections to one log, as two processes have, and the lists that they must agree with."""

    @initialize()
    def open(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        path = Path(self.folder.name) / "log.db"
        # What an fsync is for cannot be tested here, and hundreds of them take seconds.
        self.logs = [Log(path, synchronous="OFF"), Log(path, synchronous="OFF")]
        for topic, partitions in TOPICS.items():
            self.logs[0].create_topic(topic, partitions, is_compacted=topic == "compacted")
        self.logs[1].refresh()
        self.records: defaultdict[tuple[str, int], list[LogRecord]] = defaultdict(list)
        self.next: defaultdict[tuple[str, int], int] = defaultdict(int)
        self.offsets: dict[tuple[str, int], int] = {}
        self.cursors: dict[str, str] = {}

    def teardown(self) -> None:
        for log in getattr(self, "logs", ()):
            log.close()
        if hasattr(self, "folder"):
            self.folder.cleanup()

    @rule(
        one=connections,
        records=new_records,
        offsets=st.dictionaries(places, st.integers(0, 9), max_size=2),
        cursors=st.dictionaries(st.sampled_from("xy"), st.text(max_size=2), max_size=2),
    )
    def transact(
        self,
        one: int,
        records: list[NewRecord],
        offsets: dict[tuple[str, int], int],
        cursors: dict[str, str],
    ) -> None:
        appended = self.logs[one].transact(records, group_id="g", offsets=offsets, cursors=cursors)
        expected = []
        for topic, partition, at_ms, key, value, headers in records:
            place = topic, partition
            expected.append(self.next[place])
            self.records[place].append(LogRecord(self.next[place], at_ms, key, value, headers))
            self.next[place] += 1
        assert appended == expected
        self.offsets.update(offsets)
        self.cursors.update(cursors)

    @rule(one=connections, records=new_records)
    def fail(self, one: int, records: list[NewRecord]) -> None:
        with pytest.raises(ValueError, match="partitions"):
            self.logs[one].transact(
                records, group_id="g", offsets={PLACES[0]: 77, BAD_PLACE: 1}, cursors={"x": "never"}
            )

    @rule(one=connections, place=places, before=st.integers(0, 30))
    def trim(self, one: int, place: tuple[str, int], before: int) -> None:
        kept = [record for record in self.records[place] if record.offset >= before]
        assert self.logs[one].trim(*place, before_offset=before) == len(self.records[place]) - len(kept)
        self.records[place] = kept

    @rule(one=connections)
    def compact(self, one: int) -> None:
        place = ("compacted", 0)
        newest = {record.key: record.offset for record in self.records[place]}
        kept = [record for record in self.records[place] if newest[record.key] == record.offset]
        assert self.logs[one].compact() == len(self.records[place]) - len(kept)
        self.records[place] = kept

    @rule(one=connections, place=places, offset=st.integers(0, 30), limit=st.integers(1, 5))
    def read(self, one: int, place: tuple[str, int], offset: int, limit: int) -> None:
        expected = [record for record in self.records[place] if record.offset >= offset][:limit]
        assert self.logs[one].read(*place, offset, limit=limit) == expected

    @rule(one=connections, place=places, since_ms=st.integers(0, 60), below=st.integers(0, 30))
    def oldest_kept(self, one: int, place: tuple[str, int], since_ms: int, below: int) -> None:
        young = [record.offset for record in self.records[place] if record.timestamp_ms >= since_ms]
        expected = min([below, *young])
        assert self.logs[one].oldest_kept(*place, since_ms=since_ms, below_offset=below) == expected

    @invariant()
    def agree(self) -> None:
        for log in getattr(self, "logs", ()):
            log.refresh()
            for place in PLACES:
                records = self.records[place]
                assert log.end(*place) == self.next[place]
                assert log.start(*place) == (records[0].offset if records else self.next[place])
                assert log.committed("g", *place) == self.offsets.get(place)
            assert log.cursor("x") == self.cursors.get("x")


TestLog = LogMachine.TestCase
TestLog.settings = settings(
    max_examples=40,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
