"""What all output events share: their place, their head, and how they are encoded."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.resources import files
from typing import Any
from urllib.parse import quote

import jsonschema_rs
import orjson
from msgspec import Struct, to_builtins

from schemas.errors import OutputInvalid
from schemas.page_change import PageChange

# Narrower than the grammar of URIs on purpose: all that it takes is valid, and real page addresses fit.
_URI = re.compile(
    r"(?:https?:)?//[A-Za-z0-9.-]++(?::[0-9]{1,5}+)?"
    r"(?:/(?:[A-Za-z0-9._~!$&'()*+,;=:@/-]++|%[0-9A-Fa-f]{2})*+)?"
    r"(?:\?(?:[A-Za-z0-9._~!$&'()*+,;=:@/?-]++|%[0-9A-Fa-f]{2})*+)?"
)
_MAX_URI_LENGTH = 8192


class OutputEvent(Struct, frozen=True):
    """An output event, ready to send.

    Attributes:
        stream: Topic.
        key: Topic key: of the page, so that what is said of one page stays in order.
        value: JSON. The same outcome of the same change gives the same bytes.
        event_id: ``meta.id``, derived from the stream, the input event, the models and their versions.
        headers: Of the record. What the value has no place for, and who has to erase must know.
    """

    stream: str
    key: bytes
    value: bytes
    event_id: str
    headers: Mapping[str, bytes] = {}


class OutputSchema:
    """What output events have to meet.

    Args:
        document: A JSON schema of ours.
        uri: What the events name as their ``$schema``.
    """

    def __init__(self, document: dict[str, Any], uri: str) -> None:
        self.uri = uri
        # Formats are asserted, as the gateways do that would refuse the event otherwise.
        self._validator = jsonschema_rs.Draft7Validator(document, validate_formats=True)

    def encode(self, event: Mapping[str, Any], event_id: str) -> bytes:
        """Return an event as JSON.

        Raises:
            OutputInvalid: It does not meet the schema; the fields ``path`` and ``event_id`` say where.
        """
        try:
            if self._validator.is_valid(event):
                return orjson.dumps(event)
            error = next(self._validator.iter_errors(event))
            path = "".join(
                f"[{part}]" if isinstance(part, int) else f".{part}" for part in error.instance_path
            )
            what = error.message
        except (ValueError, TypeError) as unencodable:
            path, what = "", str(unencodable)
        raise OutputInvalid(
            f"the event {event_id} does not meet {self.uri} at ${path}: {what}; it is not sent; this is a "
            "defect of revstream or of the model that gave the score, please report it",
            path=f"${path}",
            event_id=event_id,
        )


def schema_document(name: str) -> dict[str, Any]:
    """Return a document of ``schemas/jsonschema``."""
    document: dict[str, Any] = orjson.loads(files("schemas").joinpath(f"jsonschema/{name}.json").read_bytes())
    return document


def output_meta(change: PageChange, stream: str, event_id: str, *, has_uri: bool = True) -> dict[str, Any]:
    """Return the ``meta`` of what is said about a change.

    No clock goes into it: ``dt`` is the input's own ``meta.dt``, the time the change was taken in, left out
    where the input has none. When the event was sent is the broker's timestamp.

    Args:
        change: The change.
        stream: That the event goes to.
        event_id: Of the event.
        has_uri: Whether the page's address, and with it its title, is told.
    """
    meta: dict[str, Any] = {"stream": stream, "id": event_id}
    if change.meta_dt is not None:
        meta["dt"] = time_text(change.meta_dt)
    if change.request_id is not None:
        meta["request_id"] = change.request_id
    if change.domain is not None:
        meta["domain"] = change.domain
    if has_uri and change.uri is not None and (uri := _uri(change.uri)) is not None:
        meta["uri"] = uri
    return meta


def time_text(dt: datetime) -> str:
    """Return an aware time as ISO-8601 in UTC with a ``Z``."""
    text: str = to_builtins(dt if dt.tzinfo is UTC else dt.astimezone(UTC))
    return text


def _uri(uri: str) -> str | None:
    """Return the address as the schema wants it: percent-encoded where it was not, None where it is none."""
    if _URI.fullmatch(uri) is None:
        uri = quote(uri, safe="%/:?@!$&'()*+,;=~")
        if _URI.fullmatch(uri) is None:
            return None
    return uri if len(uri) <= _MAX_URI_LENGTH else None
