"""Rows wait for their event's commit, and the changelog offset never runs ahead of them."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from faust.assignor.partition_assignor import PartitionAssignor
from faust.types import TP, Message, RecordMetadata

from schemas.errors import StoreError, StoreLocked
from schemas.keys import row_key
from tables.partition_files import OFFSET_KEY, open_partition, write_sorted
from tables.predictions import CommittingTables, PredictionTable
from tables.store import CommittedStore
from tests.conftest import ROOT
from tests.table_apps import table_app

SOURCE = "changes"
KEY = row_key("enwiki", 7)
Sent = asyncio.Future[RecordMetadata]


class Rows:
    """A table's store, with writes as an agent makes them."""

    def __init__(self, folder: Path) -> None:
        self.app = table_app("rows", folder)
        self.table = cast(
            PredictionTable, self.app.Table("rows", partitions=4, key_type=bytes, value_type=bytes)
        )
        self.store: CommittedStore = self.table.data
        self.changelog = self.table.changelog_topic_name

    def hold(
        self,
        offset: int,
        key: bytes,
        value: bytes | None,
        *,
        sent_to: int | None = None,
        partition: int = 0,
        is_urgent: bool = False,
        is_quiet: bool = False,
    ) -> Sent:
        """Hold a row; with ``sent_to`` its changelog record lies there already."""
        sent: Sent = asyncio.get_running_loop().create_future()
        self.store.hold(
            TP(SOURCE, partition), offset, key, value, sent, is_urgent=is_urgent, is_quiet=is_quiet
        )
        if sent_to is not None:
            self.sent(sent, sent_to, partition=partition)
        return sent

    def sent(self, sent: Sent, offset: int, *, partition: int = 0) -> None:
        """Tell that a changelog record is in the log."""
        place = TP(self.changelog, partition)
        sent.set_result(RecordMetadata(self.changelog, partition, place, offset))

    def commit(self, next_offset: int, *, partition: int = 0) -> None:
        self.store.flush_committed({TP(SOURCE, partition): next_offset})

    def persisted(self, partition: int = 0) -> int | None:
        return self.store.persisted_offset(TP(self.changelog, partition))

    def recover(self, *records: tuple[int, int, bytes, bytes | None]) -> None:
        """Apply changelog records of (partition, offset, key, value) as Faust's recovery does."""
        events = []
        for partition, offset, key, value in records:
            message = Message(self.changelog, partition, offset, 0.0, 0, None, key, value, None)
            events.append(self.app.create_event(key, value, None, message))
        self.table.apply_changelog_batch(events)

    async def close(self) -> None:
        await self.store.stop()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


@pytest.fixture
async def rows(folder: Path) -> Any:
    rows = Rows(folder)
    yield rows
    await rows.close()


async def test_a_row_shows_when_its_event_is_committed(rows: Rows) -> None:
    rows.hold(0, KEY, b"row", sent_to=0)
    assert rows.store.committed(KEY) is None
    rows.commit(1)
    assert rows.store.committed(KEY) == b"row"


async def test_an_urgent_row_shows_at_once_and_what_follows_it_until_all_is_committed(rows: Rows) -> None:
    rows.hold(0, KEY, b"score", sent_to=0)
    rows.commit(1)
    rows.hold(1, KEY, b"hidden", sent_to=1, is_urgent=True)
    assert rows.store.committed(KEY) == b"hidden"
    rows.hold(2, KEY, b"scored anew", sent_to=2)
    assert rows.store.committed(KEY) == b"scored anew"
    rows.commit(2)
    assert rows.store.committed(KEY) == b"scored anew"
    rows.commit(3)
    rows.hold(3, KEY, b"later", sent_to=3)
    assert rows.store.committed(KEY) == b"scored anew"


async def test_many_rows_are_those_that_each_question_alone_gives(rows: Rows) -> None:
    for offset, key in enumerate((b"a", KEY, b"c")):
        rows.hold(offset, key, b"row of " + key, sent_to=offset)
    rows.commit(2)
    rows.hold(3, KEY, b"hidden", sent_to=3, is_urgent=True)
    keys = [b"c", KEY, b"none", b"a", KEY]
    assert rows.store.committed_many(keys) == [None, b"hidden", None, b"row of a", b"hidden"]
    assert rows.store.committed_many(keys) == [rows.store.committed(key) for key in keys]
    assert rows.store.committed_many([]) == []


