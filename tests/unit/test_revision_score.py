"""What an output event says, and what it must not."""

from typing import Any
from uuid import UUID

import orjson
import pytest
from msgspec.structs import replace

from schemas.decode import decode_event
from schemas.errors import OutputInvalid
from schemas.output_event import OutputEvent
from schemas.page_change import PageChange
from schemas.prediction import ModelId, Score, ScoredModel, ScoreFailure, ScoreKind
from schemas.revision_score import revision_score_event
from tests.input_events import encoded, page_change, revision_create, user

MODEL = ModelId("reverted", "1.4.0", "ab" * 64)
BINARY = Score(ScoreKind.BINARY, ("false",), {"true": 0.0625, "false": 0.9375})
SCORED = ScoredModel(MODEL, BINARY, {"feature.revision.chars": 3})
FAILED = ScoredModel(MODEL, ScoreFailure("parent_not_found", "the parent of revision 5002 is gone"))


def change(**fields: Any) -> PageChange:
    decoded = decode_event(encoded(page_change(**fields)))
    assert isinstance(decoded, PageChange)
    return decoded


def told(event: OutputEvent) -> dict[str, Any]:
    loaded: dict[str, Any] = orjson.loads(event.value)
    return loaded


def test_an_event_says_which_revision_who_and_what_score() -> None:
    event = revision_score_event(change(), [SCORED])
    assert event.stream == "mediawiki.revision_score_reverted"
    assert event.key == b'{"wiki_id":"mosswiki","page_id":31}'
    assert told(event) == {
        "$schema": "/mediawiki/revision/score/3.0.0",
        "meta": {
            "stream": "mediawiki.revision_score_reverted",
            "id": event.event_id,
            "dt": "2026-11-01T10:00:02.500000Z",
            "request_id": "3b1b3a52-6d0e-4a07-9a55-0c6f2b9f1e02",
            "domain": "moss.example.org",
            "uri": "https://moss.example.org/wiki/Moss",
        },
        "dt": "2026-11-01T10:00:00Z",
        "database": "mosswiki",
        "page_id": 31,
        "page_title": "Talk:Moss",
        "page_namespace": 1,
        "page_is_redirect": False,
        "rev_id": 5002,
        "rev_parent_id": 5001,
        "rev_timestamp": "2026-11-01T10:00:00Z",
        "performer": {
            "user_text": "Mossy Stone",
            "user_groups": ["editor", "*", "user"],
            "user_is_bot": False,
            "user_id": 4711,
            "user_registration_dt": "2019-05-04T03:02:01Z",
            "user_edit_count": 12,
        },
        "scores": {
            "reverted": {
                "model_name": "reverted",
                "model_version": "1.4.0",
                "prediction": ["false"],
                "probability": {"false": 0.9375, "true": 0.0625},
            }
        },
    }


def test_a_failure_is_told_as_an_error() -> None:
    event = told(revision_score_event(change(), [FAILED]))
    assert "scores" not in event
    assert event["errors"] == {
        "reverted": {
            "model_name": "reverted",
            "model_version": "1.4.0",
            "type": "parent_not_found",
            "message": "the parent of revision 5002 is gone",
        }
    }


@pytest.mark.parametrize("prediction", [(), ("Culture.Arts",), ("Culture.Arts", "Geography.Europe")])
def test_a_multilabel_prediction_is_a_list_of_its_labels(prediction: tuple[str, ...]) -> None:
    score = Score(ScoreKind.MULTILABEL, prediction, {"Geography.Europe": 0.9, "Culture.Arts": 0.8})
    event = told(revision_score_event(change(), [ScoredModel(MODEL, score)]))
    assert event["scores"]["reverted"]["prediction"] == list(prediction)


def test_scoring_twice_gives_the_same_bytes() -> None:
    reordered = Score(ScoreKind.BINARY, ("false",), {"false": 0.9375, "true": 0.0625})
    first = revision_score_event(change(), [SCORED])
    assert revision_score_event(change(), [ScoredModel(MODEL, reordered)]) == first


def test_the_id_follows_from_stream_input_model_and_version_alone() -> None:
    first = revision_score_event(change(), [SCORED]).event_id
    assert UUID(first).version == 5
    assert revision_score_event(change(), [FAILED]).event_id == first
    others = {
        revision_score_event(change(), [SCORED], stream="elsewhere").event_id,
        revision_score_event(change(meta={"id": "another"}), [SCORED]).event_id,
        revision_score_event(
            change(), [ScoredModel(ModelId("damaging", "1.4.0", "ab" * 64), BINARY)]
        ).event_id,
        revision_score_event(
            change(), [ScoredModel(ModelId("reverted", "1.4.1", "ab" * 64), BINARY)]
        ).event_id,
    }
    assert len(others | {first}) == 5


def test_an_old_event_without_meta_leaves_out_what_it_lacks() -> None:
    decoded = decode_event(encoded(revision_create(meta={"stream": "mediawiki.revision-create"})))
    assert isinstance(decoded, PageChange)
    event = revision_score_event(decoded, [SCORED])
    assert told(event)["meta"] == {"stream": event.stream, "id": event.event_id}


