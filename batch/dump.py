"""MediaWiki's XML dumps, revision by revision."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any, BinaryIO
from xml.parsers import expat

from batch.compression import Source, open_unpacked, source_name, unpacking_errors
from batch.dump_revision import DumpPage, DumpRevision, DumpSite, DumpUser
from schemas.errors import SourceError

_CHUNK_BYTES = 1 << 18
_FIRST_BYTES = 1 << 14
_HEAD_BYTES = 1 << 20
_PAGE = b"<page"
_DELETED = "deleted"


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
    reader = _Reader(name, max_text_bytes)
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
    reader = _Reader(source_name(source), None)
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


class _Reader:
    """Feeds expat and turns its calls into revisions.

    Elements that hold others open a scope, a dict from child to text; all others put their text into the
    scope around them. Attributes lie beside the text under the name followed by ``@``.
    """

    def __init__(self, name: str, max_text_bytes: int | None) -> None:
        self.fed_bytes = 0
        self._name = name
        self._max_text_bytes = max_text_bytes
        self._ready: list[DumpRevision] = []
        self._parts: list[str] = []
        self._closers: dict[str, Callable[[dict[str, Any]], None]] = {
            "mediawiki": self._close_nothing,
            "siteinfo": self._close_site,
            "namespaces": self._close_namespaces,
            "page": self._close_nothing,
            "revision": self._close_revision,
            "contributor": self._close_contributor,
            "content": self._close_slot,
            "upload": self._close_nothing,
            "logitem": self._close_nothing,
            "discussionthreadinginfo": self._close_nothing,
        }
        self._begin()

    def _begin(self) -> None:
        """Start a document."""
        self.site = DumpSite()
        self._page: DumpPage | None = None
        self._scope: dict[str, Any] = {}
        self._outer: list[dict[str, Any]] = []
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
        parser.StartDoctypeDeclHandler = self._refuse_doctype

    def take(self) -> list[DumpRevision]:
        """Return what is complete since the last call."""
        ready, self._ready = self._ready, []
        return ready

    def feed(self, chunk: bytes) -> SourceError | None:
        """Parse some more bytes, none at the end; return what is wrong with them."""
        self.fed_bytes += len(chunk)
        while True:
            try:
                self._parser.Parse(chunk, not chunk)
            except expat.ExpatError as error:
                rest = self._next_document(chunk)
                if rest is None:
                    return self._broken(expat.ErrorString(error.code))
                self._begin()
                chunk = rest
            except (ValueError, KeyError) as error:
                return self._broken(f"a value that cannot be read, {error}")
            else:
                self._document_bytes += len(chunk)
                self._last_chunk = chunk
                self._bound_text()
                return None

    def _next_document(self, chunk: bytes) -> bytes | None:
        """Return the rest from the next document on, where an error only says that another one follows."""
        if not self._is_complete:
            return None
        seen = self._last_chunk + chunk
        start = self._parser.ErrorByteIndex - self._document_bytes + len(self._last_chunk)
        rest = seen[start:] if start >= 0 else b""
        return rest if rest.startswith(b"<") else None

    def _bound_text(self) -> None:
        """Keep what is gathered of one text within the limit, however much the file unpacks to."""
        limit = self._max_text_bytes
        if limit is not None and sum(map(len, self._parts)) > limit:
            self._parts.clear()
            self._is_too_large = True

    def _broken(self, what: str) -> SourceError:
        line, column = self._parser.CurrentLineNumber, self._parser.CurrentColumnNumber
        return SourceError(
            f"{self._name} is not a whole dump: {what} at line {line}, column {column}; all revisions before "
            "it were read. It is cut off or damaged: fetch it again and compare its checksum",
            path=self._name,
            line=line,
            column=column,
        )

    def _refuse_doctype(self, *_declaration: object) -> None:
        # No dump has one, and entities are how a small file becomes a large one.
        raise ValueError("a document type declaration")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._parts.clear()
        self._is_too_large = False
        if attributes:
            self._scope[name + "@"] = attributes
        if name in self._closers:
            if name == "mediawiki":
                self.site = DumpSite(schema_version=attributes.get("version"))
            elif name == "page":
                self._page = None
            self._outer.append(self._scope)
            self._scope = {}

    def _end(self, name: str) -> None:
        closer = self._closers.get(name)
        if closer is not None:
            closed = self._scope
            self._scope = self._outer.pop()
            closer(closed)
            self._is_complete = not self._outer
        elif name == "namespace":
            number = int(self._scope["namespace@"]["key"])
            self._scope.setdefault("names", {})[number] = "".join(self._parts)
        else:
            self._scope[name] = "".join(self._parts)
            if self._is_too_large:
                self._scope[name + "!"] = True
        self._parts.clear()

    def _close_nothing(self, closed: dict[str, Any]) -> None:
        pass

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
            self._page = _page(self._scope, self.site)
        text, is_too_large = self._text(fields)
        self._ready.append(_revision(self.site, self._page, fields, text, is_too_large))

    def _text(self, fields: dict[str, Any]) -> tuple[str | None, bool]:
        text: str | None = fields.get("text")
        attributes = fields.get("text@", {})
        if text is None or _DELETED in attributes:
            return None, False
        limit = self._max_text_bytes
        # Four bytes is the longest character, so most texts need no encoding to be told small enough.
        if "text!" in fields or (limit is not None and len(text) * 4 > limit and len(text.encode()) > limit):
            return None, True
        is_stub = not text and ("location" in attributes or "id" in attributes)
        return (None if is_stub and attributes.get("bytes") != "0" else text), False


def _page(fields: dict[str, Any], site: DumpSite) -> DumpPage:
    title = fields.get("title", "")
    if "ns" in fields:
        namespace_id = int(fields["ns"])
    else:
        prefix, colon, _ = title.partition(":")
        numbers = {name: number for number, name in site.namespaces.items()}
        namespace_id = numbers.get(prefix, 0) if colon else 0
    return DumpPage(
        page_id=int(fields["id"]) if "id" in fields else None,
        page_title=title,
        namespace_id=namespace_id,
        is_redirect="redirect" in fields,
        redirect_title=fields.get("redirect@", {}).get("title"),
    )


def _revision(
    site: DumpSite, page: DumpPage, fields: dict[str, Any], text: str | None, is_too_large: bool
) -> DumpRevision:
    is_user_hidden = _DELETED in fields.get("contributor@", ())
    is_comment_hidden = _DELETED in fields.get("comment@", ())
    text_bytes = int(fields.get("text@", {}).get("bytes", -1))
    return DumpRevision(
        site=site,
        page=page,
        rev_id=int(fields["id"]) if "id" in fields else None,
        rev_parent_id=int(fields.get("parentid", 0)) or None,
        rev_dt=_moment(fields["timestamp"]),
        user=None if is_user_hidden else _user(fields.get("user", {})),
        comment=None if is_comment_hidden else fields.get("comment", ""),
        is_minor_edit="minor" in fields,
        content_model=fields.get("model", "wikitext"),
        content_format=fields.get("format", "text/x-wiki"),
        text=text,
        text_bytes=text_bytes if text_bytes >= 0 else None,
        sha1=fields.get("sha1") or fields.get("text@", {}).get("sha1") or None,
        is_user_hidden=is_user_hidden,
        is_comment_hidden=is_comment_hidden,
        is_text_hidden=_DELETED in fields.get("text@", {}),
        is_text_too_large=is_too_large,
        other_roles=tuple(fields.get("roles", ())),
    )


def _moment(written: str) -> datetime:
    moment = datetime.fromisoformat(written)
    return moment.astimezone(UTC) if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _user(fields: dict[str, Any]) -> DumpUser | None:
    if "ip" in fields:
        return DumpUser(None, fields["ip"])
    if "username" in fields:
        return DumpUser(int(fields["id"]) if "id" in fields else None, fields["username"])
    return None
