"""A page of the sample wiki while its history unfolds."""

from msgspec import Struct

from batch.dump_revision import sha1_base36
from batch.sample_users import Account

NAMESPACES = {
    -2: "Media",
    -1: "Special",
    0: "",
    1: "Talk",
    2: "User",
    3: "User talk",
    4: "Project",
    5: "Project talk",
    8: "MediaWiki",
    9: "MediaWiki talk",
    10: "Template",
    11: "Template talk",
    14: "Category",
    15: "Category talk",
}
FORMATS = {"wikitext": "text/x-wiki", "json": "application/json"}


class Content(Struct, frozen=True):
    """A text with what is derived from it.

    Attributes:
        text: All of it.
        size_bytes: In UTF-8.
        sha1: Base 36.
        model: ``wikitext`` or ``json``.
    """

    text: str
    size_bytes: int
    sha1: str
    model: str = "wikitext"

    @classmethod
    def of(cls, text: str, model: str = "wikitext") -> "Content":
        """Return the content of a text."""
        encoded = text.encode()
        return cls(text, len(encoded), sha1_base36(encoded), model)


class SavedRevision(Struct):
    """A revision as it was saved, and what has been hidden since.

    Attributes:
        rev_id: Positive, grows with time.
        rev_parent_id: None on the first of a page.
        seconds: When it was saved, Unix time.
        editor: Who saved it.
        editor_groups: The editor's groups then.
        editor_edit_count: The editor's edits then.
        comment: Edit summary.
        is_minor: As marked.
        content: Text.
        origin_rev_id: Revision that first had this content slot.
        hides_content: The text is hidden.
        hides_editor: The editor is.
        hides_comment: The comment is.
    """

    rev_id: int
    rev_parent_id: int | None
    seconds: int
    editor: Account
    editor_groups: list[str]
    editor_edit_count: int
    comment: str
    is_minor: bool
    content: Content
    origin_rev_id: int
    hides_content: bool = False
    hides_editor: bool = False
    hides_comment: bool = False


class WikiPage(Struct):
    """A page as it stands.

    Attributes:
        page_id: Positive, grows with time.
        title: With its prefix, with spaces.
        namespace_id: Its namespace.
        kind: What an article is about, one of `batch.sample_text.KINDS`; empty for other pages.
        name: The thing that it is about; moves leave it.
        revision: The current one.
        revision_count: Revisions so far.
        redirect: The page that it leads to.
        is_deleted: Whether it is gone for now.
        sound: The last revision before vandalism that waits to be reverted, else None.
        spoilt_rev_id: The first revision of that vandalism.
    """

    page_id: int
    title: str
    namespace_id: int
    kind: str
    name: str
    revision: SavedRevision
    revision_count: int = 1
    redirect: "WikiPage | None" = None
    is_deleted: bool = False
    sound: SavedRevision | None = None
    spoilt_rev_id: int = 0

    @property
    def key(self) -> str:
        """The title as a database key, with underscores."""
        return self.title.replace(" ", "_")
