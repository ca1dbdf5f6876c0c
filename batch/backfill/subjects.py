"""From a chunk to what scorers read."""

from collections.abc import Callable

from msgspec import Struct

from batch.backfill.chunk import Chunk, ChunkText
from batch.dump_revision import DumpUser
from batch.refusals import Refusals
from schemas.errors import ContentError
from schemas.revision import Revision, RevisionUser

UserLookup = Callable[[int | None, str], RevisionUser]
"""Tells what is known of a user, by id (None for an address) and name."""
_BOT = "bot"


class Subject(Struct, frozen=True):
    """A revision to score.

    Attributes:
        revision: With as much as there is.
        refusal: Why its text cannot be had; None where it can.
        parent_refusal: Why its parent's cannot, which models that read the text alone do without.
    """

    revision: Revision
    refusal: ContentError | None
    parent_refusal: ContentError | None


def subject_of(chunk: Chunk, place: int, *, users: UserLookup, refusals: Refusals) -> Subject:
    """Return a revision of a chunk as a look-up in its dump gives it, see ``batch.local_source``.

    Args:
        chunk: Holds it.
        place: Of it.
        users: Tells of editors.
        refusals: Say what the lack of a text means.
    """
    one = chunk.revisions[place]
    page, text = chunk.pages[one.page], chunk.texts[one.text]
    refusal = parent_refusal = None
    parent: ChunkText | None = None
    try:
        refusals.require_text(text, chunk.wiki_id, text.rev_id)
    except ContentError as error:
        refusal = error
    if one.rev_parent_id is not None:
        found = None if one.parent is None else chunk.texts[one.parent]
        try:
            parent = refusals.require_parent(found, chunk.wiki_id, text.rev_id, one.rev_parent_id)
        except ContentError as error:
            parent_refusal = error
    revision = Revision(
        wiki_id=chunk.wiki_id,
        page_id=page.page_id,
        page_title=page.page_title,
        namespace_id=page.namespace_id,
        rev_id=text.rev_id,
        rev_parent_id=one.rev_parent_id,
        rev_dt=text.rev_dt,
        content_model=one.content_model,
        text=text.text,
        parent_text=None if parent is None else parent.text,
        comment=one.comment,
        user=None if text.user is None else _user(text.user, users),
        parent_dt=None if parent is None else parent.rev_dt,
        parent_user=None if parent is None else _named(parent.user),
    )
    return Subject(revision, refusal, parent_refusal)


def is_bot(user: RevisionUser | None) -> bool | None:
    """Tell whether a bot saved a revision; None where nothing tells."""
    if user is None:
        return None
    return _BOT in user.groups if user.is_known or not user.user_id else None


def _user(user: DumpUser, users: UserLookup) -> RevisionUser:
    return users(user.user_id, user.user_text)


def _named(user: DumpUser | None) -> RevisionUser | None:
    """Return who saved a parent: no more is told of them, wherever a revision comes from."""
    return None if user is None else RevisionUser(user.user_id or None, user.user_text, is_known=False)
