"""Answers that clients and caches may keep, and ask about again: ETag, Last-Modified, 304, Cache-Control.

A tag is a hash of what is answered, hence of revision, versions of models, and scores. It is the exact way to
ask whether something has changed; times count whole seconds, and rows may change twice in one.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from hashlib import blake2b
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from app.api.documents import Document, compact
from schemas.prediction import PredictionRow

NOT_STORED: Final = "no-store"
_TAG_BYTES: Final = 12
_DATE_MOST: Final = 100
# Of these a 304 says nothing: they describe the body that it does not have.
_OF_BODY: Final = frozenset({b"content-length", b"content-type"})

Headers = tuple[tuple[bytes, bytes], ...]


def entity_tag(content: bytes) -> bytes:
    """Return the tag of what is answered: quoted, 24 hexadecimal digits."""
    return b'"%b"' % blake2b(content, digest_size=_TAG_BYTES).hexdigest().encode()


def modified_seconds(row: PredictionRow) -> int:
    """Return when the last score of a row was made, in whole Unix seconds; 0 for none."""
    return max((int(score.provenance.scored_dt.timestamp()) for score in row.scores), default=0)


def http_date(unix_seconds: int) -> str:
    """Return a moment as HTTP writes it."""
    return format_datetime(datetime.fromtimestamp(unix_seconds, UTC), usegmt=True)


def cache_control(cache_seconds: int) -> str:
    """Return how long browsers and shared caches may keep an answer; with 0 they ask each time."""
    if not cache_seconds:
        return "public, no-cache"
    return f"public, max-age={cache_seconds}, must-revalidate"


def is_unchanged(headers: Iterable[tuple[bytes, bytes]], tag: bytes, modified: int) -> bool:
    """Tell whether the client has the answer already, by RFC 9110: If-None-Match, and only else the date.

    Args:
        headers: Of the request, with names in lower case.
        tag: Of the answer.
        modified: Unix seconds; 0 for unknown.
    """
    since: bytes | None = None
    for name, value in headers:
        if name == b"if-none-match":
            return any(_is_tag(one.strip(), tag) for one in value.split(b","))
        if name == b"if-modified-since":
            since = value
    if since is None or not modified or len(since) > _DATE_MOST:
        return False
    try:
        then = parsedate_to_datetime(since.decode("ascii"))
    except ValueError:
        return False
    return then.tzinfo is not None and then.timestamp() >= modified


def of_no_body(headers: Headers) -> Headers:
    """Return the headers of an answer as its 304 has them."""
    return tuple(pair for pair in headers if pair[0] not in _OF_BODY)


def conditional_response(
    request: Request,
    document: Document,
    *,
    cache_seconds: int,
    modified: int = 0,
    passing: Document | None = None,
) -> Response:
    """Return a document as an answer that may be kept, or 304 where the client has it.

    Args:
        request: With the conditions.
        document: What the tag stands for.
        cache_seconds: See `cache_control`.
        modified: Unix seconds; 0 for unknown.
        passing: Shown as well, and true only now: the tag does not stand for it, and says so by being weak.
    """
    body = compact(document)
    tag = entity_tag(body)
    headers = {
        "cache-control": cache_control(cache_seconds),
        "etag": f"{'W/' if passing else ''}{tag.decode()}",
    }
    if modified:
        headers["last-modified"] = http_date(modified)
    if is_unchanged(request.scope["headers"], tag, modified):
        return Response(status_code=304, headers=headers)
    return Response(compact({**document, **passing}) if passing else body, 200, headers, "application/json")


def _is_tag(given: bytes, tag: bytes) -> bool:
    return given == b"*" or given.removeprefix(b"W/") == tag