async def test_an_urgent_row_is_forgotten_with_its_event(rows: Rows) -> None:
    rows.hold(0, KEY, b"hidden", sent_to=0, is_urgent=True)
    rows.store.forget_uncommitted()
    assert rows.store.committed(KEY) is None


async def test_the_rows_under_a_prefix_are_the_newest_of_them(rows: Rows) -> None:
    for offset, (key, value) in enumerate(
        [(b"a1", b"old"), (b"a2", b"two"), (b"a3", b"gone"), (b"b1", b"no")]
    ):
        rows.hold(offset, key, value, sent_to=offset)
    rows.commit(4)
    rows.hold(4, b"a1", b"one", sent_to=4)
    rows.hold(5, b"a3", None, sent_to=5)
    rows.hold(6, b"a4", b"four", sent_to=6)
    assert dict(rows.store.rows(0, b"a")) == {b"a1": b"one", b"a2": b"two", b"a4": b"four"}


async def test_a_rewritten_table_holds_nothing_of_an_earlier_row(rows: Rows, folder: Path) -> None:
    secret = b"a word that must go"

    def files_with_it() -> list[Path]:
        return [
            path for path in (folder / "data").rglob("*") if path.is_file() and secret in path.read_bytes()
        ]

    rows.hold(0, KEY, secret, sent_to=0)
    rows.commit(1)
    assert files_with_it()
    rows.store.rewrite(0, KEY, KEY)
    assert files_with_it()
    rows.hold(1, KEY, b"", sent_to=1)
    rows.commit(2)
    rows.store.rewrite(0, KEY, KEY)
    assert not files_with_it()
    assert rows.store.committed(KEY) == b""
    rows.store.rewrite(3, KEY, KEY)


async def test_the_next_write_builds_on_the_newest_row(rows: Rows) -> None:
    rows.hold(0, KEY, b"first", sent_to=0)
    assert rows.store.newest(0, KEY) == b"first"
    rows.commit(1)
    assert rows.store.newest(0, KEY) == b"first"
    rows.hold(1, KEY, b"second", sent_to=1)
    assert rows.store.newest(0, KEY) == b"second"
    assert rows.store.committed(KEY) == b"first"


async def test_a_commit_shows_only_the_rows_of_events_below_it(rows: Rows) -> None:
    for offset in range(4):
        rows.hold(offset, b"%d" % offset, b"row", sent_to=offset)
    rows.commit(2)
    assert [rows.store.committed(b"%d" % offset) for offset in range(4)] == [b"row", b"row", None, None]


async def test_a_commit_of_one_partition_leaves_the_others(rows: Rows) -> None:
    rows.hold(0, b"a", b"row", sent_to=0)
    rows.hold(0, b"b", b"row", sent_to=0, partition=1)
    rows.commit(5, partition=1)
    assert (rows.store.committed(b"a"), rows.store.committed(b"b")) == (None, b"row")


async def test_a_commit_of_another_topic_shows_nothing(rows: Rows) -> None:
    rows.hold(0, b"a", b"row", sent_to=0)
    rows.store.flush_committed({TP("other", 0): 9})
    assert rows.store.committed(b"a") is None


async def test_writes_of_one_key_reach_the_disk_one_commit_at_a_time(rows: Rows) -> None:
    for offset, row in enumerate((b"1", b"2", b"3")):
        rows.hold(offset, KEY, row, sent_to=offset)
    for offset, row in enumerate((b"1", b"2", b"3")):
        rows.commit(offset + 1)
        assert rows.store.committed(KEY) == row
        assert rows.store.newest(0, KEY) == b"3"


async def test_two_writes_of_one_event_leave_the_last(rows: Rows) -> None:
    rows.hold(0, KEY, b"1", sent_to=0)
    rows.hold(0, KEY, b"2", sent_to=1)
    rows.commit(1)
    assert rows.store.committed(KEY) == b"2"
    assert rows.persisted() == 1


