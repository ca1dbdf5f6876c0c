"""Rows of a replica, read by others than who follows."""

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from datetime import timedelta
from pathlib import Path

import numpy as np
from msgspec.structs import replace

from app.feed import Feed
from app.row_filter import RowFilter
from schemas.keys import row_key
from schemas.prediction import Withdrawal
from tables.codec import encode_row
from tables.follower import Follower
from tables.lists import PredictionLists
from tables.reader import PredictionReader
from tables.replica import Replica
from tables.replica_reader import ReplicaReader, ReplicaStatus
from tests.replica_log import PAGES_TOPIC, REVISIONS_TOPIC, TOPICS, MemoryLog, MemoryTopicReader
from tests.rows import REV_DT, binary, catalogue, row, stored
from tests.served import fill, following, until


def row_of(rev_id: int, probability: float = 0.25):  # type: ignore[no-untyped-def]  # as of tests.rows
    return row(stored("damaging", binary(probability)), rev_id=rev_id, page_id=rev_id)


@asynccontextmanager
async def followed(log: MemoryLog, directory: Path) -> AsyncIterator[tuple[Follower, ReplicaReader]]:
    follower = Follower(MemoryTopicReader(log), directory, TOPICS, poll_seconds=0.01)
    with closing(ReplicaReader(follower.status, name="reader-0")) as reader:
        async with following(follower):
            await until(lambda: follower.freshness().is_ready and not follower.freshness().reasons)
            yield follower, reader


def has(reader: ReplicaReader, rev_id: int) -> bool:
    reader.refresh()
    return PredictionReader(reader).revision("enwiki", rev_id) is not None


async def test_a_reader_is_not_ready_before_the_replica_is_whole(tmp_path: Path) -> None:
    reader = ReplicaReader(ReplicaStatus, name="reader-0")
    reader.refresh()
    assert reader.freshness().is_ready is False
    assert reader.freshness().reasons == ("recovering",)
    assert reader.get("revisions", b"key") is None


async def test_a_reader_sees_what_the_follower_wrote_and_how_old_it_is(tmp_path: Path) -> None:
    log = MemoryLog()
    fill(log, [row_of(1)])
    async with followed(log, tmp_path) as (_, reader):
        assert has(reader, 1)
        assert not has(reader, 2)
        fill(log, [row_of(2)])
        await until(lambda: has(reader, 2))
        freshness = reader.freshness()
        assert freshness.is_ready
        assert freshness.age_seconds is not None
        log.append(REVISIONS_TOPIC, row_key("enwiki", 1), None)
        await until(lambda: not has(reader, 1))


async def test_pages_that_the_follower_hides_are_hidden_among_many_too(tmp_path: Path) -> None:
    log = MemoryLog()
    shown = [row_of(number) for number in range(6)]
    fill(log, shown)
    pages = np.arange(6)

    def hide(page_id: int, *, is_hidden: bool = True) -> None:
        withdrawal = Withdrawal(is_hidden, REV_DT + timedelta(days=1 if is_hidden else 2), 9)
        held = replace(shown[page_id], withdrawal=withdrawal)
        log.append(PAGES_TOPIC, row_key("enwiki", page_id), encode_row(held))

    def hidden(rows: ReplicaReader) -> set[int]:
        rows.refresh()
        return PredictionReader(rows).hidden_pages("enwiki", pages)

    hide(1)
    async with followed(log, tmp_path) as (follower, reader):
        assert hidden(reader) == {1}
        keys = [row_key("enwiki", number) for number in (5, 9, 1)]
        assert reader.get_many("pages", keys) == [reader.get("pages", key) for key in keys]
        hide(2)
        await until(lambda: hidden(reader) == {1, 2})
        hide(1, is_hidden=False)
        hide(4)
        await until(lambda: hidden(reader) == {2, 4})
        # It looks at the rows of those alone that were hidden once.
        assert set(reader.hidden_among("enwiki", pages)) == {1, 2, 4}
        path = follower.status().path
        assert path is not None
    with closing(Replica(Path(path))) as replica:
        # As a version leaves it that lists no pages.
        replica.db.put(b"\0\6index", b"1")
    with closing(ReplicaReader(follower.status, name="reader-1")) as late:
        assert late.hidden_among("enwiki", pages) == [0, 1, 2, 3, 4, 5]
    told = ReplicaStatus(path=path, batches=1, reasons=(), caught_up=0.0)
    with closing(ReplicaReader(lambda: told, name="reader-2")) as late:
        assert hidden(late) == {2, 4}
        assert late.hidden_among("enwiki", pages) == [0, 1, 2, 3, 4, 5]
    async with followed(log, tmp_path) as (_, reader):
        assert hidden(reader) == {2, 4}
        assert set(reader.hidden_among("enwiki", pages)) == {1, 2, 4}


