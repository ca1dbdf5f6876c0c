"""From the bytes of an input event to a PageChange.

The reader is tolerant: it goes by the major version of the schema, ignores fields that it does not know,
and takes an absent field and a null for the same. It is strict about what it does read: ids, times and
names out of range are refused here, so that nothing behind this door checks them again.

Where a JSON object gives a key twice the last one counts, in `decode_event` and in `peek_key` alike.
"""

import re
from datetime import UTC, datetime
from enum import Enum, auto
from typing import Any
from uuid import UUID

from msgspec.json import Decoder

from schemas.errors import EventError, EventSchemaUnsupported, EventUndecodable
from schemas.identity import derived_id
from schemas.keys import PAGE_CHANGE_TOPIC, REVISION_CREATE_TOPIC, page_topic_key
from schemas.page_change import Canary, ChangedRevision, Page, PageChange, PageChangeKind, PriorState, User
from schemas.wire import (
    WIKI_ID,
    HeaderWire,
    MetaWire,
    PageChangeWire,
    PriorPageWire,
    PriorRevisionWire,
    PriorStateWire,
    RevisionCreateWire,
    UserWire,
)

MAX_EVENT_BYTES = 4 * 1024 * 1024
"""Larger events are refused unread. A page change takes some kilobytes."""

_READS = "/mediawiki/page/change 1.x and /mediawiki/revision/create 1.x and 2.x"
_EVENT_IDS = UUID("6b1f8a6e-5d0c-5a52-9c39-0d3c1f0e7a11")
_CANARY = "canary"


class _Layout(Enum):
    PAGE_CHANGE = auto()
    REVISION_CREATE = auto()


_SCHEMAS = (
    (re.compile(r"/mediawiki/page/change/1(\.|\Z)"), _Layout.PAGE_CHANGE),
    (re.compile(r"/mediawiki/revision/create/[12](\.|\Z)"), _Layout.REVISION_CREATE),
)
# Old events have no $schema; some name it in meta.schema_uri, and count its versions otherwise.
_OLD_REVISION_CREATE = re.compile(r"/?mediawiki/revision/create/[0-9]+\Z")
_STREAMS = {
    "mediawiki.page_change": _Layout.PAGE_CHANGE,
    PAGE_CHANGE_TOPIC: _Layout.PAGE_CHANGE,
    REVISION_CREATE_TOPIC: _Layout.REVISION_CREATE,
}
_INFERRED_URI = {
    _Layout.PAGE_CHANGE: "/mediawiki/page/change/1.0.0",
    _Layout.REVISION_CREATE: "/mediawiki/revision/create/1.0.0",
}
_DATACENTRE = re.compile(r"\A[a-z]+\.(?=mediawiki\.)")
_KINDS: dict[str, PageChangeKind] = {kind.value: kind for kind in PageChangeKind}
# Here someone else may have acted. Else the performer is the editor, and hidden where the editor is.
_ACTS_OF_OTHERS = frozenset(
    (PageChangeKind.DELETE, PageChangeKind.UNDELETE, PageChangeKind.VISIBILITY_CHANGE)
)
_BAD_JSON = (ValueError, RecursionError)

_decode_page_change = Decoder(PageChangeWire).decode
_decode_revision_create = Decoder(RevisionCreateWire).decode
_decode_header = Decoder(HeaderWire).decode


def decode_event(value: bytes) -> PageChange | Canary:
    """Decode one input event, whatever stream it came from.

    Args:
        value: A JSON object: ``mediawiki.page_change`` 1.x, or ``mediawiki.revision-create`` 1.x or 2.x
            (with or without ``$schema``, ``dt`` and ``meta.id``), or a canary of any stream.

    Returns:
        The change, with ids in [1, 2**53), times in UTC, and nothing that the event says is hidden; or the
        canary, which wins over every other finding.

    Raises:
        EventUndecodable: Not JSON, too large, or a field that is missing, of another type or out of range;
            the field ``path`` names it where there is one.
        EventSchemaUnsupported: Another schema, another major version, or no hint of either.
    """
    try:
        if len(value) > MAX_EVENT_BYTES:
            raise _undecodable(f"it has {len(value)} bytes, more than {MAX_EVENT_BYTES}")
        # msgspec checks the encoding of the fields that it reads, and of no others.
        str(value, "utf-8")
        # One pass suffices for most events; the header is read on its own only where this one says no.
        if b'"page_change_kind"' in value:
            page_change = _decode_page_change(value)
            if page_change.meta.domain != _CANARY and _layout(page_change.schema) is _Layout.PAGE_CHANGE:
                return _from_page_change(page_change)
        else:
            revision_create = _decode_revision_create(value)
            if (
                revision_create.meta.domain != _CANARY
                and _layout(revision_create.schema) is _Layout.REVISION_CREATE
            ):
                return _from_revision_create(revision_create)
    except _BAD_JSON:
        pass
    except OverflowError as error:
        raise _undecodable("a time falls outside the years 1 to 9999 in UTC") from error
    return _decode_by_header(value)


