"""The short way through a dump: what MediaWiki writes is read in one step, all else by expat."""

from typing import Final

from batch.dump_parser import DumpParser
from batch.dump_revision import DumpRevision, DumpSite
from models.native import native
from schemas.errors import SourceError

_BEGIN: Final = b"<revision>"
_END: Final = b"</revision>"
# MediaWiki saves no larger text unless it is told to.
_HELD_BYTES: Final = 2 << 20


class DumpReader:
    """Reads the XML of a dump piece by piece, as `DumpParser` does.

    Revisions that take whole lines, within a page, go past expat where they are written as MediaWiki writes
    them; expat reads what is left, so that only expat decides what is well-formed.

    Args:
        name: What messages call the dump.
        max_text_bytes: Texts larger than this are dropped and marked; None keeps all.
    """

    def __init__(self, name: str, max_text_bytes: int | None) -> None:
        self._parser = DumpParser(name, max_text_bytes)
        # Begins with a line that opens a revision, which is not whole yet.
        self._held = b""

    @property
    def fed_bytes(self) -> int:
        """How much was taken in, over all documents."""
        return self._parser.fed_bytes + len(self._held)

    @property
    def site(self) -> DumpSite:
        """What the document has said about its wiki so far."""
        return self._parser.site

    def take(self) -> list[DumpRevision]:
        """Return what is complete since the last call."""
        return self._parser.take()

    def feed(self, chunk: bytes) -> SourceError | None:
        """Parse some more bytes, none at the end; return what is wrong with them."""
        parser = self._parser
        xml = self._held + chunk
        fed = looked = 0
        is_line = bool(self._held)
        self._held = b""
        while native is not None and (begin := xml.find(_BEGIN, looked)) >= 0:
            looked = begin + len(_BEGIN)
            line = xml.rfind(b"\n", fed, begin) + 1 or (fed if is_line else -1)
            if line < 0:
                continue
            if line > fed:
                if (failure := parser.feed(xml[fed:line])) is not None:
                    return failure
                fed, is_line = line, True
            if not parser.is_in_page:
                continue
            read = native.dump_revision(xml, fed)
            if read is not None:
                fields, end, lines = read
                if parser.pass_by(fields, end - fed, lines):
                    fed = looked = end
            elif chunk and len(xml) - fed < _HELD_BYTES and xml.find(_END, looked) < 0:
                self._held = xml[fed:]
                return None
        if fed < len(xml) and (failure := parser.feed(xml[fed:])) is not None:
            return failure
        return None if chunk else parser.feed(b"")
