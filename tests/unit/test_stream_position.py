import json
from pathlib import Path
from typing import Any

from agents.stream_position import StreamPosition
from tests.eventstreams_server import TOPICS, page_change

EQIAD, CODFW = TOPICS


def place(topic: str, **where: int) -> dict[str, Any]:
    return {"topic": topic, "partition": 0, **where}


def event_id(*places: dict[str, Any]) -> str:
    return json.dumps(list(places))


def data(number: int, topic: str = EQIAD) -> bytes:
    return page_change(number, topic).data.encode()


def resumed(position: StreamPosition) -> list[dict[str, Any]]:
    resume_id = position.resume_id()
    assert resume_id is not None
    return list(json.loads(resume_id))


def test_nothing_is_asked_for_before_the_first_event() -> None:
    assert StreamPosition().resume_id() is None


def test_going_on_lies_a_little_back_so_that_siblings_of_the_last_event_come_again() -> None:
    position = StreamPosition(rewind_milliseconds=1000)
    assert position.note(event_id(place(EQIAD, timestamp=50_001)), data(1))
    assert resumed(position) == [place(EQIAD, timestamp=49_001)]


def test_an_event_that_comes_again_is_known_even_after_a_restart() -> None:
    position = StreamPosition()
    first, second = event_id(place(EQIAD, timestamp=50_001)), event_id(place(EQIAD, timestamp=50_002))
    assert position.note(first, data(1))
    assert position.note(second, data(2))
    assert not position.note(first, data(1))
    restarted = StreamPosition(position.cursor())
    assert restarted.resume_id() == position.resume_id()
    assert not restarted.note(second, data(2))
    assert restarted.note(second, data(3))


def test_an_event_that_comes_again_from_another_data_centre_has_another_offset_and_is_known() -> None:
    position = StreamPosition()
    place_id = event_id(place(EQIAD, timestamp=50_001))
    assert position.note(place_id, data(1))
    assert not position.note(place_id, data(1).replace(b'"offset": 1', b'"offset": 777'))


def test_what_is_remembered_is_bounded_by_time_for_each_topic() -> None:
    position = StreamPosition(rewind_milliseconds=1000)
    position.note(event_id(place(CODFW, timestamp=10_000)), data(0, CODFW))
    for number in range(1, 20_000, 10):
        position.note(
            event_id(place(EQIAD, timestamp=10_000 + number), place(CODFW, timestamp=10_000)), data(number)
        )
    taken = json.loads(position.cursor())["taken"]
    assert 195 <= len(taken[f"{EQIAD}/0"]) <= 205
    # The quiet topic goes on from far back, so its last event is still known.
    assert len(taken[f"{CODFW}/0"]) == 1
    assert not position.note(event_id(place(CODFW, timestamp=10_000)), data(0, CODFW))


def test_a_rewound_place_of_a_quiet_topic_never_goes_further_back() -> None:
    position = StreamPosition(rewind_milliseconds=1000)
    position.note(event_id(place(EQIAD, timestamp=90_000), place(CODFW, timestamp=50_000)), data(1))
    for number in range(2, 6):
        # After going on, ids name the quiet topic by the place that was asked for.
        quiet = resumed(position)[1]
        position.note(event_id(place(EQIAD, timestamp=90_000 + number), quiet), data(number))
    assert resumed(position)[1] == place(CODFW, timestamp=49_000)


def test_a_topic_without_events_goes_on_from_the_time_of_the_others_and_not_from_the_end() -> None:
    position = StreamPosition(rewind_milliseconds=1000)
    position.note(event_id(place(EQIAD, timestamp=90_000), place(CODFW, offset=-1)), data(1))
    assert resumed(position) == [place(EQIAD, timestamp=89_000), place(CODFW, timestamp=89_000)]


def test_places_by_offset_and_ids_of_other_servers_are_given_back_as_they_came() -> None:
    by_offset = StreamPosition()
    by_offset.note(event_id(place(EQIAD, offset=17)), data(1))
    assert resumed(by_offset) == [place(EQIAD, offset=17)]
    other = StreamPosition()
    assert other.note("abc-42", b"{}")
    assert other.note("abc-43", b"{}")
    assert other.resume_id() == "abc-43"
    assert StreamPosition(other.cursor()).resume_id() == "abc-43"


def test_a_bare_last_event_id_serves_as_a_cursor() -> None:
    position = StreamPosition(event_id(place(EQIAD, timestamp=50_001)))
    assert resumed(position) == [place(EQIAD, timestamp=49_001)]


def test_the_id_of_a_recorded_frame_is_understood(shared: Path) -> None:
    path = shared / "data" / "events" / "page_change_1.12" / "raw-sse-frame-excerpt.jsonl"
    recorded = json.loads(path.read_text(encoding="utf-8").splitlines()[0])
    position = StreamPosition()
    assert position.note(recorded["id"], recorded["data"].encode())
    assert not position.note(recorded["id"], recorded["data"].encode())
    (active, passive) = json.loads(recorded["id"])
    assert resumed(position) == [
        {**active, "timestamp": active["timestamp"] - 1000},
        {"topic": passive["topic"], "partition": 0, "timestamp": active["timestamp"] - 1000},
    ]
