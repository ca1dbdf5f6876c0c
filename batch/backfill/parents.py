"""The texts of a page that later revisions of it may have as their parent, within a bound of memory."""

import tempfile
from collections import OrderedDict
from typing import IO, Final

import zstandard
from msgspec.structs import replace

from batch.backfill.chunk import ChunkText

REMEMBERED_CHARS: Final = 16 << 20
"""How many characters of one page stay in memory."""

# The way to a text in the file: where it begins, and how many bytes it is.
_Place = tuple[int, int]


class ParentTexts:
    """Remembers the revisions of one page at a time.

    The parent is nearly always the revision before. When it is another one, as after imports and merges of
    histories, it may lie any number of revisions back: what goes beyond the bound is written to a temporary
    file, and read again from there.

    Args:
        limit_chars: Characters of text that stay in memory; the last text does, whatever its size.
    """

    def __init__(self, limit_chars: int = REMEMBERED_CHARS) -> None:
        self._limit_chars = limit_chars
        self._held: OrderedDict[int, ChunkText] = OrderedDict()
        self._chars = 0
        self._spilled: dict[int, tuple[ChunkText, _Place | None]] = {}
        self._file: IO[bytes] | None = None
        self._end = 0
        self._packer = zstandard.ZstdCompressor(level=1)

    @property
    def chars(self) -> int:
        """Characters of text in memory."""
        return self._chars

    def add(self, text: ChunkText) -> None:
        """Remember a revision of the page."""
        former = self._held.pop(text.rev_id, None)
        self._chars += len(text.text) - (0 if former is None else len(former.text))
        self._held[text.rev_id] = text
        while self._chars > self._limit_chars and len(self._held) > 1:
            self._spill(self._held.popitem(last=False)[1])

    def get(self, rev_id: int) -> ChunkText | None:
        """Return a revision of the page; None where it was not seen."""
        held = self._held.get(rev_id)
        if held is not None:
            return held
        known = self._spilled.get(rev_id)
        if known is None:
            return None
        bare, place = known
        return bare if place is None else replace(bare, text=self._read(place))

    def forget(self) -> None:
        """Forget all: another page begins."""
        self._held.clear()
        self._spilled.clear()
        self._chars = self._end = 0

    def close(self) -> None:
        """Give up the file. Idempotent."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _spill(self, text: ChunkText) -> None:
        self._chars -= len(text.text)
        if not text.text:
            self._spilled[text.rev_id] = text, None
            return
        if self._file is None:
            self._file = tempfile.TemporaryFile(prefix="revstream-parents-")  # noqa: SIM115 - lives as we do
        packed = self._packer.compress(text.text.encode())
        self._file.seek(self._end)
        self._file.write(packed)
        self._spilled[text.rev_id] = replace(text, text=""), (self._end, len(packed))
        self._end += len(packed)

    def _read(self, place: _Place) -> str:
        if self._file is None:
            raise RuntimeError("a text was asked for after the file was closed")
        begin, size = place
        self._file.seek(begin)
        return zstandard.ZstdDecompressor().decompress(self._file.read(size)).decode()
