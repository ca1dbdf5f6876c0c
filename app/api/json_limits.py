"""JSON of clients, refused before it becomes objects where it would become too many of them."""

import re
from collections.abc import Iterator
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
    """Refuse a JSON text of too many values, see `bounded_json`; also where it is no JSON otherwise."""
    opened = body.count(b"[") + body.count(b"{")
    if opened + body.count(b",") <= most_values and opened <= most_depth:
        return
    values = depth = begin = 0
    for texts, (end, after) in enumerate(_gaps(body)):
        values += sum(body.count(sign, begin, end) for sign in (b",", b"[", b"{"))
        # Each value is a text at most, and so is its name.
        if values > most_values or texts > 2 * most_values + 1:
            raise JsonTooLarge(
                f"The JSON holds more than the {most_values} values that are read of it. Send less at a time."
            )
        for bracket in _BRACKET.finditer(body, begin, end):
            depth += 1 if bracket[0] in b"[{" else -1
            if depth > most_depth:
                raise JsonTooLarge(f"The JSON is nested deeper than {most_depth} times. Send it flatter.")
        begin = after


def _gaps(body: bytes) -> Iterator[tuple[int, int]]:
    """Return where each text begins and ends, and the end of it all."""
    for text in _TEXT.finditer(body):
        yield text.span()
    yield len(body), len(body)
