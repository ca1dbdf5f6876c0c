"""Lines of a file, plain or packed, and the hash of the file as it lies on disk."""

import bz2
import gzip
import hashlib
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, cast

import zstandard

from schemas.errors import SourceError

_CHUNK_BYTES = 1 << 18
_PACKING_ERRORS = (OSError, EOFError, ValueError, zlib.error, zstandard.ZstdError)


class _Hashed(io.RawIOBase):
    """A file that hashes what is read of it."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb", buffering=0)
        self.sha512 = hashlib.sha512()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        count = self._file.readinto(buffer) or 0
        self.sha512.update(memoryview(buffer)[:count])
        return count

    def close(self) -> None:
        self._file.close()
        super().close()


class HashedLines:
    """Lines of text, numbered from 1, and the hash of the file that they came from.

    Args:
        raw: The file.
        text: Its text.
        path: For messages.
    """

    def __init__(self, raw: _Hashed, text: IO[str], path: Path) -> None:
        self._raw = raw
        self._text = text
        self._path = path

    def __iter__(self) -> Iterator[tuple[int, str]]:
        """Yield number and text of each line that is not blank, without its end.

        Raises:
            SourceError: The file is damaged, or is not in UTF-8.
        """
        try:
            for number, line in enumerate(self._text, start=1):
                if line.strip():
                    yield number, line.rstrip("\r\n")
        except _PACKING_ERRORS as error:
            raise unreadable(self._path, error) from error

    def sha512(self) -> str:
        """Return the hash of the whole file, also of what no line has read yet."""
        while self._raw.read(_CHUNK_BYTES):
            pass
        return self._raw.sha512.hexdigest()


@contextmanager
def hashed_lines(path: Path) -> Iterator[HashedLines]:
    """Open a file in UTF-8 for reading by lines: plain, or packed as its first bytes say: bz2, gzip, zstd.

    Raises:
        SourceError: It cannot be opened.
    """
    try:
        raw = _Hashed(path)
    except OSError as error:
        raise unreadable(path, error) from error
    with raw:
        packed = io.BufferedReader(raw, _CHUNK_BYTES)
        try:
            unpacked = _unpack(packed, packed.peek(4)[:4])
        except _PACKING_ERRORS as error:
            raise unreadable(path, error) from error
        yield HashedLines(raw, io.TextIOWrapper(cast(Any, unpacked), encoding="utf-8-sig", newline=""), path)


def unreadable(path: Path, error: Exception) -> SourceError:
    """Return the error for a file that cannot be opened, unpacked or decoded."""
    return SourceError(
        f"the table {path} cannot be read ({error}); name a file in UTF-8, plain, .bz2, .gz or .zst",
        path=str(path),
    )


def _unpack(packed: "io.BufferedReader[Any]", magic: bytes) -> IO[bytes]:
    if magic.startswith(b"BZh"):
        return bz2.BZ2File(packed)
    if magic.startswith(b"\x1f\x8b"):
        return cast(IO[bytes], gzip.GzipFile(fileobj=packed))
    if magic.startswith(b"\x28\xb5\x2f\xfd"):
        return cast(
            IO[bytes],
            zstandard.ZstdDecompressor().stream_reader(packed, read_across_frames=True, closefd=False),
        )
    return packed
