"""How the embedded log is kept small."""

from pathlib import Path

from agents.embedded.house import backlog, trim
from agents.embedded.log import Log, NewRecord


def filled(path: Path) -> Log:
    log = Log(path / "log.db")
    log.create_topic("events", 2)
    log.transact([NewRecord("events", 0, timestamp_ms, b"k", b"v") for timestamp_ms in (10, 20, 30)])
    log.transact([NewRecord("events", 1, 10, b"k", b"v")])
    return log


def test_the_backlog_is_what_no_commit_covers(tmp_path: Path) -> None:
    log = filled(tmp_path)
    assert backlog(log, "events", "group") == 4
    log.transact(group_id="group", offsets={("events", 0): 2})
    assert backlog(log, "events", "group") == 2
    assert backlog(log, "events", "another group") == 4
    log.close()


def test_only_consumed_records_past_their_time_are_dropped(tmp_path: Path) -> None:
    log = filled(tmp_path)
    log.transact(group_id="group", offsets={("events", 0): 2})
    assert trim(log, "events", "group", since_ms=20) == 1
    assert [record.timestamp_ms for record in log.read("events", 0, 0, limit=9)] == [20, 30]
    assert trim(log, "events", "group", since_ms=1000) == 1
    assert [record.timestamp_ms for record in log.read("events", 0, 0, limit=9)] == [30]
    assert log.end("events", 0) == 3
    assert len(log.read("events", 1, 0, limit=9)) == 1
    log.close()
