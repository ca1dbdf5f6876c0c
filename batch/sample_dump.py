"""The sample wiki as an XML dump, export-0.11."""

import struct
from collections import defaultdict
from collections.abc import Iterator, Mapping
from os import SEEK_CUR
from pathlib import Path
from typing import IO
from xml.sax.saxutils import escape, quoteattr

from msgspec import Struct
from msgspec.msgpack import Decoder, Encoder

from batch.sample_events import timestamp
from batch.sample_page import FORMATS, NAMESPACES, SavedRevision, WikiPage

_BUCKET_BYTES = 32 << 20
_MAX_BUCKETS = 400
# Before each revision in the spool: its page, and the bytes that follow.
_FRAME = struct.Struct(">QI")
_NAMESPACE = "http://www.mediawiki.org/xml/export-0.11/"


class _Spooled(Struct, frozen=True, array_like=True):
    """A revision on its way from the history, in order of time, to the dump, in order of pages."""

    page_id: int
    rev_id: int
    rev_parent_id: int | None
    seconds: int
    user_id: int | None
    user_text: str
    comment: str
    is_minor: bool
    origin_rev_id: int
    model: str
    size_bytes: int
    sha1: str
    text: str


class DumpSpool:
    """Keeps revisions on disk until all are known, then writes them page by page.

    Revisions come in order of time and leave in order of pages. They wait in files by page id, of which one
    at a time is sorted by the places of its revisions, so that memory holds no more than one text.

    Args:
        folder: Where they wait; must be there and empty.
        pages: About how many pages there will be.
        expected_bytes: About how much text there will be.
    """

    def __init__(self, folder: Path, pages: int, expected_bytes: int) -> None:
        self._count = max(1, min(_MAX_BUCKETS, pages, -(-expected_bytes // _BUCKET_BYTES)))
        self._pages_a_bucket = -(-pages // self._count)
        self._paths = [folder / f"{number}.spool" for number in range(self._count)]
        self._files: list[IO[bytes]] = [path.open("wb") for path in self._paths]
        self._encoder = Encoder()
        self._decoder = Decoder(_Spooled)

    def add(self, page: WikiPage, revision: SavedRevision) -> None:
        """Keep a revision that was just saved."""
        content = revision.content
        spooled = self._encoder.encode(
            _Spooled(
                page_id=page.page_id,
                rev_id=revision.rev_id,
                rev_parent_id=revision.rev_parent_id,
                seconds=revision.seconds,
                user_id=revision.editor.user_id,
                user_text=revision.editor.user_text,
                comment=revision.comment,
                is_minor=revision.is_minor,
                origin_rev_id=revision.origin_rev_id,
                model=content.model,
                size_bytes=content.size_bytes,
                sha1=content.sha1,
                text=content.text,
            )
        )
        file = self._files[min(page.page_id // self._pages_a_bucket, self._count - 1)]
        file.write(_FRAME.pack(page.page_id, len(spooled)))
        file.write(spooled)

    def close(self) -> None:
        """Close what is open. Idempotent."""
        for file in self._files:
            file.close()

    def write(
        self,
        out: IO[bytes],
        *,
        wiki_id: str,
        domain: str,
        pages: Mapping[int, WikiPage],
        hidden: Mapping[int, SavedRevision],
    ) -> int:
        """Write the dump as it would be made now: without deleted pages and hidden fields.

        Args:
            out: Where the XML goes.
            wiki_id: Database name.
            domain: Host name.
            pages: All pages by id, as they stand at the end.
            hidden: Revisions of which something is hidden, by id.

        Returns:
            How many revisions were written.
        """
        self.close()
        out.write(_head(wiki_id, domain).encode())
        written = 0
        for path in self._paths:
            with path.open("rb") as file:
                for page_id, places in sorted(_places(file).items()):
                    page = pages[page_id]
                    if page.is_deleted:
                        continue
                    out.write(_page(page).encode())
                    for revision in self._read(file, places):
                        out.write(_revision(revision, hidden.get(revision.rev_id)).encode())
                    out.write(b"  </page>\n")
                    written += len(places)
            path.unlink()
        out.write(b"</mediawiki>\n")
        return written

    def _read(self, file: IO[bytes], places: list[tuple[int, int]]) -> Iterator[_Spooled]:
        for offset, length in places:
            file.seek(offset)
            yield self._decoder.decode(file.read(length))


def _places(file: IO[bytes]) -> dict[int, list[tuple[int, int]]]:
    """Return where the revisions of each page lie, offset and length, in order of time."""
    places: dict[int, list[tuple[int, int]]] = defaultdict(list)
    while frame := file.read(_FRAME.size):
        page_id, length = _FRAME.unpack(frame)
        places[page_id].append((file.tell(), length))
        file.seek(length, SEEK_CUR)
    return places


def _head(wiki_id: str, domain: str) -> str:
    namespaces = "\n".join(
        f'      <namespace key="{number}" case="first-letter"' + (f">{name}</namespace>" if name else " />")
        for number, name in sorted(NAMESPACES.items())
    )
    return f"""<mediawiki xmlns="{_NAMESPACE}" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" \
xsi:schemaLocation="{_NAMESPACE} http://www.mediawiki.org/xml/export-0.11.xsd" version="0.11" xml:lang="en">
  <siteinfo>
    <sitename>Sample Wiki</sitename>
    <dbname>{wiki_id}</dbname>
    <base>https://{domain}/wiki/Main_Page</base>
    <generator>revstream sample</generator>
    <case>first-letter</case>
    <namespaces>
{namespaces}
    </namespaces>
  </siteinfo>
"""


def _page(page: WikiPage) -> str:
    redirect = "" if page.redirect is None else f"    <redirect title={quoteattr(page.redirect.title)} />\n"
    return (
        f"  <page>\n    <title>{escape(page.title)}</title>\n    <ns>{page.namespace_id}</ns>\n"
        f"    <id>{page.page_id}</id>\n{redirect}"
    )


def _revision(revision: _Spooled, hidden: SavedRevision | None) -> str:
    lines = [f"    <revision>\n      <id>{revision.rev_id}</id>"]
    if revision.rev_parent_id is not None:
        lines.append(f"      <parentid>{revision.rev_parent_id}</parentid>")
    lines.append(f"      <timestamp>{timestamp(revision.seconds)}</timestamp>")
    if hidden is not None and hidden.hides_editor:
        lines.append('      <contributor deleted="deleted" />')
    elif revision.user_id is None:
        lines.append(f"      <contributor>\n        <ip>{revision.user_text}</ip>\n      </contributor>")
    else:
        lines.append(
            f"      <contributor>\n        <username>{escape(revision.user_text)}</username>\n"
            f"        <id>{revision.user_id}</id>\n      </contributor>"
        )
    if revision.is_minor:
        lines.append("      <minor />")
    if hidden is not None and hidden.hides_comment:
        lines.append('      <comment deleted="deleted" />')
    elif revision.comment:
        lines.append(f"      <comment>{escape(revision.comment)}</comment>")
    lines.append(
        f"      <origin>{revision.origin_rev_id}</origin>\n      <model>{revision.model}</model>\n"
        f"      <format>{FORMATS[revision.model]}</format>"
    )
    if hidden is not None and hidden.hides_content:
        lines.append('      <text deleted="deleted" />\n      <sha1 />')
    else:
        body = f' xml:space="preserve">{escape(revision.text)}</text>' if revision.text else " />"
        lines.append(
            f'      <text bytes="{revision.size_bytes}" sha1="{revision.sha1}"{body}\n'
            f"      <sha1>{revision.sha1}</sha1>"
        )
    lines.append("    </revision>\n")
    return "\n".join(lines)
