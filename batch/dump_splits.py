"""Where dumps can be cut: the bytes at which reading may begin."""

import bz2
from collections.abc import Iterator
from contextlib import suppress
from typing import Final

from batch.compression import open_unpacked, unpacking_errors
from batch.dump_names import index_names
from batch.locations import beside, is_remote, open_location, read_some
from schemas.errors import SourceError

_PIECE_BYTES: Final = 4 << 20
# A stream of bz2: its own sign, then that of its first block. Streams begin at whole bytes, blocks do not.
_BLOCK: Final = b"1AY&SY"
_STREAM_SIGN: Final = b"BZh"
_SIGN_BYTES: Final = 4
_PAGE: Final = b"<page>"
_DOCUMENT: Final = b"<mediawiki"
# Enough for a first block of the largest kind, packed.
_FIRST_BLOCK_BYTES: Final = 1 << 20
_BEGINNING_BYTES: Final = 64
# Packers that cut anywhere give streams that hardly ever begin with a page: looking on costs, and is in vain.
_VAIN_LOOKS: Final = 32
# A stream of nothing but the end of a document is smaller than this, one of pages hardly ever.
_SMALL_STREAM_BYTES: Final = 1024


def split_bz2(url: str, name: str, size_bytes: int, target_bytes: int) -> list[int]:
    """Return the bytes where a bz2 dump can be cut, at least as far apart as told. None: it has one piece.

    Args:
        url: Of the dump.
        name: Its name, from which that of its index follows.
        size_bytes: Of the packed file.
        target_bytes: Least size of a piece, packed.

    Raises:
        SourceError: It cannot be read.
    """
    starts = _index_starts(url, name)
    if starts is None:
        if is_remote(url):
            return []
        starts = list(_stream_starts(url))
        if _ends_within(url, starts, size_bytes):
            return []
    borders: list[int] = []
    last = vain_looks = 0
    for start in starts:
        if start - last < target_bytes or start >= size_bytes:
            continue
        if _begins_with_page(url, start):
            borders.append(start)
            last = start
            vain_looks = 0
        else:
            vain_looks += 1
            if vain_looks == _VAIN_LOOKS:
                break
    return borders


def split_plain(url: str, size_bytes: int, target_bytes: int) -> list[int]:
    """Return the bytes where plain XML in UTF-8 can be cut, at least as far apart as told.

    Looks through all of the file, since several documents in a row, comments and character data sections,
    which no dump of MediaWiki's has, make it one piece: what looks like a page in them is none.

    Args:
        url: Of the dump, on this machine.
        size_bytes: Of the file.
        target_bytes: Least size of a piece.

    Raises:
        SourceError: It cannot be read.
    """
    borders: list[int] = []
    last = documents = 0
    for offset, seen in _windows(url, len(_DOCUMENT) - 1):
        if b"<!" in seen:
            return []
        documents += seen.count(_DOCUMENT)
        if documents > 1:
            return []
        while (found := seen.find(_PAGE, max(last + target_bytes - offset, 0))) >= 0:
            last = offset + found
            borders.append(last)
    return [border for border in borders if 0 < border < size_bytes]


def _windows(url: str, overlap_bytes: int) -> Iterator[tuple[int, bytes]]:
    """Yield a file piece by piece, each after its offset and with the last bytes of the one before in front.

    The bytes in front are too few to hold a match, so that none is found twice.
    """
    before = b""
    offset = 0
    with open_location(url) as stream:
        try:
            while piece := stream.read(_PIECE_BYTES):
                seen = before + piece
                yield offset - len(before), seen
                offset += len(piece)
                before = seen[-overlap_bytes:]
        except OSError as error:
            raise SourceError(f"cannot read {url} after {offset} bytes: {error}", path=url) from error


def _stream_starts(url: str) -> Iterator[int]:
    """Yield where the streams of a bz2 file begin, but the first."""
    width = _SIGN_BYTES + len(_BLOCK)
    for offset, seen in _windows(url, width - 1):
        found = seen.find(_BLOCK)
        while found >= 0:
            sign = seen[max(found - _SIGN_BYTES, 0) : found]
            start = offset + found - _SIGN_BYTES
            if sign.startswith(_STREAM_SIGN) and sign[-1:].isdigit() and start > 0:
                yield start
            found = seen.find(_BLOCK, found + 1)


def _index_starts(url: str, name: str) -> list[int] | None:
    """Return where the streams begin that the index beside a dump lists; None where there is none to use."""
    for index_name in index_names(name):
        # An index that is absent or damaged only means that the dump itself is looked through.
        with suppress(SourceError, ValueError, *unpacking_errors()):
            return _listed_starts(beside(url, index_name))
    return None


def _listed_starts(index_url: str) -> list[int]:
    starts: list[int] = []
    with open_unpacked(index_url) as lines:
        for line in lines:
            start = int(line.partition(b":")[0])
            if not starts or start > starts[-1]:
                starts.append(start)
    return starts


def _ends_within(url: str, starts: list[int], size_bytes: int) -> bool:
    """Tell whether a document ends in a stream that is not the last: then another document follows."""
    ends = [*starts[1:], size_bytes]
    small = (
        (begin, end - begin)
        for begin, end in zip(starts[:-1], ends, strict=False)
        if end - begin < _SMALL_STREAM_BYTES
    )
    return any(b"</mediawiki>" in _unpacked(read_some(url, *each)) for each in small)


def _begins_with_page(url: str, start: int) -> bool:
    beginning = _unpacked(read_some(url, start, _FIRST_BLOCK_BYTES), _BEGINNING_BYTES)
    return beginning.lstrip().startswith(_PAGE)


def _unpacked(stream: bytes, limit_bytes: int = 1 << 20) -> bytes:
    """Return the beginning of what a stream holds, nothing where it is damaged."""
    try:
        return bz2.BZ2Decompressor().decompress(stream, limit_bytes)
    except OSError:
        return b""
