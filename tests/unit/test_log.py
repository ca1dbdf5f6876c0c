"""The embedded log: all or nothing, dense offsets, one consumer, faults by name."""

import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agents.embedded.log import Log, LogRecord, NewRecord
from schemas.errors import EngineError, LogLocked, StoreFormatUnsupported, StoreFull
from tests.conftest import ROOT

Open = Callable[..., Log]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "engine" / "log.db"


@pytest.fixture
def opened(path: Path) -> Iterator[Open]:
    logs: list[Log] = []

    def open_log() -> Log:
        logs.append(Log(path))
        return logs[-1]

    yield open_log
    for log in logs:
        log.close()


@pytest.fixture
def log(opened: Open) -> Log:
    log = opened()
    log.create_topic("changes", 2)
    return log


def record(value: bytes | None, *, partition: int = 0, key: bytes = b"page", at_ms: int = 5) -> NewRecord:
    return NewRecord("changes", partition, at_ms, key, value)


def values(log: Log, partition: int = 0) -> list[bytes | None]:
    return [one.value for one in log.read("changes", partition, 0, limit=1000)]


def python(code: str, path: Path) -> "subprocess.Popen[str]":
    """Run code in another process, with ``log`` opened there."""
    prelude = f"from agents.embedded.log import *\nfrom pathlib import Path\nlog = Log(Path({str(path)!r}))\n"
    command = [sys.executable, "-c", prelude + code]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT)


def test_offsets_are_dense_and_of_each_partition(log: Log) -> None:
    appended = log.transact([record(b"1"), record(b"2", partition=1), record(b"3"), record(b"4")])
    assert appended == [0, 0, 1, 2]
    assert log.transact([record(b"5", partition=1)]) == [1]
    assert (log.end("changes", 0), log.end("changes", 1)) == (3, 2)


def test_a_record_is_read_as_it_was_written(log: Log) -> None:
    log.transact([NewRecord("changes", 1, 1234, b"\x00key", b"\xffvalue", b"head")])
    assert log.read("changes", 1, 0, limit=10) == [LogRecord(0, 1234, b"\x00key", b"\xffvalue", b"head")]


def test_a_record_may_lack_key_and_value(log: Log) -> None:
    log.transact([NewRecord("changes", 0, 1, None, None)])
    assert log.read("changes", 0, 0, limit=10) == [LogRecord(0, 1, None, None, None)]


def test_reading_begins_at_the_offset_and_ends_at_the_limit(log: Log) -> None:
    log.transact([record(b"%d" % number) for number in range(10)])
    assert [one.offset for one in log.read("changes", 0, 3, limit=4)] == [3, 4, 5, 6]
    assert log.read("changes", 0, 10, limit=4) == []


def test_neighbouring_partitions_and_topics_do_not_leak_into_each_other(log: Log) -> None:
    log.create_topic("other", 1)
    log.transact([record(b"a"), record(b"b", partition=1), NewRecord("other", 0, 1, None, b"c")])
    assert (values(log, 0), values(log, 1)) == ([b"a"], [b"b"])
    assert [one.value for one in log.read("other", 0, 0, limit=9)] == [b"c"]


def test_records_offsets_and_cursors_go_together(log: Log, opened: Open) -> None:
    log.transact([record(b"1")], group_id="g", offsets={("changes", 1): 7}, cursors={"source": "c7"})
    other = opened()
    assert values(other) == [b"1"]
    assert other.committed("g", "changes", 1) == 7
    assert other.cursor("source") == "c7"


def test_nothing_remains_of_a_transaction_that_fails_in_the_middle(log: Log, opened: Open) -> None:
    log.transact([record(b"before")], group_id="g", offsets={("changes", 0): 1}, cursors={"source": "c1"})
    with pytest.raises(ValueError, match="has 2 partitions, not 9"):
        log.transact(
            [record(b"lost"), record(b"lost too", partition=1)],
            group_id="g",
            offsets={("changes", 0): 2, ("changes", 9): 1},
            cursors={"source": "c2"},
        )
    for seen in (log, opened()):
        assert values(seen) == [b"before"]
        assert values(seen, 1) == []
        assert seen.committed("g", "changes", 0) == 1
        assert seen.cursor("source") == "c1"
        assert seen.end("changes", 0) == 1
    assert log.transact([record(b"after")]) == [1], "no offset was spent"


