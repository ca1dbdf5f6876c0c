"""Server-sent events out of a stream of bytes, as the HTML standard lays them down."""

from msgspec import Struct

from agents.lines import MAX_LINE_BYTES, LineSplitter

_BOM = b"\xef\xbb\xbf"


class ServerSentEvent(Struct, frozen=True):
    """One event.

    Attributes:
        kind: ``message`` unless the server names another.
        data: Lines joined by line feeds; the first bytes only where it is over the limit.
        last_event_id: The id in force, which an earlier event may have set; empty at first.
        size_bytes: Of the data.
        is_whole: False where the data is over the limit.
    """

    kind: str
    data: bytes
    last_event_id: str
    size_bytes: int
    is_whole: bool = True


class SseParser:
    """Cuts bytes into events. Where chunks begin and end makes no difference. Memory is bounded.

    Args:
        max_data_bytes: Limit on the data of one event.

    Attributes:
        retry_seconds: How long the server wants clients to wait before they come back; None until it says.
    """

    def __init__(self, max_data_bytes: int = MAX_LINE_BYTES) -> None:
        self.retry_seconds: float | None = None
        self._max_data_bytes = max_data_bytes
        self._splitter = LineSplitter(max_data_bytes + len(b"data: "))
        self._is_after_return = False
        self._is_first_line = True
        self._last_event_id = ""
        self._kind = ""
        self._data: list[bytes] = []
        self._size_bytes = 0
        self._is_whole = True

    def feed(self, chunk: bytes) -> list[ServerSentEvent]:
        """Return the events that end in this chunk."""
        if not chunk:
            return []
        # A line feed after a carriage return belongs to it, though it comes in the next chunk.
        if self._is_after_return and chunk.startswith(b"\n"):
            chunk = chunk[1:]
            self._is_after_return = False
            if not chunk:
                return []
        self._is_after_return = chunk.endswith(b"\r")
        if b"\r" in chunk:
            chunk = chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        events = []
        for line in self._splitter.feed(chunk):
            value = line.value
            if self._is_first_line:
                self._is_first_line = False
                value = value.removeprefix(_BOM)
            if value:
                self._field(value, line.size_bytes, is_whole=line.is_whole)
            elif (event := self._dispatch()) is not None:
                events.append(event)
        return events

    def _field(self, line: bytes, size_bytes: int, *, is_whole: bool) -> None:
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            # Of a line over the limit only the head is here; the name in front of the value counts not.
            self._add(value, size_bytes - (len(line) - len(value)), is_whole=is_whole)
        elif name == b"event":
            self._kind = value.decode("utf-8", "replace")
        elif name == b"id" and b"\0" not in value and is_whole:
            self._last_event_id = value.decode("utf-8", "replace")
        elif name == b"retry" and value.isdigit():
            self.retry_seconds = int(value[:9]) / 1000

    def _add(self, value: bytes, size_bytes: int, *, is_whole: bool) -> None:
        # One byte more for the line feed that joins; the standard takes the last one off again.
        self._size_bytes += 1 + size_bytes
        self._is_whole = self._is_whole and is_whole and self._size_bytes - 1 <= self._max_data_bytes
        if self._is_whole or not self._data:
            self._data.append(value)

    def _dispatch(self) -> ServerSentEvent | None:
        event = None
        if self._data:
            event = ServerSentEvent(
                self._kind or "message",
                b"\n".join(self._data),
                self._last_event_id,
                self._size_bytes - 1,
                self._is_whole,
            )
        self._kind, self._data, self._size_bytes, self._is_whole = "", [], 0, True
        return event
