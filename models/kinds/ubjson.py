"""Read Universal Binary JSON (draft 12) as XGBoost writes it, within bounds."""

import struct
from typing import Any, Final

_NUMBERS: Final = {b"i": ">b", b"U": ">B", b"I": ">h", b"l": ">i", b"L": ">q", b"d": ">f", b"D": ">d"}
_CONSTANTS: Final = {b"Z": None, b"T": True, b"F": False}
DEEPEST: Final = 50


class UbjsonError(ValueError):
    """The bytes are not such a document."""


def read_ubjson(data: bytes) -> Any:
    """Read one document.

    Args:
        data: Nothing may follow the document in it.

    Returns:
        Dictionaries, lists, texts, numbers, booleans and None.

    Raises:
        UbjsonError: It is cut off, nested deeper than 50, or no such document.
    """
    reader = _Reader(data)
    try:
        value = reader.value(reader.take(1), 0)
    except struct.error as error:
        raise UbjsonError("it is cut off") from error
    if reader.position != len(data):
        raise UbjsonError(f"{len(data) - reader.position} bytes follow it")
    return value


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self.position = 0

    def take(self, count: int) -> bytes:
        taken = self._data[self.position : self.position + count]
        if count < 0 or len(taken) != count:
            raise UbjsonError("it is cut off")
        self.position += count
        return taken

    def value(self, kind: bytes, depth: int) -> Any:
        if depth > DEEPEST:
            raise UbjsonError(f"it is nested deeper than {DEEPEST}")
        if kind in _CONSTANTS:
            return _CONSTANTS[kind]
        if kind in _NUMBERS:
            return self._number(kind)
        match kind:
            case b"S":
                return self._text()
            case b"C":
                return self.take(1).decode("ascii", "replace")
            case b"[":
                return self._list(depth + 1)
            case b"{":
                return self._dictionary(depth + 1)
            case _:
                raise UbjsonError(f"it has {kind!r} where a value starts")

    def _number(self, kind: bytes) -> int | float:
        layout = _NUMBERS[kind]
        number: int | float = struct.unpack(layout, self.take(struct.calcsize(layout)))[0]
        return number

    def _count(self) -> int:
        kind = self.take(1)
        count = self._number(kind) if kind in _NUMBERS else -1
        # Every entry takes a byte or more, but for constants, which no such list holds.
        if not isinstance(count, int) or not 0 <= count <= len(self._data):
            raise UbjsonError("it states a length that it cannot have")
        return count

    def _text(self) -> str:
        try:
            return self.take(self._count()).decode()
        except UnicodeDecodeError as error:
            raise UbjsonError("it holds a text that is not UTF-8") from error

    def _header(self) -> tuple[bytes, int | None]:
        kind, count = b"", None
        if self._data[self.position : self.position + 1] == b"$":
            self.take(1)
            kind = self.take(1)
            if kind not in _NUMBERS:
                raise UbjsonError(f"it has a list of {kind!r}")
        if self._data[self.position : self.position + 1] == b"#":
            self.take(1)
            count = self._count()
        elif kind:
            raise UbjsonError("it has a list of one kind without a length")
        return kind, count

    def _list(self, depth: int) -> list[Any]:
        kind, count = self._header()
        if kind and count is not None:
            layout = _NUMBERS[kind]
            size = struct.calcsize(layout)
            return list(struct.unpack(f">{count}{layout[1]}", self.take(count * size)))
        items: list[Any] = []
        while count is None or len(items) < count:
            marker = self.take(1)
            if count is None and marker == b"]":
                break
            items.append(self.value(marker, depth))
        return items

    def _dictionary(self, depth: int) -> dict[str, Any]:
        kind, count = self._header()
        items: dict[str, Any] = {}
        while count is None or len(items) < count:
            if count is None and self._data[self.position : self.position + 1] == b"}":
                self.take(1)
                break
            key = self._text()
            if key in items:
                raise UbjsonError(f"it states {key!r} twice")
            items[key] = self.value(kind or self.take(1), depth)
        return items