def test_a_first_revision_has_no_parent() -> None:
    revision = page_change()["revision"] | {"rev_parent_id": 0}
    assert "rev_parent_id" not in told(revision_score_event(change(revision=revision), [SCORED]))


@pytest.mark.parametrize("kind", ["create", "edit", "move", "visibility_change", "delete", "of_later_times"])
def test_nothing_hidden_is_sent(kind: str) -> None:
    revision = page_change()["revision"] | {"is_editor_visible": False, "is_comment_visible": False}
    event = revision_score_event(change(revision=revision, page_change_kind=kind), [SCORED])
    assert "performer" not in told(event)
    assert b"Mossy Stone" not in event.value
    assert b"4711" not in event.value


def test_a_hidden_editor_is_not_sent_even_if_the_change_still_names_one() -> None:
    seen = change()
    hidden = replace(seen, revision=replace(seen.revision, is_editor_visible=False))
    assert hidden.revision.editor is not None
    assert "performer" not in told(revision_score_event(hidden, [SCORED]))


def test_the_comment_is_never_sent() -> None:
    assert b"a word on moss" not in revision_score_event(change(), [SCORED]).value


def test_who_deleted_a_page_is_not_sent_as_its_editor() -> None:
    event = revision_score_event(
        change(page_change_kind="delete", performer=user(user_text="A Deleter")), [SCORED]
    )
    assert told(event)["performer"]["user_text"] == "Mossy Stone"
    assert b"A Deleter" not in event.value


def test_the_performer_of_an_edit_stands_in_for_an_editor_left_out() -> None:
    revision = page_change()["revision"] | {"editor": None}
    event = revision_score_event(change(revision=revision), [SCORED])
    assert told(event)["performer"]["user_text"] == "Mossy Stone"
    undeleted = revision_score_event(change(revision=revision, page_change_kind="undelete"), [SCORED])
    assert "performer" not in told(undeleted)


def test_a_user_without_name_is_left_out() -> None:
    revision = page_change()["revision"] | {"editor": user(user_text=None)}
    assert "performer" not in told(revision_score_event(change(revision=revision), [SCORED]))


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        (
            "https://fr.wikipedia.org/wiki/Discussion:Taratata/%C3%80_faire",
            "https://fr.wikipedia.org/wiki/Discussion:Taratata/%C3%80_faire",
        ),
        ("https://moss.example.org/wiki/Moß", "https://moss.example.org/wiki/Mo%C3%9F"),
        ('https://moss.example.org/wiki/"Moss"', "https://moss.example.org/wiki/%22Moss%22"),
        ("//moss.example.org/wiki/Moss?a=b", "//moss.example.org/wiki/Moss?a=b"),
        ("https://moss.example.org/wiki/100%", None),
        ("not an address", None),
        ("https://" + "é" * 20, None),
        ("https://moss.example.org/" + "ß" * 5000, None),
    ],
)
def test_an_address_is_encoded_or_left_out(sent: str, kept: str | None) -> None:
    event = told(revision_score_event(change(meta={"id": "1", "uri": sent}), [SCORED]))
    assert event["meta"].get("uri") == kept


@pytest.mark.parametrize("wrong", [float("nan"), float("inf"), 1e300])
def test_a_probability_that_is_no_number_is_never_sent(wrong: float) -> None:
    score = Score(ScoreKind.BINARY, ("false",), {"false": wrong})
    with pytest.raises(OutputInvalid) as caught:
        revision_score_event(change(), [ScoredModel(MODEL, score)])
    assert caught.value.fields["path"] == "$.scores.reverted.probability.false"
    event_id = revision_score_event(change(), [SCORED]).event_id
    assert caught.value.fields["event_id"] == event_id
    assert event_id in caught.value.message


def test_text_that_is_no_unicode_is_never_sent() -> None:
    with pytest.raises(OutputInvalid):
        revision_score_event(change(), [ScoredModel(MODEL, ScoreFailure("feature_error", "\ud800"))])


def test_several_models_make_one_event_on_a_stream_named_for_it() -> None:
    other = ScoredModel(ModelId("damaging", "0.5.1", "cd" * 64), ScoreFailure("feature_error", "no parent"))
    one = revision_score_event(change(), [SCORED, other], stream="scores")
    assert one == revision_score_event(change(), [other, SCORED], stream="scores")
    assert one.stream == "scores"
    assert list(told(one)["scores"]) == ["reverted"]
    assert list(told(one)["errors"]) == ["damaging"]
    with pytest.raises(ValueError, match="stream"):
        revision_score_event(change(), [SCORED, other])


def test_an_event_needs_models_of_different_names() -> None:
    with pytest.raises(ValueError, match="different names"):
        revision_score_event(change(), [])
    with pytest.raises(ValueError, match="different names"):
        revision_score_event(change(), [SCORED, FAILED], stream="scores")


def test_the_prefix_names_the_stream() -> None:
    event = revision_score_event(change(), [SCORED], stream_prefix="staging.score_")
    assert event.stream == told(event)["meta"]["stream"] == "staging.score_reverted"
