"""Numbers and texts as opcodes spell them, in binary and in the lines of protocol 0.

A ``str`` of Python 2 held text or bytes alike. It becomes text where it is ASCII, as names and labels are,
and bytes otherwise, which loses nothing: who knows the encoding can decode them.
"""

import codecs
import re
import struct

from models.pickles.cursor import Cursor
from models.pickles.faults import Malformed, quoted

_WHOLE_NUMBER = re.compile(rb"[+-]?[0-9]+")
_NUMBER = re.compile(rb"[+-]?(?:[0-9]+\.?[0-9]*(?:e[+-]?[0-9]+)?|inf|nan)")
_LINE_FLOAT_BYTES = 400
_DIGITS_PER_BYTE = 2.41  # log10(256), rounded up
_ESCAPE = re.compile(rb"\\(x[0-9A-Fa-f]{2}|[0-7]{1,3}|[\\'\"abfnrtv]|)")
_ESCAPED = dict(zip(b"\\'\"abfnrtv", b"\\'\"\a\b\f\n\r\t\v", strict=True))
_FLOAT = struct.Struct(">d")


def line_number(line: bytes, integer_bytes: int) -> int:
    """Parse a decimal whole number; its length is checked first, since the time is quadratic in it."""
    if len(line) > integer_bytes * _DIGITS_PER_BYTE or not _WHOLE_NUMBER.fullmatch(line):
        raise Malformed(f"{quoted(line)} is no whole number that we read")
    return int(line)


def line_integer(line: bytes, integer_bytes: int) -> int | bool:
    """Parse the argument of INT, which spells True and False as 01 and 00."""
    if line in {b"00", b"01"}:
        return line == b"01"
    return line_number(line, integer_bytes)


def line_long(line: bytes, integer_bytes: int) -> int:
    """Parse the argument of LONG, which ends with an L."""
    return line_number(line.removesuffix(b"L"), integer_bytes)


def line_float(line: bytes) -> float:
    """Parse the argument of FLOAT."""
    if len(line) > _LINE_FLOAT_BYTES or not _NUMBER.fullmatch(line):
        raise Malformed(f"{quoted(line)} is no number that we read")
    return float(line)


def line_string(line: bytes) -> str | bytes:
    """Parse the argument of STRING, a literal of Python 2 in quotes."""
    if len(line) < 2 or line[0] != line[-1] or line[0] not in b"'\"":
        raise Malformed(f"{quoted(line)} is no quoted string")
    return string(_ESCAPE.sub(_unescaped, line[1:-1]))


def line_text(line: bytes) -> str:
    r"""Parse the argument of UNICODE, which writes some characters as ``\uXXXX``."""
    try:
        # The function of the codec itself: the name of a codec is looked up by an import.
        return codecs.raw_unicode_escape_decode(line)[0]
    except UnicodeDecodeError as error:
        raise Malformed(f"{quoted(line)} is no text ({error.reason})") from None


def string(raw: bytes) -> str | bytes:
    """Turn a ``str`` of Python 2 into text where it is ASCII."""
    return raw.decode("ascii") if raw.isascii() else raw


def text(raw: bytes) -> str:
    """Decode UTF-8, with the lone surrogates that pickle writes."""
    try:
        return raw.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError as error:
        raise Malformed(f"{quoted(raw)} is no text ({error.reason})") from None


def binary_long(cursor: Cursor, size_bytes: int, integer_bytes: int) -> int:
    """Read a whole number of the length that precedes it.

    Args:
        cursor: Before the length.
        size_bytes: Of the length.
        integer_bytes: Bound on it.
    """
    length = cursor.signed(size_bytes) if size_bytes == 4 else cursor.unsigned(size_bytes)
    if not 0 <= length <= integer_bytes:
        raise Malformed(f"an integer of {length} bytes is announced; we read up to {integer_bytes}")
    return cursor.signed(length)


def binary_float(cursor: Cursor) -> float:
    """Read a double, greatest byte first."""
    value: float = _FLOAT.unpack(cursor.take(8))[0]
    return value


def _unescaped(match: re.Match[bytes]) -> bytes:
    escape = match[1]
    if not escape:
        raise Malformed("a string holds an escape that Python 2 does not write")
    if escape[:1] == b"x":
        return bytes((int(escape[1:], 16),))
    if escape[0] in b"01234567":
        return bytes((int(escape, 8) & 0xFF,))
    return bytes((_ESCAPED[escape[0]],))
