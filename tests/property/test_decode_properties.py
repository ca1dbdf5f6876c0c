"""Whatever comes in, one thing comes out: a change, a canary, or an error of ours."""

import copy
import json
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from schemas.decode import decode_event, peek_key
from schemas.errors import EventError
from schemas.keys import page_topic_key
from schemas.page_change import Canary, PageChange
from tests.input_events import encoded, page_change, page_changes, revision_create

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


def places(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    found = [path]
    if isinstance(value, dict):
        for name in value:
            found += places(value[name], (*path, name))
    if isinstance(value, list):
        for index in range(len(value)):
            found += places(value[index], (*path, index))
    return found


@st.composite
def mutated_events(draw: st.DrawFn) -> bytes:
    """Return a good event with one or two of its values replaced or removed."""
    event: Any = copy.deepcopy(draw(st.sampled_from((page_change(), revision_create()))))
    for _ in range(draw(st.integers(1, 2))):
        *parents, last = draw(st.sampled_from(places(event)[1:]))
        target = event
        for parent in parents:
            target = target[parent]
        if draw(st.booleans()):
            del target[last]
        else:
            target[last] = draw(json_values)
        if not event:
            break
    return encoded(event)


def check(value: bytes) -> PageChange | Canary | None:
    key = peek_key(value)
    try:
        found = decode_event(value)
    except EventError:
        return None
    if isinstance(found, PageChange):
        assert 1 <= found.page.page_id < 2**53
        assert 1 <= found.revision.rev_id < 2**53
        assert found.event_id
        assert key == page_topic_key(found.wiki_id, found.page.page_id)
    return found


@given(st.binary())
@example(b'{"$schema":"/mediawiki/page/change/1.2.0","page_change_kind":1e999}')
@example(b'{"meta":{"domain":"canary"},"x":' + b"9" * 5000 + b"}")
def test_any_bytes_give_a_change_a_canary_or_an_error_of_ours(value: bytes) -> None:
    check(value)


@given(json_values)
def test_any_json_gives_a_change_a_canary_or_an_error_of_ours(value: object) -> None:
    check(json.dumps(value).encode())


@given(mutated_events())
def test_a_damaged_event_gives_a_change_a_canary_or_an_error_of_ours(value: bytes) -> None:
    check(value)


@given(st.sampled_from((page_change(), revision_create())), st.data())
def test_an_event_cut_short_is_an_error_of_ours(event: dict[str, Any], data: st.DataObject) -> None:
    value = encoded(event)
    assert check(value[: data.draw(st.integers(0, len(value) - 1))]) is None


@given(st.sampled_from((page_change(), revision_create())), st.data())
def test_an_event_with_a_byte_changed_is_no_surprise(event: dict[str, Any], data: st.DataObject) -> None:
    value = bytearray(encoded(event))
    value[data.draw(st.integers(0, len(value) - 1))] = data.draw(st.integers(0, 255))
    check(bytes(value))


@given(page_changes())
def test_every_page_change_within_the_schema_decodes(event: dict[str, Any]) -> None:
    change = check(encoded(event))
    assert isinstance(change, PageChange)
    assert decode_event(encoded(event)) == change
    if event["revision"].get("is_editor_visible") is False:
        assert change.revision.editor is None
    if event["revision"].get("is_comment_visible") is False:
        assert change.revision.comment is None
