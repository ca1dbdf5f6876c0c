import json
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from agents.backoff import Backoff, retry_after_seconds
from agents.mediawiki_answer import decode_text, parse_part


def body(**query: Any) -> bytes:
    return json.dumps({"batchcomplete": True, "query": query}).encode()


def test_absent_revisions_are_read_as_object_and_as_list() -> None:
    as_object = body(badrevids={"5": {"revid": 5, "missing": True}})
    as_list = body(badrevids=[{"revid": 5, "missing": True}])
    assert parse_part(as_object).absent_rev_ids == parse_part(as_list).absent_rev_ids == {5}


def test_an_odd_revision_or_user_is_left_out_and_the_rest_stays() -> None:
    revisions = [{"revid": 1}, {"revid": 2, "timestamp": "2026-01-01T00:00:00Z"}, {"revid": "x"}]
    users = [{"name": "192.0.2.1", "invalid": True}, {"userid": 3, "groups": None}, {"userid": 4}]
    part = parse_part(body(pages=[{"pageid": 9, "title": "T", "revisions": revisions}], users=users))
    assert list(part.revisions) == [2]
    assert part.revisions[2].page_id == 9
    assert list(part.users) == [4]


def test_the_rest_is_asked_for_with_the_parameters_that_the_wiki_names() -> None:
    part = parse_part(json.dumps({"continue": {"rvcontinue": 17, "continue": "||users"}}).encode())
    assert part.resume == {"rvcontinue": "17", "continue": "||users"}
    assert parse_part(body()).resume == {}


@pytest.mark.parametrize(
    "garbage", [b"", b"<html>busy</html>", b"[]", b'{"query":{"pages":{"1":{}}}}', b'{"query":', b"\xff{}"]
)
def test_what_is_no_answer_is_refused(garbage: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        parse_part(garbage)


@pytest.mark.parametrize("text", ["", "a" * 10, "ä" * 5, "\u0000" * 10, '"' * 10, "𝄞𝄞ab"])
@pytest.mark.parametrize("ascii_only", [True, False])
def test_a_text_at_the_limit_is_decoded_and_one_byte_more_is_refused(text: str, ascii_only: bool) -> None:
    assert decode_text(msgspec.Raw(json.dumps(text, ensure_ascii=ascii_only).encode()), 10) == text
    longer = (text + "a" * 11)[: len(text) + 11 - len(text.encode())]
    assert len(longer.encode()) == 11
    assert decode_text(msgspec.Raw(json.dumps(longer, ensure_ascii=ascii_only).encode()), 10) is None


def test_half_a_surrogate_pair_is_no_text() -> None:
    with pytest.raises(msgspec.DecodeError):
        decode_text(msgspec.Raw(rb'"\ud83d"'), 100)


NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("5", 5.0),
        (" 120 ", 120.0),
        ("Thu, 01 Jan 2026 00:00:30 GMT", 30.0),
        ("Wed, 31 Dec 2025 23:00:00 GMT", 0.0),
        ("soon", None),
        ("-3", None),
        ("1.5", None),
        ("²", None),
        ("", None),
        ("Thu, 01 Jan 2026 00:00:30 -0000", None),
    ],
)
def test_retry_after_is_read_as_seconds_or_as_a_date(header: str | None, seconds: float | None) -> None:
    assert retry_after_seconds(header, NOW) == seconds


def test_waits_grow_are_jittered_and_are_bounded() -> None:
    backoff = Backoff(first_seconds=1.0, most_seconds=8.0)
    for attempt, ceiling in ((1, 1.0), (2, 2.0), (4, 8.0), (5, 8.0), (5000, 8.0)):
        waits = [backoff.seconds(attempt) for _ in range(200)]
        assert 0 <= min(waits) < ceiling * 0.2
        assert ceiling * 0.8 < max(waits) <= ceiling