def peek_key(value: bytes) -> bytes:
    """Return the topic key of an event without decoding all of it.

    Returns:
        ``page_topic_key`` of its page. Empty for what names no page that `decode_event` would accept: such
        events share a partition, where they are refused with their reason. Never raises.
    """
    if len(value) > MAX_EVENT_BYTES:
        return b""
    try:
        header = _decode_header(value)
    except _BAD_JSON:
        return b""
    layout = _find_layout(header)
    if layout is _Layout.PAGE_CHANGE:
        wiki_id = header.wiki_id
        page_id = header.page.get("page_id") if isinstance(header.page, dict) else None
    elif layout is _Layout.REVISION_CREATE:
        wiki_id, page_id = header.database, header.page_id
    else:
        return b""
    if type(page_id) is not int or not 1 <= page_id < 2**53:
        return b""
    if not isinstance(wiki_id, str) or re.match(WIKI_ID, wiki_id) is None:
        return b""
    return page_topic_key(wiki_id, page_id)


def _decode_by_header(value: bytes) -> PageChange | Canary:
    """Decode in the order that errors are told in: JSON, canary, schema, fields."""
    try:
        str(value, "utf-8")
        header = _decode_header(value)
    except _BAD_JSON as error:
        raise _undecodable(str(error), cure="check what writes to the source") from error
    meta = header.meta if isinstance(header.meta, dict) else {}
    if meta.get("domain") == _CANARY:
        stream = meta.get("stream")
        return Canary(stream if isinstance(stream, str) else "")
    layout = _find_layout(header)
    if layout is None:
        raise _unsupported(header.schema, meta)
    try:
        if layout is _Layout.PAGE_CHANGE:
            return _from_page_change(_decode_page_change(value))
        return _from_revision_create(_decode_revision_create(value))
    except OverflowError as error:
        raise _undecodable("a time falls outside the years 1 to 9999 in UTC") from error
    except _BAD_JSON as error:
        raise _undecodable(str(error)) from error


def _find_layout(header: HeaderWire) -> _Layout | None:
    if header.schema is not None:
        return _layout(header.schema)
    meta = header.meta if isinstance(header.meta, dict) else {}
    old_uri = meta.get("schema_uri")
    if isinstance(old_uri, str):
        return _Layout.REVISION_CREATE if _OLD_REVISION_CREATE.match(old_uri) else None
    for name in (meta.get("stream"), meta.get("topic")):
        if isinstance(name, str):
            return _STREAMS.get(_DATACENTRE.sub("", name))
    return None


def _layout(schema_uri: object) -> _Layout | None:
    if isinstance(schema_uri, str):
        for pattern, layout in _SCHEMAS:
            if pattern.match(schema_uri):
                return layout
    return None


def _from_page_change(wire: PageChangeWire) -> PageChange:
    kind = _KINDS.get(wire.page_change_kind, PageChangeKind.OTHER)
    page, revision, meta, prior = wire.page, wire.revision, wire.meta, wire.prior_state
    slots = revision.content_slots
    is_editor_visible = revision.is_editor_visible is not False
    is_comment_visible = revision.is_comment_visible is not False
    dt = _utc(wire.dt)
    stream = _stream(meta, PAGE_CHANGE_TOPIC)
    return PageChange(
        meta.id or _derived_id(stream, wire.wiki_id, revision.rev_id, kind, dt),
        stream,
        wire.schema or _INFERRED_URI[_Layout.PAGE_CHANGE],
        kind,
        dt,
        wire.wiki_id,
        Page(page.page_id, page.page_title, page.namespace_id, page.is_redirect is True),
        ChangedRevision(
            revision.rev_id,
            _utc(revision.rev_dt),
            revision.rev_parent_id or None,
            revision.rev_size,
            revision.rev_sha1,
            revision.comment if is_comment_visible else None,
            _user(revision.editor) if is_editor_visible else None,
            revision.is_content_visible is not False,
            is_editor_visible,
            is_comment_visible,
            revision.is_minor_edit is True,
            slots.main.content_model if slots is not None and slots.main is not None else None,
        ),
        _user(wire.performer) if is_editor_visible or kind in _ACTS_OF_OTHERS else None,
        None if prior is None else _prior_state(prior),
        None if meta.dt is None else _utc(meta.dt),
        meta.domain or None,
        meta.uri or None,
        meta.request_id or None,
    )


