"""The bytes of a model file: named by their hash, unpacked within bounds."""

import bz2
import hashlib
import lzma
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from msgspec import Struct

from schemas.errors import ModelCorrupt, ModelFileMissing

MAX_FILE_BYTES = 512 * 1024**2
MAX_UNPACKED_BYTES = 1024**3
# Models shrink to about a third. What grows a hundredfold beyond this much was made to fill memory.
_FREE_UNPACKED_BYTES = 48 * 1024**2
_MOST_GROWTH = 100
_MOST_STREAMS = 2000
_CHUNK_BYTES = 1024**2
_LFS_POINTER = b"version https://git-lfs"


class SourceFile(Struct, frozen=True):
    """A model file as it was read.

    Attributes:
        name: File name, without folder.
        sha512: Of the file as it lies on disk.
        compression: ``bz2``, ``gzip``, ``xz`` or ``none``.
        data: Unpacked.
    """

    name: str
    sha512: str
    compression: str
    data: bytes


def read_source(path: Path) -> SourceFile:
    """Read a model file and unpack it, whatever its name says.

    Args:
        path: Plain, bzip2, gzip or xz.

    Raises:
        ModelFileMissing: The file cannot be read, or is a pointer of Git LFS in place of a model.
        ModelCorrupt: It is empty, cut short, too large, or unpacks to far more than a model would.
    """
    try:
        size = path.stat().st_size
        if size > MAX_FILE_BYTES:
            raise ModelCorrupt(
                f"{path} has {size} bytes, and no model is larger than {MAX_FILE_BYTES}; name a model file",
                path=str(path),
            )
        data = path.read_bytes()
    except OSError as error:
        raise ModelFileMissing(
            f"{path} cannot be read ({error.strerror}); check its name and its rights", path=str(path)
        ) from error
    if data.startswith(_LFS_POINTER):
        raise ModelFileMissing(
            f"{path} is a pointer of Git LFS, not the model itself; run `git lfs pull` where it came from",
            path=str(path),
        )
    compression, decompressor = _decompressor(data)
    unpacked = data if decompressor is None else _unpack(data, decompressor, path)
    if not unpacked:
        raise ModelCorrupt(f"{path} is empty; fetch it again from its source", path=str(path))
    return SourceFile(path.name, hashlib.sha512(data).hexdigest(), compression, unpacked)


def _decompressor(data: bytes) -> tuple[str, type[Any] | None]:
    if data.startswith(b"BZh"):
        return "bz2", bz2.BZ2Decompressor
    if data.startswith(b"\x1f\x8b"):
        return "gzip", _GzipDecompressor
    if data.startswith(b"\xfd7zXZ\x00"):
        return "xz", lzma.LZMADecompressor
    return "none", None


class _GzipDecompressor:
    """One gzip member, in the manner of ``bz2.BZ2Decompressor``."""

    def __init__(self) -> None:
        self._inner = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
        self._waiting = b""

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data

    def decompress(self, data: bytes, max_length: int) -> bytes:
        chunk = self._inner.decompress(self._waiting + data, max_length)
        self._waiting = self._inner.unconsumed_tail
        return chunk


def _unpack(data: bytes, kind: type[Any], path: Path) -> bytes:
    limit = min(MAX_UNPACKED_BYTES, max(_FREE_UNPACKED_BYTES, _MOST_GROWTH * len(data)))
    unpacked = bytearray()
    try:
        for chunk in _chunks(data, kind):
            unpacked += chunk
            if len(unpacked) > limit:
                break
    except (OSError, EOFError, ValueError, lzma.LZMAError, zlib.error) as error:
        raise ModelCorrupt(
            f"{path} cannot be unpacked ({error}): it was copied in part or changed; fetch it again",
            path=str(path),
        ) from error
    if len(unpacked) > limit:
        raise ModelCorrupt(
            f"{path} has {len(data)} bytes and unpacks to more than {limit}, as no model does; refuse its "
            "source",
            path=str(path),
        )
    return bytes(unpacked)


def _chunks(data: bytes, kind: type[Any]) -> Iterator[bytes]:
    # A file may hold several streams one after the other, as parallel packers write it.
    for _ in range(_MOST_STREAMS):
        stream = kind()
        yield stream.decompress(data, _CHUNK_BYTES)
        while not stream.eof:
            chunk = stream.decompress(b"", _CHUNK_BYTES)
            if not chunk and not stream.eof:
                raise EOFError("it ends before its time")
            yield chunk
        data = stream.unused_data
        if not data:
            return
    raise EOFError(f"it holds more than {_MOST_STREAMS} streams")
