"""Revisions as a dump gives them, made up."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

from batch.dump_revision import DumpPage, DumpRevision, DumpSite, DumpUser

BEGIN = datetime(2020, 1, 1, tzinfo=UTC)
SITE = DumpSite(wiki_id="xwiki", schema_version="0.11")


def page_of(page_id: int, namespace_id: int = 0) -> DumpPage:
    return DumpPage(page_id, f"Page {page_id}", namespace_id)


def revision_of(
    page: DumpPage,
    rev_id: int | None,
    parent_id: int | None = None,
    text: str | None = "text",
    *,
    site: DumpSite = SITE,
    is_text_hidden: bool = False,
    is_text_too_large: bool = False,
) -> DumpRevision:
    return DumpRevision(
        site=site,
        page=page,
        rev_id=rev_id,
        rev_parent_id=parent_id,
        rev_dt=BEGIN + timedelta(hours=rev_id or 0),
        user=DumpUser(7, "Ada"),
        comment="why",
        is_minor_edit=False,
        content_model="wikitext",
        content_format="text/x-wiki",
        text=text,
        text_bytes=None,
        sha1=None,
        is_text_hidden=is_text_hidden,
        is_text_too_large=is_text_too_large,
    )


def history(pages: Sequence[int], chars: int = 100, namespace_id: int = 0) -> Iterator[DumpRevision]:
    """Yield pages of so many revisions each, whose texts have so many characters; ids are 1, 2, 3 …"""
    rev_id = 0
    for page_id, count in enumerate(pages, start=1):
        page, parent_id = page_of(page_id, namespace_id), None
        for _ in range(count):
            rev_id += 1
            yield revision_of(page, rev_id, parent_id, f"{rev_id} ".ljust(chars, "x"))
            parent_id = rev_id
