"""Which dumps there are to read, and the pieces of them that can be read alone."""

import io
from collections.abc import Iterator, Sequence
from typing import BinaryIO, Final, cast

from msgspec import Struct

from batch.compression import Packing, open_unpacked, packing_of
from batch.dump import read_dump, read_head, read_plain, read_site
from batch.dump_names import (
    KINDS,
    PACKINGS,
    lies_beside,
    looks_like_dump,
    pages_of,
    parse_name,
    split_packing,
    wiki_id_of,
)
from batch.dump_revision import DumpRevision
from batch.dump_splits import split_bz2, split_plain
from batch.locations import FoundFile, find_files, is_remote, open_location, read_some
from schemas.errors import SourceError

_MAGIC_BYTES: Final = 6
_TAIL: Final = b"</mediawiki>"


class DumpInput(Struct, frozen=True):
    """A dump to read.

    Attributes:
        url: Absolute path, or address.
        name: The last part of it.
        size_bytes: As it lies there, packed; 0 where the server does not tell.
        packing: Told by the first bytes.
        wiki_id: Database name, as the caller, the dump or its name tell; None where none does.
        first_page_id: What the name tells, ``…-p1p857.7z``.
        last_page_id: As above.
    """

    url: str
    name: str
    size_bytes: int
    packing: Packing
    wiki_id: str | None
    first_page_id: int | None = None
    last_page_id: int | None = None


class DumpRange(Struct, frozen=True):
    """A piece of a dump that can be read alone: whole pages.

    Attributes:
        url: Of the dump.
        begin: Its first byte, in the packed file.
        end: The byte after its last.
        packing: Of the dump.
        is_whole: Whether it is all of the dump, read from its beginning to wherever it ends.
        is_last: Whether the end of the document is in it.
    """

    url: str
    begin: int
    end: int
    packing: Packing = "plain"
    is_whole: bool = True
    is_last: bool = True


class PassedOver(Struct, frozen=True):
    """A file that was found and is not read.

    Attributes:
        url: Its path or address.
        reason: For people.
    """

    url: str
    reason: str


class DumpListing(Struct, frozen=True):
    """What sources name.

    Attributes:
        inputs: To be read, in the order of wiki, page and name.
        passed_over: Not to be read, sorted by address.
    """

    inputs: tuple[DumpInput, ...]
    passed_over: tuple[PassedOver, ...]


def list_inputs(sources: Sequence[str], *, wiki_id: str | None = None) -> list[DumpInput]:
    """Return the dumps that sources name. See `look_for_inputs`."""
    return list(look_for_inputs(sources, wiki_id=wiki_id).inputs)


def look_for_inputs(sources: Sequence[str], *, wiki_id: str | None = None) -> DumpListing:
    """Find the dumps that sources name, and say what lies beside them and is not read.

    A file that is named is read, unless it is what lies beside dumps (an index, checksums, tables). Out of
    folders and globs, what has ``.xml`` in its name is taken, without stubs, abstracts and log entries; and
    of the dumps that Wikimedia makes of one wiki on one day only those that hold most, in one packing, so
    that nothing is read twice.

    Args:
        sources: Files, folders (not what lies deeper), globs (``**`` too), ``https://`` and ``s3://``
            addresses of those; a server's folder ends with ``/``.
        wiki_id: The wiki, where dumps do not tell it (before export-0.9); stronger than what they tell.

    Raises:
        SourceError: A source names nothing, or cannot be listed or opened.
    """
    named: dict[str, FoundFile] = {}
    met: dict[str, FoundFile] = {}
    passed_over: dict[str, str] = {}
    for source in sources:
        found, is_named = find_files(source)
        for each in found:
            if lies_beside(each.name) or not (is_named or looks_like_dump(each.name)):
                passed_over[each.url] = "no dump of pages with their texts, by its name"
            else:
                (named if is_named else met)[each.url] = each
    met = {url: each for url, each in met.items() if url not in named}
    chosen = _choose([*named.values(), *met.values()], frozenset(named), passed_over)
    if not chosen:
        raise SourceError(
            f"there is no dump in {', '.join(sources)}; name files like NAME.xml.bz2, a folder "
            "that has some, or a glob"
        )
    inputs = [_input(each, wiki_id) for each in chosen]
    inputs.sort(key=lambda one: (one.wiki_id or "", one.first_page_id or 0, one.name, one.url))
    return DumpListing(tuple(inputs), tuple(PassedOver(url, why) for url, why in sorted(passed_over.items())))


