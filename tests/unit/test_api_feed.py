"""The push feed over a replica: filters, resuming, withdrawals, slow readers, many readers."""

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from app import feed as feed_module
from app import feed_reader
from app.api.lists import listed_document
from app.feed_place import FeedPlace, parse_place
from app.row_filter import RowFilter
from schemas.keys import row_key
from schemas.prediction import PredictionRow, Withdrawal
from tables import row_index
from tables.codec import encode_row
from tables.row_index import Stream
from tests.event_stream import Told, reading
from tests.replica_log import PAGES_TOPIC, REVISIONS_TOPIC, MemoryLog
from tests.rows import REV_DT, binary, catalogue, row, stored
from tests.served import Served, fill, served, until

MODELS = catalogue({"enwiki": ("damaging",), "dewiki": ("damaging",)})
FIRST_MARK = 100_000
_marks = itertools.count(FIRST_MARK)
HIDDEN = Withdrawal(is_hidden=True, acted_dt=REV_DT, source_offset=1)


def revision(
    rev_id: int, probability: float = 0.5, *, wiki_id: str = "enwiki", page_id: int | None = None
) -> PredictionRow:
    score = stored("damaging", binary(probability), namespace_id=0, is_bot=False)
    rev_dt = REV_DT + timedelta(hours=rev_id)
    return row(score, wiki_id=wiki_id, rev_id=rev_id, page_id=page_id or rev_id + 1000, rev_dt=rev_dt)


class Fed:
    """A server with the log behind it."""

    def __init__(self, server: Served, log: MemoryLog) -> None:
        self.server = server
        self.log = log
        self.url = server.url

    def add(self, *rows: PredictionRow, partition: int = 0) -> None:
        for one in rows:
            encoded = encode_row(one)
            self.log.append(PAGES_TOPIC, row_key(one.wiki_id, one.page_id), encoded, partition=partition)
            self.log.append(REVISIONS_TOPIC, row_key(one.wiki_id, one.rev_id), encoded, partition=partition)

    def withdraw(self, one: PredictionRow, *, is_erased: bool = False) -> None:
        gone = replace(one, withdrawal=HIDDEN, scores=() if is_erased else one.scores)
        self.log.append(REVISIONS_TOPIC, row_key(one.wiki_id, one.rev_id), encode_row(gone))

    def hide_page(self, one: PredictionRow) -> None:
        hidden = encode_row(replace(one, withdrawal=HIDDEN))
        self.log.append(PAGES_TOPIC, row_key(one.wiki_id, one.page_id), hidden)

    async def missed(self, last_id: str, query: str = "") -> list[Told]:
        """Return what is told to a reader that comes back, up to an event that follows."""
        mark = revision(next(_marks))
        async with reading(self.url, query, last_id=last_id) as reader:
            self.add(mark)
            found: list[Told] = []
            while (told := await reader.next()) is not None:
                rev_id = told.data.get("rev_id", 0)
                if rev_id == mark.rev_id:
                    return found
                if rev_id < FIRST_MARK:
                    found.append(told)
        raise AssertionError("it ended")


@contextlib.asynccontextmanager
async def fed(
    folder: Path, rows: Sequence[PredictionRow] = (), *, log: MemoryLog | None = None, readers: int = 100
) -> AsyncIterator[Fed]:
    log = log or MemoryLog()
    fill(log, rows)
    async with served(folder, MODELS, log=log, feed_readers=readers) as server:
        yield Fed(server, log)


def told_ids(told: Sequence[Told]) -> list[tuple[str, int]]:
    return [(one.kind, one.data.get("rev_id", -1)) for one in told]


async def test_a_reader_is_told_what_comes_and_not_what_was_there(tmp_path: Path) -> None:
    async with fed(tmp_path, [revision(1)]) as given, reading(given.url) as reader:
        given.add(revision(2, 0.75), revision(3))
        told = await reader.next()
        assert told is not None
        assert told.kind == "score"
        assert told.data == {
            "wiki_id": "enwiki",
            "page_id": 1002,
            "rev_id": 2,
            "rev_dt": "2026-11-01T14:00:00Z",
            "scores": {
                "damaging": {
                    "model_version": "1.0.0",
                    "prediction": True,
                    "probability": {"false": 0.25, "true": 0.75},
                }
            },
            "namespace_id": 0,
            "is_bot": False,
        }
        assert parse_place(told.last_id)
        assert await reader.scores(1) == [3]


async def test_readers_of_several_filters_get_what_they_asked_for(tmp_path: Path) -> None:
    async with (
        fed(tmp_path) as given,
        reading(given.url, "wiki=dewiki") as german,
        reading(given.url, "score=damaging%3E0.8") as damaging,
        reading(given.url, "wiki=enwiki|dewiki&score=damaging%3C0.8&namespace=0&bots=none") as good,
        reading(given.url, "bots=only") as bots,
    ):
        given.add(revision(1, 0.9), revision(2, 0.1), revision(3, 0.85, wiki_id="dewiki"), revision(4, 0.2))
        assert await damaging.scores(2) == [1, 3]
        assert await good.scores(2) == [2, 4]
        assert await german.scores(1) == [3]
        with pytest.raises(TimeoutError):
            await bots.next(within_seconds=0.2)


