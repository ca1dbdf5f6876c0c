"""What was suppressed leaves no trace: a search through the bytes of every file of a data directory."""

import asyncio
import base64
import contextlib
import json
import sqlite3
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from agents.embedded.erasure import Eraser
from agents.embedded.log import Log, NewRecord
from agents.rules.rule import Retry
from app.feed import Feed
from app.row_filter import RowFilter
from schemas.catalogue import Catalogue
from schemas.decode import peek_key
from schemas.erasure import Erasure, encode_erasure
from schemas.errors import ContentUnavailable, PredictionWithdrawn
from schemas.keys import DEAD_LETTER_TOPIC, ERASURE_TOPIC, PAGE_CHANGE_TOPIC
from tables.lists import PredictionLists
from tests.audit import records
from tests.input_events import encoded, page_change, user
from tests.pipelines import APP_ID, QUICK, WIKI, CommittedRows, RunningPipeline, Timing, pipeline
from tests.until import until

NAME, COMMENT, TITLE = "Zephyrinus Quillfeather", "the telephone number is 0190-555", "Talk:Xanthippe_at_home"
TEXT = "The pantry is behind the green baize door."
SECRETS = tuple(each.encode() for each in (NAME, COMMENT, TITLE, TEXT))
OPEN = b"Mossy Stone"


def event(
    rev_id: int, *, page_id: int, kind: str = "edit", minute: int = 0, **revision: Any
) -> dict[str, Any]:
    made = page_change(page_change_kind=kind, dt=f"2026-11-01T10:{minute:02}:00Z")
    made["page"] = made["page"] | {"page_id": page_id}
    made["revision"] = made["revision"] | {"rev_id": rev_id, "rev_parent_id": rev_id - 1} | revision
    made["meta"] = made["meta"] | {"id": f"{kind}-{rev_id}-{minute}", "dt": f"2026-11-01T10:{minute:02}:01Z"}
    return made


def secret(rev_id: int, *, page_id: int, has_title: bool = False) -> bytes:
    """Return an edit that tells a name, a comment and a text, and a title where asked."""
    made = event(rev_id, page_id=page_id, comment=COMMENT, editor=user(user_text=NAME))
    made["revision"]["content_slots"]["main"]["content_body"] = TEXT
    made["performer"] = user(user_text=NAME)
    if has_title:
        made["page"]["page_title"] = TITLE
    return encoded(made)


def child(rev_id: int, *, page_id: int) -> bytes:
    """Return the edit after a secret one, which tells of it as its parent."""
    made = event(rev_id, page_id=page_id)
    parent = {"rev_id": rev_id - 1, "rev_dt": "2026-11-01T09:00:00Z"}
    made["prior_state"] = {"revision": parent | {"comment": COMMENT, "editor": user(user_text=NAME)}}
    return encoded(made)


def suppression(rev_id: int, *, page_id: int, kind: str) -> bytes:
    hidden = {f"is_{part}_visible": False for part in ("content", "editor", "comment")}
    made = event(rev_id, page_id=page_id, kind=kind, minute=10, **hidden)
    for told in ("comment", "editor"):
        del made["revision"][told]
    del made["performer"], made["prior_state"]
    if kind == "delete":
        # As real ones do: the reason quotes what was there.
        made["comment"] = f"content was: {COMMENT}, and the only contributor was {NAME}"
        made["page"]["page_title"] = TITLE
    return encoded(made)


def broken(rev_id: int, *, page_id: int) -> bytes:
    """Return a secret edit that cannot be decoded, and becomes a dead letter."""
    made = json.loads(secret(rev_id, page_id=page_id, has_title=True))
    made["revision"]["rev_dt"] = "yesterday"
    return encoded(made)


