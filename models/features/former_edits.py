"""Who edited what and when, as revscoring read it before release 1.0: from one object for each revision.

Releases asked a wiki for them; here they are made of what a revision carries.
"""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from msgspec import Struct

MADE = "former:"
_FEATURES = "revscoring.features."
_REVISION = "datasource.revision."
_PARENT = _REVISION + "parent."
_SECTION = re.compile(r"/\*(?:[^*]|\*[^/])+\*/")
# When registrations began to be recorded, seconds since 1970.
_RECORDED_SINCE = int(datetime(2005, 1, 1, tzinfo=UTC).timestamp())


class Edit(Struct, frozen=True):
    """What a wiki tells of a revision.

    Attributes:
        seconds: When it was saved, since 1970; None where unknown.
        user_id: 0 without an account; None for a parent, whose editor few features ask for.
        user_text: Name, likewise.
        bytes: Size of the text.
        namespace_id: Of the page.
        comment: Summary.
    """

    seconds: int | None
    user_id: int | None
    user_text: str | None
    bytes: int
    namespace_id: int = 0
    comment: str | None = None


class Account(Struct, frozen=True):
    """What a wiki tells of an editor.

    Attributes:
        groups: Names.
        registered_seconds: Since 1970; None where it was not recorded.
    """

    groups: tuple[str, ...]
    registered_seconds: int | None


class FirstAccount(Account, frozen=True):
    """An editor as the first releases saw one.

    Attributes:
        has_id: Whether there is an account.
    """

    has_id: bool = True


class Origin(Struct, frozen=True):
    """What a model file says of its making beside its features.

    Attributes:
        language: Module of its language, ``revscoring.languages.turkish``; None where it names none.
        trained: Seconds since 1970; None where it does not say.
    """

    language: str | None = None
    trained: float | None = None


UNKNOWN = Origin()


class StandIn(Struct, frozen=True):
    """What fills a datasource that asked a wiki.

    Attributes:
        function: Name of ours; None where a revision here does not hold it.
        roots: Datasources of today that the function reads.
        reason: Why there is none.
    """

    function: str | None
    roots: tuple[str, ...] = ()
    reason: str = ""


def _seconds(timestamp: Any) -> int | None:
    return None if timestamp is None else int(timestamp.unix())


def _edit(timestamp: Any, *told: Any) -> Edit:
    return Edit(_seconds(timestamp), *told)


def _parent(id_: int, timestamp: Any, size: int) -> Edit | None:
    return Edit(_seconds(timestamp), None, None, size) if id_ else None


def _account(groups: Any, registration: Any) -> Account:
    return Account(tuple(groups or ()), _seconds(registration))


def _first_account(user_id: int, groups: Any, registration: Any) -> FirstAccount:
    return FirstAccount(tuple(groups or ()), _seconds(registration), has_id=user_id != 0)


def _is_content(namespace_id: int) -> bool:
    """Tell whether a namespace of a wiki holds articles.

    Raises:
        ValueError: It is one that wikis make for themselves, and each decided by itself.
    """
    if namespace_id >= 100 and namespace_id % 2 == 0:
        raise ValueError(
            f"whether namespace {namespace_id} counted as content was each wiki's own choice, which the "
            "model does not hold"
        )
    return namespace_id == 0


def same(value: Any) -> Any:
    """Return what is given, under its former name."""
    return value


def is_anonymous(edit: Edit) -> bool:
    """Tell whether who edited has no account."""
    return not edit.user_id


def _age(account: Account, edit: Edit) -> int:
    return 0 if is_anonymous(edit) else max(_since(account, edit), 0)


def _first_age(account: FirstAccount, edit: Edit) -> int:
    return _since(account, edit) if account.has_id else 0


def _since(account: Account, edit: Edit) -> int:
    registered = account.registered_seconds
    return _when(edit) - (_RECORDED_SINCE if registered is None else registered)


def _when(edit: Edit) -> int:
    if edit.seconds is None:
        raise ValueError("when the parent revision was saved is not known here")
    return edit.seconds


def _seconds_between(parent: Edit | None, edit: Edit) -> int:
    return 0 if parent is None else _when(edit) - _when(parent)


def _is_same_user(parent: Edit | None, edit: Edit, user_id: int | None, user_text: str | None) -> bool:
    if parent is None:
        return False
    if user_text is None:
        raise ValueError("who saved the parent revision is not known here")
    # Two editors without accounts share the id 0, and counted as one.
    return user_id == edit.user_id or user_text == edit.user_text


