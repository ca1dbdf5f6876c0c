"""MediaWiki's XML dumps, revision by revision."""

from collections.abc import Iterator
from typing import BinaryIO

from batch.compression import Source, open_unpacked, source_name, unpacking_errors
from batch.dump_reader import DumpReader
from batch.dump_revision import DumpRevision, DumpSite
from schemas.errors import SourceError

_CHUNK_BYTES = 1 << 18
_FIRST_BYTES = 1 << 14
_HEAD_BYTES = 1 << 20
_PAGE = b"<page"


def read_dump(source: Source, *, max_text_bytes: int | None = None) -> Iterator[DumpRevision]:
    """Read the revisions of a dump in the order of the file, one in memory at a time.

    Reads export-0.3 to 0.11, plain, bz2 (multistream too), gz, xz, lzma or zst, and several documents in a
    row. The encoding is the one that the document declares.

    Args:
        source: A path, or a binary stream, which is left open.
        max_text_bytes: Texts larger than this are dropped and marked; None keeps all.

    Yields:
        Every revision that is complete, also those before a defect.

    Raises:
        SourceError: The file cannot be opened, unpacked or parsed; the message has line and column.
    """
    with open_unpacked(source) as stream:
        yield from read_plain(stream, source_name(source), max_text_bytes=max_text_bytes)


def read_plain(
    stream: BinaryIO, name: str, *, max_text_bytes: int | None = None, head: bytes = b"", tail: bytes = b""
) -> Iterator[DumpRevision]:
    """Read the revisions of plain XML, as `read_dump` does.

    Args:
        stream: Where it comes from.
        name: What messages call it.
        max_text_bytes: Texts larger than this are dropped and marked; None keeps all.
        head: What stands before the stream: the beginning of the document that the stream is a piece of.
        tail: What stands after it: the end of that document.

    Yields:
        Every revision that is complete, also those before a defect.

    Raises:
        SourceError: It cannot be unpacked or parsed; the message has line and column, from the head's first.
    """
    reader = DumpReader(name, max_text_bytes)
    chunk = head
    is_end = False
    while True:
        if chunk:
            failure = reader.feed(chunk)
            yield from reader.take()
            if failure is not None:
                raise failure
        if is_end:
            break
        try:
            chunk = stream.read(_CHUNK_BYTES)
        except unpacking_errors() as error:
            raise SourceError(
                f"{name} cannot be unpacked after {reader.fed_bytes} bytes of XML ({error}); it is cut "
                "off or damaged: fetch it again and compare its checksum",
                path=name,
            ) from error
        if not chunk:
            chunk, is_end = tail, True
    failure = reader.feed(b"")
    yield from reader.take()
    if failure is not None:
        raise failure


def read_site(source: Source) -> DumpSite:
    """Return what the beginning of a dump says about its wiki; nothing is known where it says nothing.

    Raises:
        SourceError: The file cannot be opened, or its beginning cannot be unpacked or parsed.
    """
    head = read_head(source)
    reader = DumpReader(source_name(source), None)
    failure = reader.feed(head)
    if failure is not None:
        raise failure
    return reader.site


def read_head(source: Source) -> bytes:
    """Return the XML before the first page of a dump, at most a megabyte of it.

    Raises:
        SourceError: The file cannot be opened, or its beginning cannot be unpacked.
    """
    head = b""
    with open_unpacked(source) as stream:
        try:
            while len(head) < _HEAD_BYTES and (piece := stream.read(_FIRST_BYTES)):
                begin = max(len(head) - len(_PAGE), 0)
                head += piece
                if (end := head.find(_PAGE, begin)) >= 0:
                    return head[:end]
        except unpacking_errors() as error:
            raise SourceError(
                f"the beginning of {source_name(source)} cannot be unpacked ({error}); it is cut off or "
                "damaged: fetch it again and compare its checksum",
                path=source_name(source),
            ) from error
    return head
