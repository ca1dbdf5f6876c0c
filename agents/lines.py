"""Cuts a stream of bytes into lines, in bounded memory."""

from msgspec import Struct
from msgspec.json import Encoder

MAX_LINE_BYTES = 16 << 20

# How much of a line that is refused is kept, so that a person can tell which one it was.
_HEAD_BYTES = 200

_encoder = Encoder()


class Line(Struct, frozen=True):
    """One line without its end.

    Attributes:
        value: Its bytes; the first 200 where it is over the limit.
        number: From 1.
        end_offset: Of the first byte after it, in the uncompressed stream.
        size_bytes: Its length.
        is_whole: False where it is over the limit.
    """

    value: bytes
    number: int
    end_offset: int
    size_bytes: int
    is_whole: bool = True


class LineSplitter:
    """Cuts at every line feed; a line over the limit is measured and let go.

    Args:
        max_line_bytes: Limit on one line, its end left out.
        offset: Place in the stream of the first byte to come.
        number: Lines before it.
    """

    def __init__(self, max_line_bytes: int = MAX_LINE_BYTES, *, offset: int = 0, number: int = 0) -> None:
        self._max_line_bytes = max_line_bytes
        self._offset = offset
        self._number = number
        self._pieces: list[bytes] = []
        self._size_bytes = 0

    def feed(self, chunk: bytes) -> list[Line]:
        """Return the lines that end in this chunk."""
        *ends, rest = chunk.split(b"\n")
        lines = []
        for end in ends:
            self._add(end)
            lines.append(self._cut(end_bytes=1))
        self._add(rest)
        return lines

    def finish(self) -> Line | None:
        """Return the last line if the stream ends without a line feed."""
        return self._cut(end_bytes=0) if self._size_bytes else None

    def _add(self, piece: bytes) -> None:
        self._size_bytes += len(piece)
        if self._size_bytes <= self._max_line_bytes:
            self._pieces.append(piece)
        else:
            self._pieces = [b"".join([*self._pieces, piece[:_HEAD_BYTES]])[:_HEAD_BYTES]]

    def _cut(self, end_bytes: int) -> Line:
        size_bytes, pieces = self._size_bytes, self._pieces
        self._offset += size_bytes + end_bytes
        self._number += 1
        self._pieces, self._size_bytes = [], 0
        is_whole = size_bytes <= self._max_line_bytes
        return Line(b"".join(pieces), self._number, self._offset, size_bytes, is_whole)


def refusal(source_id: str, place: str, size_bytes: int, head: bytes) -> bytes:
    """Return the record that is taken in place of an event over the limit.

    It is no event of any schema, so that it ends among the dead letters and tells there what was left out.

    Args:
        source_id: Where the event came from.
        place: Where in it.
        size_bytes: Its size.
        head: Its first bytes.
    """
    return _encoder.encode(
        {
            "revstream_refused": {
                "source": source_id,
                "place": place,
                "size_bytes": size_bytes,
                "reason": "over the limit on the size of one event",
                "starts_with": head[:_HEAD_BYTES].decode("utf-8", "replace"),
            }
        }
    )
