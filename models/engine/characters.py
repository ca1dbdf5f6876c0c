"""What single characters are to some regular expressions, as a table that functions in C read."""

import re
from collections.abc import Mapping
from typing import Final

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