def test_a_cursor_that_cannot_be_stored_takes_its_records_back(log: Log) -> None:
    with pytest.raises(EngineError):
        log.transact([record(b"lost")], cursors={"source": object()})  # type: ignore[dict-item]  # the fault
    assert values(log) == []


def test_groups_and_sources_do_not_see_each_other(log: Log) -> None:
    log.transact(group_id="a", offsets={("changes", 0): 3}, cursors={"one": "1"})
    assert log.committed("b", "changes", 0) is None
    assert log.committed("a", "changes", 1) is None
    assert log.cursor("two") is None


def test_listeners_hear_of_commits_and_not_of_failures(log: Log) -> None:
    heard: list[int] = []

    def listener() -> None:
        heard.append(1)

    log.listen(listener)
    log.transact([record(b"1")])
    with pytest.raises(ValueError, match="partitions"):
        log.transact([record(b"2", partition=5)])
    assert heard == [1]
    log.unlisten(listener)
    log.transact([record(b"3")])
    assert heard == [1]


def test_making_a_topic_again_changes_nothing(log: Log, opened: Open) -> None:
    log.create_topic("changes", 9, is_compacted=True)
    assert log.partitions("changes") == 2
    other = opened()
    other.create_topic("changes", 5)
    assert other.partitions("changes") == 2


def test_a_topic_needs_a_number_of_partitions_that_fits(log: Log) -> None:
    for partitions in (0, -1, 4096):
        with pytest.raises(ValueError, match="cannot have"):
            log.create_topic("wrong", partitions)
    assert log.partitions("wrong") is None


def test_a_log_survives_its_closing(log: Log, opened: Open) -> None:
    log.transact([record(b"1")], group_id="g", offsets={("changes", 0): 1}, cursors={"s": "c"})
    identity = log.identity
    log.close()
    again = opened()
    assert values(again) == [b"1"]
    assert again.end("changes", 0) == 1
    assert again.committed("g", "changes", 0) == 1
    assert again.cursor("s") == "c"
    assert again.identity == identity


def test_another_log_has_another_identity(log: Log, tmp_path: Path) -> None:
    other = Log(tmp_path / "other.db")
    assert other.identity != log.identity
    other.close()


# Other processes


def test_two_processes_append_to_one_partition_without_a_gap(log: Log, path: Path) -> None:
    code = """
input()
for number in range(300):
    log.transact([NewRecord("changes", 0, 1, b"theirs", b"%d" % number)])
"""
    other = python(code, path)
    assert other.stdin is not None
    other.stdin.write("\n")
    other.stdin.flush()
    ours = [log.transact([record(b"%d" % number)])[0] for number in range(300)]
    other.communicate(timeout=60)
    assert other.returncode == 0
    log.refresh()
    found = log.read("changes", 0, 0, limit=1000)
    assert [one.offset for one in found] == list(range(600))
    assert [one.offset for one in found if one.key == b"page"] == ours
    for key in (b"page", b"theirs"):
        assert [one.value for one in found if one.key == key] == [b"%d" % number for number in range(300)]


def test_commits_of_another_connection_show_after_a_refresh(log: Log, opened: Open) -> None:
    other = opened()
    assert log.refresh() is False
    other.create_topic("new", 3)
    other.transact([record(b"1"), NewRecord("new", 2, 1, None, b"2")], cursors={"s": "c"})
    assert log.refresh() is True
    assert log.refresh() is False
    assert log.end("changes", 0) == 1
    assert log.partitions("new") == 3
    assert log.end("new", 2) == 1


def test_a_process_sees_its_own_commits_at_once(log: Log) -> None:
    log.transact([record(b"1")])
    log.create_topic("new", 1)
    assert (log.end("changes", 0), log.partitions("new")) == (1, 1)


