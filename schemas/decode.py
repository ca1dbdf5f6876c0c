"""From the bytes of an input event to a PageChange.

The reader is tolerant: it goes by the major version of the schema, ignores fields that it does not know,
and takes an absent field and a null for the same. It is strict about what it does read: ids, times and
names out of range are refused here, so that nothing behind this door checks them again.

Where a JSON object gives a key twice the last one counts, in `decode_event` and in `peek_key` alike.
"""

import re
from enum import Enum, auto
from typing import Any

from msgspec.json import Decoder

from schemas.decode_old import SUPPRESS_STREAM, from_old_change, from_revision_create
from schemas.decode_parts import event_id_of, stream_of, utc, without_datacentre
from schemas.errors import EventError, EventSchemaUnsupported, EventUndecodable
from schemas.keys import (
    PAGE_CHANGE_TOPIC,
    PAGE_CONTENT_CHANGE_TOPIC,
    REVISION_CREATE_TOPIC,
    page_topic_key,
)
from schemas.page_change import (
    CANARY_DOMAIN,
    Canary,
    ChangedRevision,
    Page,
    PageChange,
    PageChangeKind,
    PriorState,
    User,
)
from schemas.wire import (
    WIKI_ID,
    HeaderWire,
    OldChangeWire,
    PageChangeWire,
    PriorPageWire,
    PriorRevisionWire,
    PriorStateWire,
    RevisionCreateWire,
    RevisionWire,
    UserWire,
)

MAX_EVENT_BYTES = 16 * 1024 * 1024
"""Larger events are refused unread. A page change takes some kilobytes, and with its text some megabytes."""

_READS = (
    "/mediawiki/page/change 1.x, /mediawiki/revision/create 1.x and 2.x, and 1.x of /mediawiki/page/delete, "
    "/mediawiki/page/undelete, /mediawiki/page/move and /mediawiki/revision/visibility-change"
)


class _Layout(Enum):
    PAGE_CHANGE = auto()
    REVISION_CREATE = auto()
    PAGE_DELETE = auto()
    PAGE_UNDELETE = auto()
    PAGE_MOVE = auto()
    VISIBILITY_CHANGE = auto()


_SCHEMAS = (
    (re.compile(r"/mediawiki/page/change/1(\.|\Z)"), _Layout.PAGE_CHANGE),
    (re.compile(r"/mediawiki/revision/create/[12](\.|\Z)"), _Layout.REVISION_CREATE),
    (re.compile(r"/mediawiki/page/delete/1(\.|\Z)"), _Layout.PAGE_DELETE),
    (re.compile(r"/mediawiki/page/undelete/1(\.|\Z)"), _Layout.PAGE_UNDELETE),
    (re.compile(r"/mediawiki/page/move/1(\.|\Z)"), _Layout.PAGE_MOVE),
    (re.compile(r"/mediawiki/revision/visibility-change/1(\.|\Z)"), _Layout.VISIBILITY_CHANGE),
)
# Old events have no $schema; some name it in meta.schema_uri, and count its versions otherwise.
_OLD_SCHEMA = re.compile(r"/?mediawiki/([a-z]+/[a-z-]+)/[0-9]+\Z")
_OLD_SCHEMAS = {
    "revision/create": _Layout.REVISION_CREATE,
    "page/delete": _Layout.PAGE_DELETE,
    "page/undelete": _Layout.PAGE_UNDELETE,
    "page/move": _Layout.PAGE_MOVE,
    "revision/visibility-change": _Layout.VISIBILITY_CHANGE,
}
_STREAMS = {
    "mediawiki.page_change": _Layout.PAGE_CHANGE,
    PAGE_CHANGE_TOPIC: _Layout.PAGE_CHANGE,
    "mediawiki.page_content_change": _Layout.PAGE_CHANGE,
    PAGE_CONTENT_CHANGE_TOPIC: _Layout.PAGE_CHANGE,
    REVISION_CREATE_TOPIC: _Layout.REVISION_CREATE,
    "mediawiki.page-delete": _Layout.PAGE_DELETE,
    SUPPRESS_STREAM: _Layout.PAGE_DELETE,
    "mediawiki.page-undelete": _Layout.PAGE_UNDELETE,
    "mediawiki.page-move": _Layout.PAGE_MOVE,
    "mediawiki.revision-visibility-change": _Layout.VISIBILITY_CHANGE,
}
READ_STREAMS = frozenset(_STREAMS)
"""Names of the streams whose events are read, without the data centre that a topic begins with."""

_OLD_KINDS = {
    _Layout.PAGE_DELETE: PageChangeKind.DELETE,
    _Layout.PAGE_UNDELETE: PageChangeKind.UNDELETE,
    _Layout.PAGE_MOVE: PageChangeKind.MOVE,
    _Layout.VISIBILITY_CHANGE: PageChangeKind.VISIBILITY_CHANGE,
}
_PAGE_CHANGE_URI = "/mediawiki/page/change/1.0.0"
_KINDS: dict[str, PageChangeKind] = {kind.value: kind for kind in PageChangeKind}
# Here someone else may have acted. Else the performer is the editor, and hidden where the editor is.
_ACTS_OF_OTHERS = frozenset(
    (PageChangeKind.DELETE, PageChangeKind.UNDELETE, PageChangeKind.VISIBILITY_CHANGE)
)
_GIVING_REASONS = frozenset((PageChangeKind.MOVE, PageChangeKind.UNDELETE))
_WITHDRAWING = frozenset((PageChangeKind.DELETE, PageChangeKind.VISIBILITY_CHANGE))
_BAD_JSON = (ValueError, RecursionError)

