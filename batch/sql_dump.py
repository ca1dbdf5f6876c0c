"""Rows out of the SQL dumps that MediaWiki's operators publish, as mysqldump writes them."""

import re
from collections.abc import Iterator, Sequence
from typing import BinaryIO, Final

from msgspec import Struct

from batch.compression import Source, open_unpacked, source_name, unpacking_errors
from schemas.errors import SourceError

Value = bytes | int | None
Columns = tuple[str, ...]

_PIECE_BYTES: Final = 1 << 20
# A statement that is passed over, or a row, is held whole. Servers take no more than 1 GB, mostly 16 MB.
_HELD_BYTES: Final = 64 << 20

# Possessive, so that no text makes the search go back and forth.
_QUOTED: Final = rb"'(?:[^'\\]++|\\.|'')*+'"
_VALUE: Final = (
    rb"(?:NULL|-?[0-9.]++(?:[eE][-+]?[0-9]++)?|0[xX][0-9A-Fa-f]++|(?:_[a-z0-9]++ )?" + _QUOTED + rb")"
)
_STATEMENT: Final = re.compile(
    rb"(?:[^;'\"`\-/#]++|" + _QUOTED + rb'|"(?:[^"\\]++|\\.|"")*+"|`[^`]*+`'
    rb"|--(?=[ \t\r\n])[^\n]*+\n|#[^\n]*+\n|/\*(?:[^*]++|\*(?!/))*+\*/|[-/])*+;",
    re.DOTALL,
)
_BETWEEN: Final = re.compile(rb"(?:\s++|--[^\n]*+\n|#[^\n]*+\n)*+")
_INSERT: Final = re.compile(
    rb"(?:INSERT|REPLACE)(?:\s+(?:IGNORE|DELAYED|LOW_PRIORITY))*\s+INTO\s+(?:`\w+`\.)?`?(?P<table>\w+)`?\s*"
    rb"(?:\((?P<columns>[\w`,\s]*)\)\s*)?VALUES\s*",
    re.IGNORECASE,
)
_CREATE: Final = re.compile(
    rb"CREATE\s+TABLE\s+(?:IF\s+NOT\s+EXISTS\s+)?(?:`\w+`\.)?`?(?P<table>\w+)`?\s*\(", re.IGNORECASE
)
_COLUMN: Final = re.compile(rb"^\s*`(\w+)`\s", re.MULTILINE)
_ESCAPED: Final = re.compile(rb"\\(.)|''", re.DOTALL)
_ESCAPES: Final = {b"0": b"\0", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"Z": b"\x1a"}
_LONGEST_START: Final = 1 << 16


class SqlRow(Struct, frozen=True):
    """One row.

    Attributes:
        columns: Those asked for.
        values: Of these. Text is bytes, whole numbers are int, other numbers bytes.
    """

    columns: Columns
    values: tuple[Value, ...]


class SqlDump:
    """The rows of the tables that have certain columns.

    Column names come from a statement itself or from the ``CREATE TABLE`` before it, so their order and what
    else a table holds do not matter: nothing else is kept.

    Args:
        source: Anything that `batch.compression.open_unpacked` opens.
        wanted: Columns, for each kind of table. The first kind that a table has all columns of counts.
    """

    def __init__(self, source: Source, wanted: Sequence[Columns]) -> None:
        self._source = source
        self._wanted = wanted
        self.met: set[Columns] = set()
        """Kinds of which there is a table, whether it has rows or none."""

    def rows(self) -> Iterator[SqlRow]:
        """Read the rows in the order of the file, a piece of a statement in memory at a time.

        Raises:
            SourceError: It cannot be opened or unpacked, or what it holds is not understood or cut off; the
                message has the byte, after all rows before it.
        """
        with open_unpacked(self._source) as stream:
            yield from _Scanner(stream, source_name(self._source), self._wanted, self.met).rows()