async def test_a_row_is_deleted_with_its_commit(rows: Rows) -> None:
    rows.hold(0, KEY, b"row", sent_to=0)
    rows.commit(1)
    rows.hold(1, KEY, None, sent_to=1)
    assert rows.store.newest(0, KEY) is None
    assert rows.store.committed(KEY) == b"row"
    rows.commit(2)
    assert rows.store.committed(KEY) is None


async def test_nothing_held_remains_in_memory_after_its_commit(rows: Rows) -> None:
    for offset in range(100):
        rows.hold(offset, b"%d" % (offset % 7), b"row", sent_to=offset)
    rows.commit(100)
    assert not any(rows.store._held.values())
    assert not any(rows.store._cells.values())


async def test_the_persisted_offset_is_that_of_the_last_row_written(rows: Rows) -> None:
    assert rows.persisted() is None
    rows.hold(0, b"a", b"row", sent_to=10)
    rows.hold(1, b"b", b"row", sent_to=11)
    rows.commit(2)
    assert rows.persisted() == 11


async def test_the_persisted_offset_stays_below_the_record_of_a_held_row(rows: Rows) -> None:
    """Events end out of order, so a row of a later event may lie earlier in the changelog."""
    rows.hold(5, b"later", b"row", sent_to=10)
    rows.hold(4, b"earlier", b"row", sent_to=11)
    rows.commit(5)
    assert rows.persisted() == 9
    rows.commit(6)
    assert rows.persisted() == 10


async def test_a_held_row_that_is_not_sent_yet_will_lie_behind(rows: Rows) -> None:
    rows.hold(0, b"a", b"row", sent_to=10)
    waiting = rows.hold(1, b"b", b"row")
    rows.commit(1)
    assert rows.persisted() == 10
    rows.sent(waiting, 11)
    rows.commit(2)
    assert rows.persisted() == 11


@pytest.mark.parametrize("how", ["cancelled", "refused"])
async def test_a_held_row_whose_sending_was_given_up_holds_the_persisted_offset(rows: Rows, how: str) -> None:
    """A handler that is cancelled while it waits for the broker cancels what it waits for."""
    rows.hold(0, b"a", b"row", sent_to=10)
    rows.commit(1)
    rows.hold(1, b"b", b"row", sent_to=12)
    given_up = rows.hold(2, b"c", b"row")
    if how == "cancelled":
        given_up.cancel()
    else:
        given_up.set_exception(ConnectionError("the broker is gone"))
    rows.commit(2)
    assert rows.store.committed(b"b") == b"row"
    assert rows.persisted() == 10, "its record may lie at 11"


async def test_the_persisted_offset_is_each_partitions_own(rows: Rows) -> None:
    rows.hold(0, b"a", b"row", sent_to=10)
    rows.hold(0, b"b", b"row", sent_to=20, partition=1)
    rows.store.flush_committed({TP(SOURCE, 0): 1, TP(SOURCE, 1): 1})
    assert (rows.persisted(0), rows.persisted(1)) == (10, 20)


async def test_faust_cannot_move_the_persisted_offset(rows: Rows) -> None:
    rows.hold(0, b"a", b"row", sent_to=10)
    rows.commit(1)
    rows.store.set_persisted_offset(TP(rows.changelog, 0), 99)
    assert rows.persisted() == 10


async def test_recovered_rows_show_at_once_with_their_offset(rows: Rows) -> None:
    rows.recover((0, 7, b"a", b"1"), (1, 3, b"b", b"2"), (0, 8, b"a", b"3"))
    assert rows.store.committed(b"a") == b"3"
    assert rows.store.committed(b"b") == b"2"
    assert (rows.persisted(0), rows.persisted(1)) == (8, 3)


async def test_a_recovered_deletion_deletes(rows: Rows) -> None:
    rows.recover((0, 7, b"a", b"1"))
    rows.recover((0, 8, b"a", None))
    assert rows.store.committed(b"a") is None
    assert rows.persisted() == 8


async def test_a_write_that_names_no_event_is_refused(rows: Rows) -> None:
    with pytest.raises(TypeError, match="upsert"):
        rows.store._set(KEY, b"row")
    with pytest.raises(TypeError, match="upsert"):
        rows.store._del(KEY)


