"""Revisions for tests of models: made up, and read from an old dump."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from msgspec.structs import replace

from schemas.revision import Revision, RevisionUser

EDITOR = RevisionUser(7, "Example", ("user",), datetime(2020, 1, 1, tzinfo=UTC))
EDIT = Revision(
    wiki_id="enwiki",
    page_id=12,
    page_title="Talk:Oak_tree",
    namespace_id=1,
    rev_id=2342342,
    rev_parent_id=2342341,
    rev_dt=datetime(2021, 1, 1, tzinfo=UTC),
    content_model="wikitext",
    text="An oak is a tree. Oaks are stupid!!!!!! They grow in [[forest]]s.",
    parent_text="An oak is a tree. They grow in [[forest]]s.",
    comment="more",
    user=EDITOR,
    parent_dt=datetime(2020, 12, 31, tzinfo=UTC),
)


def edit(**changes: Any) -> Revision:
    """Return the example edit with some fields changed."""
    return replace(EDIT, **changes)


def old_dump_edits(path: Path) -> Iterator[Revision]:
    """Read the revisions of a one-page dump of export 0.3, in order; groups and registration are unknown."""
    root = ElementTree.parse(path).getroot()
    space = root.tag.partition("}")[0] + "}"
    parent: Revision | None = None
    for number, element in enumerate(root.iter(f"{space}revision"), start=1):
        contributor = element.find(f"{space}contributor")
        assert contributor is not None
        user_id = contributor.findtext(f"{space}id")
        name = contributor.findtext(f"{space}username") or contributor.findtext(f"{space}ip") or ""
        found = Revision(
            wiki_id="enwiki",
            page_id=1,
            page_title="Page",
            namespace_id=0,
            rev_id=int(element.findtext(f"{space}id") or number),
            rev_parent_id=parent.rev_id if parent else None,
            rev_dt=datetime.fromisoformat(element.findtext(f"{space}timestamp") or ""),
            content_model="wikitext",
            text=element.findtext(f"{space}text") or "",
            parent_text=parent.text if parent else None,
            comment=element.findtext(f"{space}comment") or "",
            user=RevisionUser(int(user_id) if user_id else None, name, (), None, is_known=False),
            parent_dt=parent.rev_dt if parent else None,
        )
        yield found
        parent = found
