"""The place in the data: every read is checked against what is left before anything is made of it."""

from models.pickles.faults import Malformed


class Cursor:
    """Reads bytes from the start on, and minds frames.

    Args:
        data: The whole pickle.
    """

    __slots__ = ("_data", "_frame_end", "_limit", "_next", "opcode_position", "previous_bytes")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._next = 0
        self._limit = len(data)
        self._frame_end: int | None = None
        self.opcode_position = 0
        self.previous_bytes = 0
        """How much the opcode before was long."""

    @property
    def is_at_end(self) -> bool:
        """Whether no byte is left."""
        return self._next == len(self._data)

    def opcode(self) -> int:
        """Read the code of the next opcode, in a frame or past it."""
        position = self._next
        if position == self._limit:
            if position == len(self._data):
                raise Malformed("it ends before its STOP")
            self._frame_end = None
            self._limit = len(self._data)
        self.previous_bytes = position - self.opcode_position
        self.opcode_position = position
        self._next = position + 1
        return self._data[position]

    def take(self, size_bytes: int) -> bytes:
        """Read so many bytes."""
        start = self._next
        end = start + size_bytes
        if end > self._limit:
            where = "in the file" if self._frame_end is None else "in its frame"
            raise Malformed(f"{size_bytes} bytes are announced, but {self._limit - start} are left {where}")
        self._next = end
        return self._data[start:end]

    def unsigned(self, size_bytes: int) -> int:
        """Read an unsigned number, least byte first."""
        return int.from_bytes(self.take(size_bytes), "little")

    def signed(self, size_bytes: int) -> int:
        """Read a signed number, least byte first."""
        return int.from_bytes(self.take(size_bytes), "little", signed=True)

    def line(self) -> bytes:
        """Read up to the end of the line, which is not returned."""
        start = self._next
        end = self._data.find(b"\n", start, self._limit)
        if end < 0:
            raise Malformed("a line does not end")
        self._next = end + 1
        return self._data[start:end]

    def enter_frame(self) -> None:
        """Read the length of a frame. Frames hold whole opcodes, and no frames."""
        if self._frame_end is not None:
            raise Malformed("a frame begins within a frame")
        size_bytes = self.unsigned(8)
        if size_bytes > self._limit - self._next:
            raise Malformed(f"a frame of {size_bytes} bytes is announced, but the file ends before")
        self._frame_end = self._limit = self._next + size_bytes
