"""The older streams of pages and visibility, in the form of a page change."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from schemas.decode import decode_event, peek_key
from schemas.errors import EventSchemaUnsupported, EventUndecodable
from schemas.keys import page_topic_key
from schemas.page_change import Canary, PageChange, PageChangeKind
from tests.input_events import encoded, old_change, page_change

ALL_OLD = ("page/delete", "page/undelete", "page/move", "revision/visibility-change")
VISIBILITY = {"text": False, "user": True, "comment": True}


def decoded(value: bytes) -> PageChange:
    change = decode_event(value)
    assert isinstance(change, PageChange)
    return change


def old(schema: str, **fields: Any) -> bytes:
    more = {"visibility": VISIBILITY} if schema == "revision/visibility-change" else {}
    return old_change(schema, **(more | fields))


@pytest.mark.parametrize(
    ("schema", "kind"),
    list(zip(ALL_OLD, ("delete", "undelete", "move", "visibility_change"), strict=True)),
)
def test_an_older_event_tells_its_kind_page_time_and_who_acted(schema: str, kind: str) -> None:
    change = decoded(old(schema))
    assert change.page_change_kind == kind
    assert (change.wiki_id, change.page.page_id, change.page.page_title) == ("mosswiki", 31, "Moss")
    assert (change.revision.rev_id, change.revision.editor) == (5002, None)
    assert change.dt == change.acted_dt == datetime(2026, 11, 2, 10, tzinfo=UTC)
    assert change.performer is not None
    assert change.performer.user_text == "Warden"
    assert not change.is_suppression
    assert peek_key(old(schema)) == page_topic_key("mosswiki", 31)


@pytest.mark.parametrize("schema", ALL_OLD)
@pytest.mark.parametrize("how", ["schema_uri", "stream", "topic"])
def test_an_older_event_without_a_schema_is_known_by_what_its_meta_says(schema: str, how: str) -> None:
    names = {
        "schema_uri": f"mediawiki/{schema}/2",
        "stream": f"mediawiki.{schema.replace('/', '-')}",
        "topic": f"eqiad.mediawiki.{schema.replace('/', '-')}",
    }
    event = json.loads(old(schema, meta={"dt": "2026-11-02T10:00:00Z", how: names[how]}))
    del event["$schema"]
    change = decoded(encoded(event))
    assert change.stream == names["stream"]
    assert change.schema_uri == f"/mediawiki/{schema}/1.0.0"
    assert decoded(encoded(event)).event_id == change.event_id
    assert peek_key(encoded(event)) == page_topic_key("mosswiki", 31)


def test_a_deletion_does_not_say_when_its_revision_was_saved_but_a_move_saves_one() -> None:
    assert not decoded(old("page/delete")).revision.is_rev_dt_told
    assert not decoded(old("page/undelete")).revision.is_rev_dt_told
    assert decoded(old("page/move")).revision.is_rev_dt_told
    hidden = decoded(old("revision/visibility-change", rev_timestamp="2020-01-01T00:00:00Z"))
    assert hidden.revision.is_rev_dt_told
    assert hidden.revision.rev_dt == datetime(2020, 1, 1, tzinfo=UTC)


def test_a_move_tells_the_title_and_the_revision_before() -> None:
    prior = {"page_title": "Old_moss", "page_namespace": 4, "rev_id": 5001}
    change = decoded(old("page/move", prior_state=prior))
    assert change.prior_state is not None
    assert (change.prior_state.page_title, change.prior_state.namespace_id) == ("Old_moss", 4)
    assert change.prior_state.rev_id == change.revision.rev_parent_id == 5001


@pytest.mark.parametrize("part", ["text", "user", "comment"])
def test_a_visibility_change_tells_what_is_visible(part: str) -> None:
    visibility = {"text": True, "user": True, "comment": True} | {part: False}
    change = decoded(old("revision/visibility-change", visibility=visibility))
    visible = change.revision
    assert {
        "text": visible.is_content_visible,
        "user": visible.is_editor_visible,
        "comment": visible.is_comment_visible,
    } == visibility


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (old("page/delete"), False),
        (old("page/delete", performer=None), False),
        (old_change("page/delete", stream="mediawiki.page-suppress"), True),
        (old("revision/visibility-change"), False),
        (old("revision/visibility-change", performer=None), True),
        (
            old(
                "revision/visibility-change",
                performer=None,
                visibility={"text": True, "user": True, "comment": True},
            ),
            False,
        ),
    ],
)
def test_a_suppression_is_told_by_its_stream_or_by_the_absence_of_who_did_it(
    value: bytes, expected: bool
) -> None:
    assert decoded(value).is_suppression is expected


@pytest.mark.parametrize("kind", ["delete", "visibility_change", "undelete", "edit"])
@pytest.mark.parametrize("hidden", ["content", "editor", "comment", None])
@pytest.mark.parametrize("has_performer", [True, False])
def test_a_page_change_suppresses_where_something_is_hidden_by_nobody(
    kind: str, hidden: str | None, has_performer: bool
) -> None:
    event = page_change(page_change_kind=kind)
    event["revision"] = event["revision"] | ({f"is_{hidden}_visible": False} if hidden else {})
    if not has_performer:
        del event["performer"]
    withdraws = kind in {"delete", "visibility_change"}
    expected = withdraws and hidden is not None and not has_performer
    assert decoded(encoded(event)).is_suppression is expected


def test_what_is_missing_is_named() -> None:
    for value, path in (
        (old("page/delete", meta={"stream": "mediawiki.page-delete"}), "$.meta"),
        (old("page/delete", rev_id=0), "$.rev_id"),
        (old("page/move", prior_state={"rev_id": "x"}), "$.prior_state.rev_id"),
    ):
        with pytest.raises(EventUndecodable) as caught:
            decode_event(value)
        assert caught.value.fields["path"] == path
    with pytest.raises(EventUndecodable, match="visibility"):
        decode_event(old_change("revision/visibility-change"))


def test_other_majors_and_canaries_are_told_apart() -> None:
    with pytest.raises(EventSchemaUnsupported):
        decode_event(old("page/delete", **{"$schema": "/mediawiki/page/delete/2.0.0"}))
    canary = decode_event(old("page/delete", meta={"domain": "canary", "stream": "mediawiki.page-delete"}))
    assert canary == Canary("mediawiki.page-delete")


def test_every_older_stream_has_a_kind_of_its_own() -> None:
    kinds = {decoded(old(schema)).page_change_kind for schema in ALL_OLD}
    assert kinds == set(PageChangeKind) - {PageChangeKind.CREATE, PageChangeKind.EDIT, PageChangeKind.OTHER}
