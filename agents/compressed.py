"""Reads plain, gzip, bzip2 and Zstandard files alike, in bounded memory, and tells a damaged one."""

import bz2
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import zstandard

_BLOCK_BYTES = 1 << 16
_CHUNK_BYTES = 1 << 18
# Zstandard's decoder has no limit on its output. A block of 4 bytes may hold 128 KiB of one byte, so that
# slices of this size stay under 8 MiB.
_ZSTD_SLICE_BYTES = 1 << 8


class DamagedFileError(Exception):
    """The compressed data breaks off or is not what the name says."""


def chunks(path: Path, blocks: Iterator[bytes]) -> Iterator[bytes]:
    """Return the uncompressed bytes of a file, as its suffix says.

    Args:
        path: Only its suffix is looked at: .gz, .bz2, .zst; any other is plain.
        blocks: The bytes of the file.

    Raises:
        DamagedFileError: The data is not of that kind, or breaks off. What came before is given.
    """
    return _READERS.get(path.suffix.lower(), _plain)(blocks)


def is_compressed(path: Path) -> bool:
    """Return whether the name says that the file is compressed."""
    return path.suffix.lower() in _READERS


def compression_of(head: bytes) -> str | None:
    """Return the kind of file that its first bytes tell; None where they look like text."""
    return next((name for magic, name in _MAGIC.items() if head.startswith(magic)), None)


def _plain(blocks: Iterator[bytes]) -> Iterator[bytes]:
    return blocks


def _gzip(blocks: Iterator[bytes]) -> Iterator[bytes]:
    decoder = zlib.decompressobj(31)
    is_open = False
    for block in blocks:
        rest = block
        while rest:
            if decoder.eof:
                # Members follow one another; tape programs pad the last one with zeros.
                rest = rest.lstrip(b"\0")
                decoder, is_open = zlib.decompressobj(31), False
                continue
            is_open = True
            try:
                chunk = decoder.decompress(rest, _CHUNK_BYTES)
            except zlib.error as error:
                raise DamagedFileError(f"its gzip data is damaged ({error})") from None
            rest = decoder.unused_data if decoder.eof else decoder.unconsumed_tail
            if chunk:
                yield chunk
    # All input is in, but the limit on output may have left some inside.
    while is_open and not decoder.eof and (chunk := decoder.decompress(b"", _CHUNK_BYTES)):
        yield chunk
    if is_open and not decoder.eof:
        raise DamagedFileError("its gzip data breaks off before its end")


def _bzip2(blocks: Iterator[bytes]) -> Iterator[bytes]:
    decoder = bz2.BZ2Decompressor()
    is_open = False
    for block in blocks:
        rest = block
        while rest or (is_open and not decoder.eof and not decoder.needs_input):
            if decoder.eof:
                decoder, is_open = bz2.BZ2Decompressor(), False
                continue
            is_open = True
            try:
                chunk = decoder.decompress(rest, _CHUNK_BYTES)
            except (OSError, ValueError) as error:
                raise DamagedFileError(f"its bzip2 data is damaged ({error})") from None
            rest = decoder.unused_data if decoder.eof else b""
            if chunk:
                yield chunk
    if is_open and not decoder.eof:
        raise DamagedFileError("its bzip2 data breaks off before its end")


def _zstd(blocks: Iterator[bytes]) -> Iterator[bytes]:
    decompressor = zstandard.ZstdDecompressor()
    decoder = decompressor.decompressobj()
    is_open = False
    for block in blocks:
        rest = block
        while rest:
            if decoder.eof:
                decoder, is_open = decompressor.decompressobj(), False
            piece, rest = rest[:_ZSTD_SLICE_BYTES], rest[_ZSTD_SLICE_BYTES:]
            is_open = True
            try:
                chunk = decoder.decompress(piece)
            except zstandard.ZstdError as error:
                raise DamagedFileError(f"its Zstandard data is damaged ({error})") from None
            if decoder.eof:
                rest = decoder.unused_data + rest
            if chunk:
                yield chunk
    if is_open and not decoder.eof:
        raise DamagedFileError("its Zstandard data breaks off before its end")


_READERS: dict[str, Callable[[Iterator[bytes]], Iterator[bytes]]] = {
    ".gz": _gzip,
    ".bz2": _bzip2,
    ".zst": _zstd,
}

_MAGIC = {
    b"\x1f\x8b": "gzip",
    b"BZh": "bzip2",
    b"\x28\xb5\x2f\xfd": "Zstandard",
    b"\xfd7zXZ\x00": "xz",
    b"7z\xbc\xaf\x27\x1c": "7z",
    b"PK\x03\x04": "zip",
    b"\xff\xfe": "UTF-16 text",
    b"\xfe\xff": "UTF-16 text",
}
NAMED_BY_SUFFIX = {".gz": "gzip", ".bz2": "bzip2", ".zst": "Zstandard"}


def blocks_of(read: Callable[[int], bytes]) -> Iterator[bytes]:
    """Return the blocks of an open file."""
    while block := read(_BLOCK_BYTES):
        yield block
