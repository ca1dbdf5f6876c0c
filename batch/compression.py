"""Files in, plain bytes out, whatever packed them."""

import bz2
import gzip
import io
import lzma
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any, BinaryIO, cast

import zstandard

from schemas.errors import SourceError

_MAGIC_BYTES = 6
_SEVEN_ZIP = b"7z\xbc\xaf\x27\x1c"


@contextmanager
def open_unpacked(source: Path | BinaryIO) -> Iterator[BinaryIO]:
    """Open a file or a stream for reading, unpacked.

    The first bytes tell the packing (bz2 with any number of streams, gzip, xz, lzma, zstd), never the name:
    files are renamed more often than repacked.

    Args:
        source: A path, or a binary stream, which is left open at the end.

    Yields:
        The plain bytes, by ``read`` or by line. Both may raise what `unpacking_errors` lists.

    Raises:
        SourceError: The file is missing, is a folder, may not be read, or is a 7z archive.
    """
    with ExitStack() as stack:
        if isinstance(source, Path):
            try:
                packed: IO[bytes] = stack.enter_context(source.open("rb"))
            except OSError as error:
                raise SourceError(
                    f"cannot open {source}: {error.strerror}; check the path and its permissions",
                    path=str(source),
                ) from error
        else:
            packed = source
        if not isinstance(packed, io.BufferedReader):
            packed = io.BufferedReader(cast(io.RawIOBase, packed))
            # The caller's stream stays open: only the wrapper is given up.
            stack.callback(packed.detach)
        unpacked = _unpack(packed, source)
        if unpacked is not packed:
            stack.enter_context(unpacked)
        yield cast(BinaryIO, unpacked)


def _unpack(packed: "io.BufferedReader[Any]", source: Path | BinaryIO) -> IO[bytes]:
    magic = packed.peek(_MAGIC_BYTES)[:_MAGIC_BYTES]
    if magic.startswith(b"BZh"):
        return bz2.BZ2File(packed)
    if magic.startswith(b"\x1f\x8b"):
        return cast(IO[bytes], gzip.GzipFile(fileobj=packed))
    if magic.startswith((b"\xfd7zXZ\0", b"\x5d\0\0")):
        return lzma.LZMAFile(packed)
    if magic.startswith(b"\x28\xb5\x2f\xfd"):
        reader = zstandard.ZstdDecompressor().stream_reader(packed, read_across_frames=True, closefd=False)
        return io.BufferedReader(cast(io.RawIOBase, reader), buffer_size=1 << 18)
    if magic == _SEVEN_ZIP:
        raise SourceError(
            f"{source_name(source)} is a 7z archive, which is not read yet; unpack it first "
            "(7zz x -so FILE.7z > FILE.xml), or pack it as bz2 or zst",
            path=source_name(source),
        )
    return packed


@contextmanager
def open_packed(path: Path) -> Iterator[IO[bytes]]:
    """Open a file for writing, packed as its suffix says: ``.bz2``, ``.gz``, ``.zst``, else plain.

    The same content gives the same bytes each time: no name and no time of writing goes in.

    Yields:
        Where the plain bytes go.

    Raises:
        SourceError: The file cannot be made.
    """
    with ExitStack() as stack:
        try:
            plain = stack.enter_context(path.open("wb"))
        except OSError as error:
            raise SourceError(
                f"cannot write {path}: {error.strerror}; check the folder and its permissions", path=str(path)
            ) from error
        packed: Any = plain
        if path.suffix == ".bz2":
            packed = stack.enter_context(bz2.BZ2File(plain, "wb"))
        elif path.suffix == ".gz":
            packed = stack.enter_context(gzip.GzipFile("", "wb", 6, plain, mtime=0))
            # Line by line, the bookkeeping of gzip costs as much as the packing.
            packed = stack.enter_context(io.BufferedWriter(packed, buffer_size=1 << 16))
        elif path.suffix == ".zst":
            packed = stack.enter_context(zstandard.ZstdCompressor(level=3).stream_writer(plain))
        yield cast(IO[bytes], packed)


def unpacking_errors() -> tuple[type[Exception], ...]:
    """Return what a read raises where the packed bytes are damaged or cut off."""
    return (OSError, EOFError, lzma.LZMAError, zlib.error, zstandard.ZstdError)


def source_name(source: Path | BinaryIO) -> str:
    """Return what messages call a source: its path, or the name of the stream."""
    return str(source) if isinstance(source, Path) else str(getattr(source, "name", "<stream>"))
