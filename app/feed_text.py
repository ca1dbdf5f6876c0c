"""Server-sent events, as text."""

from typing import Any

from app.api.documents import compact
from app.feed_place import FeedPlace
from schemas.prediction import PredictionRow


def score_event(data: bytes, place: FeedPlace) -> bytes:
    """Return the event that tells a row, as JSON."""
    return _event("score", data, place)


def withdrawal_event(row: PredictionRow, rev_id: int | None, place: FeedPlace) -> bytes:
    """Return the event that tells of a withdrawal, by ids alone; of the page where ``rev_id`` is None."""
    ids: dict[str, Any] = {"wiki_id": row.wiki_id, "page_id": row.page_id}
    return _event("withdrawn", compact(ids if rev_id is None else {**ids, "rev_id": rev_id}), place)


def place_event(place: FeedPlace) -> bytes:
    """Return what moves the place of a reader, and tells nothing."""
    return b": heartbeat\nid: %b\n\n" % place.text().encode()


def gap_event(reason: str) -> bytes:
    """Return the event that tells a reader that it missed what cannot be told any more."""
    return _notice("gap", reason)


def end_event(reason: str) -> bytes:
    """Return the event that tells a reader why it ends."""
    return _notice("end", reason)


def _event(kind: str, data: bytes, place: FeedPlace) -> bytes:
    return b"event: %b\nid: %b\ndata: %b\n\n" % (kind.encode(), place.text().encode(), data)


def _notice(kind: str, reason: str) -> bytes:
    # Without an id: it is no place to resume at.
    return b"event: %b\ndata: %b\n\n" % (kind.encode(), compact({"reason": reason}))