async def test_revoking_a_partition_forgets_its_held_rows(rows: Rows) -> None:
    rows.hold(0, b"a", b"done", sent_to=0)
    rows.hold(0, b"b", b"done", sent_to=0, partition=1)
    rows.store.flush_committed({TP(SOURCE, 0): 1, TP(SOURCE, 1): 1})
    rows.hold(1, b"a", b"held", sent_to=1)
    rows.hold(1, b"b", b"held", sent_to=1, partition=1)
    rows.store.revoke_partitions(rows.table, {TP(rows.changelog, 0), TP(SOURCE, 1)})
    assert rows.store.partitions() == [1]
    assert rows.store.committed(b"a") is None, "closed here"
    assert rows.store.newest(0, b"a") == b"done", "and opened again by whoever asks for the partition"
    assert rows.store.newest(1, b"b") == b"held"
    rows.commit(2)
    assert rows.store.committed(b"a") == b"done"


async def test_a_revoked_partition_can_be_opened_elsewhere(rows: Rows, folder: Path) -> None:
    rows.hold(0, b"a", b"row", sent_to=0)
    rows.commit(1)
    rows.store.revoke_partitions(rows.table, {TP(rows.changelog, 0)})
    other = Rows(folder)
    assert other.store.newest(0, b"a") == b"row"
    await other.close()


class Assignment:
    """The partitions of a worker as Faust's assignor tells them, set without a group."""

    def __init__(self, rows: Rows) -> None:
        self.rows = rows

    async def become(self, *partitions: int) -> None:
        changelog = self.rows.changelog
        assignor = cast(PartitionAssignor, self.rows.app.assignor)
        assignor._assignment.actives = {changelog: list(partitions)}
        await self.rows.store.on_rebalance(set(), set(), set())


async def test_a_partition_is_shown_once_it_is_recovered(rows: Rows) -> None:
    assignment = Assignment(rows)
    await assignment.become(0)
    rows.recover((0, 0, b"a", b"half"))
    assert rows.store.recovering == {0}
    assert rows.store.committed(b"a") is None
    assert rows.store.unready(0, b"a") == b"half"
    cast(CommittingTables, rows.app.tables).on_actives_ready()
    assert rows.store.committed(b"a") == b"half"
    assert rows.store.unready(0, b"a") is None
    # What stays is shown while another one comes.
    await assignment.become(0, 1)
    assert rows.store.recovering == {1}
    assert rows.store.committed(b"a") == b"half"


async def test_what_becomes_a_standby_is_closed_though_faust_revokes_nothing(
    rows: Rows, folder: Path
) -> None:
    assignment = Assignment(rows)
    await assignment.become(0, 1)
    rows.recover((0, 3, b"a", b"row"))
    await assignment.become(1)
    assert rows.store.partitions() == [1]
    copy = open_partition(rows.store.partition_path(0))
    assert copy.get(b"a") == b"row"
    copy.close()
    await assignment.become(0, 1)
    assert rows.persisted() == 3
    assert rows.store.recovering == {0, 1}


async def test_rows_from_elsewhere_stand_for_their_offset(rows: Rows, folder: Path) -> None:
    await Assignment(rows).become(0, 1)
    file = folder / "rows.sst"
    write_sorted(file, [(OFFSET_KEY, b"7"), (b"a", b"row")])
    assert rows.store.is_new(0)
    rows.store.ingest(0, file)
    assert (rows.store.is_new(0), rows.store.is_new(1)) == (False, True)
    assert (rows.persisted(), rows.store.unready(0, b"a")) == (7, b"row")
    assert (rows.store.next_offset(0), rows.store.next_offset(1)) == (8, 0)
    assert not file.exists()


async def test_forgetting_leaves_the_committed_rows(rows: Rows) -> None:
    rows.hold(0, b"a", b"done", sent_to=0)
    rows.commit(1)
    rows.hold(1, b"a", b"held", sent_to=1)
    rows.store.forget_uncommitted()
    assert rows.store.newest(0, b"a") == b"done"
    rows.commit(2)
    assert rows.store.committed(b"a") == b"done"
    assert rows.persisted() == 0


