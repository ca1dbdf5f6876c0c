"""A wiki of pages with one revision each, for tests: its events, and the dump that holds its texts."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import UUID
from xml.sax.saxutils import escape

from tests.input_events import page_change

WIKI_ID = "samplewiki"


def creation(rev_id: int, **fields: Any) -> dict[str, Any]:
    """Return the event of a new page whose id is that of its revision; fields replace top-level ones."""
    template = page_change()
    return template | {
        "page_change_kind": "create",
        "wiki_id": WIKI_ID,
        "page": {"page_id": rev_id, "page_title": f"P{rev_id}", "namespace_id": 0, "is_redirect": False},
        "revision": template["revision"] | {"rev_id": rev_id, "rev_parent_id": None},
        "meta": template["meta"] | {"id": str(UUID(int=rev_id))},
        **fields,
    }


def write_dump(path: Path, texts: Mapping[int, str]) -> None:
    """Write a dump with the text of each revision."""
    with path.open("w") as dump:
        dump.write('<mediawiki version="0.11" xml:lang="en">')
        dump.write(f"<siteinfo><dbname>{WIKI_ID}</dbname></siteinfo>")
        for rev_id, text in texts.items():
            dump.write(
                f"<page><title>P{rev_id}</title><ns>0</ns><id>{rev_id}</id><revision><id>{rev_id}</id>"
                "<timestamp>2026-11-01T10:00:00Z</timestamp>"
                "<contributor><username>Ann</username><id>3</id></contributor><comment>c</comment>"
                "<model>wikitext</model><format>text/x-wiki</format>"
                f"<text>{escape(text)}</text><sha1 /></revision></page>"
            )
        dump.write("</mediawiki>")
