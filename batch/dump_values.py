"""From what the elements of a dump hold to values."""

from datetime import UTC, datetime
from typing import Any, Final

from batch.dump_revision import DumpPage, DumpRevision, DumpSite, DumpUser

_DELETED: Final = "deleted"
_DIGITS_OF_MOMENT: Final = 14


def page_of(fields: dict[str, Any], site: DumpSite) -> DumpPage:
    """Return a page.

    Args:
        fields: Text by element, and attributes under the element's name followed by ``@``.
        site: Names the namespaces, which dumps before export-0.6 tell by the title alone.

    Raises:
        ValueError: A number is none.
    """
    title = fields.get("title", "")
    if "ns" in fields:
        namespace_id = int(fields["ns"])
    else:
        prefix, colon, _ = title.partition(":")
        numbers = {_folded(name): number for number, name in site.namespaces.items()}
        namespace_id = numbers.get(_folded(prefix), 0) if colon else 0
    return DumpPage(
        page_id=int(fields["id"]) if "id" in fields else None,
        page_title=title,
        namespace_id=namespace_id,
        is_redirect="redirect" in fields,
        redirect_title=fields.get("redirect@", {}).get("title"),
    )


def _folded(prefix: str) -> str:
    return prefix.replace("_", " ").strip().casefold()


def revision_of(
    site: DumpSite, page: DumpPage, fields: dict[str, Any], max_text_bytes: int | None
) -> DumpRevision:
    """Return a revision.

    Args:
        site: The wiki.
        page: The page.
        fields: As those of `page_of`; ``text!`` where the text was dropped, ``user`` what the contributor
            holds, ``roles`` of other slots.
        max_text_bytes: Texts larger than this are dropped and marked; None keeps all.

    Raises:
        KeyError: There is no time.
        ValueError: A number or the time is none.
        OverflowError: The time is out of range.
    """
    get = fields.get
    text, is_too_large = _text(fields, max_text_bytes)
    about_text = get("text@", {})
    is_user_hidden = _DELETED in get("contributor@", ())
    is_comment_hidden = _DELETED in get("comment@", ())
    text_bytes = int(about_text.get("bytes", -1))
    # By position: by name takes a microsecond more, a tenth of all that reading a revision takes.
    return DumpRevision(
        site,
        page,
        int(fields["id"]) if "id" in fields else None,
        int(get("parentid", 0)) or None,
        _moment(fields["timestamp"]),
        None if is_user_hidden else _user(get("user", {})),
        None if is_comment_hidden else get("comment", ""),
        "minor" in fields,
        get("model", "wikitext"),
        get("format", "text/x-wiki"),
        text,
        text_bytes if text_bytes >= 0 else None,
        get("sha1") or about_text.get("sha1") or None,
        is_user_hidden,
        is_comment_hidden,
        _DELETED in about_text,
        is_too_large,
        tuple(get("roles", ())),
    )


def _text(fields: dict[str, Any], limit: int | None) -> tuple[str | None, bool]:
    text: str | None = fields.get("text")
    attributes = fields.get("text@", {})
    if text is None or _DELETED in attributes:
        return None, False
    # Four bytes is the longest character, so most texts need no encoding to be told small enough.
    if "text!" in fields or (limit is not None and len(text) * 4 > limit and len(text.encode()) > limit):
        return None, True
    is_stub = not text and ("location" in attributes or "id" in attributes)
    return (None if is_stub and attributes.get("bytes") != "0" else text), False


def _moment(written: str) -> datetime:
    written = written.strip()
    if len(written) == _DIGITS_OF_MOMENT and written.isdigit():
        # As MediaWiki's tables write it.
        written = f"{written[:8]}T{written[8:]}"
    moment = datetime.fromisoformat(written)
    if moment.tzinfo is UTC:
        return moment
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _user(fields: dict[str, Any]) -> DumpUser | None:
    if "ip" in fields:
        return DumpUser(None, fields["ip"])
    if "username" in fields:
        return DumpUser(int(fields["id"]) if "id" in fields else None, fields["username"])
    return None
