"""The texts of pages that went by, kept in memory for the next edit of each."""

from collections import OrderedDict
from sys import getsizeof

from msgspec import Struct

from schemas.page_change import PageChange, PageChangeKind
from schemas.revision import ParentRevision

# The entry itself with its keys and its names, in three dictionaries; measured as 900 bytes.
_ENTRY_BYTES = 1024


class KnownTextsStatus(Struct, frozen=True):
    """What is kept, and what for.

    Attributes:
        size_bytes: Of all texts kept.
        found: Parents that were there.
        missed: Parents that were not, so that their wiki was asked.
    """

    size_bytes: int
    found: int
    missed: int


class _Entry(Struct):
    page: tuple[str, int]
    text: ParentRevision
    size_bytes: int


class KnownTexts:
    """The latest text of each page, the least recently used going first when there are too many.

    They are kept in memory and nowhere else: files could not keep the word that what is hidden is gone at
    once. Whoever keeps a text says by a mark since when it has had it. Where anything was withdrawn since
    then, the text is not kept, for it may be what was withdrawn.

    Args:
        most_bytes: Of all texts together, as they lie in memory; 0 keeps none.
    """

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._size_bytes = 0
        self._found = self._missed = 0
        self._withdrawals = 0
        self._entries: OrderedDict[tuple[str, int], _Entry] = OrderedDict()
        self._revisions: dict[tuple[str, int], int] = {}

    def mark(self) -> int:
        """Return what tells `keep` that a text was had from this moment on."""
        return self._withdrawals

    def status(self) -> KnownTextsStatus:
        """Return what is kept, and how often it served."""
        return KnownTextsStatus(self._size_bytes, self._found, self._missed)

    def get(self, wiki_id: str, rev_id: int) -> ParentRevision | None:
        """Return the text of a revision; None where it is not here."""
        entry = self._entries.get((wiki_id, rev_id))
        if entry is None:
            self._missed += 1
            return None
        self._found += 1
        self._entries.move_to_end((wiki_id, rev_id))
        return entry.text

    def keep(self, wiki_id: str, page_id: int, rev_id: int, text: ParentRevision, *, mark: int) -> None:
        """Keep the text of a page in place of the one before, unless anything was withdrawn meanwhile."""
        size_bytes = getsizeof(text.text) + _ENTRY_BYTES
        if mark != self._withdrawals or size_bytes > self._most_bytes:
            return
        page = wiki_id, page_id
        self._drop(page)
        self._drop_revision(wiki_id, rev_id)
        self._entries[wiki_id, rev_id] = _Entry(page, text, size_bytes)
        self._revisions[page] = rev_id
        self._size_bytes += size_bytes
        while self._size_bytes > self._most_bytes:
            self._drop_revision(*next(iter(self._entries)))

    def heed(self, change: PageChange) -> None:
        """Forget at once what a change hides, for a time or for good."""
        kind, revision = change.page_change_kind, change.revision
        is_visible = (
            revision.is_content_visible and revision.is_editor_visible and revision.is_comment_visible
        )
        if kind is PageChangeKind.DELETE:
            self._drop((change.wiki_id, change.page.page_id))
        elif kind is not PageChangeKind.VISIBILITY_CHANGE or is_visible:
            return
        self._drop_revision(change.wiki_id, revision.rev_id)
        self._withdrawals += 1

    def clear(self) -> None:
        """Forget everything: others hear of withdrawals from now on."""
        self._entries.clear()
        self._revisions.clear()
        self._size_bytes = 0
        self._withdrawals += 1

    def _drop(self, page: tuple[str, int]) -> None:
        rev_id = self._revisions.get(page)
        if rev_id is not None:
            self._drop_revision(page[0], rev_id)

    def _drop_revision(self, wiki_id: str, rev_id: int) -> None:
        entry = self._entries.pop((wiki_id, rev_id), None)
        if entry is not None:
            del self._revisions[entry.page]
            self._size_bytes -= entry.size_bytes