@pytest.mark.parametrize("is_restarted", [False, True])
async def test_a_reader_that_comes_back_misses_nothing_and_gets_nothing_twice(
    is_restarted: bool, tmp_path: Path
) -> None:
    log = MemoryLog()
    async with fed(tmp_path, [revision(1)], log=log) as given:
        async with reading(given.url) as reader:
            given.add(revision(2))
            assert await reader.scores(1) == [2]
            last_id = reader.last_id
        given.add(revision(3))
        given.add(revision(4), partition=1)
        if not is_restarted:
            await asyncio.sleep(0.1)
            assert sorted(told_ids(await given.missed(last_id))) == [("score", 3), ("score", 4)]
    if is_restarted:
        async with fed(tmp_path, log=log) as given:
            given.add(revision(5))
            await asyncio.sleep(0.1)
            told = await given.missed(last_id)
            assert sorted(told_ids(told)) == [("score", 3), ("score", 4), ("score", 5)]
            # Another server of the same application goes on from the same place.
            async with fed(tmp_path / "other", log=log) as other:
                assert sorted(told_ids(await other.missed(last_id))) == sorted(told_ids(told))


async def test_each_id_is_a_place_to_go_on_from(tmp_path: Path) -> None:
    async with fed(tmp_path) as given:
        async with reading(given.url) as reader:
            given.add(*(revision(number) for number in range(1, 9)))
            places = [told.last_id for _ in range(8) if (told := await reader.next()) is not None]
        for number, last_id in enumerate(places, 1):
            missed = await given.missed(last_id, "wiki=enwiki")
            assert [one[1] for one in told_ids(missed)] == list(range(number + 1, 9))


async def test_what_is_withdrawn_is_told_so_by_its_ids_and_never_again(tmp_path: Path) -> None:
    async with fed(tmp_path, [revision(7)]) as given:
        async with reading(given.url) as reader:
            start = reader.last_id
            given.add(revision(1, page_id=50), revision(2), revision(3))
            assert await reader.scores(3) == [1, 2, 3]
            given.withdraw(revision(2))
            told = await reader.next()
            assert told is not None
            assert (told.kind, told.data) == (
                "withdrawn",
                {"wiki_id": "enwiki", "page_id": 1002, "rev_id": 2},
            )
            given.hide_page(revision(1, page_id=50))
            told = await reader.next()
            assert told is not None
            assert (told.kind, told.data) == ("withdrawn", {"wiki_id": "enwiki", "page_id": 50})
            given.withdraw(revision(3), is_erased=True)
            told = await reader.next()
            assert told is not None
            assert told.data == {"wiki_id": "enwiki", "page_id": 1003, "rev_id": 3}
        missed = await given.missed(start)
        assert {one.kind for one in missed} == {"withdrawn"}
        assert not any("scores" in one.data for one in missed)


async def test_a_score_that_a_reader_has_not_taken_is_gone_once_it_is_withdrawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with fed(tmp_path) as given:
        feed = given.server.feed
        reader = feed.subscribe(RowFilter())
        given.add(revision(1, 0.125), revision(2))
        await until(lambda: len(reader.waiting) == 2)
        given.withdraw(revision(1), is_erased=True)
        await until(lambda: len(reader.waiting) == 3)
        text = await reader.take()
        assert b"0.125" not in text
        assert b"event: withdrawn" in text
        feed.leave(reader)


async def test_the_same_scores_again_are_not_told_again_and_others_are(tmp_path: Path) -> None:
    async with fed(tmp_path) as given, reading(given.url) as reader:
        given.add(revision(1))
        assert await reader.scores(1) == [1]
        given.add(revision(1), revision(2))
        assert await reader.scores(1) == [2]
        given.add(revision(1, 0.9))
        assert await reader.scores(1) == [1]