def _from_revision_create(wire: RevisionCreateWire) -> PageChange:
    meta, user = wire.meta, wire.performer
    rev_dt = _utc(wire.rev_timestamp)
    kind = PageChangeKind.EDIT if wire.rev_parent_id else PageChangeKind.CREATE
    stream = _stream(meta, REVISION_CREATE_TOPIC)
    content_model = wire.rev_content_model
    if content_model is None and wire.rev_slots is not None and wire.rev_slots.main is not None:
        content_model = wire.rev_slots.main.rev_slot_content_model
    editor = None
    if user is not None:
        editor = User(
            user.user_text or None,
            user.user_id or None,
            user.user_groups or (),
            user.user_is_bot is True,
            None if user.user_registration_dt is None else _utc(user.user_registration_dt),
            user.user_edit_count,
        )
    return PageChange(
        event_id=meta.id or _derived_id(stream, wire.database, wire.rev_id, kind, rev_dt),
        stream=stream,
        schema_uri=wire.schema or _INFERRED_URI[_Layout.REVISION_CREATE],
        page_change_kind=kind,
        dt=rev_dt if wire.dt is None else _utc(wire.dt),
        wiki_id=wire.database,
        page=Page(wire.page_id, wire.page_title, wire.page_namespace, wire.page_is_redirect is True),
        revision=ChangedRevision(
            rev_id=wire.rev_id,
            rev_dt=rev_dt,
            rev_parent_id=wire.rev_parent_id or None,
            rev_size=wire.rev_len,
            rev_sha1=wire.rev_sha1,
            comment=wire.comment,
            editor=editor,
            is_minor_edit=wire.rev_minor_edit is True,
            content_model=content_model,
        ),
        performer=editor,
        meta_dt=None if meta.dt is None else _utc(meta.dt),
        domain=meta.domain or None,
        uri=meta.uri or None,
        request_id=meta.request_id or None,
    )


def _prior_state(wire: PriorStateWire) -> PriorState:
    page = wire.page or PriorPageWire()
    revision = wire.revision or PriorRevisionWire()
    return PriorState(
        page.page_title,
        page.namespace_id,
        revision.rev_id or None,
        None if revision.rev_dt is None else _utc(revision.rev_dt),
        revision.rev_sha1,
        revision.is_content_visible,
        revision.is_editor_visible,
        revision.is_comment_visible,
    )


def _user(wire: UserWire | None) -> User | None:
    if wire is None:
        return None
    return User(
        wire.user_text or None,
        wire.user_id or None,
        wire.groups or (),
        wire.is_bot is True,
        None if wire.registration_dt is None else _utc(wire.registration_dt),
        wire.edit_count,
    )


def _utc(dt: datetime) -> datetime:
    return dt if dt.tzinfo is UTC else dt.astimezone(UTC)


def _stream(meta: MetaWire, default: str) -> str:
    return meta.stream or (_DATACENTRE.sub("", meta.topic) if meta.topic else default)


def _derived_id(stream: str, wiki_id: str, rev_id: int, kind: PageChangeKind, dt: datetime) -> str:
    """Return the same id for the same event, and another for each later act on the same revision."""
    parts: tuple[object, ...] = (stream, wiki_id, rev_id)
    if kind not in (PageChangeKind.CREATE, PageChangeKind.EDIT):
        parts = (*parts, kind, dt)
    return derived_id(_EVENT_IDS, *parts)


def _undecodable(what: str, cure: str = "compare it with its schema and mend its producer") -> EventError:
    text, _, path = what.partition(" - at `")
    path = path.rstrip("`")
    place = f" at {path}" if path else ""
    return EventUndecodable(f"the event cannot be decoded{place}: {text}; {cure}", path=path or None)


def _unsupported(schema_uri: object, meta: dict[str, Any]) -> EventError:
    stream = meta.get("stream")
    named = f"names the schema {str(schema_uri)[:200]!r}" if schema_uri is not None else "names no schema"
    return EventSchemaUnsupported(
        f"the event {named}, but only {_READS} are read; leave its stream out of the source, or upgrade "
        "revstream if it should be read",
        schema_uri=str(schema_uri)[:200] if schema_uri is not None else None,
        stream=stream[:255] if isinstance(stream, str) else None,
    )
