import json
from pathlib import Path

import pytest

from agents.sse import ServerSentEvent, SseParser


def parse(data: bytes, **options: int) -> list[ServerSentEvent]:
    return SseParser(**options).feed(data)


def test_an_event_has_its_kind_its_data_and_its_id() -> None:
    (event,) = parse(b"event: message\nid: 7\ndata: {}\n\n")
    assert event == ServerSentEvent("message", b"{}", "7", 2)


def test_lines_of_data_are_joined_and_one_space_is_taken_off() -> None:
    (event,) = parse(b"data:one\ndata:  two\ndata\ndata: three\n\n")
    assert event.data == b"one\n two\n\nthree"
    assert event.size_bytes == len(event.data)


def test_comments_unknown_fields_and_events_without_data_give_nothing() -> None:
    assert parse(b":ok\n\n: heartbeat\n\nfoo: bar\n\nevent: x\n\nid: 3\n\n") == []


def test_an_id_stays_in_force_until_the_next_one() -> None:
    first, second, third = parse(b"id: 1\ndata: a\n\ndata: b\n\nid\ndata: c\n\n")
    assert [first.last_event_id, second.last_event_id, third.last_event_id] == ["1", "1", ""]


def test_an_id_with_a_nul_is_ignored() -> None:
    (event,) = parse(b"id: 1\nid: 2\x003\ndata: a\n\n")
    assert event.last_event_id == "1"


def test_a_kind_holds_for_one_event_only() -> None:
    first, second = parse(b"event: error\ndata: a\n\ndata: b\n\n")
    assert [first.kind, second.kind] == ["error", "message"]


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_every_kind_of_line_end_is_read(end: bytes) -> None:
    data = end.join([b"\xef\xbb\xbfid: 1", b"data: a", b"data: b", b"", b"data: c", b"", b""])
    assert [event.data for event in parse(data)] == [b"a\nb", b"c"]


@pytest.mark.parametrize(
    ("line", "seconds"),
    [(b"retry: 1500", 1.5), (b"retry:0", 0.0), (b"retry: 1.5", None), (b"retry: -1", None)],
)
def test_the_wait_that_the_server_asks_for_is_kept(line: bytes, seconds: float | None) -> None:
    parser = SseParser()
    parser.feed(line + b"\n\n")
    assert parser.retry_seconds == seconds


def test_an_event_that_is_not_complete_is_not_given() -> None:
    parser = SseParser()
    assert parser.feed(b"id: 1\ndata: a\n") == []
    assert [event.data for event in parser.feed(b"\n")] == [b"a"]


@pytest.mark.parametrize(
    "data", [b"data: " + b"x" * 200 + b"\n", b"data: " + b"y" * 60 + b"\ndata: " + b"z" * 60 + b"\n"]
)
def test_an_event_over_the_limit_is_marked_and_the_next_one_is_whole(data: bytes) -> None:
    large, small = parse(b"id: 1\n" + data + b"\nid: 2\ndata: fine\n\n", max_data_bytes=100)
    assert not large.is_whole
    assert large.size_bytes > 100
    assert len(large.data) <= 206
    assert large.last_event_id == "1"
    assert small == ServerSentEvent("message", b"fine", "2", 4)


def test_an_event_of_exactly_the_limit_is_whole() -> None:
    (event,) = parse(b"data: " + b"x" * 100 + b"\n\n", max_data_bytes=100)
    assert event.is_whole
    assert event.size_bytes == 100


def test_a_recorded_frame_of_wikimedia_is_read_back_byte_for_byte(shared: Path) -> None:
    path = shared / "data" / "events" / "page_change_1.12" / "raw-sse-frame-excerpt.jsonl"
    recorded = json.loads(path.read_text(encoding="utf-8").splitlines()[0])
    frame = f"event: message\nid: {recorded['id']}\ndata: {recorded['data']}\n\n".encode()
    (event,) = parse(b":ok\n\n" + frame)
    assert event.data.decode() == recorded["data"]
    assert event.last_event_id == recorded["id"]
