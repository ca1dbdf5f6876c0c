"""Events that clients post, made whole before they are taken."""

from datetime import datetime
from typing import Any

import msgspec
from msgspec import Raw, Struct

from schemas.decode import READ_STREAMS, decode_event, is_of_stream, peek_key
from schemas.errors import EventSchemaUnsupported, EventUndecodable
from schemas.page_change import PageChange
from schemas.wire import HeaderWire

_decode_header = msgspec.json.Decoder(HeaderWire).decode
_decode_members = msgspec.json.Decoder(dict[str, Raw]).decode
_encode = msgspec.json.Encoder().encode


class PostedEvent(Struct, frozen=True):
    """An event that can be taken.

    Attributes:
        stream: ``meta.stream``, one that is read.
        key: Topic key of its page; empty for canaries.
        value: The event as it came, with ``meta.id``, ``meta.dt`` and ``meta.request_id`` where it had none.
    """

    stream: str
    key: bytes
    value: bytes


def posted_event(value: bytes, *, received_dt: datetime, request_id: str | None = None) -> PostedEvent:
    """Check an event as the stream will read it, and fill in what EventGate fills in.

    An event without an id gets one that follows from what it tells, so that posting it again is posting the
    same event.

    Args:
        value: A JSON object in UTF-8.
        received_dt: For ``meta.dt``, aware UTC.
        request_id: For ``meta.request_id``.

    Raises:
        EventUndecodable: It names no stream, or `decode_event` refuses it.
        EventSchemaUnsupported: Its stream is not read, or its schema is not its stream's.
    """
    change = decode_event(value)
    header = _decode_header(value)
    meta: dict[str, Any] = header.meta if isinstance(header.meta, dict) else {}
    stream = meta.get("stream")
    if not isinstance(stream, str) or not stream:
        raise EventUndecodable(
            "the event names no stream; give it as meta.stream, one of " + ", ".join(sorted(READ_STREAMS)),
            path="$.meta.stream",
        )
    if stream not in READ_STREAMS:
        raise EventSchemaUnsupported(
            f"the stream {stream[:255]!r} is not read; send events of {', '.join(sorted(READ_STREAMS))} only",
            stream=stream[:255],
        )
    if isinstance(change, PageChange) and not is_of_stream(header.schema, stream):
        raise EventSchemaUnsupported(
            f"the event names the schema {str(header.schema)[:200]!r}, which is not that of its stream "
            f"{stream}; correct one of them",
            schema_uri=str(header.schema)[:200],
            stream=stream,
        )
    filled = {
        "id": change.event_id if isinstance(change, PageChange) else None,
        "dt": received_dt,
        "request_id": request_id,
    }
    missing = {
        name: text for name, text in filled.items() if text is not None and meta.get(name) in (None, "")
    }
    return PostedEvent(stream, peek_key(value), _with_meta(value, missing) if missing else value)


def _with_meta(value: bytes, missing: dict[str, str | datetime]) -> bytes:
    """Return an event with more in its ``meta``; all else keeps its bytes."""
    event = _decode_members(value)
    meta: dict[str, Any] = dict(_decode_members(event["meta"]))
    meta |= missing
    return _encode(event | {"meta": meta})
