"""What is kept of an event that cannot be used."""

import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import jsonschema_rs
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from schemas.dead_letter import (
    HEAD_BYTES,
    WHOLE_BYTES,
    DeadLetterEvent,
    dead_letter,
    decode_dead_letter,
)
from schemas.decode import decode_event
from schemas.errors import EventError, EventUndecodable, RevstreamError
from tests.conftest import ROOT
from tests.input_events import encoded, page_change

DT = datetime(2026, 11, 1, 10, 0, 3, 250_000, tzinfo=UTC)
VALIDATOR = jsonschema_rs.Draft7Validator(
    json.loads((ROOT / "schemas/jsonschema/dead_letter.json").read_bytes()), validate_formats=True
)


def letter(value: bytes, error: RevstreamError | None = None, offset: int = 7) -> DeadLetterEvent:
    reason = error or EventUndecodable("it is broken; mend it")
    return dead_letter(
        reason,
        value,
        source_topic="mediawiki.page_change.v1",
        source_partition=3,
        source_offset=offset,
        emitter_id="moss",
        dt=DT,
    )


def test_a_letter_holds_reason_place_and_bytes() -> None:
    value = encoded(page_change(wiki_id=-1))
    with pytest.raises(EventError) as caught:
        decode_event(value)
    event = letter(value, caught.value)
    assert event.stream == "revstream.dead-letter"
    assert event.key == event.event_id.encode()
    read = decode_dead_letter(event.value)
    assert (read.code, read.path) == ("event_undecodable", "$.wiki_id")
    assert read.message == caught.value.message
    assert (read.source_topic, read.source_partition, read.source_offset) == (
        "mediawiki.page_change.v1",
        3,
        7,
    )
    assert read.meta.dt == DT
    assert (read.value, read.is_whole) == (value, True)
    assert read.raw_event.encode() == value
    assert read.value_size_bytes == len(value)
    assert read.value_sha256 == hashlib.sha256(value).hexdigest()
    assert read.meta.id == event.event_id


def test_the_id_follows_from_the_place_alone() -> None:
    assert UUID(letter(b"a").event_id).version == 5
    assert letter(b"a").event_id == letter(b"b").event_id
    assert letter(b"a").event_id != letter(b"a", offset=8).event_id
    assert letter(b"a") == letter(b"a")


@given(st.binary())
def test_any_bytes_come_back_as_they_were(value: bytes) -> None:
    event = letter(value)
    assert decode_dead_letter(event.value).value == value
    assert VALIDATOR.is_valid(json.loads(event.value))


@pytest.mark.parametrize(("size", "is_whole"), [(WHOLE_BYTES, True), (WHOLE_BYTES + 1, False)])
def test_a_value_too_large_is_cut_and_says_so(size: int, is_whole: bool) -> None:
    value = b"ab" * (size // 2) + b"c" * (size % 2)
    event = letter(value)
    read = decode_dead_letter(event.value)
    assert read.is_whole is is_whole
    assert read.value == (value if is_whole else value[:HEAD_BYTES])
    assert (read.value_size_bytes, read.value_sha256) == (size, hashlib.sha256(value).hexdigest())
    assert (str(size) in read.message) is not is_whole
    assert VALIDATOR.is_valid(json.loads(event.value))


def test_a_path_of_a_file_is_not_taken_for_a_field() -> None:
    event = letter(b"", RevstreamError("disk", path="somewhere/else"))
    assert "path" not in json.loads(event.value)


def test_other_bytes_are_no_letter() -> None:
    for value in (b"", b"{}", b"\xff", letter(b"\xff").value.replace(b"/w==", b"****"), b'{"meta":"\xff"}'):
        with pytest.raises(EventUndecodable):
            decode_dead_letter(value)


def test_a_letter_is_an_error_event_as_changeprop_sends_them(shared: Path) -> None:
    schema = yaml.safe_load((shared / "schemas/jsonschema/error/1.0.0.yaml").read_text("utf-8"))
    del schema["$schema"]
    theirs = jsonschema_rs.Draft7Validator(schema, validate_formats=True)
    for value in (b"", b'{"broken', b"\xff\xfe", b"x" * (WHOLE_BYTES + 1)):
        theirs.validate(json.loads(letter(value).value))


@pytest.mark.parametrize("character", [b"\x01", b'"', b"\xff", "\u20ac".encode()])
def test_no_letter_is_larger_than_a_broker_takes(character: bytes) -> None:
    value = (character * WHOLE_BYTES)[:WHOLE_BYTES]
    event = letter(value)
    assert len(event.value) < 800 * 1024
    assert decode_dead_letter(event.value).value == value
