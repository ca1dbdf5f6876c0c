"""From our revision to the datasources at the roots of revscoring's features.

What revscoring's own extractor takes from MediaWiki's API is injected here instead, with its meanings: the
parent's text is None on the first revision of a page, a user without an account has id 0, and registration
is None where it was never recorded. Models of before 2018 read dates themselves where later ones read their
texts (``registration``, ``registration_str``); both are given.
"""

import importlib
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from enum import IntFlag
from typing import Any

from schemas.errors import ParentNotFound, RevisionDeleted
from schemas.revision import Revision, RevisionUser

Extract = Callable[[Revision], Any]

_PREFIX = "datasource.revision."
_PARENT = _PREFIX + "parent."
_USER = _PREFIX + "user."
_ACCOUNT = _USER + "info."
_GROUPS = _ACCOUNT + "groups"
_SECONDS = len("2026-11-01T00:00:00")
_OF_PARENT_TEXT = frozenset({f"{_PARENT}text", f"{_PARENT}byte_length"})


def injectable() -> frozenset[str]:
    """Return the printed names of all datasources that a revision can fill."""
    return frozenset(_EXTRACTORS)


class Gaps(IntFlag):
    """What is not known of an editor's account, or what features read of it."""

    NONE = 0
    GROUPS = 1
    REGISTRATION = 2
    ALL = 3


# By whether groups and registration are not known. A member of an enumeration is found by a function in
# Python each time that it is named, and this is asked several times for each revision.
_GAPS: Mapping[tuple[bool, bool], Gaps] = {
    (False, False): Gaps.NONE,
    (True, False): Gaps.GROUPS,
    (False, True): Gaps.REGISTRATION,
    (True, True): Gaps.ALL,
}
_NO_GAPS = Gaps.NONE


def reads_account(roots: frozenset[str]) -> bool:
    """Tell whether any of these datasources is known only of an account: groups, registration."""
    return bool(read_of_account(roots))


def read_of_account(roots: frozenset[str]) -> Gaps:
    """Return what of an account these datasources tell."""
    read = Gaps.NONE
    for name in roots:
        if name.startswith(_ACCOUNT):
            read |= Gaps.GROUPS if name == _GROUPS else Gaps.REGISTRATION
    return read


def values(revision: Revision, roots: frozenset[str]) -> Mapping[str, Any]:
    """Compute the datasources that features need.

    Args:
        revision: What to score.
        roots: Printed names, all injectable.

    Returns:
        Value by printed name.

    Raises:
        RevisionDeleted: The editor is hidden and the features ask for the editor.
        ParentNotFound: The revision names a parent, but its text is not here, and the features read it.
    """
    if revision.user is None and any(name.startswith(_USER) for name in roots):
        raise RevisionDeleted(
            f"the editor of revision {revision.rev_id} of {revision.wiki_id} is hidden, and the model "
            "reads who edited; it cannot be scored",
            wiki_id=revision.wiki_id,
            rev_id=revision.rev_id,
        )
    is_parent_missing = revision.rev_parent_id is not None and revision.parent_text is None
    if is_parent_missing and _OF_PARENT_TEXT & roots:
        raise ParentNotFound(
            f"revision {revision.rev_id} of {revision.wiki_id} came without the text of its parent "
            f"{revision.rev_parent_id}, and the model reads what changed; it cannot be scored",
            wiki_id=revision.wiki_id,
            rev_id=revision.rev_id,
        )
    return {name: _EXTRACTORS[name](revision) for name in roots}


def account_gaps(revision: Revision) -> Gaps:
    """Return what is not known of the editor's account; nothing for those who have none."""
    user = revision.user
    if user is None or not has_account(user):
        return _NO_GAPS
    return _GAPS[not user.is_known or user.lacks_groups, not user.is_known or user.lacks_registration]


def has_account(user: RevisionUser) -> bool:
    """Tell whether an editor has an account; temporary accounts count, since their ids are positive."""
    return bool(user.user_id)


def _of_user(read: Callable[[RevisionUser], Any]) -> Extract:
    return lambda revision: None if revision.user is None else read(revision.user)


def _of_parent_user(read: Callable[[RevisionUser], Any]) -> Extract:
    return lambda revision: None if revision.parent_user is None else read(revision.parent_user)


def _of_account(read: Callable[[RevisionUser], Any]) -> Extract:
    return _of_user(lambda user: read(user) if has_account(user) else None)


def _timestamp(dt: datetime | None) -> str | None:
    return None if dt is None else f"{dt.astimezone(UTC).isoformat()[:_SECONDS]}Z"


def _date(dt: datetime | None) -> Any:
    text = _timestamp(dt)
    return None if text is None else importlib.import_module("mwtypes").Timestamp(text)


def _parent_length(revision: Revision) -> int | None:
    return None if revision.parent_text is None else len(revision.parent_text.encode())


def _split_title(revision: Revision) -> tuple[str, str]:
    title = revision.page_title.replace("_", " ")
    if revision.namespace_id > 0 and ":" in title:
        namespace, _, rest = title.partition(":")
        return namespace, rest
    return "", title


_EXTRACTORS: Mapping[str, Extract] = {
    f"{_PREFIX}id": lambda revision: revision.rev_id,
    f"{_PREFIX}timestamp_str": lambda revision: _timestamp(revision.rev_dt),
    f"{_PREFIX}timestamp": lambda revision: _date(revision.rev_dt),
    f"{_PREFIX}comment": lambda revision: revision.comment,
    f"{_PREFIX}byte_length": lambda revision: len(revision.text.encode()),
    f"{_PREFIX}content_model": lambda revision: revision.content_model,
    f"{_PREFIX}text": lambda revision: revision.text,
    f"{_PARENT}id": lambda revision: revision.rev_parent_id or 0,
    f"{_PARENT}text": lambda revision: revision.parent_text,
    f"{_PARENT}timestamp_str": lambda revision: _timestamp(revision.parent_dt),
    f"{_PARENT}timestamp": lambda revision: _date(revision.parent_dt),
    f"{_PARENT}byte_length": _parent_length,
    f"{_PARENT}user.id": _of_parent_user(lambda user: user.user_id or 0),
    f"{_PARENT}user.text": _of_parent_user(lambda user: user.user_text),
    f"{_PREFIX}page.id": lambda revision: revision.page_id,
    f"{_PREFIX}page.title": lambda revision: _split_title(revision)[1],
    f"{_PREFIX}page.namespace.id": lambda revision: revision.namespace_id,
    f"{_PREFIX}page.namespace.name": lambda revision: _split_title(revision)[0],
    f"{_USER}id": _of_user(lambda user: user.user_id or 0),
    f"{_USER}text": _of_user(lambda user: user.user_text),
    _GROUPS: _of_account(lambda user: list(user.groups)),
    f"{_ACCOUNT}registration_str": _of_account(lambda user: _timestamp(user.registration_dt)),
    f"{_ACCOUNT}registration": _of_account(lambda user: _date(user.registration_dt)),
}
