"""Events that clients post: what is checked, and what is filled in."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.decode import decode_event
from schemas.errors import EventError, EventSchemaUnsupported, EventUndecodable
from schemas.keys import page_topic_key
from schemas.page_change import PageChange
from schemas.posted import posted_event
from tests.input_events import encoded, old_change, page_change, revision_create

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)


def posted(value: bytes, **fields: Any) -> bytes:
    return posted_event(value, received_dt=NOW, **fields).value


def test_a_whole_event_is_taken_byte_for_byte_under_the_key_of_its_page() -> None:
    value = b"  " + encoded(page_change()) + b"\n"
    event = posted_event(value, received_dt=NOW)
    assert (event.stream, event.key) == ("mediawiki.page_change.v1", page_topic_key("mosswiki", 31))
    assert event.value == value


def test_what_is_absent_or_null_is_filled_in_and_all_else_keeps_its_bytes() -> None:
    event = page_change(precise=1.10, large=12345678901234567890123)
    event["meta"] |= {"id": None, "request_id": ""}
    del event["meta"]["dt"]
    text = encoded(event).replace(b"1.1", b"1.10")
    value = posted(text, request_id="moss-1")
    assert b'"precise":1.10,"large":12345678901234567890123' in value
    meta = json.loads(value)["meta"]
    assert meta["dt"] == "2026-11-01T12:00:00Z"
    assert meta["request_id"] == "moss-1"
    assert meta["uri"] == event["meta"]["uri"]
    change = decode_event(value)
    assert isinstance(change, PageChange)
    assert change.event_id == meta["id"]


def test_an_event_without_an_id_has_the_same_whenever_it_is_posted() -> None:
    event = page_change()
    del event["meta"]["id"]
    later = datetime(2027, 1, 1, tzinfo=UTC)
    first, again = (posted_event(encoded(event), received_dt=at).value for at in (NOW, later))
    assert json.loads(first)["meta"]["id"] == json.loads(again)["meta"]["id"]


@pytest.mark.parametrize(
    "value", [encoded(revision_create()), old_change("page/delete"), old_change("page/undelete")]
)
def test_the_older_streams_are_taken(value: bytes) -> None:
    assert posted_event(value, received_dt=NOW).key == page_topic_key("mosswiki", 31)


def test_a_canary_is_taken() -> None:
    value = encoded(page_change(meta={"domain": "canary", "stream": "mediawiki.page_change.v1"}))
    assert posted_event(value, received_dt=NOW).stream == "mediawiki.page_change.v1"


@pytest.mark.parametrize(
    ("value", "kind", "message"),
    [
        (b"17", EventUndecodable, "cannot be decoded"),
        (b"[]", EventUndecodable, "cannot be decoded"),
        (encoded(page_change(meta={})), EventUndecodable, "meta.stream"),
        (encoded(page_change(meta={"stream": "mediawiki.moss"})), EventSchemaUnsupported, "not read"),
        (
            encoded(page_change(meta={"stream": "eqiad.mediawiki.page_change.v1"})),
            EventSchemaUnsupported,
            "not read",
        ),
        (
            encoded(page_change(meta={"stream": "mediawiki.revision-create"})),
            EventSchemaUnsupported,
            "not that of its stream",
        ),
        (encoded(page_change(wiki_id="a b")), EventUndecodable, "wiki_id"),
        (
            encoded(page_change(meta={"domain": "canary", "stream": "moss"})),
            EventSchemaUnsupported,
            "not read",
        ),
    ],
)
def test_what_the_stream_would_not_read_is_refused(
    value: bytes, kind: type[EventError], message: str
) -> None:
    with pytest.raises(kind, match=message):
        posted(value)


@given(st.binary() | st.recursive(st.none() | st.integers() | st.text(), st.lists).map(encoded))
def test_nothing_but_an_event_is_taken_and_nothing_else_is_raised(value: bytes) -> None:
    with pytest.raises(EventError):
        posted(value)