class _Scanner:
    """Goes through the statements of a dump."""

    def __init__(self, stream: BinaryIO, name: str, wanted: Sequence[Columns], met: set[Columns]) -> None:
        self._stream = stream
        self._name = name
        self._wanted = wanted
        self._met = met
        self._columns: dict[str, list[str]] = {}
        self._held = b""
        self._place = 0
        self._passed_bytes = 0
        self._is_at_end = False

    def rows(self) -> Iterator[SqlRow]:
        while self._pass_between():
            self._fill(_LONGEST_START)
            if created := _CREATE.match(self._held, self._place):
                statement = self._take(_STATEMENT)
                names = [each.decode() for each in _COLUMN.findall(statement)]
                self._columns[created["table"].decode()] = names
                self._kind_of(names)
            elif inserted := _INSERT.match(self._held, self._place):
                columns = self._columns_of(inserted)
                kind = self._kind_of(columns)
                if kind is None:
                    self._take(_STATEMENT)
                else:
                    self._place = inserted.end()
                    yield from self._inserted(kind, columns)
            else:
                self._take(_STATEMENT)

    def _columns_of(self, inserted: "re.Match[bytes]") -> list[str]:
        table, listed = inserted["table"].decode(), inserted["columns"]
        columns = re.findall(r"\w+", listed.decode()) if listed else self._columns.get(table)
        if columns is None:
            raise self._broken(f"rows of the table {table} without the names of its columns")
        return columns

    def _kind_of(self, columns: Sequence[str]) -> Columns | None:
        kind = next((each for each in self._wanted if set(each) <= set(columns)), None)
        if kind is not None:
            self._met.add(kind)
        return kind

    def _inserted(self, kind: Columns, columns: Sequence[str]) -> Iterator[SqlRow]:
        one = b",".join(b"(" + _VALUE + b")" if each in kind else _VALUE for each in columns)
        row = re.compile(rb"\s*\(" + one + rb"\)\s*([,;])", re.DOTALL)
        kept = [each for each in columns if each in kind]
        order = [kept.index(each) for each in kind]
        while True:
            found = row.match(self._held, self._place)
            if found is None:
                if not self._more():
                    raise self._broken("a row that ends early or is not understood")
                continue
            self._place = found.end()
            groups = found.groups()
            yield SqlRow(kind, tuple(_value(groups[each]) for each in order))
            if groups[-1] == b";":
                return

    def _take(self, pattern: re.Pattern[bytes]) -> bytes:
        """Take what matches here, and read on until it does."""
        while (found := pattern.match(self._held, self._place)) is None:
            if not self._more():
                raise self._broken("a statement that ends early")
        self._place = found.end()
        return found[0]

    def _pass_between(self) -> bool:
        """Go to the next statement; False where there is none."""
        while True:
            found = _BETWEEN.match(self._held, self._place)
            self._place = found.end() if found is not None else self._place
            left = self._held[self._place : self._place + 2]
            if left and left not in {b"-", b"--"} and left[:1] != b"#":
                return True
            if not self._more():
                # A comment without the end of its line is one as well.
                return False

    def _fill(self, wanted_bytes: int) -> None:
        while len(self._held) - self._place < wanted_bytes and self._more():
            pass

    def _more(self) -> bool:
        """Read another piece behind what is held; False at the end."""
        if self._is_at_end:
            return False
        if len(self._held) - self._place > _HELD_BYTES:
            raise self._broken(f"a statement or row of more than {_HELD_BYTES} bytes")
        try:
            piece = self._stream.read(_PIECE_BYTES)
        except unpacking_errors() as error:
            raise SourceError(
                f"{self._name} cannot be unpacked after {self._passed_bytes + len(self._held)} bytes of SQL "
                f"({error}); it is cut off or damaged: fetch it again and compare its checksum",
                path=self._name,
            ) from error
        self._passed_bytes += self._place
        self._held = self._held[self._place :] + piece
        self._place = 0
        self._is_at_end = not piece
        return bool(piece)

    def _broken(self, what: str) -> SourceError:
        place = self._passed_bytes + self._place
        return SourceError(
            f"{self._name} holds {what}, at byte {place} unpacked; expected what mysqldump writes. It is cut "
            "off or of another kind: fetch it again and compare its checksum",
            path=self._name,
            byte=place,
        )


def _value(written: bytes) -> Value:
    if written == b"NULL":
        return None
    if written[:2] in {b"0x", b"0X"}:
        return bytes.fromhex(written[2:].decode())
    if written[-1:] == b"'":
        text = written[written.index(b"'") + 1 : -1]
        return _ESCAPED.sub(_unescaped, text) if b"\\" in text or b"'" in text else text
    return int(written) if written.lstrip(b"-").isdigit() else written


def _unescaped(found: "re.Match[bytes]") -> bytes:
    sign: bytes | None = found[1]
    return b"'" if sign is None else _ESCAPES.get(sign, sign)
