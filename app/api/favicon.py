"""The sign of our pages: three bars of a score, drawn here so that no picture lies beside the code."""

import struct
import zlib
from itertools import chain

_SIDE_PIXELS = 16
_DOWNWARDS = range(_SIDE_PIXELS - 1, -1, -1)
_CLEAR = (0, 0, 0, 0)
# Left and right edge and height of each bar, in pixels, and its colour with opacity.
_BARS = ((1, 5, 6, (51, 102, 204, 255)), (6, 10, 11, (51, 102, 204, 255)), (11, 15, 15, (20, 134, 109, 255)))


def favicon() -> bytes:
    """Return the picture as an ICO file that holds one PNG."""
    picture = _png()
    # Of an icon's directory: one picture, its size, no palette, one plane of 32 bits, its length and place.
    entry = struct.pack("<BBBBHHII", _SIDE_PIXELS, _SIDE_PIXELS, 0, 0, 1, 32, len(picture), 22)
    return struct.pack("<HHH", 0, 1, 1) + entry + picture


def _png() -> bytes:
    rows = (b"\0" + bytes(chain.from_iterable(_pixel(x, y) for x in range(_SIDE_PIXELS))) for y in _DOWNWARDS)
    header = struct.pack(">IIBBBBB", _SIDE_PIXELS, _SIDE_PIXELS, 8, 6, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(b"".join(rows))), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )


def _pixel(x: int, y: int) -> tuple[int, int, int, int]:
    """Return the colour at a place, counted from the lower left."""
    return next((colour for left, right, top, colour in _BARS if left <= x < right and y < top), _CLEAR)
