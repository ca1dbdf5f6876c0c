"""Bodies of HTTP answers as they were before their server packed them."""

import asyncio
import zlib
from typing import Final

ACCEPTED: Final = "gzip, deflate"
"""For ``Accept-Encoding``."""

# A thread costs as much as some 10 kB; with so much the event loop stands still for about a millisecond.
_AT_ONCE_BYTES: Final = 32 * 1024
# Of zlib: whichever of gzip's and zlib's headers is there.
_ANY_HEADER: Final = zlib.MAX_WBITS | 32


class BodyDamaged(Exception):
    """The bytes are not packed as the answer says."""


class BodyTooLarge(Exception):
    """More comes out than may."""


async def inflated(body: bytes, encoding: str, *, most_bytes: int) -> bytes:
    """Return what was packed; the event loop goes on meanwhile.

    Args:
        body: As it came.
        encoding: Of the header ``Content-Encoding``; empty without one.
        most_bytes: That may come out.

    Raises:
        BodyDamaged: It is packed in another way, or cut off.
        BodyTooLarge: More comes out.
    """
    name = encoding.strip().lower()
    if name in ("", "identity") or not body:
        return body
    if name not in ("gzip", "x-gzip", "deflate"):
        raise BodyDamaged(f"it is packed by {name[:40]!r}, which was not asked for")
    if len(body) <= _AT_ONCE_BYTES:
        return _inflate(body, most_bytes)
    return await asyncio.to_thread(_inflate, body, most_bytes)


def _inflate(body: bytes, most_bytes: int) -> bytes:
    parts: list[bytes] = []
    left = most_bytes
    # Some servers send "deflate" without zlib's header.
    has_header = body[:2] == b"\x1f\x8b" or body[0] & 0x0F == 8
    while body:
        stream = zlib.decompressobj(_ANY_HEADER if has_header else -zlib.MAX_WBITS)
        try:
            # One byte more than may come out tells that more would.
            parts.append(stream.decompress(body, left + 1))
        except zlib.error as error:
            raise BodyDamaged(str(error)) from None
        left -= len(parts[-1])
        if left < 0:
            raise BodyTooLarge
        if not stream.eof:
            raise BodyDamaged("it is cut off")
        body = stream.unused_data
    return b"".join(parts)