def split_input(one: DumpInput, target_bytes: int) -> list[DumpRange]:
    """Cut a dump into pieces that can be read alone, in the order of the file.

    Plain XML is cut before any page; bz2 where a stream begins with a page, as in Wikimedia's dumps, found by
    the index beside a multistream dump or else by looking through the file. What is packed otherwise, is not
    in UTF-8, holds several documents or, but for multistream dumps with an index, lies on another machine, is
    one piece.

    Args:
        one: The dump.
        target_bytes: How large pieces are at least, in the packed file; the last may be smaller.

    Raises:
        SourceError: It cannot be read.
    """
    borders: list[int] = []
    if one.size_bytes > target_bytes:
        if one.packing == "bz2":
            borders = split_bz2(one.url, one.name, one.size_bytes, target_bytes)
        elif one.packing == "plain" and not is_remote(one.url):
            borders = split_plain(one.url, one.size_bytes, target_bytes)
    if not borders:
        return [DumpRange(one.url, 0, one.size_bytes, one.packing)]
    ends = [*borders, one.size_bytes]
    return [
        DumpRange(one.url, begin, end, one.packing, is_whole=False, is_last=end == one.size_bytes)
        for begin, end in zip([0, *borders], ends, strict=True)
    ]


def read_range(one: DumpRange, *, max_text_bytes: int | None = None) -> Iterator[DumpRevision]:
    """Read the revisions of a piece in the order of the file, one in memory at a time.

    Args:
        one: From `split_input`.
        max_text_bytes: Texts larger than this are dropped and marked; None keeps all.

    Yields:
        Every revision that is complete, also those before a defect.

    Raises:
        SourceError: It cannot be opened, unpacked or parsed; the message has the place.
    """
    if one.is_whole:
        yield from read_dump(one.url, max_text_bytes=max_text_bytes)
        return
    head = b"" if one.begin == 0 else read_head(one.url)
    with open_location(one.url, one.begin) as packed:
        piece = cast(BinaryIO, io.BufferedReader(_Piece(packed, one.end - one.begin), 1 << 18))
        with open_unpacked(piece) as stream:
            yield from read_plain(
                stream,
                f"{one.url} from byte {one.begin} to {one.end}",
                max_text_bytes=max_text_bytes,
                head=head,
                tail=b"" if one.is_last else _TAIL,
            )


class _Piece(io.RawIOBase):
    """The next bytes of a stream, up to a number."""

    def __init__(self, stream: BinaryIO, size_bytes: int) -> None:
        self._stream = stream
        self._left_bytes = size_bytes

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # what io gives is one
        piece = self._stream.read(min(len(buffer), self._left_bytes))
        self._left_bytes -= len(piece)
        buffer[: len(piece)] = piece
        return len(piece)


def _choose(found: list[FoundFile], named: frozenset[str], passed_over: dict[str, str]) -> list[FoundFile]:
    """Leave out what holds nothing that another dump of the same wiki and day does not hold."""
    fullest: dict[tuple[str, str], int] = {}
    packings: dict[str, int] = {}
    for each in found:
        stem, packing = split_packing(each.url)
        packings[stem] = min(packings.get(stem, len(PACKINGS)), PACKINGS.index(packing))
        if (name := parse_name(each.name)) is not None:
            made = (name.wiki_id, name.date)
            fullest[made] = min(fullest.get(made, len(KINDS)), KINDS.index(name.kind))
    chosen = []
    for each in found:
        stem, packing = split_packing(each.url)
        name = parse_name(each.name)
        kind = None if name is None else KINDS[fullest[name.wiki_id, name.date]]
        if each.url in named:
            chosen.append(each)
        elif name is not None and kind != name.kind:
            passed_over[each.url] = f"all that is in it is in {kind} too"
        elif PACKINGS[packings[stem]] != packing:
            passed_over[each.url] = "the same is there in another packing"
        else:
            chosen.append(each)
    return chosen


def _input(found: FoundFile, wiki_id: str | None) -> DumpInput:
    packing = packing_of(read_some(found.url, 0, _MAGIC_BYTES))
    if wiki_id is None:
        wiki_id = _told_wiki_id(found.url, packing) or wiki_id_of(found.name)
    first_page_id, last_page_id = pages_of(found.name)
    return DumpInput(
        found.url, found.name, found.size_bytes or 0, packing, wiki_id, first_page_id, last_page_id
    )


def _told_wiki_id(url: str, packing: Packing) -> str | None:
    """Return the wiki that a dump names; None where it names none, or its beginning cannot be read yet."""
    if packing == "7z" and is_remote(url):
        # It would be fetched whole for this alone.
        return None
    try:
        return read_site(url).wiki_id
    except SourceError:
        # Whoever reads it is told with the place.
        return None
