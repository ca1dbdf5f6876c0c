"""The history in a dump as the page changes that once told of it."""

import sqlite3
import tempfile
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Protocol
from urllib.parse import quote, urlsplit
from uuid import NAMESPACE_URL, uuid5

from msgspec import Struct
from msgspec.json import Encoder

from batch.backfill.subjects import is_bot
from batch.dump_revision import DumpPage, DumpRevision, sha1_base36
from batch.index_builder import VERSIONS_WITHOUT_PARENT
from schemas.decode import MAX_EVENT_BYTES
from schemas.errors import SourceError, StoreFull
from schemas.keys import PAGE_CHANGE_TOPIC, PAGE_CONTENT_CHANGE_TOPIC
from schemas.revision import RevisionUser

_SCHEMA: Final = "/mediawiki/page/change/1.4.0"
# MediaWiki looks back so far for the revision that an edit brings back.
_REVERT_DEPTH: Final = 15
_UNSET: Final = "0001-01-01T00:00:00Z"
_IN_MEMORY_BYTES: Final = 64 << 20
_encoder: Final = Encoder()


class KnowsUsers(Protocol):
    """Tells what is known of an editor."""

    def user(self, user_id: int | None, user_text: str) -> RevisionUser:
        """Return an editor with groups and registration, or with ``is_known`` False."""
        ...


class _Saved(Struct, frozen=True):
    """What the events of later revisions of a page tell of this one."""

    rev_id: int
    rev_dt: str
    sha1: str | None


class _Place(Struct, frozen=True):
    """Where a revision stands in its page.

    Attributes:
        this: Itself.
        parent: The one before; its id alone where the dump does not hold it.
        restored: The one that it brings back to the letter, if any.
    """

    this: _Saved
    parent: _Saved | None
    restored: _Saved | None


def dump_events(
    revisions: Iterable[DumpRevision],
    users: KnowsUsers,
    *,
    wiki_id: str | None = None,
    with_text: bool = False,
) -> Iterator[bytes]:
    """Yield a page change for each revision of a dump, in the order in which the wiki saved them.

    That is the order of their ids: an import gives new ids to revisions of old times. ``meta.dt`` never goes
    back. An edit names its parent in ``prior_state``, and an exact revert the revision that it brings back,
    by the sha1 of the texts themselves. What a dump marks as hidden was visible when it was saved, and a dump
    does not tell since when it is not: the text counts as visible, and who fetches it learns what became of
    it; of a hidden editor or comment there is nothing to tell.

    The events are sorted in a file aside, so that memory does not grow with the dump.

    Args:
        revisions: In any order of pages; those of a page together. Those without an id are left out.
        users: Tells groups and registration of the performers.
        wiki_id: Database name; needed where the dump does not say, and stronger.
        with_text: Whether the events carry the text, as ``mediawiki.page_content_change`` does, where one of
            16 MiB can hold it.

    Yields:
        JSON objects without line ends. The same dump gives the same bytes.

    Raises:
        SourceError: The dump cannot be read to its end, or its wiki is not known.
        StoreFull: The disk for temporary files is full.
    """
    with tempfile.TemporaryDirectory(prefix="revstream-events-") as folder:
        database = sqlite3.connect(Path(folder) / "events.sqlite", isolation_level=None)
        try:
            database.execute("PRAGMA journal_mode = OFF")
            database.execute("PRAGMA synchronous = OFF")
            database.execute(f"PRAGMA cache_size = -{_IN_MEMORY_BYTES >> 10}")
            database.execute("CREATE TABLE events (rev_id INTEGER, saved_at TEXT, event BLOB)")
            database.execute("BEGIN")
            database.executemany(
                "INSERT INTO events VALUES (?, ?, ?)", _events(revisions, users, wiki_id, with_text=with_text)
            )
            database.execute("COMMIT")
            sent_at = ""
            for saved_at, event in database.execute("SELECT saved_at, event FROM events ORDER BY rev_id"):
                sent_at = max(sent_at, saved_at)
                yield _sent(event, sent_at)
        except sqlite3.OperationalError as error:
            if "full" not in str(error):
                raise
            raise StoreFull(
                f"the disk is full: sorting the events of a dump takes about as much as its text in "
                f"{tempfile.gettempdir()}; free some space, or name another folder in TMPDIR",
                path=tempfile.gettempdir(),
            ) from error
        finally:
            database.close()