def test_an_append_needs_no_refresh_to_know_what_others_appended(log: Log, opened: Open) -> None:
    other = opened()
    log.transact([record(b"1")])
    assert other.transact([record(b"2")]) == [1]
    assert log.transact([record(b"3")]) == [2]


def test_a_failed_append_leaves_fresh_knowledge_of_others(log: Log, opened: Open) -> None:
    opened().transact([record(b"1")])
    with pytest.raises(ValueError, match="partitions"):
        log.transact([record(b"2"), record(b"3", partition=7)])
    assert log.end("changes", 0) == 1
    assert log.transact([record(b"4")]) == [1]


def test_threads_of_one_process_append_without_a_gap(log: Log) -> None:
    def append() -> None:
        for number in range(100):
            log.transact([record(b"%d" % number)])

    threads = [threading.Thread(target=append) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [one.offset for one in log.read("changes", 0, 0, limit=1000)] == list(range(400))


def test_one_process_alone_may_consume(log: Log, path: Path) -> None:
    code = """
try:
    log.acquire()
except LogLocked as error:
    print(error.code)
"""
    log.acquire()
    log.acquire()
    assert python(code, path).communicate(timeout=30)[0] == "log_locked\n"
    log.close()
    assert python(code, path).communicate(timeout=30)[0] == ""


def test_others_may_append_while_one_consumes(log: Log, path: Path) -> None:
    log.acquire()
    other = python('log.transact([NewRecord("changes", 0, 1, None, b"theirs")])', path)
    other.communicate(timeout=30)
    log.refresh()
    assert values(log) == [b"theirs"]


def test_a_killed_consumer_frees_its_place(log: Log, path: Path) -> None:
    other = python("log.acquire(); print('held', flush=True); input()", path)
    assert other.stdout is not None
    assert other.stdout.readline() == "held\n"
    with pytest.raises(LogLocked, match="Another worker runs"):
        log.acquire()
    other.send_signal(signal.SIGKILL)
    other.communicate(timeout=30)
    log.acquire()


def test_a_process_killed_in_a_transaction_leaves_nothing_of_it(log: Log, path: Path) -> None:
    code = """
log._db.execute("BEGIN IMMEDIATE")
log._db.execute("INSERT INTO record VALUES(1, 1, NULL, NULL, NULL)")
print("open", flush=True)
input()
"""
    other = python(code, path)
    assert other.stdout is not None
    assert other.stdout.readline() == "open\n"
    other.send_signal(signal.SIGKILL)
    other.communicate(timeout=30)
    assert log.transact([record(b"1")]) == [0]
    assert values(log) == [b"1"]


# One log of a path in one process


def test_a_path_has_one_log_in_a_process(path: Path) -> None:
    log = Log.shared(path)
    assert Log.shared(path.parent / ".." / path.parent.name / path.name) is log
    log.close()
    again = Log.shared(path)
    assert again is not log
    again.close()


def test_closing_a_private_log_leaves_the_shared_one_shared(path: Path) -> None:
    shared = Log.shared(path)
    Log(path).close()
    assert Log.shared(path) is shared
    shared.close()
    shared.close()


# Housekeeping


def test_compaction_keeps_the_newest_record_of_each_key(opened: Open) -> None:
    log = opened()
    log.create_topic("rows", 2, is_compacted=True)
    keys = [b"a", b"b", b"a", b"c", b"b", b"a"]
    log.transact([NewRecord("rows", 0, 1, key, b"%d" % number) for number, key in enumerate(keys)])
    log.transact([NewRecord("rows", 1, 1, b"a", b"of partition 1")])
    assert log.compact() == 3
    assert [(one.offset, one.key) for one in log.read("rows", 0, 0, limit=9)] == [
        (3, b"c"),
        (4, b"b"),
        (5, b"a"),
    ]
    assert [one.value for one in log.read("rows", 1, 0, limit=9)] == [b"of partition 1"]
    assert log.compact() == 0


def test_compaction_leaves_offsets_and_other_topics_alone(log: Log) -> None:
    log.create_topic("rows", 1, is_compacted=True)
    log.transact([NewRecord("rows", 0, 1, b"a", b"%d" % number) for number in range(3)])
    log.transact([record(b"1"), record(b"2")])
    log.compact()
    assert values(log) == [b"1", b"2"]
    assert log.end("rows", 0) == 3
    assert log.transact([NewRecord("rows", 0, 1, b"b", b"next")]) == [3]
    assert log.start("rows", 0) == 2


def test_trimming_removes_what_lies_below_an_offset(log: Log) -> None:
    log.transact([record(b"%d" % number) for number in range(5)] + [record(b"other", partition=1)])
    assert log.trim("changes", 0, before_offset=3) == 3
    assert [one.offset for one in log.read("changes", 0, 0, limit=9)] == [3, 4]
    assert (log.start("changes", 0), log.end("changes", 0)) == (3, 5)
    assert values(log, 1) == [b"other"]
    assert log.trim("changes", 0, before_offset=3) == 0


def test_a_partition_that_holds_nothing_starts_at_its_end(log: Log, opened: Open) -> None:
    assert log.start("changes", 0) == 0
    log.transact([record(b"1"), record(b"2")])
    log.trim("changes", 0, before_offset=2)
    assert log.start("changes", 0) == 2
    log.close()
    assert opened().transact([record(b"3")]) == [2], "an emptied partition does not begin anew"


@pytest.mark.parametrize(
    ("since_ms", "below", "kept"), [(0, 5, 0), (30, 5, 3), (30, 2, 2), (99, 4, 4), (99, 0, 0)]
)
def test_the_oldest_record_to_keep_is_young_enough_or_not_consumed(
    log: Log, since_ms: int, below: int, kept: int
) -> None:
    log.transact([record(b"x", at_ms=10 * number) for number in range(5)])
    assert log.oldest_kept("changes", 0, since_ms=since_ms, below_offset=below) == kept


# Faults


def test_a_log_of_another_format_is_refused_by_its_number(log: Log, path: Path) -> None:
    log.close()
    with sqlite3.connect(path) as db:
        db.execute("UPDATE meta SET value='77' WHERE name='format'")
    db.close()
    with pytest.raises(StoreFormatUnsupported, match="has format 77; this version reads 1"):
        Log(path)


def test_a_file_that_is_no_log_is_refused_and_left_alone(path: Path) -> None:
    path.parent.mkdir()
    garbage = b"this is a text, not a database" * 1000
    path.write_bytes(garbage)
    with pytest.raises(EngineError, match="no log of ours"):
        Log(path)
    assert path.read_bytes() == garbage


def test_a_path_that_cannot_be_opened_is_told_by_name(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(EngineError, match=r"file/log\.db"):
        Log(tmp_path / "file" / "log.db")


def test_a_full_disk_leaves_the_log_as_it_was(log: Log) -> None:
    log.transact([record(b"before")], cursors={"s": "c1"})
    pages = log._db.execute("PRAGMA page_count").fetchone()[0]
    log._db.execute(f"PRAGMA max_page_count={pages}")
    with pytest.raises(StoreFull, match="Nothing was lost"):
        log.transact([record(b"x" * 100_000)], group_id="g", offsets={("changes", 0): 1}, cursors={"s": "c2"})
    assert values(log) == [b"before"]
    assert log.end("changes", 0) == 1
    assert log.committed("g", "changes", 0) is None
    assert log.cursor("s") == "c1"
    log._db.execute("PRAGMA max_page_count=100000")
    assert log.transact([record(b"x" * 100_000)]) == [1], "and goes on once there is room"


def test_every_read_of_a_broken_log_fails_by_name(log: Log) -> None:
    log._db.close()
    log._reads.close()
    for read in (
        lambda: log.read("changes", 0, 0, limit=1),
        lambda: log.start("changes", 0),
        lambda: log.committed("g", "changes", 0),
        lambda: log.cursor("s"),
        lambda: log.identity,
        log.refresh,
        log.compact,
        lambda: log.oldest_kept("changes", 0, since_ms=0, below_offset=0),
    ):
        with pytest.raises(EngineError, match="failed"):
            read()
