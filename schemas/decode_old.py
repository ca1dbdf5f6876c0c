"""The older, flat streams of MediaWiki, read into the one struct of page changes."""

from collections.abc import Mapping

from schemas.decode_parts import event_id_of, stream_of, utc
from schemas.keys import REVISION_CREATE_TOPIC
from schemas.page_change import ChangedRevision, Page, PageChange, PageChangeKind, PriorState, User
from schemas.wire import OldChangeWire, OldPriorStateWire, PerformerWire, RevisionCreateWire

SUPPRESS_STREAM = "mediawiki.page-suppress"
"""Deletions by which the whole page is hidden from administrators as well, in the layout of page-delete."""

_STREAM_AND_SCHEMA: Mapping[PageChangeKind, tuple[str, str]] = {
    PageChangeKind.DELETE: ("mediawiki.page-delete", "/mediawiki/page/delete/1.0.0"),
    PageChangeKind.UNDELETE: ("mediawiki.page-undelete", "/mediawiki/page/undelete/1.0.0"),
    PageChangeKind.MOVE: ("mediawiki.page-move", "/mediawiki/page/move/1.0.0"),
    PageChangeKind.VISIBILITY_CHANGE: (
        "mediawiki.revision-visibility-change",
        "/mediawiki/revision/visibility-change/1.0.0",
    ),
}


def from_revision_create(wire: RevisionCreateWire) -> PageChange:
    """Return the change that a ``mediawiki.revision-create`` tells."""
    meta = wire.meta
    rev_dt = utc(wire.rev_timestamp)
    kind = PageChangeKind.EDIT if wire.rev_parent_id else PageChangeKind.CREATE
    stream = stream_of(meta, REVISION_CREATE_TOPIC)
    content_model = wire.rev_content_model
    if content_model is None and wire.rev_slots is not None and wire.rev_slots.main is not None:
        content_model = wire.rev_slots.main.rev_slot_content_model
    editor = _performer(wire.performer)
    return PageChange(
        event_id=meta.id or event_id_of(stream, wire.database, wire.rev_id, kind, rev_dt),
        stream=stream,
        schema_uri=wire.schema or "/mediawiki/revision/create/1.0.0",
        page_change_kind=kind,
        dt=rev_dt if wire.dt is None else utc(wire.dt),
        wiki_id=wire.database,
        page=Page(wire.page_id, wire.page_title, wire.page_namespace, wire.page_is_redirect is True),
        revision=ChangedRevision(
            rev_id=wire.rev_id,
            rev_dt=rev_dt,
            rev_parent_id=wire.rev_parent_id or None,
            rev_size=wire.rev_len,
            rev_sha1=wire.rev_sha1,
            comment=wire.comment,
            editor=editor,
            is_minor_edit=wire.rev_minor_edit is True,
            content_model=content_model,
        ),
        performer=editor,
        meta_dt=None if meta.dt is None else utc(meta.dt),
        domain=meta.domain or None,
        uri=meta.uri or None,
        request_id=meta.request_id or None,
    )


def from_old_change(wire: OldChangeWire, kind: PageChangeKind) -> PageChange:
    """Return the change that an event of the older page and visibility streams tells.

    Who is named in it is who acted: of the editor these streams say nothing. A page's move saves a revision
    at that very moment; when the revision of a deletion or an undeletion was saved they do not say.

    Args:
        wire: The event.
        kind: By its stream.

    Raises:
        ValueError: It tells no time at all, or not what is visible though it is of that stream.
    """
    meta, visibility = wire.meta, wire.visibility
    default_stream, default_schema = _STREAM_AND_SCHEMA[kind]
    stream = stream_of(meta, default_stream)
    told = wire.dt or meta.dt or wire.rev_timestamp
    if told is None:
        raise ValueError("Object missing required field `dt` - at `$.meta`")
    if visibility is None and kind is PageChangeKind.VISIBILITY_CHANGE:
        raise ValueError("Object missing required field `visibility`")
    dt = utc(told)
    performer = _performer(wire.performer)
    is_visible = (True, True, True)
    if kind is PageChangeKind.VISIBILITY_CHANGE and visibility is not None:
        is_visible = visibility.text, visibility.user, visibility.comment
        is_suppression = performer is None and not all(is_visible)
    else:
        is_suppression = stream == SUPPRESS_STREAM
    prior = wire.prior_state
    rev_parent_id = wire.rev_parent_id or None
    if kind is PageChangeKind.MOVE and prior is not None:
        rev_parent_id = rev_parent_id or prior.rev_id or None
    return PageChange(
        event_id=meta.id or event_id_of(stream, wire.database, wire.rev_id, kind, dt),
        stream=stream,
        schema_uri=wire.schema or default_schema,
        page_change_kind=kind,
        dt=dt,
        wiki_id=wire.database,
        page=Page(wire.page_id, wire.page_title, wire.page_namespace, wire.page_is_redirect is True),
        revision=ChangedRevision(
            rev_id=wire.rev_id,
            rev_dt=dt if wire.rev_timestamp is None else utc(wire.rev_timestamp),
            rev_parent_id=rev_parent_id,
            rev_size=wire.rev_len,
            rev_sha1=wire.rev_sha1,
            is_content_visible=is_visible[0],
            is_editor_visible=is_visible[1],
            is_comment_visible=is_visible[2],
            is_minor_edit=wire.rev_minor_edit is True,
            content_model=wire.rev_content_model,
            is_rev_dt_told=wire.rev_timestamp is not None or kind is PageChangeKind.MOVE,
        ),
        performer=performer,
        prior_state=None if prior is None else _prior_state(prior),
        meta_dt=None if meta.dt is None else utc(meta.dt),
        domain=meta.domain or None,
        uri=meta.uri or None,
        request_id=meta.request_id or None,
        is_suppression=is_suppression,
    )


def _prior_state(prior: OldPriorStateWire) -> PriorState:
    visibility = prior.visibility
    return PriorState(
        page_title=prior.page_title,
        namespace_id=prior.page_namespace,
        rev_id=prior.rev_id or None,
        is_content_visible=None if visibility is None else visibility.text,
        is_editor_visible=None if visibility is None else visibility.user,
        is_comment_visible=None if visibility is None else visibility.comment,
    )


def _performer(wire: PerformerWire | None) -> User | None:
    if wire is None:
        return None
    return User(
        wire.user_text or None,
        wire.user_id or None,
        wire.user_groups or (),
        wire.user_is_bot,
        None if wire.user_registration_dt is None else utc(wire.user_registration_dt),
        wire.user_edit_count,
    )
