"""What the decoder makes of events, good and bad. Events here are composed; the real ones are in contract."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from schemas.decode import MAX_EVENT_BYTES, decode_event, peek_key
from schemas.errors import EventError, EventSchemaUnsupported, EventUndecodable
from schemas.keys import page_topic_key
from schemas.page_change import Canary, PageChange, PageChangeKind, PriorState, User
from tests.input_events import encoded, page_change, revision_create, user


def decoded(event: dict[str, Any]) -> PageChange:
    change = decode_event(encoded(event))
    assert isinstance(change, PageChange)
    return change


def without(event: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in event.items() if name not in names}


def refused(value: bytes) -> EventError:
    with pytest.raises(EventError) as caught:
        decode_event(value)
    return caught.value


def test_an_edit_carries_over_field_by_field() -> None:
    change = decoded(page_change())
    editor = User(
        "Mossy Stone",
        4711,
        ("editor", "*", "user"),
        is_bot=False,
        registration_dt=datetime(2019, 5, 4, 3, 2, 1, tzinfo=UTC),
        edit_count=12,
        is_system=False,
        is_temp=False,
        user_central_id=99,
    )
    assert change.event_id == "3b1b3a52-6d0e-4a07-9a55-0c6f2b9f1e01"
    assert change.stream == "mediawiki.page_change.v1"
    assert change.schema_uri == "/mediawiki/page/change/1.12.0"
    assert change.page_change_kind is PageChangeKind.EDIT
    assert change.dt == datetime(2026, 11, 1, 10, tzinfo=UTC)
    assert change.meta_dt == datetime(2026, 11, 1, 10, 0, 2, 500_000, tzinfo=UTC)
    assert change.wiki_id == "mosswiki"
    assert (change.page.page_id, change.page.page_title, change.page.namespace_id) == (31, "Talk:Moss", 1)
    assert change.page.is_redirect is False
    assert (change.revision.rev_id, change.revision.rev_parent_id) == (5002, 5001)
    assert change.revision.rev_dt == datetime(2026, 11, 1, 10, tzinfo=UTC)
    assert (change.revision.rev_size, change.revision.is_minor_edit) == (812, True)
    assert change.revision.rev_sha1 == "0" + "a" * 30
    assert change.revision.comment == "a word on moss"
    assert change.revision.content_model == "wikitext"
    assert change.revision.editor == editor
    assert change.performer == editor
    assert change.prior_state == PriorState(rev_id=5001, rev_dt=datetime(2026, 10, 31, 9, tzinfo=UTC))
    assert (change.domain, change.uri) == ("moss.example.org", "https://moss.example.org/wiki/Moss")
    assert change.request_id == "3b1b3a52-6d0e-4a07-9a55-0c6f2b9f1e02"


def test_a_revision_create_gives_the_same_shape() -> None:
    change = decoded(revision_create())
    assert change.page_change_kind is PageChangeKind.EDIT
    assert change.wiki_id == "mosswiki"
    assert change.dt == change.revision.rev_dt == datetime(2026, 11, 1, 10, tzinfo=UTC)
    assert (change.page.page_id, change.page.page_title, change.page.namespace_id) == (31, "Moss", 0)
    assert (change.revision.rev_id, change.revision.rev_parent_id, change.revision.rev_size) == (
        5002,
        5001,
        812,
    )
    assert change.revision.content_model == "wikitext"
    assert change.revision.comment == "a word on moss"
    assert change.performer is not None
    assert change.performer.is_bot
    assert change.performer == change.revision.editor
    assert change.performer.groups == ("editor", "*")
    assert change.prior_state is None


@pytest.mark.parametrize("parent", [{}, {"rev_parent_id": 0}, {"rev_parent_id": None}])
def test_a_first_revision_has_no_parent_however_it_says_so(parent: dict[str, Any]) -> None:
    revision = without(page_change()["revision"], "rev_parent_id") | parent
    assert decoded(page_change(revision=revision)).revision.rev_parent_id is None
    created = decoded(without(revision_create(), "rev_parent_id") | parent)
    assert created.revision.rev_parent_id is None
    assert created.page_change_kind is PageChangeKind.CREATE


@pytest.mark.parametrize("minor", ["1.0.0", "1.2.0", "1.13.0", "1.999.7", "1.13.0-draft", "1"])
def test_only_the_major_version_counts(minor: str) -> None:
    schema = f"/mediawiki/page/change/{minor}"
    assert decoded(page_change(**{"$schema": schema})).schema_uri == schema


@pytest.mark.parametrize(
    "schema",
    [
        "/mediawiki/page/change/2.0.0",
        "/mediawiki/page/change/10.0.0",
        "/mediawiki/page/changes/1.0.0",
        "/mediawiki/revision/create/3.0.0",
        "/mediawiki/recentchange/1.0.0",
        "/mediawiki/page/change/",
        "",
        7,
        {"$ref": "#/$id"},
    ],
)
def test_another_schema_is_refused_by_its_name(schema: object) -> None:
    for event in (page_change(**{"$schema": schema}), revision_create(**{"$schema": schema})):
        error = refused(encoded(event))
        assert isinstance(error, EventSchemaUnsupported)
        assert str(schema) in error.message
        assert "/mediawiki/page/change 1.x" in error.message
        assert error.fields["schema_uri"] == str(schema)


def test_an_unsupported_schema_is_told_before_missing_fields() -> None:
    assert isinstance(refused(b'{"$schema":"/mediawiki/page/links-change/1.0.0"}'), EventSchemaUnsupported)
    assert isinstance(refused(b"{}"), EventSchemaUnsupported)


@pytest.mark.parametrize(
    ("names", "schema_uri"),
    [
        ({"stream": "mediawiki.revision-create"}, "/mediawiki/revision/create/1.0.0"),
        ({"topic": "eqiad.mediawiki.revision-create"}, "/mediawiki/revision/create/1.0.0"),
        ({"schema_uri": "mediawiki/revision/create/3"}, "/mediawiki/revision/create/1.0.0"),
    ],
)
def test_an_old_event_without_schema_is_known_by_its_stream(names: dict[str, str], schema_uri: str) -> None:
    change = decoded(without(revision_create(meta=names), "$schema", "dt"))
    assert change.schema_uri == schema_uri
    assert change.stream == "mediawiki.revision-create"
    assert change.dt == change.revision.rev_dt
    assert change.meta_dt is None


@pytest.mark.parametrize(
    "meta",
    [
        {},
        {"stream": "mediawiki.page-links-change"},
        {"schema_uri": "mediawiki/page/properties-change/2", "stream": "mediawiki.revision-create"},
        {"stream": 5},
        [],
    ],
)
def test_an_event_that_nothing_names_is_unsupported(meta: object) -> None:
    error = refused(encoded(without(revision_create(meta=meta), "$schema")))
    assert isinstance(error, EventSchemaUnsupported)
    assert "names no schema" in error.message


def test_a_page_change_without_schema_is_known_by_its_stream() -> None:
    assert decoded(without(page_change(), "$schema")).schema_uri == "/mediawiki/page/change/1.0.0"


@pytest.mark.parametrize("nothing", [{}, {"id": ""}, {"id": None}])
def test_an_event_without_id_gets_one_that_follows_from_it(nothing: dict[str, Any]) -> None:
    meta = {"stream": "mediawiki.revision-create"} | nothing
    first = decoded(revision_create(meta=meta))
    assert first == decoded(revision_create(meta=meta))
    assert UUID(first.event_id).version == 5
    ids = {
        decoded(revision_create(meta=meta | {"stream": "other"})).event_id,
        decoded(revision_create(meta=meta, database="fernwiki")).event_id,
        decoded(revision_create(meta=meta, rev_id=5003)).event_id,
    }
    assert len(ids | {first.event_id}) == 4
    assert decoded(revision_create(meta=meta, page_title="Renamed since")).event_id == first.event_id


def test_acts_on_one_revision_get_ids_of_their_own() -> None:
    meta = {"stream": "mediawiki.page_change"}
    acts = [
        decoded(page_change(meta=meta, page_change_kind=kind, dt=f"2026-11-0{day}T00:00:00Z")).event_id
        for kind, day in (("edit", 1), ("visibility_change", 2), ("visibility_change", 3), ("delete", 3))
    ]
    assert len(set(acts)) == 4


def test_a_kind_of_later_versions_is_other() -> None:
    assert decoded(page_change(page_change_kind="merge")).page_change_kind is PageChangeKind.OTHER


def test_a_performer_may_be_missing() -> None:
    change = decoded(without(page_change(), "performer"))
    assert change.performer is None
    assert change.revision.editor is not None
    assert decoded(without(revision_create(), "performer")).performer is None


def test_a_user_may_lack_everything() -> None:
    change = decoded(page_change(performer={}))
    assert change.performer == User(None)
    assert decoded(revision_create(performer={"user_text": ""})).performer == User(None)


def test_an_id_of_zero_is_no_account() -> None:
    change = decoded(page_change(performer=user(user_id=0)))
    assert change.performer is not None
    assert change.performer.user_id is None


@pytest.mark.parametrize("kind", ["create", "edit", "move", "of_later_times"])
def test_a_hidden_editor_shows_nowhere_even_where_sent(kind: str) -> None:
    revision = page_change()["revision"] | {"is_editor_visible": False, "is_comment_visible": False}
    change = decoded(page_change(revision=revision, page_change_kind=kind))
    assert change.revision.editor is None
    assert change.revision.comment is None
    assert change.performer is None
    assert not change.revision.is_editor_visible
    assert not change.revision.is_comment_visible


@pytest.mark.parametrize(
    ("told", "account_id"),
    [
        (user(), 4711),
        (user(user_id=0), None),
        (user(wiki_id="mosswiki"), 4711),
        (user(wiki_id="centralwiki"), None),
    ],
)
def test_an_account_is_one_of_the_wiki_itself(told: dict[str, Any], account_id: int | None) -> None:
    revision = page_change()["revision"]
    assert decoded(page_change(revision=revision | {"editor": told})).account_id == account_id
    of_performer = page_change(revision=without(revision, "editor"), performer=told)
    assert decoded(of_performer).account_id == account_id
    assert decoded(of_performer | {"page_change_kind": "delete"}).account_id is None


def test_who_hid_an_editor_is_not_the_editor_and_stays() -> None:
    revision = without(page_change()["revision"], "editor", "comment") | {"is_editor_visible": False}
    performer = user(user_text="A Steward")
    change = decoded(
        page_change(revision=revision, page_change_kind="visibility_change", performer=performer)
    )
    assert change.performer is not None
    assert change.performer.user_text == "A Steward"


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ({}, PriorState()),
        ({"page": {"page_title": "Old_name"}}, PriorState(page_title="Old_name")),
        ({"revision": {"is_editor_visible": True}}, PriorState(is_editor_visible=True)),
        ({"page": None, "revision": None}, PriorState()),
        ({"page": {"page_id": "of no interest"}}, PriorState()),
    ],
)
def test_a_prior_state_holds_what_the_event_gives(sent: dict[str, Any], expected: PriorState) -> None:
    assert decoded(page_change(prior_state=sent)).prior_state == expected


def test_a_null_is_an_absent_field() -> None:
    event = page_change(performer=None, prior_state=None)
    event["revision"] |= {"comment": None, "content_slots": None, "is_content_visible": None}
    change = decoded(event)
    assert change.performer is None
    assert change.prior_state is None
    assert change.revision.comment is None
    assert change.revision.content_model is None
    assert change.revision.is_content_visible


def test_unknown_fields_are_ignored_at_every_level() -> None:
    event = page_change(brand_new={"page_id": -1})
    event["page"]["redirect_page_link"] = {"page_title": "Elsewhere", "interwiki_prefix": "fern"}
    event["revision"]["revert"] = {"method": "undo", "is_exact": True}
    event["performer"]["edit_global_count"] = "many"
    event["meta"]["key"] = {"wiki_id": "mosswiki", "page_id": 31}
    assert decoded(event) == decoded(page_change())


def test_the_content_model_is_that_of_the_main_slot() -> None:
    slots = {"mediainfo": {"content_model": "wikibase-mediainfo"}, "main": {"content_model": "json"}}
    revision = page_change()["revision"] | {"content_slots": slots}
    assert decoded(page_change(revision=revision)).revision.content_model == "json"
    created = without(revision_create(), "rev_content_model")
    created["rev_slots"] = {"main": {"rev_slot_content_model": "css"}}
    assert decoded(created).revision.content_model == "css"


@pytest.mark.parametrize("event", [page_change(), revision_create()])
def test_a_canary_is_found_before_anything_else_is_checked(event: dict[str, Any]) -> None:
    stream = event["meta"]["stream"]
    canary_meta = event["meta"] | {"domain": "canary"}
    whole = event | {"meta": canary_meta}
    assert decode_event(encoded(whole)) == Canary(stream)
    assert decode_event(encoded(whole | {"$schema": "/mediawiki/user/blocks-change/1.1.0"})) == Canary(stream)
    assert decode_event(encoded({"meta": {"domain": "canary"}, "page": "nonsense"})) == Canary("")
    assert decode_event(encoded({"meta": canary_meta, "wiki_id": -1})) == Canary(stream)


def test_times_of_other_zones_become_utc() -> None:
    change = decoded(page_change(dt="2026-11-01T12:30:00+02:30"))
    assert change.dt == datetime(2026, 11, 1, 10, tzinfo=UTC)
    assert change.dt.tzinfo is UTC


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("page.page_id", -31),
        ("page.page_id", 0),
        ("page.page_id", 2**53),
        ("page.page_id", 10**400),
        ("page.page_id", "31"),
        ("page.page_id", 31.0),
        ("page.page_id", True),
        ("page.page_title", ""),
        ("page.page_title", None),
        ("revision.rev_id", -1),
        ("revision.rev_id", None),
        ("revision.rev_parent_id", -1),
        ("revision.rev_size", -1),
        ("revision.rev_dt", "yesterday"),
        ("revision.rev_dt", "2026-11-01T10:00:00"),
        ("revision.rev_dt", 1761991200),
        ("revision.editor.user_id", -4),
        ("revision.editor.groups", "sysop"),
        ("performer.registration_dt", "2026-02-30T00:00:00Z"),
        ("wiki_id", ""),
        ("wiki_id", "moss\0wiki"),
        ("wiki_id", "../moss"),
        ("wiki_id", "mosswiki\n"),
        ("wiki_id", "m" * 65),
        ("dt", None),
        ("meta", "none"),
        ("meta.id", "x" * 256),
        ("meta.uri", "x" * 8193),
        ("page", []),
    ],
)
def test_a_bad_field_is_named_by_its_path(path: str, value: object) -> None:
    event = page_change()
    *parents, name = path.split(".")
    target = event
    for parent in parents:
        target = target[parent]
    target[name] = value
    error = refused(encoded(event))
    assert isinstance(error, EventUndecodable)
    assert error.fields["path"] == f"$.{path}"
    assert f"$.{path}" in error.message


@pytest.mark.parametrize("name", ["page_change_kind", "wiki_id", "dt", "page", "revision", "meta"])
def test_a_missing_field_is_named(name: str) -> None:
    error = refused(encoded(without(page_change(), name)))
    assert isinstance(error, EventUndecodable)
    assert name in error.message


@pytest.mark.parametrize("name", ["database", "page_id", "page_title", "rev_id", "rev_timestamp"])
def test_a_missing_field_of_revision_create_is_named(name: str) -> None:
    error = refused(encoded(without(revision_create(), name)))
    assert isinstance(error, EventUndecodable)
    assert name in error.message


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b" ",
        b"null",
        b"[]",
        b'"text"',
        b"{",
        b'{"a":1}}',
        b"\xff\xfe",
        b"\xef\xbb\xbf{}",
        b'{"meta":{"domain":"\xff"}}',
        b'{"of_no_interest":"\xff"}',
        b'{"of_no_interest":NaN}',
        b'{"of_no_interest":Infinity}',
        b'{"meta":"\\ud800"}',
        b"[" * 1_000_000,
        b'{"a":' * 100_000,
        b'{"page":' + b"[" * 100_000,
        b'{"meta":' * 5_000 + b"1" + b"}" * 5_000,
        b"\0" * 1000,
    ],
    ids=lambda value: repr(value[:20]),
)
def test_what_is_no_json_object_is_undecodable(value: bytes) -> None:
    assert isinstance(refused(value), EventUndecodable)


def test_twenty_megabytes_are_refused_unread() -> None:
    event = encoded(page_change(note="x" * 20_000_000))
    error = refused(event)
    assert isinstance(error, EventUndecodable)
    assert str(len(event)) in error.message
    assert str(MAX_EVENT_BYTES) in error.message
    assert peek_key(event) == b""


def test_invalid_utf8_in_a_field_that_nobody_reads_is_an_error_still() -> None:
    value = encoded(page_change(note="here")).replace(b"here", b"\xc3\x28")
    assert "utf-8" in refused(value).message


@pytest.mark.parametrize(
    "dt", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00", "9999-12-31T23:59:59.9999999Z"]
)
def test_a_time_beyond_the_calendar_is_undecodable(dt: str) -> None:
    assert isinstance(refused(encoded(page_change(dt=dt))), EventUndecodable)
    assert isinstance(refused(encoded(revision_create(rev_timestamp=dt))), EventUndecodable)


def test_of_a_key_given_twice_the_last_counts_in_event_and_key() -> None:
    value = encoded(page_change())
    assert value.count(b'"wiki_id":"mosswiki"') == 1
    value = value.replace(b'"wiki_id":"mosswiki"', b'"wiki_id":"fernwiki","wiki_id":"mosswiki"')
    assert decode_event(value) == decoded(page_change())
    assert peek_key(value) == b'{"wiki_id":"mosswiki","page_id":31}'


def test_an_error_does_not_repeat_the_event() -> None:
    secret = "only in the event"
    event = page_change(performer=user(user_text=secret, user_id=-1))
    assert secret not in refused(encoded(event)).message


def test_the_key_is_that_of_the_page() -> None:
    assert peek_key(encoded(page_change())) == b'{"wiki_id":"mosswiki","page_id":31}'
    assert peek_key(encoded(revision_create())) == b'{"wiki_id":"mosswiki","page_id":31}'
    old = without(revision_create(), "$schema")
    assert peek_key(encoded(old)) == b'{"wiki_id":"mosswiki","page_id":31}'


def test_the_key_goes_by_the_schema_where_an_event_could_be_either() -> None:
    both = page_change(database="fernwiki", page_id=7)
    assert peek_key(encoded(both)) == b'{"wiki_id":"mosswiki","page_id":31}'
    assert peek_key(encoded(revision_create(wiki_id="fernwiki", page="Moss"))).startswith(
        b'{"wiki_id":"mosswiki"'
    )


def test_a_page_keeps_its_key_while_the_event_is_otherwise_broken() -> None:
    assert peek_key(encoded(page_change(dt=None))) == b'{"wiki_id":"mosswiki","page_id":31}'


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"{",
        b"\xff",
        b"[" * 1_000_000,
        b'{"page":' + b"[" * 100_000,
        encoded(page_change(page="Moss")),
        encoded(page_change(page={"page_id": True})),
        encoded(page_change(page={"page_id": -1})),
        encoded(page_change(page={"page_id": 2**53})),
        encoded(page_change(wiki_id="no\nwiki")),
        encoded(page_change(wiki_id=5)),
        encoded(page_change(**{"$schema": "/mediawiki/recentchange/1.0.0"})),
    ],
    ids=lambda value: repr(value[:20]),
)
def test_what_has_no_page_has_the_empty_key(value: bytes) -> None:
    assert peek_key(value) == b""


@pytest.mark.parametrize(
    ("is_visible", "text"), [(True, "Moss grows."), (None, "Moss grows."), (False, None)]
)
def test_a_text_that_an_event_carries_is_read_unless_it_is_hidden(
    is_visible: bool | None, text: str | None
) -> None:
    event = page_change()
    event["meta"]["stream"] = "mediawiki.page_content_change.v1"
    event["revision"]["content_slots"]["main"]["content_body"] = "Moss grows."
    event["revision"]["is_content_visible"] = is_visible
    change = decode_event(encoded(event))
    assert isinstance(change, PageChange)
    assert change.revision.text == text


def test_the_stream_of_texts_is_known_without_a_schema() -> None:
    event = page_change()
    del event["$schema"]
    event["meta"]["stream"] = "mediawiki.page_content_change.v1"
    assert isinstance(decode_event(encoded(event)), PageChange)
    assert peek_key(encoded(event)) == page_topic_key("mosswiki", 31)
