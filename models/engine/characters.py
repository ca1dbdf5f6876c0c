"""What single characters are to some regular expressions, as a table that functions in C read."""

import functools
import re
from collections.abc import Mapping
from typing import Final

WORD: Final = 1
SPACE: Final = 2
OTHER_BREAK: Final = 4
"""Where these occur, whitespace of several lines may be one token that begins within a line."""

OTHER_BREAKS: Final = "[\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029]"
# Those beyond the first plane are few in any text.
CHARACTERS: Final = 0x10000


def character_classes(expressions: Mapping[int, str]) -> bytes:
    """Return one byte for each of the first ``CHARACTERS``: the sum of the numbers of those that match it.

    Args:
        expressions: Of one character each, by powers of two below 256.
    """
    characters = "".join(map(chr, range(CHARACTERS)))
    classes = bytearray(CHARACTERS)
    for number, expression in expressions.items():
        with_number = bytes(code | number for code in range(256))
        for run in re.finditer(f"(?:{expression})+", characters):
            start, end = run.span()
            classes[start:end] = classes[start:end].translate(with_number)
    return bytes(classes)


@functools.cache
def known_classes() -> bytes:
    """Return what characters are by ``WORD``, ``SPACE`` and ``OTHER_BREAK``; none beyond them is space."""
    return character_classes({WORD: r"\w", SPACE: r"\s", OTHER_BREAK: OTHER_BREAKS})
