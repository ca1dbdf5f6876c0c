"""What a page-level event says, and what it must not."""

from typing import Any
from uuid import UUID

import orjson
import pytest
from msgspec.structs import replace

from schemas.decode import decode_event
from schemas.errors import OutputInvalid
from schemas.output_event import OutputEvent
from schemas.page_change import PageChange
from schemas.page_prediction import (
    page_prediction_event,
    page_prediction_stream,
    page_withdrawal_event,
)
from schemas.prediction import ModelId, Score, ScoreKind
from schemas.suppressed import SUPPRESSED_TITLE, is_suppression_notice
from tests.input_events import encoded, page_change, user

MODEL = ModelId("articletopic", "1.3.0", "ab" * 64)
SCORE = Score(ScoreKind.MULTILABEL, ("Culture.Arts",), {"Geography.Europe": 0.25, "Culture.Arts": 0.75})
STREAM = "mediawiki.page_articletopic_prediction_change.v1"


def change(**fields: Any) -> PageChange:
    decoded = decode_event(encoded(page_change(**fields)))
    assert isinstance(decoded, PageChange)
    return decoded


def event(given: PageChange | None = None, **told: Any) -> OutputEvent:
    return page_prediction_event(given or change(), MODEL, SCORE, stream=STREAM, **told)


def read(output: OutputEvent) -> dict[str, Any]:
    document: dict[str, Any] = orjson.loads(output.value)
    return document


def suppressed(kind: str = "delete") -> PageChange:
    hidden = {f"is_{part}_visible": False for part in ("content", "editor", "comment")}
    revision = page_change()["revision"] | hidden
    return change(page_change_kind=kind, revision=revision, performer=None, comment="content was: a secret")


def test_an_event_says_what_a_model_makes_of_a_page() -> None:
    output = event()
    assert (output.stream, output.key) == (STREAM, b'{"wiki_id":"mosswiki","page_id":31}')
    person = {
        "user_text": "Mossy Stone",
        "groups": ["editor", "*", "user"],
        "is_bot": False,
        "is_system": False,
        "is_temp": False,
        "user_id": 4711,
        "registration_dt": "2019-05-04T03:02:01Z",
        "edit_count": 12,
        "user_central_id": 99,
    }
    visible = {f"is_{part}_visible": True for part in ("content", "editor", "comment")}
    assert read(output) == {
        "$schema": "/mediawiki/page/prediction_classification_change/1.2.0",
        "meta": {
            "stream": STREAM,
            "id": output.event_id,
            "dt": "2026-11-01T10:00:02.500000Z",
            "request_id": "3b1b3a52-6d0e-4a07-9a55-0c6f2b9f1e02",
            "domain": "moss.example.org",
            "uri": "https://moss.example.org/wiki/Moss",
        },
        "changelog_kind": "update",
        "page_change_kind": "edit",
        "dt": "2026-11-01T10:00:00Z",
        "wiki_id": "mosswiki",
        "page": {"page_id": 31, "page_title": "Talk:Moss", "namespace_id": 1, "is_redirect": False},
        "performer": person,
        "revision": {
            "rev_id": 5002,
            "rev_dt": "2026-11-01T10:00:00Z",
            "rev_parent_id": 5001,
            "rev_sha1": "0" + "a" * 30,
            "rev_size": 812,
            "is_minor_edit": True,
            "comment": "a word on moss",
            "editor": person,
            **visible,
        },
        "prior_state": {"revision": {"rev_id": 5001, "rev_dt": "2026-10-31T09:00:00Z"}},
        "predicted_classification": {
            "model_name": "articletopic",
            "model_version": "1.3.0",
            "predictions": ["Culture.Arts"],
            "probabilities": {"Culture.Arts": 0.75, "Geography.Europe": 0.25},
        },
    }


def test_what_version_1_3_added_makes_an_event_of_that_version() -> None:
    page = page_change()["page"] | {"namespace_is_content": False}
    told = read(event(change(page=page)))
    assert told["$schema"] == "/mediawiki/page/prediction_classification_change/1.3.0"
    assert told["page"]["namespace_is_content"] is False
    told = read(event(change(performer=user(wiki_id="mosswiki"))))
    assert told["$schema"].endswith("/1.3.0")
    assert told["performer"]["wiki_id"] == "mosswiki"


@pytest.mark.parametrize(
    ("kind", "asked"),
    [
        ("create", "insert"),
        ("edit", "update"),
        ("move", "update"),
        ("undelete", "insert"),
        ("visibility_change", "update"),
    ],
)
def test_the_kind_of_change_says_what_a_store_has_to_do(kind: str, asked: str) -> None:
    told = read(event(change(page_change_kind=kind)))
    assert (told["page_change_kind"], told["changelog_kind"]) == (kind, asked)


def test_a_prediction_that_is_back_is_inserted() -> None:
    assert read(event(change(page_change_kind="visibility_change"), is_restored=True))["changelog_kind"] == (
        "insert"
    )


def test_the_prediction_before_is_told_where_it_was_different() -> None:
    before = (ModelId("articletopic", "1.2.0", "cd" * 64), SCORE)
    told = read(event(previous=before))
    assert told["prior_state"]["predicted_classification"] == {
        "model_name": "articletopic",
        "model_version": "1.2.0",
        "predictions": ["Culture.Arts"],
        "probabilities": {"Culture.Arts": 0.75, "Geography.Europe": 0.25},
    }
    assert "predicted_classification" not in read(event(previous=(MODEL, SCORE)))["prior_state"]
    assert "prior_state" not in read(event(change(prior_state=None)))