def holding(folder: Path, text: bytes) -> Iterator[str]:
    """Yield the files whose bytes hold a text, in base64 too."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            data = path.read_bytes()
            if text in data or any(part in data for part in in_base64(text)):
                yield str(path.relative_to(folder))


def in_base64(text: bytes) -> Iterator[bytes]:
    """Yield what a text looks like in base64, at each of the three places where it may begin."""
    for shift in range(3):
        whole = base64.b64encode(b"\0" * shift + text)
        # Characters of which all six bits are the text's.
        yield whole[-(-shift * 8 // 6) : (shift + len(text)) * 8 // 6]


def found(folder: Path) -> dict[str, list[str]]:
    return {text.decode(): files for text in SECRETS if (files := list(holding(folder, text)))}


@pytest.mark.parametrize("before", [b"", b"a", b"ab", b"abc"])
def test_the_search_finds_a_text_that_lies_in_base64(before: bytes, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(base64.b64encode(before + NAME.encode() + b" and more"))
    assert found(tmp_path) == {NAME: ["file"]}


def others(count: int) -> list[bytes]:
    return [encoded(event(10_000 + number, page_id=1_000 + number)) for number in range(count)]


@contextlib.asynccontextmanager
async def erasing(folder: Path, timing: Timing = QUICK, *, rules: str = "") -> AsyncIterator[RunningPipeline]:
    """Run a pipeline with what erases behind it."""
    async with pipeline(folder, rules=rules, timing=timing) as given:
        eraser = Eraser(given.log, APP_ID, given.predictions.rewrite)
        task = asyncio.create_task(eraser.run())
        try:
            yield given
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


async def until_clean(given: RunningPipeline, folder: Path) -> None:
    await given.until_done()
    await until(lambda: not list(records(given.log, ERASURE_TOPIC)), 20)
    await until(lambda: not found(folder), 10)


async def test_a_suppressed_page_leaves_no_trace_in_any_file(tmp_path: Path) -> None:
    async with erasing(tmp_path) as given:
        secrets = [secret(rev_id, page_id=31, has_title=True) for rev_id in range(1, 40)]
        # Dead letters have no page: the rest of the page is known by the numbers that they hold.
        given.give(*others(20), *secrets, broken(39, page_id=31), *others(20))
        await given.until_done()
        assert found(tmp_path).keys() == {NAME, COMMENT, TITLE, TEXT}
        assert list(records(given.log, DEAD_LETTER_TOPIC))
        given.give(suppression(39, page_id=31, kind="delete"))
        await until_clean(given, tmp_path)
        assert given.withdrawn(39) == "page"
        # All else is there.
        assert not list(records(given.log, DEAD_LETTER_TOPIC))
        assert len(list(records(given.log, PAGE_CHANGE_TOPIC))) == 40
        assert list(holding(tmp_path, OPEN))
        assert len(given.sent()) == 40
    assert found(tmp_path) == {}


async def test_a_suppressed_revision_leaves_no_trace_and_its_neighbours_stay(tmp_path: Path) -> None:
    async with erasing(tmp_path) as given:
        neighbours = [encoded(event(rev_id, page_id=31)) for rev_id in (1, 2, 3)]
        given.give(
            *others(10), *neighbours, secret(4, page_id=31), child(5, page_id=31), broken(4, page_id=31)
        )
        await given.until_done()
        assert found(tmp_path).keys() == {NAME, COMMENT, TITLE, TEXT}
        given.give(suppression(4, page_id=31, kind="visibility_change"))
        await until_clean(given, tmp_path)
        assert [given.withdrawn(rev_id) for rev_id in (1, 2, 3, 4, 5)] == [None, None, None, "revision", None]
        kept = [
            json.loads(record.value or b"")["revision"]["rev_id"]
            for _, record in records(given.log, PAGE_CHANGE_TOPIC)
        ]
        assert [rev_id for rev_id in kept if rev_id < 10] == [1, 2, 3]
    assert found(tmp_path) == {}


@pytest.mark.parametrize("kind", ["delete", "visibility_change"])
async def test_what_is_suppressed_leaves_lists_and_feed_and_is_told_by_ids_alone(
    kind: str, tmp_path: Path
) -> None:
    async with erasing(tmp_path) as given:
        rows = CommittedRows(given.predictions)
        lists, feed = PredictionLists(rows), Feed(rows, Catalogue({WIKI: {}}), readers_most=1)
        given.app.tables.changed = feed.changed  # type: ignore[attr-defined]  # of our own manager
        given.give(encoded(event(3, page_id=31)), secret(4, page_id=31), *others(3))
        await given.until_done()
        reader = feed.subscribe(RowFilter())
        start = feed.oldest()

        async def missed() -> bytes:
            return b"".join([text async for text in feed.replay(RowFilter(), start, feed.place())])

        async def newest() -> list[int]:
            found = await lists.newest(WIKI, lambda _: True, limit=100)
            return [row.rev_id for row in found.rows if row.rev_id < 10_000]

        def history() -> list[int]:
            found = lists.of_page(WIKI, 31, limit=100)
            return [] if found is None else [row.rev_id for row in found.rows]

        assert await newest() == history() == [4, 3]
        assert b'"rev_id":4,"rev_dt"' in await missed()
        given.give(suppression(4, page_id=31, kind=kind))
        await until_clean(given, tmp_path)
        live = await reader.take()
        assert b"event: withdrawn" in live
        assert b'"scores"' not in live
        if kind == "delete":
            with pytest.raises(PredictionWithdrawn):
                history()
        else:
            assert history() == [3]
        assert await newest() == ([] if kind == "delete" else [3])
        replayed = await missed()
        assert b"event: withdrawn" in replayed
        assert b'"rev_id":4,"rev_dt"' not in replayed
        assert (b'"rev_id":3,"rev_dt"' in replayed) is (kind != "delete")
        feed.leave(reader)


@pytest.mark.parametrize("kind", ["delete", "visibility_change"])
async def test_page_level_streams_lose_what_was_suppressed_and_keep_the_notice_of_it(
    kind: str, tmp_path: Path
) -> None:
    streams = ("moss.pages", "moss.tags")
    rules = (
        "rules: {moss: {topic: mediawiki.page_change.v1, output: {revision_score: moss.scores, "
        "prediction_classification_change: moss.pages, weighted_tags: moss.tags}}}"
    )

    def on_topicwiki(*events: bytes) -> list[bytes]:
        return [each.replace(b'"mosswiki"', b'"topicwiki"') for each in events]

    # The number of the revision is the one of the editor of all the others, too.
    async with erasing(tmp_path, rules=rules) as given:
        given.give(*on_topicwiki(*others(5), secret(4711, page_id=31, has_title=kind == "delete")))
        await given.until_done()
        assert all(len(given.sent(stream)) == 6 for stream in (*streams, "moss.scores"))
        given.give(*on_topicwiki(suppression(4711, page_id=31, kind=kind)))
        await until_clean(given, tmp_path)
        assert len(given.sent("moss.scores")) == 5
        for stream in streams:
            told = given.sent(stream)
            # Other pages' stay, numbers alike or not.
            assert [each["page"]["page_title"] for each in told] == ["Talk:Moss"] * 5 + ["<suppressed>"]
            assert (told[-1]["wiki_id"], told[-1]["page"]["page_id"]) == ("topicwiki", 31)
    assert found(tmp_path) == {}


async def test_a_late_edit_that_tells_of_it_again_is_erased_as_well(tmp_path: Path) -> None:
    async with erasing(tmp_path) as given:
        given.give(suppression(4, page_id=31, kind="visibility_change"))
        await until_clean(given, tmp_path)
        given.give(secret(4, page_id=31))
        await until_clean(given, tmp_path)
        assert given.outcomes == ["withdrawn", "skipped"]
    assert found(tmp_path) == {}


async def test_what_is_suppressed_between_a_failure_and_its_repetition_leaves_no_trace(
    tmp_path: Path,
) -> None:
    timing = Timing(retry=Retry(limit=2, delay_seconds=3600.0), give_up_seconds=86_400.0)
    async with erasing(tmp_path, timing) as given:
        # The event tells its own text, but not its parent's.
        given.content.failures[3] = [ContentUnavailable("no answer")]
        given.give(*others(10), secret(4, page_id=31, has_title=True))
        await until(lambda: given.put_off == 1, 20)
        assert found(tmp_path).keys() == {NAME, COMMENT, TITLE, TEXT}
        given.give(suppression(4, page_id=31, kind="visibility_change"))
        await until_clean(given, tmp_path)
        assert given.outcomes[-1] == "skipped"
        assert given.withdrawn(4) == "revision"
        assert len(given.sent()) == 10
    assert found(tmp_path) == {}


async def test_what_tells_of_a_suppressed_revision_and_was_put_off_is_repeated_and_then_erased(
    tmp_path: Path,
) -> None:
    timing = Timing(retry=Retry(limit=2, delay_seconds=2.0))
    async with erasing(tmp_path, timing) as given:
        given.content.failures[5] = [ContentUnavailable("no answer")]
        given.give(*others(10), child(5, page_id=31))
        await until(lambda: given.put_off == 1, 20)
        given.give(suppression(4, page_id=31, kind="visibility_change"))
        await until_clean(given, tmp_path)
        assert given.withdrawn(5) is None
        assert given.row(5) is not None
        assert given.outcomes.count("scored") == 11
    assert found(tmp_path) == {}


async def test_what_is_removed_for_other_reasons_leaves_no_trace_either(tmp_path: Path) -> None:
    log = Log(tmp_path / "log.db")
    log.create_topic(PAGE_CHANGE_TOPIC, 1)
    log.transact([NewRecord(PAGE_CHANGE_TOPIC, 0, 1, b"k", secret(1, page_id=31)) for _ in range(500)])
    log.transact([NewRecord(PAGE_CHANGE_TOPIC, 0, 2, b"k", encoded(event(2, page_id=32))) for _ in range(10)])
    assert found(tmp_path)
    log.trim(PAGE_CHANGE_TOPIC, 0, before_offset=500)
    assert log.scrub()
    assert found(tmp_path) == {}
    assert len(log.read(PAGE_CHANGE_TOPIC, 0, 0, limit=100)) == 10
    log.close()


def a_log(folder: Path, consumed: int) -> Log:
    """Return a log with two events of a page in each of two topics, of which some are consumed."""
    log = Log(folder / "log.db")
    for topic in (PAGE_CHANGE_TOPIC, ERASURE_TOPIC):
        log.create_topic(topic, 1)
    value = secret(4, page_id=31)
    log.transact(
        [NewRecord(PAGE_CHANGE_TOPIC, 0, 1, peek_key(value), value)] * 2
        + [NewRecord(ERASURE_TOPIC, 0, 1, b"k", encode_erasure(request(offset=1)))],
        group_id=APP_ID,
        offsets={(PAGE_CHANGE_TOPIC, 0): consumed},
    )
    return log


def request(*, offset: int) -> Erasure:
    return Erasure("mosswiki", 31, False, (4,), PAGE_CHANGE_TOPIC, 0, offset)


@pytest.mark.parametrize("consumed", [0, 1, 2])
def test_an_event_that_is_not_consumed_yet_stays_until_it_is(consumed: int, tmp_path: Path) -> None:
    log = a_log(tmp_path, consumed)
    assert Eraser(log, APP_ID, lambda *_: None).erase_all() == 1
    assert len(log.read(PAGE_CHANGE_TOPIC, 0, 0, limit=9)) == 2 - consumed
    log.close()


def test_an_erasure_that_died_half_way_is_done_again(tmp_path: Path) -> None:
    class Died(Exception):
        pass

    def die(*_: object) -> None:
        raise Died

    log = a_log(tmp_path, 2)
    with pytest.raises(Died):
        Eraser(log, APP_ID, die).erase_all()
    assert list(records(log, ERASURE_TOPIC))
    again = Eraser(log, APP_ID, lambda *_: None)
    assert again.erase_all() == 1
    assert again.erase_all() == 0
    assert not list(records(log, ERASURE_TOPIC))
    log.close()


def test_a_reader_of_another_process_delays_the_cleaning_and_does_not_prevent_it(tmp_path: Path) -> None:
    log = a_log(tmp_path, 2)
    other = sqlite3.connect(tmp_path / "log.db", isolation_level=None)
    other.execute("BEGIN")
    other.execute("SELECT count(*) FROM record").fetchone()
    log._db.execute("PRAGMA busy_timeout=10")
    Eraser(log, APP_ID, lambda *_: None).erase_all()
    assert not log.scrub()
    other.close()
    assert log.scrub()
    assert found(tmp_path) == {}
    log.close()


def test_a_request_whose_rows_are_not_in_the_tables_yet_waits(tmp_path: Path) -> None:
    log = a_log(tmp_path, consumed=2)
    assert Eraser(log, APP_ID, lambda *_: None).erase_all([0]) == 0
    assert Eraser(log, APP_ID, lambda *_: None).erase_all([1]) == 1
    log.close()


async def test_files_are_not_rewritten_before_the_tables_hold_what_is_committed(tmp_path: Path) -> None:
    log = a_log(tmp_path, consumed=2)
    done: list[str] = []
    hold = asyncio.Event()

    async def written() -> None:
        done.append("asked")
        await hold.wait()
        done.append("written")

    eraser = asyncio.create_task(Eraser(log, APP_ID, lambda *_: done.append("rewritten"), written).run())
    await until(lambda: done == ["asked"])
    await asyncio.sleep(0.3)
    assert done == ["asked"]
    hold.set()
    await until(lambda: done == ["asked", "written", "rewritten"])
    eraser.cancel()
    await asyncio.gather(eraser, return_exceptions=True)
    log.close()
