"""Revisions as MediaWiki's XML dumps give them."""

import hashlib
from collections.abc import Mapping
from datetime import datetime

from msgspec import Struct

_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_DIGIT_PAIRS = tuple(high + low for high in _DIGITS for low in _DIGITS)
_SHA1_PAIRS = 16


class DumpSite(Struct, frozen=True, gc=False):
    """What a dump says about its wiki.

    Attributes:
        wiki_id: Database name; None before export-0.9.
        site_name: As people call it.
        base_url: Address of its main page.
        schema_version: ``0.3`` to ``0.11``; None where the document does not say.
        namespaces: Number to prefix, ``""`` for articles.
    """

    wiki_id: str | None = None
    site_name: str | None = None
    base_url: str | None = None
    schema_version: str | None = None
    namespaces: Mapping[int, str] = {}


class DumpPage(Struct, frozen=True, gc=False):
    """A page as it was named when the dump was made.

    Attributes:
        page_id: None where the dump gives none.
        page_title: With its namespace prefix, with spaces.
        namespace_id: As told; before export-0.6 read off the prefix.
        is_redirect: False for every page before export-0.4, which does not tell.
        redirect_title: Target of the redirect, where told.
    """

    page_id: int | None
    page_title: str
    namespace_id: int
    is_redirect: bool = False
    redirect_title: str | None = None


class DumpUser(Struct, frozen=True, gc=False):
    """An editor: an account has an id (0 for one imported from another wiki), an address has none."""

    user_id: int | None
    user_text: str


class DumpRevision(Struct, frozen=True, gc=False):
    """One revision as the dump gives it; nothing is inferred, nothing checked.

    Attributes:
        site: The wiki; one object for the whole document.
        page: The page; one object for all its revisions.
        rev_id: None where the dump gives none.
        rev_parent_id: None on first revisions, and on all before export-0.7.
        rev_dt: When it was saved, aware UTC.
        user: None where hidden.
        comment: None where hidden; empty where there is none.
        is_minor_edit: As marked.
        content_model: ``wikitext`` before export-0.8, which knew no other.
        content_format: ``text/x-wiki`` before export-0.8.
        text: The main slot. None where hidden, too large, or not in the dump (stubs).
        text_bytes: Size of the text in UTF-8 as the dump declares it, where it does.
        sha1: Base 36, over all slots, as declared: real dumps hold wrong ones. None where absent.
        is_user_hidden: The editor is deleted or suppressed; dumps do not tell which.
        is_comment_hidden: The comment is.
        is_text_hidden: The text is.
        is_text_too_large: The text was larger than the reader's limit and was dropped.
        other_roles: Slots besides the main one. Their content is skipped.
    """

    site: DumpSite
    page: DumpPage
    rev_id: int | None
    rev_parent_id: int | None
    rev_dt: datetime
    user: DumpUser | None
    comment: str | None
    is_minor_edit: bool
    content_model: str
    content_format: str
    text: str | None
    text_bytes: int | None
    sha1: str | None
    is_user_hidden: bool = False
    is_comment_hidden: bool = False
    is_text_hidden: bool = False
    is_text_too_large: bool = False
    other_roles: tuple[str, ...] = ()


def sha1_base36(content: bytes) -> str:
    """Return the sha1 of some bytes as MediaWiki writes it: 31 digits of base 36."""
    number = int.from_bytes(hashlib.sha1(content, usedforsecurity=False).digest(), "big")
    pairs = []
    for _ in range(_SHA1_PAIRS):
        number, pair = divmod(number, 1296)
        pairs.append(_DIGIT_PAIRS[pair])
    pairs.reverse()
    # 2**160 has 31 digits, so the first of 32 is always 0.
    return "".join(pairs)[1:]