def test_a_move_tells_the_title_before_and_its_reason_and_an_edit_no_reason_of_its_own() -> None:
    moved = {"page": {"page_title": "Moss_of_old"}, "revision": {"rev_id": 5001, "rev_size": 7}}
    told = read(event(change(page_change_kind="move", prior_state=moved, comment="a better name")))
    assert told["prior_state"] == moved
    assert told["comment"] == "a better name"
    assert "comment" not in read(event(change(comment="as in the revision")))


def test_nothing_is_told_of_other_pages() -> None:
    page = page_change()["page"] | {"is_redirect": True, "redirect_page_link": {"page_title": "Fern"}}
    told = event(change(page=page, created_redirect_page={"page_id": 9, "page_title": "Fern"}))
    assert b"Fern" not in told.value


@pytest.mark.parametrize("kind", ["create", "edit", "move", "undelete", "visibility_change"])
def test_nothing_hidden_is_sent(kind: str) -> None:
    revision = page_change()["revision"] | {
        "is_editor_visible": False,
        "is_comment_visible": False,
        "is_content_visible": False,
    }
    told = event(change(revision=revision, page_change_kind=kind, comment="a word"))
    for hidden in (b"Mossy Stone", b"4711", b"a word", b"aaaaaaa", b"812"):
        assert hidden not in told.value


def test_the_same_outcome_gives_the_same_bytes_and_each_stream_an_id_of_its_own() -> None:
    first = event()
    reordered = replace(SCORE, probability=dict(reversed(SCORE.probability.items())))
    assert page_prediction_event(change(), MODEL, reordered, stream=STREAM) == first
    assert UUID(first.event_id).version == 5
    others = {
        page_prediction_event(change(), MODEL, SCORE, stream="elsewhere").event_id,
        page_prediction_event(change(), replace(MODEL, model_version="2"), SCORE, stream=STREAM).event_id,
        event(change(meta={"id": "another"})).event_id,
    }
    assert len(others | {first.event_id}) == 4


def test_a_deletion_takes_the_prediction_back_and_gives_neither_who_nor_why() -> None:
    told = page_withdrawal_event(
        change(page_change_kind="delete", comment="content was: a secret"), MODEL, stream=STREAM
    )
    document = read(told)
    assert (document["changelog_kind"], document["page_change_kind"]) == ("delete", "delete")
    assert document["page"]["page_title"] == "Talk:Moss"
    assert document["predicted_classification"] == {
        "model_name": "articletopic",
        "model_version": "1.3.0",
        "predictions": [],
        "probabilities": {},
    }
    assert not {"performer", "comment", "prior_state"} & document.keys()
    for hidden in (b"Mossy Stone", b"a word on moss", b"a secret"):
        assert hidden not in told.value
    assert not is_suppression_notice(told.value)


@pytest.mark.parametrize("kind", ["delete", "visibility_change"])
def test_a_suppression_tells_neither_title_nor_address(kind: str) -> None:
    given = suppressed(kind)
    assert given.is_suppression
    told = page_withdrawal_event(given, MODEL, stream=STREAM)
    document = read(told)
    assert document["page"] == {"page_id": 31, "page_title": SUPPRESSED_TITLE}
    assert document["meta"].keys() == {"stream", "id", "dt", "request_id", "domain"}
    assert document["revision"].keys() == {
        "rev_id",
        "rev_dt",
        "rev_parent_id",
        "is_content_visible",
        "is_editor_visible",
        "is_comment_visible",
    }
    for hidden in (b"Moss", b"a word on moss", b"a secret", b"4711"):
        assert hidden not in told.value
    assert is_suppression_notice(told.value)


def test_what_tells_more_is_no_notice_of_suppression_whatever_its_title() -> None:
    for title in (SUPPRESSED_TITLE, f'x","page_title":"{SUPPRESSED_TITLE}"'):
        page = page_change()["page"] | {"page_title": title}
        assert not is_suppression_notice(encoded(page_change(page=page)))
        assert not is_suppression_notice(event(change(page=page)).value)
        deleted = change(page=page, page_change_kind="delete")
        assert not is_suppression_notice(page_withdrawal_event(deleted, MODEL, stream=STREAM).value)
    for odd in ("{}", '"{}"', '["{}"]', '{{"page":"{}"}}', '{{"$schema":[],"page":"{}"}}'):
        assert not is_suppression_notice(odd.format(SUPPRESSED_TITLE).encode())


def test_what_is_no_number_is_never_sent() -> None:
    with pytest.raises(OutputInvalid) as caught:
        page_prediction_event(
            change(), MODEL, replace(SCORE, probability={"Culture.Arts": float("nan")}), stream=STREAM
        )
    assert caught.value.fields["path"] == "$.predicted_classification.probabilities.Culture.Arts"


@pytest.mark.parametrize(
    ("model_name", "stream"),
    [
        ("outlink-topic-model", "mediawiki.page_outlink_topic_prediction_change.v1"),
        ("revertrisk-language-agnostic", "mediawiki.page_revert_risk_prediction_change.v1"),
        ("article-country", "mediawiki.article_country_prediction_change.v1"),
        ("articletopic", STREAM),
        ("Article-Quality.v2+", "mediawiki.page_article_quality_v2_prediction_change.v1"),
    ],
)
def test_streams_are_named_as_wikimedia_names_them(model_name: str, stream: str) -> None:
    assert page_prediction_stream(model_name) == stream
