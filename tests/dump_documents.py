"""Dumps of a few pages, written out."""

import bz2
from pathlib import Path

PLAIN_HEAD = (
    '<mediawiki xmlns="http://www.mediawiki.org/xml/export-0.11/" version="0.11" xml:lang="en"><siteinfo>'
    "<sitename>Test</sitename><dbname>testwiki</dbname><base>https://test.example/wiki/Main</base>"
    '<namespaces><namespace key="0" /><namespace key="1">Talk</namespace></namespaces></siteinfo>\n'
)


def revision(rev_id: int, text: str, parent_id: int | None = None) -> str:
    """Return a revision; its text is XML already."""
    parent = "" if parent_id is None else f"<parentid>{parent_id}</parentid>"
    return (
        f"<revision><id>{rev_id}</id>{parent}<timestamp>2024-02-29T12:00:01Z</timestamp>"
        "<contributor><username>Ann</username><id>3</id></contributor><comment>c</comment>"
        "<model>wikitext</model><format>text/x-wiki</format>"
        f'<text xml:space="preserve">{text}</text></revision>'
    )


def page(page_id: int, texts: list[str]) -> str:
    """Return a page whose revisions are numbered ``10 * page_id + 1`` and so on."""
    revisions = [
        revision(10 * page_id + number, text, 10 * page_id + number - 1 if number > 1 else None)
        for number, text in enumerate(texts, 1)
    ]
    return f"  <page><title>Page {page_id}</title><ns>0</ns><id>{page_id}</id>{''.join(revisions)}</page>\n"


def document(pages: list[str]) -> str:
    """Return a whole dump."""
    return f"{PLAIN_HEAD}{''.join(pages)}</mediawiki>"


def multistream(pages: list[str], *, per_stream: int = 4, index: Path | None = None) -> bytes:
    """Return a dump packed as Wikimedia packs them: streams for head, pages and end."""
    packed = bz2.compress(PLAIN_HEAD.encode())
    lines = []
    for begin in range(0, len(pages), per_stream):
        lines += [f"{len(packed)}:{begin + each + 1}:Page" for each in range(per_stream)]
        packed += bz2.compress("".join(pages[begin : begin + per_stream]).encode())
    if index is not None:
        index.write_bytes(bz2.compress("\n".join(lines).encode()))
    return packed + bz2.compress(b"</mediawiki>\n")
