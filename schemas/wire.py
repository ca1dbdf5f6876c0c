"""Input events as they lie on the wire, with the ranges that their fields must keep.

Field for field the names of the schemas. What is not needed is not here, and so is skipped unread; what may
be absent may also be null.
"""

from datetime import datetime
from typing import Annotated, Any

from msgspec import Meta, Struct, field

WIKI_ID = r"\A[A-Za-z0-9_.-]{1,64}\Z"
"""No wiki id holds what a table key, an address or a file name could stumble over."""

Id = Annotated[int, Meta(ge=1, lt=2**53)]
Count = Annotated[int, Meta(ge=0, lt=2**53)]
Namespace = Annotated[int, Meta(gt=-(2**53), lt=2**53)]
Time = Annotated[datetime, Meta(tz=True)]
WikiId = Annotated[str, Meta(pattern=WIKI_ID)]
Name = Annotated[str, Meta(min_length=1)]
ShortText = Annotated[str, Meta(max_length=255)]
Uri = Annotated[str, Meta(max_length=8192)]


class MetaWire(Struct):
    """``meta`` of any event; ``topic`` in place of ``stream`` on old ones."""

    stream: ShortText | None = None
    topic: ShortText | None = None
    id: ShortText | None = None
    dt: Time | None = None
    domain: ShortText | None = None
    uri: Uri | None = None
    request_id: ShortText | None = None


class UserWire(Struct):
    """``performer`` and ``editor`` of a page change."""

    user_text: str | None = None
    user_id: Count | None = None
    groups: tuple[Name, ...] | None = None
    is_bot: bool | None = None
    registration_dt: Time | None = None
    edit_count: Count | None = None
    is_system: bool | None = None
    is_temp: bool | None = None
    user_central_id: Count | None = None
    wiki_id: str | None = None


class PageWire(Struct):
    """``page`` of a page change."""

    page_id: Id
    page_title: Name
    namespace_id: Namespace
    is_redirect: bool | None = None
    namespace_is_content: bool | None = None
    revision_count: Count | None = None


class SlotWire(Struct):
    """One of the ``content_slots``."""

    content_model: str | None = None
    content_body: str | None = None


class SlotsWire(Struct):
    """``content_slots``, of which the main one is read."""

    main: SlotWire | None = None


class RevertWire(Struct):
    """``revision.revert`` of a page change."""

    is_exact: bool | None = None
    rev_original_id: Count | None = None


class RevisionWire(Struct):
    """``revision`` of a page change."""

    rev_id: Id
    rev_dt: Time
    rev_parent_id: Count | None = None
    rev_size: Count | None = None
    rev_sha1: ShortText | None = None
    comment: str | None = None
    editor: UserWire | None = None
    is_content_visible: bool | None = None
    is_editor_visible: bool | None = None
    is_comment_visible: bool | None = None
    is_minor_edit: bool | None = None
    content_slots: SlotsWire | None = None
    revert: RevertWire | None = None


class PriorPageWire(Struct):
    """``prior_state.page``."""

    page_title: Name | None = None
    namespace_id: Namespace | None = None


class PriorRevisionWire(Struct):
    """``prior_state.revision``."""

    rev_id: Count | None = None
    rev_dt: Time | None = None
    rev_parent_id: Count | None = None
    rev_size: Count | None = None
    rev_sha1: ShortText | None = None
    is_content_visible: bool | None = None
    is_editor_visible: bool | None = None
    is_comment_visible: bool | None = None


class PriorStateWire(Struct):
    """``prior_state``."""

    page: PriorPageWire | None = None
    revision: PriorRevisionWire | None = None


class PageChangeWire(Struct):
    """``mediawiki.page_change`` 1.x."""

    meta: MetaWire
    page_change_kind: str
    dt: Time
    wiki_id: WikiId
    page: PageWire
    revision: RevisionWire
    schema: ShortText | None = field(name="$schema", default=None)
    comment: str | None = None
    performer: UserWire | None = None
    prior_state: PriorStateWire | None = None


class PerformerWire(Struct):
    """``performer`` of a revision-create."""

    user_text: str | None = None
    user_id: Count | None = None
    user_groups: tuple[Name, ...] | None = None
    user_is_bot: bool | None = None
    user_registration_dt: Time | None = None
    user_edit_count: Count | None = None


class CreatedSlotWire(Struct):
    """One of the ``rev_slots``."""

    rev_slot_content_model: str | None = None


class CreatedSlotsWire(Struct):
    """``rev_slots``, of which the main one is read."""

    main: CreatedSlotWire | None = None


class OldWire(Struct):
    """What the older page and revision streams have in common."""

    meta: MetaWire
    database: WikiId
    page_id: Id
    page_title: Name
    page_namespace: Namespace
    rev_id: Id
    schema: ShortText | None = field(name="$schema", default=None)
    dt: Time | None = None
    page_is_redirect: bool | None = None
    rev_parent_id: Count | None = None
    rev_len: Count | None = None
    rev_sha1: ShortText | None = None
    rev_minor_edit: bool | None = None
    rev_content_model: str | None = None
    performer: PerformerWire | None = None


class RevisionCreateWire(OldWire, kw_only=True):
    """``mediawiki.revision-create`` 1.x and 2.x."""

    rev_timestamp: Time
    rev_slots: CreatedSlotsWire | None = None
    comment: str | None = None


class VisibilityWire(Struct):
    """``visibility`` of a revision-visibility-change: what readers see after it, or saw before."""

    text: bool
    user: bool
    comment: bool


class OldPriorStateWire(Struct):
    """``prior_state`` of the older page and revision streams."""

    page_title: Name | None = None
    page_namespace: Namespace | None = None
    rev_id: Count | None = None
    visibility: VisibilityWire | None = None


class OldChangeWire(OldWire):
    """``mediawiki.page-delete``, ``page-undelete``, ``page-move`` and ``revision-visibility-change``."""

    rev_timestamp: Time | None = None
    visibility: VisibilityWire | None = None
    prior_state: OldPriorStateWire | None = None


class HeaderWire(Struct):
    """What tells the schema, the canary and the key; of any type, for nothing is checked yet."""

    schema: Any = field(name="$schema", default=None)
    meta: Any = None
    wiki_id: Any = None
    database: Any = None
    page: Any = None
    page_id: Any = None
