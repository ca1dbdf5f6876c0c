"""The revision that an event tells, where it carries the text."""

from schemas.page_change import PageChange, PageChangeKind
from schemas.revision import ParentRevision, Revision, RevisionUser

_SAVES = frozenset({PageChangeKind.CREATE, PageChangeKind.EDIT})


def told_revision(change: PageChange) -> Revision | None:
    """Return the revision as its event tells it, without its parent's text.

    It has what the wiki's API would tell, in the API's form. An account counts with the groups and the
    registration that it had when it saved the revision, not those of today.

    Returns:
        None where the event carries no text, or leaves out something that a model may read: then the wiki is
        asked for all of it, lest the same revision have two scores.
    """
    revision = change.revision
    if revision.text is None or revision.content_model is None:
        return None
    user: RevisionUser | None = None
    if revision.is_editor_visible:
        user = _editor(change)
        if user is None:
            return None
    return Revision(
        wiki_id=change.wiki_id,
        page_id=change.page.page_id,
        page_title=change.page.page_title.replace("_", " "),
        namespace_id=change.page.namespace_id,
        rev_id=revision.rev_id,
        rev_parent_id=revision.rev_parent_id,
        rev_dt=revision.rev_dt,
        content_model=revision.content_model,
        text=revision.text,
        parent_text=None,
        comment=revision.comment or "",
        user=user,
    )


def as_parent(revision: Revision) -> ParentRevision:
    """Return a revision as the parent of the next one."""
    user = revision.user
    named = None if user is None else RevisionUser(user.user_id or None, user.user_text, is_known=False)
    return ParentRevision(revision.text, revision.rev_dt, named)


def _editor(change: PageChange) -> RevisionUser | None:
    editor = change.revision.editor
    if editor is None and change.page_change_kind in _SAVES:
        editor = change.performer
    if editor is None or editor.user_text is None:
        return None
    if editor.user_id is None:
        return RevisionUser(user_id=None, user_text=editor.user_text)
    # Every account has groups ("*" and "user"): where none are told, they were left out.
    if not editor.groups:
        return None
    return RevisionUser(
        user_id=editor.user_id,
        user_text=editor.user_text,
        groups=tuple(sorted(editor.groups)),
        registration_dt=editor.registration_dt,
    )
