"""Large bodies of requests, a few at a time."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Final

from starlette.requests import Request

from app.api.endpoint import BODY_BYTES, read_body
from app.api.errors import BodyTooLarge
from schemas.errors import NotReady, RequestInvalid

MOST_LARGE_BODIES: Final = 4
_LARGE_BODY_SECONDS: Final = 30.0


class BodyPermits:
    """Admits a few large bodies at a time, so that clients cannot fill the memory.

    Args:
        limit_bytes: Of one body.
        advice: What to do instead of sending a larger one.
    """

    def __init__(self, limit_bytes: int, advice: str) -> None:
        self._limit_bytes = limit_bytes
        self._advice = advice
        self._free = MOST_LARGE_BODIES

    @contextlib.asynccontextmanager
    async def reading(self, request: Request) -> AsyncIterator[bytes]:
        """Give the body of a request; one beyond 1 MiB counts among the few until the block ends.

        Raises:
            BodyTooLarge: It is beyond the limit, or beyond 1 MiB and of no announced length.
            NotReady: Other large bodies are being worked on.
            RequestInvalid: It is large, and does not arrive within 30 s.
        """
        length = request.headers.get("content-length", "")
        # No server takes a length of more digits, nor Python any number of them.
        length_bytes = int(length[:19]) if length.isdecimal() else 0
        if length_bytes <= BODY_BYTES:
            yield await read_body(request)
            return
        if length_bytes > self._limit_bytes:
            raise BodyTooLarge(
                f"The body has {length_bytes} bytes, more than the {self._limit_bytes} that this route reads."
                f" {self._advice}",
                limit_bytes=self._limit_bytes,
            )
        if not self._free:
            raise NotReady(
                "Other large requests are being worked on, and memory is kept for them. Try again later."
            )
        self._free -= 1
        try:
            yield await self._large(request)
        finally:
            self._free += 1

    async def _large(self, request: Request) -> bytes:
        try:
            async with asyncio.timeout(_LARGE_BODY_SECONDS):
                return await read_body(request, self._limit_bytes)
        except TimeoutError as error:
            raise RequestInvalid(
                f"The body did not arrive within {_LARGE_BODY_SECONDS:g} s. Send it faster, or send less."
            ) from error
