"""bz2, block by block: in half of the time that libraries and programs take."""

import io
from collections.abc import Iterator
from typing import Any, Final

from models.native import Native

_BLOCK: Final = 0x314159265359
_END: Final = 0x177245385090
_MAGIC_BITS: Final = 48
_SUM_BITS: Final = 32
_HEADER_BYTES: Final = 4
_LEVELS: Final = b"123456789"
_BYTES_OF_LEVEL: Final = 100_000
_ONES: Final = 0xFFFFFFFF
# Almost every block of text is one piece, whose checksum is compared before anyone sees it.
_PIECE_BYTES: Final = 1 << 20
# Blocks are smaller, unless somebody made them by hand.
_PACKED_BYTES: Final = 1 << 20
_READ_BYTES: Final = 1 << 18


class Bz2Reader(io.RawIOBase):
    """Unpacks any number of streams in a row; what stands behind them and is none is passed over.

    Args:
        packed: Stands at the beginning; is not closed.
        native: Functions in C.

    A read raises `OSError` where the packed bytes are damaged, and `EOFError` where they are cut off, after
    the last piece that could be unpacked.
    """

    def __init__(self, packed: "io.BufferedReader[Any]", native: Native) -> None:
        self._pieces = _pieces(_Packed(packed), native)
        self._piece = memoryview(b"")
        self._failure: Exception | None = None

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer as far as one piece goes; return the number of bytes, 0 at the end."""
        if self._failure is not None:
            raise self._failure
        try:
            while not self._piece:
                self._piece = memoryview(next(self._pieces))
        except StopIteration:
            return 0
        except (OSError, EOFError) as error:
            self._failure = error
            raise
        count = min(len(buffer), len(self._piece))
        buffer[:count] = self._piece[:count]
        self._piece = self._piece[count:]
        return count


class _Packed:
    """What is still packed, by bits."""

    def __init__(self, file: "io.BufferedReader[Any]") -> None:
        self._file = file
        self._failure: OSError | None = None
        self._bytes = b""
        self._bit = 0

    def _has(self, bits: int) -> bool:
        """Read on, unless there are so many bits; return whether there are."""
        if self._bit + bits > len(self._bytes) * 8:
            # Twice as many, so that what is left of large blocks is not copied for each.
            self._bytes = self._bytes[self._bit // 8 :] + self._read(bits // 4)
            self._bit %= 8
        return self._bit + bits <= len(self._bytes) * 8

    def _read(self, size: int) -> bytes:
        """Read so much or more. Where that fails, what came before counts; the failure is told behind it."""
        pieces: list[bytes] = []
        left = size
        try:
            while self._failure is None and left >= 0 and (piece := self._file.read1(_READ_BYTES)):
                pieces.append(piece)
                left -= len(piece)
        except OSError as error:
            self._failure = error
        return b"".join(pieces)

    def _need(self, bits: int) -> None:
        if not self._has(bits):
            raise self._failure or EOFError("bz2 that ends before its last stream does")

    def take(self, bits: int) -> int:
        """Return the next bits, the first as the highest."""
        self._need(bits)
        end = self._bit + bits
        whole = int.from_bytes(self._bytes[self._bit // 8 : (end + 7) // 8])
        self._bit = end
        return whole >> (-end % 8) & ((1 << bits) - 1)

    def begin_stream(self) -> int | None:
        """Return the size of blocks of the stream that begins at the next byte; None where none does."""
        self._bit += -self._bit % 8
        if not self._has(_HEADER_BYTES * 8):
            if self._failure is not None:
                raise self._failure
            return None
        at = self._bit // 8
        header = self._bytes[at : at + _HEADER_BYTES]
        if header[:3] != b"BZh" or header[3] not in _LEVELS:
            return None
        self._bit += _HEADER_BYTES * 8
        return (header[3] - ord("0")) * _BYTES_OF_LEVEL

    def take_block(self, most: int, native: Native) -> bytes:
        """Return a block with its runs."""
        self._has(_PACKED_BYTES * 8)
        while True:
            try:
                found = native.unpack_bz2_block(self._bytes, self._bit, most)
            except ValueError as error:
                raise OSError(f"damaged bz2: {error}") from error
            if found is not None:
                block, self._bit = found
                return block
            self._need(len(self._bytes) * 8 - self._bit + 1)


def _pieces(packed: _Packed, native: Native) -> Iterator[bytes]:
    most = packed.begin_stream()
    if most is None:
        raise OSError("no bz2, or bz2 without its beginning")
    while most is not None:
        yield from _stream(packed, most, native)
        most = packed.begin_stream()


def _stream(packed: _Packed, most: int, native: Native) -> Iterator[bytes]:
    whole = 0
    while (magic := packed.take(_MAGIC_BITS)) == _BLOCK:
        expected = packed.take(_SUM_BITS)
        block = packed.take_block(most, native)
        at, checksum = 0, _ONES
        while at < len(block):
            try:
                piece, at, checksum = native.expand_bz2_runs(block, at, _PIECE_BYTES, checksum)
            except ValueError as error:
                raise OSError(f"damaged bz2: {error}") from error
            if at == len(block) and checksum ^ _ONES != expected:
                raise OSError("damaged bz2: a block of another checksum")
            yield piece
        whole = (whole << 1 & _ONES | whole >> 31) ^ expected
    if magic != _END:
        raise OSError("damaged bz2: no block begins where one ends")
    if packed.take(_SUM_BITS) != whole:
        raise OSError("damaged bz2: a stream of another checksum")