def _events(
    revisions: Iterable[DumpRevision], users: KnowsUsers, wiki_id: str | None, *, with_text: bool
) -> Iterator[tuple[int, str, bytes]]:
    page: DumpPage | None = None
    saved: dict[int, _Saved] = {}
    above: int | None = None
    recent: OrderedDict[str, _Saved] = OrderedDict()
    for revision in revisions:
        if revision.page.page_id is None or revision.rev_id is None:
            continue
        if revision.page is not page:
            page, above = revision.page, None
            saved.clear()
            recent.clear()
        wiki = wiki_id or revision.site.wiki_id
        if wiki is None:
            raise SourceError(
                "the dump does not name its wiki, as dumps before export-0.9 do not; say which it is"
            )
        parent_id = revision.rev_parent_id
        if revision.site.schema_version in VERSIONS_WITHOUT_PARENT:
            parent_id = above
        above = revision.rev_id
        text = revision.text
        sha1 = None if text is None else sha1_base36(text.encode())
        this = _Saved(revision.rev_id, _written(revision.rev_dt), sha1)
        parent = None if parent_id is None else saved.get(parent_id) or _Saved(parent_id, "", None)
        restored = None if sha1 is None else recent.get(sha1)
        if parent is not None and parent.sha1 == sha1:
            restored = None  # A null edit undoes nothing.
        place = _Place(this, parent, restored)
        encoded = _encoder.encode(_event(wiki, revision, place, users, with_text=with_text))
        if len(encoded) > MAX_EVENT_BYTES:
            encoded = _encoder.encode(_event(wiki, revision, place, users, with_text=False))
        yield this.rev_id, this.rev_dt, encoded
        saved[this.rev_id] = this
        if sha1 is not None:
            recent[sha1] = this
            recent.move_to_end(sha1)
            if len(recent) > _REVERT_DEPTH:
                recent.popitem(last=False)


def _event(
    wiki_id: str, revision: DumpRevision, place: _Place, users: KnowsUsers, *, with_text: bool
) -> dict[str, Any]:
    """Return an event whose ``meta.dt`` is still to be set."""
    page, parent = revision.page, place.parent
    event: dict[str, Any] = {
        "$schema": _SCHEMA,
        "changelog_kind": "insert" if parent is None else "update",
        "page_change_kind": "create" if parent is None else "edit",
        "dt": place.this.rev_dt,
        "wiki_id": wiki_id,
        "page": {
            "page_id": page.page_id,
            "page_title": page.page_title.replace(" ", "_"),
            "namespace_id": page.namespace_id,
            "is_redirect": page.is_redirect,
        },
        "revision": _revision(revision, place, with_text=with_text),
    }
    if revision.user is not None:
        user = users.user(revision.user.user_id, revision.user.user_text)
        event["performer"] = event["revision"]["editor"] = _performer(user)
    if parent is not None:
        prior: dict[str, Any] = {"rev_id": parent.rev_id}
        if parent.rev_dt:
            prior["rev_dt"] = parent.rev_dt
        if parent.sha1 is not None:
            prior["rev_sha1"] = parent.sha1
        event["prior_state"] = {"revision": prior}
    event["meta"] = _meta(wiki_id, revision, with_text=with_text)
    return event


def _revision(revision: DumpRevision, place: _Place, *, with_text: bool) -> dict[str, Any]:
    this = place.this
    main: dict[str, Any] = {
        "slot_role": "main",
        "content_model": revision.content_model,
        "content_format": revision.content_format,
        "origin_rev_id": this.rev_id,
    }
    fields: dict[str, Any] = {
        "rev_id": this.rev_id,
        "rev_dt": this.rev_dt,
        "is_minor_edit": revision.is_minor_edit,
        "is_content_visible": True,
        "is_editor_visible": not revision.is_user_hidden,
        "is_comment_visible": not revision.is_comment_hidden,
        "content_slots": {"main": main},
    }
    if place.parent is not None:
        fields["rev_parent_id"] = place.parent.rev_id
    if revision.comment is not None:
        fields["comment"] = revision.comment
    if revision.text is not None:
        size_bytes = len(revision.text.encode())
        fields |= {"rev_sha1": this.sha1, "rev_size": size_bytes}
        main |= {"content_sha1": this.sha1, "content_size": size_bytes}
        if with_text:
            main["content_body"] = revision.text
    if place.restored is not None:
        fields["revert"] = {"is_exact": True, "rev_original_id": place.restored.rev_id}
    return fields


def _performer(user: RevisionUser) -> dict[str, Any]:
    entity: dict[str, Any] = {"user_text": user.user_text}
    if user.user_id:
        entity["user_id"] = user.user_id
    if (bot := is_bot(user)) is not None:
        entity["is_bot"] = bot
    if user.is_known:
        entity["groups"] = list(user.groups)
        if user.registration_dt is not None:
            entity["registration_dt"] = _written(user.registration_dt)
    return entity


def _meta(wiki_id: str, revision: DumpRevision, *, with_text: bool) -> dict[str, Any]:
    domain = urlsplit(revision.site.base_url or "").hostname or f"{wiki_id}.invalid"
    uri = f"https://{domain}/wiki/{quote(revision.page.page_title.replace(' ', '_'), safe=':/()!,;@*')}"
    return {
        "stream": PAGE_CONTENT_CHANGE_TOPIC if with_text else PAGE_CHANGE_TOPIC,
        "uri": uri,
        "id": str(uuid5(NAMESPACE_URL, f"{uri}#{revision.rev_id}")),
        "domain": domain,
        # Last, and of fixed width: it is set once the order is known.
        "dt": _UNSET,
    }


def _sent(event: bytes, dt: str) -> bytes:
    return b'%s"%s"}}' % (event[: -len(_UNSET) - 4], dt.encode())


def _written(dt: datetime) -> str:
    return dt.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