_decode_page_change = Decoder(PageChangeWire).decode
_decode_revision_create = Decoder(RevisionCreateWire).decode
_decode_old_change = Decoder(OldChangeWire).decode
_decode_header = Decoder(HeaderWire).decode


def decode_event(value: bytes) -> PageChange | Canary:
    """Decode one input event, whatever stream it came from.

    Args:
        value: A JSON object: ``mediawiki.page_change`` 1.x, with or without the text, or
            ``mediawiki.revision-create`` 1.x or 2.x, or 1.x of the older page-delete, page-undelete,
            page-move and revision-visibility-change (with or without ``$schema``, ``dt`` and ``meta.id``),
            or a canary of any stream.

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
            if (
                page_change.meta.domain != CANARY_DOMAIN
                and _layout(page_change.schema) is _Layout.PAGE_CHANGE
            ):
                return _from_page_change(page_change)
        else:
            revision_create = _decode_revision_create(value)
            if (
                revision_create.meta.domain != CANARY_DOMAIN
                and _layout(revision_create.schema) is _Layout.REVISION_CREATE
            ):
                return from_revision_create(revision_create)
    except _BAD_JSON:
        pass
    except OverflowError as error:
        raise _undecodable("a time falls outside the years 1 to 9999 in UTC") from error
    return _decode_by_header(value)


def is_of_stream(schema_uri: str | None, stream: str) -> bool:
    """Tell whether events of a stream have the schema; one that names none is taken for its stream's."""
    layout = _STREAMS.get(stream)
    return layout is not None and (schema_uri is None or _layout(schema_uri) is layout)


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
    elif layout is not None:
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
    if meta.get("domain") == CANARY_DOMAIN:
        stream = meta.get("stream")
        return Canary(stream if isinstance(stream, str) else "")
    layout = _find_layout(header)
    if layout is None:
        raise _unsupported(header.schema, meta)
    try:
        if layout is _Layout.PAGE_CHANGE:
            return _from_page_change(_decode_page_change(value))
        if layout is _Layout.REVISION_CREATE:
            return from_revision_create(_decode_revision_create(value))
        return from_old_change(_decode_old_change(value), _OLD_KINDS[layout])
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
        old = _OLD_SCHEMA.match(old_uri)
        return None if old is None else _OLD_SCHEMAS.get(old[1])
    for name in (meta.get("stream"), meta.get("topic")):
        if isinstance(name, str):
            return _STREAMS.get(without_datacentre(name))
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
    main = None if revision.content_slots is None else revision.content_slots.main
    is_content_visible = revision.is_content_visible is not False
    is_editor_visible = revision.is_editor_visible is not False
    is_comment_visible = revision.is_comment_visible is not False
    dt = utc(wire.dt)
    stream = stream_of(meta, PAGE_CHANGE_TOPIC)
    return PageChange(
        meta.id or event_id_of(stream, wire.wiki_id, revision.rev_id, kind, dt),
        stream,
        wire.schema or _PAGE_CHANGE_URI,
        kind,
        dt,
        wire.wiki_id,
        Page(
            page.page_id,
            page.page_title,
            page.namespace_id,
            page.is_redirect is True,
            page.namespace_is_content,
            page.revision_count,
        ),
        ChangedRevision(
            revision.rev_id,
            utc(revision.rev_dt),
            revision.rev_parent_id or None,
            revision.rev_size,
            revision.rev_sha1,
            revision.comment if is_comment_visible else None,
            _user(revision.editor) if is_editor_visible else None,
            is_content_visible,
            is_editor_visible,
            is_comment_visible,
            revision.is_minor_edit is True,
            None if main is None else main.content_model,
            _restored(revision),
            main.content_body if main is not None and is_content_visible else None,
        ),
        _user(wire.performer) if is_editor_visible or kind in _ACTS_OF_OTHERS else None,
        None if prior is None else _prior_state(prior),
        None if meta.dt is None else utc(meta.dt),
        meta.domain or None,
        meta.uri or None,
        meta.request_id or None,
        _is_suppression(wire, kind),
        # Of a save it is the revision's, and of a withdrawal it may quote what is withdrawn.
        wire.comment if kind in _GIVING_REASONS else None,
    )


def _is_suppression(wire: PageChangeWire, kind: PageChangeKind) -> bool:
    """Tell whether an act is a suppression: its performer is left out, and something is hidden after it."""
    revision = wire.revision
    return (
        kind in _WITHDRAWING
        and wire.performer is None
        and not (
            revision.is_content_visible is not False
            and revision.is_editor_visible is not False
            and revision.is_comment_visible is not False
        )
    )


def _restored(revision: RevisionWire) -> int | None:
    revert = revision.revert
    return revert.rev_original_id or None if revert is not None and revert.is_exact is True else None


def _prior_state(wire: PriorStateWire) -> PriorState:
    page = wire.page or PriorPageWire()
    revision = wire.revision or PriorRevisionWire()
    return PriorState(
        page.page_title,
        page.namespace_id,
        revision.rev_id or None,
        None if revision.rev_dt is None else utc(revision.rev_dt),
        revision.rev_sha1,
        revision.is_content_visible,
        revision.is_editor_visible,
        revision.is_comment_visible,
        revision.rev_parent_id or None,
        revision.rev_size,
    )


def _user(wire: UserWire | None) -> User | None:
    if wire is None:
        return None
    return User(
        wire.user_text or None,
        wire.user_id or None,
        wire.groups or (),
        wire.is_bot,
        None if wire.registration_dt is None else utc(wire.registration_dt),
        wire.edit_count,
        wire.is_system,
        wire.is_temp,
        wire.user_central_id,
        wire.wiki_id or None,
    )


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