async def test_a_rebalance_forgets_the_rows_that_will_be_written_again(rows: Rows) -> None:
    """Held with a record that never gets to the log, such a row would break the next commit."""
    rows.hold(0, b"a", b"held")
    rows.app.tables.on_partitions_revoked({TP(SOURCE, 0)})
    rows.hold(0, b"a", b"again", sent_to=0)
    rows.commit(1)
    assert rows.store.committed(b"a") == b"again"


async def test_rows_outlive_the_process(rows: Rows, folder: Path) -> None:
    rows.hold(0, b"a", b"row", sent_to=4)
    rows.hold(1, b"b", b"held", sent_to=5)
    rows.commit(1)
    await rows.close()
    again = Rows(folder)
    assert again.store.newest(0, b"a") == b"row"
    assert again.store.newest(0, b"b") is None
    assert again.persisted() == 4
    await again.close()


async def test_rows_and_offset_outlive_kill_9_together(folder: Path) -> None:
    code = f"""
import asyncio, os, signal
from pathlib import Path
from tests.unit.test_committed_store import Rows
async def main():
    rows = Rows(Path({str(folder)!r}))
    for offset in range(50):
        rows.hold(offset, b"%d" % offset, b"row", sent_to=offset)
    rows.commit(30)
    os.kill(os.getpid(), signal.SIGKILL)
asyncio.run(main())
"""
    command = [sys.executable, "-c", code]
    killed = await asyncio.to_thread(subprocess.run, command, cwd=ROOT, check=False, timeout=60)
    assert killed.returncode == -9
    rows = Rows(folder)
    found = [offset for offset in range(50) if rows.store.newest(0, b"%d" % offset) is not None]
    assert found == list(range(30))
    assert rows.persisted() == 29
    await rows.close()


@pytest.fixture
def holder(folder: Path) -> Iterator["subprocess.Popen[str]"]:
    """Another process that has the first partition open."""
    code = f"""
from pathlib import Path
from tests.unit.test_committed_store import Rows
rows = Rows(Path({str(folder)!r}))
rows.store.newest(0, b"a")
print("open", flush=True)
input()
"""
    process = subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "open\n"
    yield process
    process.kill()
    process.communicate()


async def test_a_table_that_another_process_has_open_is_refused(
    holder: "subprocess.Popen[str]", rows: Rows
) -> None:
    with pytest.raises(StoreLocked, match="open in another process"):
        rows.store.newest(0, b"a")
    assert rows.store.newest(1, b"a") is None, "its other partitions are free"
    holder.kill()
    holder.communicate()
    assert rows.store.newest(0, b"a") is None


async def test_a_damaged_table_says_how_to_rebuild_it(rows: Rows) -> None:
    path = rows.store.partition_path(0)
    rows.hold(0, b"a", b"row", sent_to=0)
    rows.commit(1)
    await rows.close()
    for manifest in path.glob("MANIFEST*"):
        manifest.write_bytes(b"\x00garbage")
    with pytest.raises(StoreError, match="rebuilds it from the changelog"):
        rows.store.newest(0, b"a")


async def test_a_write_that_fails_keeps_the_rows_for_another_try(rows: Rows) -> None:
    rows.hold(0, b"a", b"row", sent_to=0)
    rows.store._db_for_partition(0).close()
    with pytest.raises(StoreError):
        rows.commit(1)
    assert rows.store.newest(0, b"a") == b"row"
    rows.store._dbs.clear()
    rows.commit(1)
    assert rows.store.committed(b"a") == b"row"


async def test_a_row_may_not_be_quiet_while_one_before_it_is_told_and_not_committed(rows: Rows) -> None:
    assert rows.store.may_be_quiet(0, KEY)
    rows.hold(0, KEY, b"quiet", sent_to=0, is_quiet=True)
    assert rows.store.may_be_quiet(0, KEY)
    rows.hold(1, KEY, b"told", sent_to=1)
    assert not rows.store.may_be_quiet(0, KEY)
    rows.commit(2)
    assert rows.store.may_be_quiet(0, KEY)
