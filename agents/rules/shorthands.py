"""ORES's words for kinds of edits, by which its ``precache`` said what is scored ahead of time.

They were made for ``mediawiki.revision-create``, an event for each new revision. A page change that brings a
new revision, which a move does, is the same to them.

====================== ==================================================================
word                   the event
====================== ==================================================================
``edit``               brings a new revision
``main_edit``          … in namespace 0
``bot_edit``           … by a user in the group ``bot``
``nonbot_edit``        … by any other user, or one whom the event does not name
``page_creation``      … that has no parent
``main_creation``      … that has no parent, in namespace 0
``bot_page_creation``  … that has no parent, by a user in the group ``bot``
``nonbot_page_creation`` … that has no parent, by any other user
====================== ==================================================================
"""

import re
from typing import Any, Final

from schemas.keys import REVISION_CREATE_TOPIC

WORDS: Final = (
    "edit",
    "main_edit",
    "bot_edit",
    "nonbot_edit",
    "page_creation",
    "main_creation",
    "bot_page_creation",
    "nonbot_page_creation",
)
_PAGE_CHANGE: Final = re.compile(r"mediawiki\.page_change\.v\d+\Z")
_NEW_REVISION_KINDS: Final = frozenset({"create", "edit", "move"})
_BOT: Final = "bot"


def words_of(event: Any) -> frozenset[str]:
    """Return all words that fit an event, as JSON gives it; none for an event of another stream."""
    meta = _mapping(event, "meta")
    stream = meta.get("stream") or meta.get("topic")
    if stream == REVISION_CREATE_TOPIC:
        namespace_id = event.get("page_namespace")
        groups = _mapping(event, "performer").get("user_groups")
        parent = event.get("rev_parent_id")
    elif (
        isinstance(stream, str)
        and _PAGE_CHANGE.match(stream)
        and event.get("page_change_kind") in _NEW_REVISION_KINDS
    ):
        namespace_id = _mapping(event, "page").get("namespace_id")
        groups = _mapping(event, "performer").get("groups")
        parent = _mapping(event, "revision").get("rev_parent_id")
    else:
        return frozenset()
    by = "bot" if isinstance(groups, list) and _BOT in groups else "nonbot"
    words = {"edit", f"{by}_edit"}
    if namespace_id == 0:
        words.add("main_edit")
    if not parent:
        words |= {"page_creation", f"{by}_page_creation"}
        if namespace_id == 0:
            words.add("main_creation")
    return frozenset(words)


def _mapping(event: Any, name: str) -> dict[str, Any]:
    value = event.get(name) if isinstance(event, dict) else None
    return value if isinstance(value, dict) else {}
