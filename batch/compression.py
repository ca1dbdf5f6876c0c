"""Files in, plain bytes out, whatever packed them."""

import bz2
import gzip
import io
import lzma
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any, BinaryIO, Final, Literal, cast

import zstandard

from batch.bz2_reader import Bz2Reader
from batch.locations import held_here, open_location
from batch.seven_zip import MAGIC, open_seven_zip
from models.native import native
from schemas.errors import SourceError

Source = Path | str | BinaryIO
Packing = Literal["plain", "bz2", "gz", "xz", "lzma", "zst", "7z"]

_MAGICS: Final[tuple[tuple[bytes, Packing], ...]] = (
    (b"BZh", "bz2"),
    (b"\x1f\x8b", "gz"),
    (b"\xfd7zXZ\0", "xz"),
    (b"\x5d\0\0", "lzma"),
    (b"\x28\xb5\x2f\xfd", "zst"),
    # A frame that only carries notes, as some packers put first.
    (b"\x50\x2a\x4d\x18", "zst"),
    (MAGIC, "7z"),
)
_MAGIC_BYTES = 6
_BUFFER_BYTES = 1 << 18


@contextmanager
def open_unpacked(source: Source) -> Iterator[BinaryIO]:
    """Open a file or a stream for reading, unpacked.

    The first bytes tell the packing (bz2 with any number of streams, gzip, xz, lzma, zstd, 7z), never the
    name: files are renamed more often than repacked.

    Args:
        source: A path, an address (`batch.locations`), or a binary stream, which is left open at the end.
            A 7z archive that is no file on this machine is copied to a temporary file first.

    Yields:
        The plain bytes, by ``read`` or by line. Both may raise what `unpacking_errors` lists.

    Raises:
        SourceError: The file is missing, is a folder or may not be read; or is a 7z archive, and there is no
            program for those.
    """
    with ExitStack() as stack:
        if isinstance(source, Path | str):
            packed: IO[bytes] = stack.enter_context(open_location(str(source)))
        else:
            packed = source
        if not isinstance(packed, io.BufferedReader):
            packed = io.BufferedReader(cast(io.RawIOBase, packed))
            # The caller's stream stays open: only the wrapper is given up.
            stack.callback(packed.detach)
        try:
            packing = packing_of(packed.peek(_MAGIC_BYTES))
            if packing == "7z":
                held = source if isinstance(source, Path | str) else cast(BinaryIO, packed)
                archive = stack.enter_context(held_here(held))
        except OSError as error:
            raise SourceError(
                f"{source_name(source)} cannot be read: {error}; try again, or fetch it first",
                path=source_name(source),
            ) from error
        if packing == "7z":
            yield stack.enter_context(open_seven_zip(archive))
            return
        unpacked = _unpack(packed, packing)
        if unpacked is not packed:
            stack.enter_context(unpacked)
        yield cast(BinaryIO, unpacked)


def packing_of(beginning: bytes) -> Packing:
    """Tell how a file is packed by its first six bytes or more."""
    return next((packing for magic, packing in _MAGICS if beginning.startswith(magic)), "plain")


def _unpack(packed: "io.BufferedReader[Any]", packing: Packing) -> IO[bytes]:
    if packing == "bz2":
        if native is None:
            return bz2.BZ2File(packed)
        return io.BufferedReader(Bz2Reader(packed, native), _BUFFER_BYTES)
    if packing == "gz":
        return cast(IO[bytes], gzip.GzipFile(fileobj=packed))
    if packing in {"xz", "lzma"}:
        return lzma.LZMAFile(packed)
    if packing == "zst":
        reader = zstandard.ZstdDecompressor().stream_reader(packed, read_across_frames=True, closefd=False)
        return io.BufferedReader(cast(io.RawIOBase, reader), _BUFFER_BYTES)
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


def source_name(source: Source) -> str:
    """Return what messages call a source: its path, or the name of the stream."""
    return str(source) if isinstance(source, Path | str) else str(getattr(source, "name", "<stream>"))
