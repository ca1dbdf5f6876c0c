"""What the readers of all input streams share: times, names of streams, and ids for events without one."""

import re
from datetime import UTC, datetime
from uuid import UUID

from schemas.identity import derived_id
from schemas.page_change import PageChangeKind
from schemas.wire import MetaWire

_EVENT_IDS = UUID("6b1f8a6e-5d0c-5a52-9c39-0d3c1f0e7a11")
_DATACENTRE = re.compile(r"\A[a-z]+\.(?=mediawiki\.)")


def utc(dt: datetime) -> datetime:
    """Return an aware time in UTC.

    Raises:
        OverflowError: It falls outside the years 1 to 9999 there.
    """
    return dt if dt.tzinfo is UTC else dt.astimezone(UTC)


def without_datacentre(topic: str) -> str:
    """Return the name of a stream without the data centre that its topic begins with."""
    return _DATACENTRE.sub("", topic)


def stream_of(meta: MetaWire, default: str) -> str:
    """Return the stream of an event, or what to take it for."""
    return meta.stream or (without_datacentre(meta.topic) if meta.topic else default)


def event_id_of(stream: str, wiki_id: str, rev_id: int, kind: PageChangeKind, dt: datetime) -> str:
    """Return the same id for the same event, and another for each later act on the same revision."""
    parts: tuple[object, ...] = (stream, wiki_id, rev_id)
    if kind not in (PageChangeKind.CREATE, PageChangeKind.EDIT):
        parts = (*parts, kind, dt)
    return derived_id(_EVENT_IDS, *parts)
