"""Headers of records, as the embedded log keeps them."""

from collections.abc import Mapping
from typing import Any

import msgspec

Headers = list[tuple[str, bytes]]

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Headers).decode


def packed(headers: Any) -> bytes | None:
    """Return the bytes that stand for the headers of a record; None for none."""
    if not headers:
        return None
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    return _encode([(name, value or b"") for name, value in pairs])


def unpacked(headers: bytes | None) -> Headers:
    """Return the headers that some bytes stand for."""
    return _decode(headers) if headers else []
