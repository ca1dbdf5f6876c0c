"""The sample wiki as a machine: it saves, moves, deletes and hides, and tells it to the stream."""

from collections.abc import Callable
from typing import Any, Protocol

from msgspec import Struct

from batch.sample_edits import Edit
from batch.sample_events import EventStream, Revert, revision_entity, timestamp
from batch.sample_page import Content, SavedRevision, WikiPage
from batch.sample_users import Account


class RevisionSink(Protocol):
    """Where saved revisions go."""

    def add(self, page: WikiPage, revision: SavedRevision) -> None:
        """Take a revision that was just saved."""
        ...


class EditTruth(Struct, frozen=True):
    """Why a revision was made, which nothing on the wiki tells.

    Attributes:
        rev_id: Revision.
        page_id: Its page.
        edit_kind: ``ordinary``, ``vandalism``, ``revert``, ``bot``, ``creation`` or ``move``.
        detail: What was done, ``typo_fixed``, ``shouting`` …
    """

    rev_id: int
    page_id: int
    edit_kind: str
    detail: str


class SampleSite:
    """Holds the pages and does what it is told, without any chance of its own.

    Args:
        spool: Takes the revisions.
        events: Takes what happens.
        on_truth: Is told why each revision was made.
    """

    def __init__(
        self, spool: RevisionSink, events: EventStream, on_truth: Callable[[EditTruth], None]
    ) -> None:
        self.pages: dict[int, WikiPage] = {}
        self.hidden: dict[int, SavedRevision] = {}
        self.revision_count = 0
        self._titles: set[str] = set()
        self._spool = spool
        self._events = events
        self._on_truth = on_truth

    def has(self, title: str) -> bool:
        """Return whether a page ever had this title."""
        return title in self._titles

    def create(
        self,
        title: str,
        content: Content,
        seconds: int,
        editor: Account,
        *,
        namespace_id: int = 0,
        kind: str = "",
        name: str = "",
        comment: str = "",
        detail: str = "page_created",
        redirect: WikiPage | None = None,
    ) -> WikiPage:
        """Make a page with its first revision."""
        editor.edit_count += 1
        revision = self._saved(None, content, seconds, editor, comment, is_minor=False)
        page = WikiPage(len(self.pages) + 1, title, namespace_id, kind, name, revision, redirect=redirect)
        self.pages[page.page_id] = page
        self._titles.add(title)
        self._keep(page, "creation", detail)
        self._events.page_change("create", page, seconds, performer=editor)
        return page

    def edit(
        self,
        page: WikiPage,
        edit: Edit,
        seconds: int,
        editor: Account,
        edit_kind: str,
        *,
        restored: SavedRevision | None = None,
        revert: Revert | None = None,
    ) -> None:
        """Save a new text of a page; ``restored`` where it is that of an earlier revision."""
        prior = revision_entity(page.revision)
        model = page.revision.content.model
        content = Content.of(edit.text, model) if restored is None else restored.content
        editor.edit_count += 1
        page.revision = self._saved(
            page.revision.rev_id, content, seconds, editor, edit.comment, is_minor=edit.is_minor
        )
        if restored is not None:
            page.revision.origin_rev_id = restored.origin_rev_id
        page.revision_count += 1
        self._keep(page, edit_kind, edit.detail)
        self._events.page_change(
            "edit", page, seconds, performer=editor, prior={"revision": prior}, revert=revert
        )

    def move(self, page: WikiPage, title: str, seconds: int, editor: Account, reason: str) -> None:
        """Give a page another title in its namespace, and leave a redirect behind.

        As MediaWiki does, this saves a revision without a change, then creates the redirect, which has an
        event of its own.
        """
        old, old_title, old_key = page.revision, page.title, page.key
        comment = f"{editor.user_text} moved page [[{page.title}]] to [[{title}]]: {reason}"
        page.title = title
        self._titles.add(title)
        editor.edit_count += 1
        page.revision = self._saved(old.rev_id, old.content, seconds, editor, comment, is_minor=True)
        page.revision.origin_rev_id = old.origin_rev_id
        page.revision_count += 1
        self._keep(page, "move", "moved")
        text = f"#REDIRECT [[{title}]]\n\n{{{{R from move}}}}"
        left = WikiPage(
            len(self.pages) + 1,
            old_title,
            page.namespace_id,
            "",
            "",
            self._saved(None, Content.of(text), seconds, editor, comment, is_minor=False),
            redirect=page,
        )
        self.pages[left.page_id] = left
        self._keep(left, "creation", "redirect_left")
        self._events.page_change(
            "move",
            page,
            seconds,
            performer=editor,
            comment=reason,
            prior={"page": {"page_title": old_key}, "revision": revision_entity(old)},
            created_redirect=left,
        )
        self._events.page_change("create", left, seconds, performer=editor)

    def delete(self, page: WikiPage, seconds: int, performer: Account, reason: str) -> None:
        """Delete a page."""
        page.is_deleted = True
        self._events.page_change("delete", page, seconds, performer=performer, comment=reason)

    def undelete(self, page: WikiPage, seconds: int, performer: Account, reason: str) -> None:
        """Restore a deleted page."""
        page.is_deleted = False
        self._events.page_change("undelete", page, seconds, performer=performer, comment=reason)

    def hide(
        self,
        page: WikiPage,
        revision: SavedRevision,
        seconds: int,
        performer: Account | None,
        *,
        content: bool = False,
        editor: bool = False,
        comment: bool = False,
    ) -> None:
        """Hide parts of a revision. Only that of the current one is told to the stream.

        Args:
            page: The page.
            revision: One of its revisions.
            seconds: When.
            performer: Who does it; None where that is suppressed.
            content: Hide the text.
            editor: Hide the editor.
            comment: Hide the summary.
        """
        prior: dict[str, Any] = {}
        if content and not revision.hides_content:
            revision.hides_content = prior["is_content_visible"] = True
        if editor and not revision.hides_editor:
            revision.hides_editor = prior["is_editor_visible"] = True
        if comment and not revision.hides_comment:
            revision.hides_comment = prior["is_comment_visible"] = True
        self.hidden[revision.rev_id] = revision
        if revision is page.revision and prior:
            self._events.page_change(
                "visibility_change", page, seconds, performer=performer, prior={"revision": prior}
            )

    def revert(
        self,
        page: WikiPage,
        seconds: int,
        editor: Account,
        *,
        sound: SavedRevision,
        oldest_rev_id: int,
        edit: Edit,
        method: str,
    ) -> None:
        """Restore an earlier revision, all of it.

        Args:
            page: The page.
            seconds: When.
            editor: Who does it.
            sound: The revision to go back to.
            oldest_rev_id: The first revision after it.
            edit: Its text, with the summary.
            method: ``rollback``, ``undo`` or ``manual``.
        """
        revert = Revert(
            method=method,
            is_exact=True,
            rev_original_id=sound.rev_id,
            rev_original_dt=timestamp(sound.seconds),
            rev_reverted_oldest_id=oldest_rev_id,
            rev_reverted_newest_id=page.revision.rev_id,
        )
        self.edit(page, edit, seconds, editor, "revert", restored=sound, revert=revert)

    def _saved(
        self,
        parent_id: int | None,
        content: Content,
        seconds: int,
        editor: Account,
        comment: str,
        *,
        is_minor: bool,
    ) -> SavedRevision:
        self.revision_count += 1
        return SavedRevision(
            rev_id=self.revision_count,
            rev_parent_id=parent_id,
            seconds=seconds,
            editor=editor,
            editor_groups=editor.groups(seconds),
            editor_edit_count=editor.edit_count,
            comment=comment,
            is_minor=is_minor,
            content=content,
            origin_rev_id=self.revision_count,
        )

    def _keep(self, page: WikiPage, edit_kind: str, detail: str) -> None:
        self._spool.add(page, page.revision)
        self._on_truth(EditTruth(page.revision.rev_id, page.page_id, edit_kind, detail))
