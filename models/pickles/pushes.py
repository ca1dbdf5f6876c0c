"""The opcodes that only spell a value, which goes on the stack."""

from collections.abc import Callable
from typing import Any

from models.pickles import literals
from models.pickles.cursor import Cursor

Push = Callable[[Cursor], Any]


def pushes(integer_bytes: int) -> list[Push | None]:
    """Return what reads the value of each opcode, by code; None for opcodes of other kinds.

    Args:
        integer_bytes: Bound on the length of one integer.
    """
    by_code: dict[bytes, Push] = {
        # Numbers and constants.
        b"N": lambda _: None,
        b"\x88": lambda _: True,
        b"\x89": lambda _: False,
        b"I": lambda cursor: literals.line_integer(cursor.line(), integer_bytes),
        b"J": lambda cursor: cursor.signed(4),
        b"K": lambda cursor: cursor.unsigned(1),
        b"M": lambda cursor: cursor.unsigned(2),
        b"L": lambda cursor: literals.line_long(cursor.line(), integer_bytes),
        b"\x8a": lambda cursor: literals.binary_long(cursor, 1, integer_bytes),
        b"\x8b": lambda cursor: literals.binary_long(cursor, 4, integer_bytes),
        b"F": lambda cursor: literals.line_float(cursor.line()),
        b"G": literals.binary_float,
        # Texts of Python 2, texts, bytes.
        b"S": lambda cursor: literals.line_string(cursor.line()),
        b"T": lambda cursor: literals.string(_counted(cursor, 4)),
        b"U": lambda cursor: literals.string(_counted(cursor, 1)),
        b"V": lambda cursor: literals.line_text(cursor.line()),
        b"\x8c": lambda cursor: literals.text(_counted(cursor, 1)),
        b"X": lambda cursor: literals.text(_counted(cursor, 4)),
        b"\x8d": lambda cursor: literals.text(_counted(cursor, 8)),
        b"C": lambda cursor: _counted(cursor, 1),
        b"B": lambda cursor: _counted(cursor, 4),
        b"\x8e": lambda cursor: _counted(cursor, 8),
        b"\x96": lambda cursor: bytearray(_counted(cursor, 8)),
        # Empty collections.
        b")": lambda _: (),
        b"]": lambda _: [],
        b"}": lambda _: {},
        b"\x8f": lambda _: set(),
    }
    return [by_code.get(bytes((code,))) for code in range(256)]


def _counted(cursor: Cursor, size_bytes: int) -> bytes:
    return cursor.take(cursor.unsigned(size_bytes))
