"""Bodies of Lift Wing's requests: JSON objects, and few large ones at a time."""

import contextlib
from collections.abc import AsyncIterator
from typing import Any, Final

import msgspec
import orjson
from msgspec import Raw, Struct
from starlette.requests import Request

from app.api.body_permits import BodyPermits
from app.api.endpoint import BODY_BYTES, read_body
from app.api.json_limits import JsonTooLarge, bounded_json
from schemas.errors import RequestInvalid

LARGE_BODY_BYTES: Final = 8 << 20
"""Room for two texts of the size that wikis allow, escaped."""


class _LargeBody(Struct):
    # All else is passed over unread, so that a large body cannot become millions of small objects.
    revision_data: Raw = Raw(b"null")


async def read_object(request: Request) -> dict[str, Any]:
    """Return the body of a request.

    Raises:
        BodyTooLarge: It is larger than any request without texts.
        RequestInvalid: It is no JSON object.
    """
    return _object(request, await read_body(request))


class LargeBodies:
    """Admits a few large bodies at a time, see ``BodyPermits``."""

    def __init__(self) -> None:
        self._permits = BodyPermits(LARGE_BODY_BYTES, "Edits of larger pages are scored once they are saved.")

    @contextlib.asynccontextmanager
    async def reading(self, request: Request) -> AsyncIterator[dict[str, Any]]:
        """Give the body of a request; of one beyond 1 MiB only ``revision_data`` is read: as ``msgspec.Raw``.

        Raises:
            BodyTooLarge: It is beyond 8 MiB, or beyond 1 MiB and of no announced length.
            NotReady: Other large bodies are being worked on.
            RequestInvalid: It is no JSON object, or does not arrive within 30 s.
        """
        async with self._permits.reading(request) as body:
            if len(body) <= BODY_BYTES:
                yield _object(request, body)
            else:
                yield {"revision_data": _revision_data(request, body)}


def _object(request: Request, body: bytes) -> dict[str, Any]:
    try:
        document = bounded_json(body)
    except (orjson.JSONDecodeError, JsonTooLarge) as error:
        raise _unreadable(request, error) from error
    if not isinstance(document, dict):
        raise RequestInvalid("Please verify that request input is a json dict")
    return document


def _revision_data(request: Request, body: bytes) -> Raw:
    try:
        return msgspec.json.decode(body, type=_LargeBody).revision_data
    except (msgspec.DecodeError, RecursionError) as error:
        raise _unreadable(request, error) from error


def _unreadable(request: Request, error: Exception) -> RequestInvalid:
    if "json" not in request.headers.get("content-type", ""):
        return RequestInvalid("Please verify that request input is a json dict")
    return RequestInvalid(f"Unrecognized request format: {error}")