async def test_lists_and_feed_are_read_from_the_files_that_another_process_writes(tmp_path: Path) -> None:
    log = MemoryLog()
    fill(log, [row_of(1)])
    async with followed(log, tmp_path) as (follower, reader):
        assert has(reader, 1)
        feed = Feed(reader, catalogue({"enwiki": ("damaging",)}), readers_most=1)
        reader.rows_changed = feed.changed
        listening = feed.subscribe(RowFilter())
        start = feed.place()
        fill(log, [row_of(2), row_of(3)])

        def is_told() -> bool:
            reader.refresh()
            return len(listening.waiting) == 2

        await until(is_told)
        newest = await PredictionLists(reader).newest("enwiki", lambda _: True, limit=10)
        assert [row.rev_id for row in newest.rows] == [3, 2, 1]
        history = PredictionLists(reader).of_page("enwiki", 2, limit=10)
        assert history is not None
        assert [row.rev_id for row in history.rows] == [2]
        assert reader.heads() == follower.heads()
        live = await listening.take()
        missed = b"".join([text async for text in feed.replay(RowFilter(), start, feed.place())])
        assert live.count(b"event: score") == missed.count(b"event: score") == 2
        feed.leave(listening)


async def test_a_reader_goes_on_with_a_follower_that_was_started_anew(tmp_path: Path) -> None:
    log = MemoryLog()
    fill(log, [row_of(1)])
    statuses: list[ReplicaStatus] = []
    with closing(ReplicaReader(lambda: statuses[-1], name="reader-0")) as reader:
        for rev_id in (2, 3, 4):
            async with followed(log, tmp_path) as (follower, _):
                statuses.append(follower.status())
                assert has(reader, 1)
                fill(log, [row_of(rev_id)])

                def is_there(follower: Follower = follower, rev_id: int = rev_id) -> bool:
                    statuses.append(follower.status())
                    return has(reader, rev_id)

                await until(is_there)
            # Nobody follows for a while.
            assert has(reader, rev_id)
        # Nor does a new reader need anybody who does.
        with closing(ReplicaReader(lambda: statuses[-1], name="reader-1")) as late:
            assert has(late, 4)


async def test_a_reader_moves_on_to_the_generation_that_took_the_place_of_its_own(tmp_path: Path) -> None:
    log = MemoryLog()
    fill(log, [row_of(number) for number in range(1, 50)])
    async with followed(log, tmp_path) as (follower, reader):
        assert has(reader, 49)
        before = follower.status().path
        assert before is not None
        # Whatever becomes of the files, what was open is answered from until the reader has moved on.
        kept = dict(log.topics)
        log.identity = "log-2"
        log.topics = {topic: [{} for _ in parts] for topic, parts in kept.items()}
        log.next_offsets.clear()
        fill(log, [row_of(77)])
        await until(lambda: follower.status().path not in {None, before})
        await until(lambda: not Path(before).exists())
        assert PredictionReader(reader).revision("enwiki", 49) is not None
        assert has(reader, 77)
        assert not has(reader, 49)


async def test_a_reader_opens_the_files_anew_where_it_cannot_read_on(tmp_path: Path) -> None:
    log = MemoryLog()
    fill(log, [row_of(1)])
    async with followed(log, tmp_path) as (follower, reader):
        assert has(reader, 1)
        # Its notes are gone, as a clean-up of temporary files takes them.
        shutil.rmtree(tmp_path / "reader-0")
        fill(log, [row_of(2)])
        await until(lambda: has(reader, 2))
        assert log.next_offsets[PAGES_TOPIC, 0] == 2
        assert encode_row(row_of(2))
        assert follower.freshness().is_ready
