"""JSON of clients, refused before it becomes objects where it would become too many of them."""

import re
from typing import Any, Final

import orjson

from schemas.errors import RequestInvalid

MOST_VALUES: Final = 20_000
"""Members of objects and elements of lists, together. An event has some hundreds."""
MOST_DEPTH: Final = 64

# From each quotation mark on it matches whatever follows, so that no byte is looked at twice.
_TEXT: Final = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+\\?"?', re.DOTALL)
_BRACKET: Final = re.compile(rb"[\[\]{}]")


class JsonTooLarge(RequestInvalid):
    """A JSON text holds more values, or deeper ones, than any request needs."""


def bounded_json(body: bytes, *, most_values: int = MOST_VALUES, most_depth: int = MOST_DEPTH) -> Any:
    """Return the value of a JSON text.

    A comma parts two values, and a bracket opens at least an empty list: so many objects at most come of a
    text. Commas and brackets inside of texts count as well unless there are too many with them.

    Args:
        body: The text; the caller bounds its length.
        most_values: Commas and opening brackets.
        most_depth: Brackets in brackets.

    Raises:
        JsonTooLarge: It has more values, or deeper ones.
        orjson.JSONDecodeError: It is no JSON.
    """
    require_bounded(body, most_values=most_values, most_depth=most_depth)
    return orjson.loads(body)


def require_bounded(body: bytes, *, most_values: int = MOST_VALUES, most_depth: int = MOST_DEPTH) -> None:
    """Refuse a JSON text of too many values, see `bounded_json`."""
    if _values(body) <= most_values and body.count(b"[") + body.count(b"{") <= most_depth:
        return
    bare = _TEXT.sub(b"", body)
    if _values(bare) > most_values:
        raise JsonTooLarge(
            f"The JSON holds more than the {most_values} values that are read of it. Send less at a time."
        )
    depth = 0
    for bracket in _BRACKET.finditer(bare):
        depth += 1 if bracket[0] in b"[{" else -1
        if depth > most_depth:
            raise JsonTooLarge(f"The JSON is nested deeper than {most_depth} times. Send it flatter.")


def _values(body: bytes) -> int:
    return body.count(b",") + body.count(b"[") + body.count(b"{")