async def test_whoever_was_away_for_too_long_is_told_of_the_gap(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(row_index, "ARRIVALS_KEPT", 20)
    monkeypatch.setattr(row_index, "_TRIM_EVERY", 5)
    async with fed(tmp_path) as given:
        async with reading(given.url) as reader:
            given.add(revision(1))
            assert await reader.scores(1) == [1]
            last_id = reader.last_id
        for number in range(2, 100):
            given.add(revision(number))
        await asyncio.sleep(0.2)
        told = await given.missed(last_id)
        assert (told[0].kind, told[0].data) == ("gap", {"reason": "too_long_ago"})
        ids = [one.data["rev_id"] for one in told[1:]]
        assert ids == list(range(ids[0], 100))
        assert len(ids) >= 20
        status, body, _ = await given.server.ask("/scores/enwiki?limit=100")
        assert status == 200
        assert len(body["revisions"]) == 100


async def test_an_id_of_another_log_is_told_as_a_gap_and_an_odd_one_refused(tmp_path: Path) -> None:
    async with fed(tmp_path, [revision(1)]) as given:
        ahead = FeedPlace({Stream("revisions", 0): 10_000}).text()
        assert [one.kind for one in await given.missed(ahead)] == ["gap"]
        for odd in ("x", "r0", "r0.-1", "q0.1", "r0.1-", "r" + "9" * 30 + ".1"):
            status, body, _ = await given.server.ask("/feed", headers={"last-event-id": odd})
            assert (status, body["error"]["code"]) == (400, "request_invalid")


async def test_since_tells_what_is_known_and_then_what_comes(tmp_path: Path) -> None:
    async with fed(tmp_path) as given:
        given.add(*(revision(number) for number in range(1, 6)))
        await asyncio.sleep(0.2)
        async with reading(given.url, "since=2026-11-01T16:00:00Z") as reader:
            assert await reader.scores(2) == [4, 5]
            given.add(revision(2, 0.9), revision(6))
            assert await reader.scores(1) == [6]


async def test_a_slow_reader_is_dropped_and_told_while_others_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed_reader, "BUFFER_EVENTS", 50)
    async with fed(tmp_path) as given:
        feed = given.server.feed
        slow = feed.subscribe(RowFilter())
        async with reading(given.url) as quick:
            for start in range(1, 101, 10):
                given.add(*(revision(number) for number in range(start, start + 10)))
                assert await quick.scores(10) == list(range(start, start + 10))
        assert slow.ended == "too_slow"
        assert not slow.waiting
        assert feed.status().dropped == 1
        await until(lambda: feed.status().readers == 0)


async def test_a_connection_that_is_dropped_hears_why(tmp_path: Path) -> None:
    async with fed(tmp_path) as given, reading(given.url) as reader:
        feed = given.server.feed
        for one in [one for readers in feed._readers.values() for one in readers]:
            feed._end(one, "too_slow")
        told = await reader.next()
        assert told is not None
        assert (told.kind, told.data) == ("end", {"reason": "too_slow"})
        assert await reader.next() is None


async def test_a_reader_that_does_not_take_its_last_word_is_cut_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed_reader, "BUFFER_EVENTS", 600)
    monkeypatch.setattr(feed_reader, "LAST_WORD_SECONDS", 0.1)
    async with fed(tmp_path) as given:
        feed = given.server.feed
        reading_, writing = await asyncio.open_connection(
            "127.0.0.1", int(given.url.rsplit(":", 1)[1]), limit=1 << 10
        )
        writing.write(b"GET /feed HTTP/1.1\r\nhost: x\r\n\r\n")
        await until(lambda: feed.status().readers == 1)
        number = 0
        while not feed.status().dropped:
            given.add(*(revision(number + one) for one in range(1, 500)))
            number += 500
            await asyncio.sleep(0.05)
        await until(lambda: feed.status().readers == 0)
        writing.close()
        del reading_
        status, _, _ = await given.server.ask("/healthz")
        assert status == 200


async def test_a_server_that_stops_ends_its_feeds_at_once(tmp_path: Path) -> None:
    async with contextlib.AsyncExitStack() as held:
        async with fed(tmp_path) as given:
            reader = await held.enter_async_context(reading(given.url))
        told = await reader.next()
        assert told is not None
        assert (told.kind, told.data) == ("end", {"reason": "stopping"})


async def test_heartbeats_move_the_place_of_a_reader_that_wants_little(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed_module, "HEARTBEAT_SECONDS", 0.05)
    async with fed(tmp_path) as given, reading(given.url, "wiki=dewiki") as reader:
        before = parse_place(reader.last_id)
        given.add(revision(1), revision(2))

        async def moved() -> None:
            while parse_place(reader.last_id) == before:
                with contextlib.suppress(TimeoutError):
                    await reader.next(within_seconds=0.1)

        await asyncio.wait_for(moved(), 10)


async def test_beyond_the_limit_of_readers_one_is_asked_to_come_again(tmp_path: Path) -> None:
    async with fed(tmp_path, readers=1) as given:
        async with reading(given.url):
            status, body, response = await given.server.ask("/feed")
            assert (status, body["error"]["code"]) == (503, "not_ready")
            assert response.headers["retry-after"]
        await until(lambda: given.server.feed.status().readers == 0)
        async with reading(given.url):
            pass


async def test_two_hundred_readers_of_one_filter_cost_one_rendering(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rendered = 0

    def counted(*arguments: object) -> object:
        nonlocal rendered
        rendered += 1
        return listed_document(*arguments)  # type: ignore[arg-type]  # passed through

    monkeypatch.setattr(feed_module, "listed_document", counted)
    async with fed(tmp_path, readers=200) as given:
        feed = given.server.feed
        readers = [feed.subscribe(RowFilter()) for _ in range(200)]
        given.add(revision(1), revision(2))
        await until(lambda: all(len(reader.waiting) == 2 for reader in readers))
        assert rendered == 2
        assert len({await reader.take() for reader in readers}) == 1


async def test_head_of_a_feed_ends(tmp_path: Path) -> None:
    async with fed(tmp_path) as given:
        status, body, response = await given.server.ask("/feed", method="HEAD")
        assert (status, body, response.content_type) == (200, b"", "text/event-stream")
        assert given.server.feed.status().readers == 0
