"""One change of one page, whatever stream it came from."""

from datetime import datetime
from enum import StrEnum

from msgspec import Struct

CANARY_DOMAIN = "canary"
"""``meta.domain`` of test events."""


class PageChangeKind(StrEnum):
    """What happened to the page; unknown kinds of later minor versions decode as OTHER."""

    CREATE = "create"
    EDIT = "edit"
    MOVE = "move"
    DELETE = "delete"
    UNDELETE = "undelete"
    VISIBILITY_CHANGE = "visibility_change"
    OTHER = "other"


_SAVES = frozenset((PageChangeKind.CREATE, PageChangeKind.EDIT, PageChangeKind.MOVE))


class User(Struct, frozen=True):
    """Who did it, as the event tells.

    Attributes:
        user_text: Name or address; None where the event leaves it out.
        user_id: None for users without an account.
        groups: As sent, in the order sent.
        is_bot: As sent, where told.
        registration_dt: When the account was made, where told.
        edit_count: Edits at the time of the event, where told.
        is_system: Whether it is a user of MediaWiki's own, where told.
        is_temp: Whether it is a temporary account, where told.
        user_central_id: Of the account on all wikis, where told.
        wiki_id: Of the wiki that the other ids are of, where told.
    """

    user_text: str | None
    user_id: int | None = None
    groups: tuple[str, ...] = ()
    is_bot: bool | None = None
    registration_dt: datetime | None = None
    edit_count: int | None = None
    is_system: bool | None = None
    is_temp: bool | None = None
    user_central_id: int | None = None
    wiki_id: str | None = None


class Page(Struct, frozen=True):
    """The page after the change.

    Attributes:
        page_id: Positive.
        page_title: The prefixed database key, with underscores.
        namespace_id: As sent.
        is_redirect: As sent; False where absent.
        namespace_is_content: Whether the namespace holds what the wiki is made for, where told.
        revision_count: Of a deletion: how many revisions went with the page, where told.
    """

    page_id: int
    page_title: str
    namespace_id: int
    is_redirect: bool
    namespace_is_content: bool | None = None
    revision_count: int | None = None


class ChangedRevision(Struct, frozen=True):
    """The page's current revision after the change.

    Attributes:
        rev_id: Positive.
        rev_dt: When it was saved, aware UTC.
        rev_parent_id: None on a first revision (absent or 0 in the event).
        rev_size: Bytes, where told.
        rev_sha1: Base 36, where told.
        comment: None where hidden or absent.
        editor: None where hidden or absent.
        is_content_visible: False once the text is hidden.
        is_editor_visible: False once the editor is hidden.
        is_comment_visible: False once the comment is hidden.
        is_minor_edit: As sent.
        content_model: Of the main slot, where told.
        restored_rev_id: Revision whose content this one brings back to the letter, where told.
        text: Of the main slot, where the event carries it; None where hidden.
        is_rev_dt_told: False where the event does not say when the revision was saved, and ``rev_dt`` is
            that of the event instead.
    """

    rev_id: int
    rev_dt: datetime
    rev_parent_id: int | None = None
    rev_size: int | None = None
    rev_sha1: str | None = None
    comment: str | None = None
    editor: User | None = None
    is_content_visible: bool = True
    is_editor_visible: bool = True
    is_comment_visible: bool = True
    is_minor_edit: bool = False
    content_model: str | None = None
    restored_rev_id: int | None = None
    text: str | None = None
    is_rev_dt_told: bool = True


class PriorState(Struct, frozen=True):
    """What was different before. Sparse by contract: a field is None unless the event gives it."""

    page_title: str | None = None
    namespace_id: int | None = None
    rev_id: int | None = None
    rev_dt: datetime | None = None
    rev_sha1: str | None = None
    is_content_visible: bool | None = None
    is_editor_visible: bool | None = None
    is_comment_visible: bool | None = None
    rev_parent_id: int | None = None
    rev_size: int | None = None


class PageChange(Struct, frozen=True):
    """The internal form of ``mediawiki.page_change`` 1.x and of the older streams that it took the place of.

    Attributes:
        event_id: ``meta.id``; where an old event lacks it, a UUID derived from its stream, wiki and revision.
        stream: ``meta.stream``.
        schema_uri: ``$schema`` as sent, or the one inferred.
        page_change_kind: What happened.
        dt: Event time: of the revision on create and edit, of the action otherwise. Aware UTC.
        wiki_id: Database name.
        page: The page after the change.
        revision: Its current revision after the change; of a visibility change, the revision that it is
            about.
        performer: Who acted; None on suppression.
        prior_state: What was different before; None where the event has none.
        meta_dt: When the event was produced; None on old events. Use it for lag, never for order.
        domain: Host name of the wiki, where told.
        uri: Address of the page, where told.
        request_id: Of the request that caused it, where told.
        is_suppression: Whether it hides something from administrators as well.
        comment: Of a move or an undeletion: the reason given, where told.
    """

    event_id: str
    stream: str
    schema_uri: str
    page_change_kind: PageChangeKind
    dt: datetime
    wiki_id: str
    page: Page
    revision: ChangedRevision
    performer: User | None = None
    prior_state: PriorState | None = None
    meta_dt: datetime | None = None
    domain: str | None = None
    uri: str | None = None
    request_id: str | None = None
    is_suppression: bool = False
    comment: str | None = None

    @property
    def saved_by(self) -> User | None:
        """Who saved the revision, which on a deletion or its like is not who acted; None where hidden."""
        if not self.revision.is_editor_visible:
            return None
        is_save = self.page_change_kind in _SAVES
        return self.revision.editor or (self.performer if is_save else None)

    @property
    def account_id(self) -> int | None:
        """The account of this wiki that saved the revision; None where hidden, and without an account."""
        user = self.saved_by
        if user is None or user.wiki_id not in {None, self.wiki_id}:
            return None
        return user.user_id if (user.user_id or 0) > 0 else None

    @property
    def acted_dt(self) -> datetime:
        """When it was done: an import saves a revision long after the time that the revision bears."""
        return self.meta_dt or self.dt


class Canary(Struct, frozen=True):
    """A test event that every stream carries from time to time (``meta.domain`` is ``canary``). Dropped."""

    stream: str
