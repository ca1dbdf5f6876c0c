"""Recorded events made up for tests."""

import json
from collections.abc import Sequence


def lines(first: int, last: int, padding: int = 0) -> list[bytes]:
    """Return numbered events, each longer than the padding."""
    return [json.dumps({"number": n, "padding": "x" * padding}).encode() for n in range(first, last + 1)]


def body(values: Sequence[bytes]) -> bytes:
    """Return a file of them."""
    return b"".join(value + b"\n" for value in values)


def key_by_length(value: bytes) -> bytes:
    """Return a key that depends on the event."""
    return str(len(value)).encode()
