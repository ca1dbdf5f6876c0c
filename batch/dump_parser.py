"""From the XML of MediaWiki's dumps to revisions, piece by piece."""

from collections.abc import Callable
from typing import Any, Final
from xml.parsers import expat

from batch.dump_revision import DumpPage, DumpRevision, DumpSite
from batch.dump_values import page_of, revision_of
from schemas.errors import SourceError

_ROOTS: Final = frozenset({"mediawiki", "page"})
# Elements that hold text; the text of all others is dropped as it comes.
_LEAVES: Final = frozenset({
    "base", "comment", "dbname", "format", "id", "ip", "minor", "model", "ns", "parentid", "redirect", "role",
    "sha1", "sitename", "text", "timestamp", "title", "username",
})  # fmt: skip
# No tag, comment or declaration of a dump comes near this; what is never finished would be held for ever.
_TOKEN_BYTES: Final = 16 << 20
# Comments have 500 characters, titles 255 bytes; a limit on texts may be smaller than these.
_VALUE_BYTES: Final = 1 << 16
_DEEPEST: Final = 32
_BLANKS: Final = b" \t\r\n"
_BEGINNINGS: Final = (b"<", b"\xef\xbb\xbf<")


class DumpParser:
    """Feeds expat and turns its calls into revisions.

    Elements that hold others open a scope, a dict from child to text; all others put their text into the
    scope around them. Attributes lie beside the text under the name followed by ``@``.

    Args:
        name: What messages call the dump.
        max_text_bytes: Texts larger than this are dropped and marked, and never held; None keeps all.

    Attributes:
        site: What the document has said about its wiki so far.
        fed_bytes: How much was parsed or passed by, over all documents.
    """

    def __init__(self, name: str, max_text_bytes: int | None) -> None:
        self.fed_bytes = 0
        self._name = name
        self._max_text_bytes = max_text_bytes
        self._ready: list[DumpRevision] = []
        self._parts: list[str] = []
        self._forget_parts = self._parts.clear
        self._openers: dict[str, Callable[[dict[str, str]], None] | None] = {
            "mediawiki": self._open_document,
            "siteinfo": None,
            "namespaces": None,
            "page": self._open_page,
            "revision": None,
            "contributor": None,
            "content": None,
            "upload": None,
            "logitem": self._open_log_item,
            "discussionthreadinginfo": None,
            "DiscussionThreading": None,
        }
        self._closers: dict[str, Callable[[dict[str, Any]], None]] = {
            "siteinfo": self._close_site,
            "namespaces": self._close_namespaces,
            "revision": self._close_revision,
            "contributor": self._close_contributor,
            "content": self._close_slot,
        }
        self._begin()

    def _begin(self) -> None:
        """Start a document."""
        self.site = DumpSite()
        self._page: DumpPage | None = None
        self._has_pages = False
        self._scope: dict[str, Any] = {}
        self._outer: list[dict[str, Any]] = []
        self._depth = 0
        self._page_depth = 0
        self._is_in_characters = False
        self._is_utf8 = True
        self._passed_lines = 0
        self._is_too_large = False
        self._is_complete = False
        self._document_bytes = 0
        self._last_chunk = b""
        self._parser = parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.buffer_size = 1 << 16
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._parts.append
        parser.StartCdataSectionHandler = self._open_characters
        parser.EndCdataSectionHandler = self._close_characters
        parser.StartDoctypeDeclHandler = self._refuse_doctype
        parser.XmlDeclHandler = self._take_declaration

    @property
    def is_in_page(self) -> bool:
        """Is what comes next between the elements of a page, in UTF-8, and is nothing half-parsed?"""
        return (
            self._is_utf8
            and 0 < self._depth == self._page_depth
            and not self._is_in_characters
            and self._parser.CurrentByteIndex == self._document_bytes
        )

    def pass_by(self, fields: dict[str, Any], size_bytes: int, lines: int) -> bool:
        """Take a revision that was read by others, out of whole lines that are not parsed.

        Args:
            fields: What its scope would hold.
            size_bytes: Of these lines.
            lines: How many there are.

        Returns:
            False where a value cannot be read; then nothing was taken, and parsing it tells what is wrong.
        """
        try:
            self._close_revision(fields)
        except (ValueError, KeyError, OverflowError):
            return False
        self.fed_bytes += size_bytes
        self._passed_lines += lines
        return True

    def take(self) -> list[DumpRevision]:
        """Return what is complete since the last call."""
        ready, self._ready = self._ready, []
        return ready

    def feed(self, chunk: bytes) -> SourceError | None:
        """Parse some more bytes, none at the end; return what is wrong with them."""
        if not self._document_bytes and chunk:
            # Nothing may stand before the declaration of XML, and yet blank lines do.
            self.fed_bytes += len(chunk)
            chunk = chunk.lstrip(_BLANKS)
            self.fed_bytes -= len(chunk)
            if not chunk:
                return None
        while True:
            try:
                self._parser.Parse(chunk, not chunk)
            except expat.ExpatError as error:
                rest = self._next_document(chunk)
                if rest is None:
                    return self._broken(expat.ErrorString(error.code))
                self.fed_bytes += len(chunk) - len(rest)
                self._begin()
                chunk = rest
            except (ValueError, KeyError, OverflowError) as error:
                return self._broken(f"a value that cannot be read, {error}")
            else:
                self.fed_bytes += len(chunk)
                self._document_bytes += len(chunk)
                self._last_chunk = chunk
                return self._bound_what_is_held()

    def _next_document(self, chunk: bytes) -> bytes | None:
        """Return the rest from the next document on, where an error only says that another one follows."""
        if not self._is_complete:
            return None
        seen = self._last_chunk + chunk
        start = self._parser.ErrorByteIndex - self._document_bytes + len(self._last_chunk)
        rest = seen[start:] if start >= 0 else b""
        return rest if rest.startswith(_BEGINNINGS) else None

    def _bound_what_is_held(self) -> SourceError | None:
        """Keep what is gathered of one text within the limit, however much the file unpacks to."""
        limit = self._max_text_bytes
        if limit is None:
            return None
        if sum(map(len, self._parts)) > max(limit, _VALUE_BYTES):
            self._forget_parts()
            self._is_too_large = True
        if self._document_bytes - self._parser.CurrentByteIndex > max(limit, _TOKEN_BYTES):
            return self._broken("a tag, comment or declaration without an end")
        return None

    def _broken(self, what: str) -> SourceError:
        parser = self._parser
        line, column = parser.CurrentLineNumber + self._passed_lines, parser.CurrentColumnNumber
        byte = self.fed_bytes - self._document_bytes + max(parser.CurrentByteIndex, 0)
        return SourceError(
            f"{self._name} is not a whole dump: {what} at line {line}, column {column}, byte {byte} of the "
            "XML; all revisions before it were read. It is cut off or damaged: fetch it again and compare "
            "its checksum",
            path=self._name,
            line=line,
            column=column,
            byte=byte,
        )

    def _refuse_doctype(self, *_declaration: object) -> None:
        # No dump has one, and entities are how a small file becomes a large one.
        raise ValueError("a document type declaration")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._forget_parts()
        self._depth += 1
        if self._depth == 1 and name not in _ROOTS:
            raise ValueError(f"a document of <{name}>, where a dump of pages is one of <mediawiki>")
        if self._depth > _DEEPEST:
            raise ValueError(f"elements in elements, more than {_DEEPEST} deep")
        if attributes:
            self._scope[name + "@"] = attributes
        if name in self._openers:
            opener = self._openers[name]
            if opener is not None:
                opener(attributes)
            self._outer.append(self._scope)
            self._scope = {}

    def _end(self, name: str) -> None:
        self._depth -= 1
        if name in _LEAVES:
            if self._is_too_large:
                self._is_too_large = False
                if name != "text":
                    raise ValueError(f"more than {self._max_text_bytes} bytes in the element <{name}>")
                self._scope["text!"] = True
            self._scope[name] = "".join(self._parts)
        elif name in self._openers:
            closed = self._scope
            self._scope = self._outer.pop()
            closer = self._closers.get(name)
            if closer is not None:
                closer(closed)
            self._is_complete = not self._depth
        elif name == "namespace":
            number = int(self._scope["namespace@"]["key"])
            self._scope.setdefault("names", {})[number] = "".join(self._parts)
        self._forget_parts()

    def _open_characters(self) -> None:
        self._is_in_characters = True

    def _close_characters(self) -> None:
        self._is_in_characters = False

    def _take_declaration(self, _version: str, encoding: str | None, _standalone: int) -> None:
        self._is_utf8 = encoding is None or encoding.upper() == "UTF-8"

    def _open_document(self, attributes: dict[str, str]) -> None:
        self.site = DumpSite(schema_version=attributes.get("version"))

    def _open_page(self, _attributes: dict[str, str]) -> None:
        self._page = None
        self._has_pages = True
        self._page_depth = self._depth

    def _open_log_item(self, _attributes: dict[str, str]) -> None:
        if not self._has_pages:
            raise ValueError("entries of the wiki's log and no pages: name a dump of pages-…")

    def _close_namespaces(self, closed: dict[str, Any]) -> None:
        self._scope["names"] = closed.get("names", {})

    def _close_site(self, closed: dict[str, Any]) -> None:
        self.site = DumpSite(
            wiki_id=closed.get("dbname"),
            site_name=closed.get("sitename"),
            base_url=closed.get("base"),
            schema_version=self.site.schema_version,
            namespaces=closed.get("names", {}),
        )

    def _close_contributor(self, closed: dict[str, Any]) -> None:
        self._scope["user"] = closed

    def _close_slot(self, closed: dict[str, Any]) -> None:
        self._scope.setdefault("roles", []).append(closed.get("role", ""))

    def _close_revision(self, fields: dict[str, Any]) -> None:
        # The scope is the page's again, whose own elements all stand before its revisions.
        if self._page is None:
            self._page = page_of(self._scope, self.site)
        self._ready.append(revision_of(self.site, self._page, fields, self._max_text_bytes))
