"""Bodies of Lift Wing's requests: JSON objects, and few large ones at a time."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any, Final

import msgspec
import orjson
from msgspec import Raw, Struct
from starlette.requests import Request

from app.api.endpoint import BODY_BYTES, read_body
from app.api.errors import BodyTooLarge
from schemas.errors import NotReady, RequestInvalid

LARGE_BODY_BYTES: Final = 8 << 20
"""Room for two texts of the size that wikis allow, escaped."""

MOST_LARGE_BODIES: Final = 4
_LARGE_BODY_SECONDS: Final = 30.0


class _LargeBody(Struct):
    # All else is passed over unread, so that a large body cannot become millions of small objects.
    revision_data: Raw = Raw(b"null")


async def read_object(request: Request) -> dict[str, Any]:
    """Return the body of a request.

    Raises:
        BodyTooLarge: It is larger than any request without texts.
        RequestInvalid: It is no JSON object.
    """
    try:
        document = orjson.loads(await read_body(request))
    except orjson.JSONDecodeError as error:
        raise _unreadable(request, error) from error
    if not isinstance(document, dict):
        raise RequestInvalid("Please verify that request input is a json dict")
    return document


class LargeBodies:
    """Admits a few large bodies at a time, so that clients cannot fill the memory."""

    def __init__(self) -> None:
        self._free = MOST_LARGE_BODIES

    @contextlib.asynccontextmanager
    async def reading(self, request: Request) -> AsyncIterator[dict[str, Any]]:
        """Give the body of a request; a large one counts among the few until the block ends.

        A body beyond 1 MiB has to announce its length, and of its fields only ``revision_data`` is read:
        as ``msgspec.Raw``.

        Raises:
            BodyTooLarge: It is beyond 8 MiB, or beyond 1 MiB and of no announced length.
            NotReady: Other large bodies are being worked on.
            RequestInvalid: It is no JSON object, or does not arrive within 30 s.
        """
        length = request.headers.get("content-length", "")
        # No server takes a length of more digits, nor Python any number of them.
        length_bytes = int(length[:19]) if length.isdecimal() else 0
        if length_bytes <= BODY_BYTES:
            yield await read_object(request)
            return
        if length_bytes > LARGE_BODY_BYTES:
            raise BodyTooLarge(
                f"The body has {length_bytes} bytes, more than the {LARGE_BODY_BYTES} that this route reads. "
                "Edits of larger pages are scored once they are saved.",
                limit_bytes=LARGE_BODY_BYTES,
            )
        if not self._free:
            raise NotReady(
                "Other large requests are being worked on, and memory is kept for them. Try again later."
            )
        self._free -= 1
        try:
            yield {"revision_data": await _large(request)}
        finally:
            self._free += 1


async def _large(request: Request) -> Raw:
    try:
        async with asyncio.timeout(_LARGE_BODY_SECONDS):
            body = await read_body(request, LARGE_BODY_BYTES)
    except TimeoutError as error:
        raise RequestInvalid(
            f"The body did not arrive within {_LARGE_BODY_SECONDS:g} s. Send it faster, or send less."
        ) from error
    try:
        return msgspec.json.decode(body, type=_LargeBody).revision_data
    except (msgspec.DecodeError, RecursionError) as error:
        raise _unreadable(request, error) from error


def _unreadable(request: Request, error: Exception) -> RequestInvalid:
    if "json" not in request.headers.get("content-type", ""):
        return RequestInvalid("Please verify that request input is a json dict")
    return RequestInvalid(f"Unrecognized request format: {error}")