def _day(edit: Edit) -> int:
    return datetime.fromtimestamp(_when(edit), UTC).weekday()


def _hour(edit: Edit) -> int:
    return datetime.fromtimestamp(_when(edit), UTC).hour


def _has_custom_comment(edit: Edit) -> bool:
    return len(_SECTION.sub("", edit.comment or "").strip()) > 1


def _has_section_comment(edit: Edit) -> bool:
    return _SECTION.match(edit.comment or "") is not None


_EDIT = StandIn(
    f"{MADE}edit",
    tuple(
        _REVISION + name
        for name in ("timestamp", "user.id", "user.text", "byte_length", "page.namespace.id", "comment")
    ),
)
_PARENT_EDIT = StandIn(
    f"{MADE}parent",
    tuple(_PARENT + name for name in ("id", "timestamp", "byte_length")),
)
_GROUPS = (f"{_REVISION}user.info.groups", f"{_REVISION}user.info.registration")
_NO_CREATION = StandIn(
    None, reason="it reads the first revision of the page, which revisions here do not carry"
)
_NO_PREVIOUS = StandIn(None, reason="it reads the editor's previous edit, which revisions here do not carry")
STAND_INS: Mapping[str, StandIn] = {
    "revision.metadata": _EDIT,
    "revision_metadata": _EDIT,
    "parent_revision.metadata": _PARENT_EDIT,
    "previous_revision_metadata": _PARENT_EDIT,
    "parent_revision.text": StandIn(f"{MADE}same", (f"{_PARENT}text",)),
    "previous_revision_text": StandIn(f"{MADE}same", (f"{_PARENT}text",)),
    "revision_text": StandIn(f"{MADE}same", (f"{_REVISION}text",)),
    "user.info": StandIn(f"{MADE}account", _GROUPS),
    "user_info": StandIn(f"{MADE}first_account", (f"{_REVISION}user.id", *_GROUPS)),
    "site.namespace_map": StandIn(f"{MADE}namespaces", (f"{_REVISION}page.namespace.id",)),
    "namespaces": StandIn(f"{MADE}namespaces", (f"{_REVISION}page.namespace.id",)),
    "page_creation.metadata": _NO_CREATION,
    "first_revision_metadata": _NO_CREATION,
    "previous_user_revision.metadata": _NO_PREVIOUS,
    "previous_user_revision_metadata": _NO_PREVIOUS,
}
_SAME_USER = ("parent_revision.process_was_same_user", "is_previous_user_same.process")
# What our functions read beside what those of the releases read.
MORE_ROOTS: Mapping[str, tuple[str, ...]] = dict.fromkeys(
    (_FEATURES + name for name in _SAME_USER), (f"{_PARENT}user.id", f"{_PARENT}user.text")
)
ACCOUNTS = frozenset({"user.info", "user_info"})

_OF_EDITS: Mapping[tuple[str, ...], Callable[..., Any]] = {
    ("user.process_age",): _age,
    ("user_age_in_seconds.process",): _first_age,
    ("user.process_is_anon", "user_is_anon.process"): is_anonymous,
    ("user.process_is_bot", "user_is_bot.process"): lambda account: "bot" in account.groups,
    ("revision.process_day_of_week", "day_of_week_in_utc.process"): _day,
    ("revision.process_hour_of_day", "hour_of_day_in_utc.process"): _hour,
    ("revision.process_has_custom_comment", "is_custom_comment.process"): _has_custom_comment,
    ("revision.process_has_section_comment", "is_section_comment.process"): _has_section_comment,
    ("revision.process_bytes",): lambda edit: edit.bytes,
    ("parent_revision.process_bytes",): lambda parent: 0 if parent is None else parent.bytes,
    ("bytes_changed.process",): lambda parent, edit: edit.bytes - (0 if parent is None else parent.bytes),
    (
        "parent_revision.process_seconds_since",
        "seconds_since_last_page_edit.process",
    ): _seconds_between,
    _SAME_USER: _is_same_user,
    ("page.process_is_content_namespace", "is_content_namespace.process"): (
        lambda edit, is_content: is_content(edit.namespace_id)
    ),
    ("page.process_is_mainspace", "is_mainspace.process"): lambda edit: edit.namespace_id == 0,
}
FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    f"{MADE}edit": _edit,
    f"{MADE}parent": _parent,
    f"{MADE}account": _account,
    f"{MADE}first_account": _first_account,
    f"{MADE}namespaces": lambda _namespace_id: _is_content,
    f"{MADE}same": same,
    **{_FEATURES + name: function for names, function in _OF_EDITS.items() for name in names},
}
