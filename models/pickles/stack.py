"""The stack, its marks and the memo: where a pickle's values are while it is read."""

from collections.abc import Callable
from typing import Any, TypeVar

from models.pickles.arrays import Shell
from models.pickles.cursor import Cursor
from models.pickles.faults import Malformed
from models.pickles.literals import line_number

Operation = TypeVar("Operation", bound=Callable[[Any], None])

_INDEX_BYTES = 8

OPERATIONS: dict[int, Callable[[Any], None]] = {}
"""The methods that carry out opcodes, by code."""


def opcode(*codes: bytes) -> Callable[[Operation], Operation]:
    """Register the method that carries out opcodes."""

    def register(operation: Operation) -> Operation:
        OPERATIONS.update((ord(code), operation) for code in codes)
        return operation

    return register


class Stack:
    """Values above the last mark, those below each mark, and values by number.

    Taking more values than lie above the last mark is an IndexError.

    Args:
        cursor: Gives the numbers.
        marks: How many may be open.
    """

    def __init__(self, cursor: Cursor, marks: int) -> None:
        self._cursor = cursor
        self._marks = marks
        self._values: list[Any] = []
        self._below_marks: list[list[Any]] = []
        self._memo: dict[int, Any] = {}

    @opcode(b"(")
    def _mark(self) -> None:
        if len(self._below_marks) >= self._marks:
            raise Malformed(f"its values are nested deeper than {self._marks} marks")
        self._below_marks.append(self._values)
        self._values = []

    def _pop_mark(self) -> list[Any]:
        items = self._values
        self._values = self._below_marks.pop()
        return items

    @opcode(b"1")
    def _drop_mark(self) -> None:
        self._pop_mark()

    @opcode(b"0")
    def _drop(self) -> None:
        if self._values:
            self._values.pop()
        else:
            self._pop_mark()

    @opcode(b"2")
    def _duplicate(self) -> None:
        self._values.append(_whole(self._values[-1]))

    @opcode(b"p")
    def _put_line(self) -> None:
        self._put(line_number(self._cursor.line(), _INDEX_BYTES))

    @opcode(b"q")
    def _put_1(self) -> None:
        self._put(self._cursor.unsigned(1))

    @opcode(b"r")
    def _put_4(self) -> None:
        self._put(self._cursor.unsigned(4))

    @opcode(b"\x94")
    def _put_next(self) -> None:
        self._put(len(self._memo))

    def _put(self, index: int) -> None:
        self._memo[index] = self._values[-1]

    @opcode(b"g")
    def _get_line(self) -> None:
        self._get(line_number(self._cursor.line(), _INDEX_BYTES))

    @opcode(b"h")
    def _get_1(self) -> None:
        self._get(self._cursor.unsigned(1))

    @opcode(b"j")
    def _get_4(self) -> None:
        self._get(self._cursor.unsigned(4))

    def _get(self, index: int) -> None:
        try:
            value = self._memo[index]
        except KeyError:
            raise Malformed(f"the memo holds nothing at {index}") from None
        self._values.append(_whole(value) if type(value) is Shell else value)


def _whole(value: Any) -> Any:
    if type(value) is Shell:
        if not value.is_built:
            raise Malformed("an array or its type is used before it has its state")
        return value.value
    return value
