"""Which edits were reverted, out of recorded page changes."""

import sqlite3
import tempfile
from collections.abc import Collection, Iterator
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from batch.compression import open_unpacked, unpacking_errors
from batch.labels import RevertLabel, page_labels
from models.reverts import PageRevision, RevertRules, ToldRevert
from schemas.decode import MAX_EVENT_BYTES, decode_event
from schemas.errors import EventError, SourceError, StoreFull
from schemas.page_change import Canary, PageChange, PageChangeKind

_LAYOUT = """
CREATE TABLE revisions (
  wiki_id TEXT, page_id INTEGER, rev_id INTEGER, rev_dt TEXT, sha1 TEXT, user_id INTEGER, user_text TEXT,
  is_edit INTEGER, shown_at TEXT, is_text_hidden INTEGER, is_editor_hidden INTEGER,
  original_id INTEGER, oldest_id INTEGER, newest_id INTEGER,
  PRIMARY KEY (wiki_id, rev_id)
) WITHOUT ROWID
"""
# One revision may come in several events, in any order: what one tells completes the others, and what is
# hidden is so by the latest.
_ADD = """
INSERT INTO revisions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (wiki_id, rev_id) DO UPDATE SET
  page_id = CASE WHEN excluded.is_edit THEN excluded.page_id ELSE page_id END,
  sha1 = coalesce(sha1, excluded.sha1),
  user_id = coalesce(user_id, excluded.user_id),
  user_text = coalesce(user_text, excluded.user_text),
  is_edit = max(is_edit, excluded.is_edit),
  is_text_hidden = CASE WHEN excluded.shown_at >= shown_at THEN excluded.is_text_hidden
    ELSE is_text_hidden END,
  is_editor_hidden = CASE WHEN excluded.shown_at >= shown_at THEN excluded.is_editor_hidden
    ELSE is_editor_hidden END,
  shown_at = max(shown_at, excluded.shown_at),
  original_id = coalesce(original_id, excluded.original_id),
  oldest_id = coalesce(oldest_id, excluded.oldest_id),
  newest_id = coalesce(newest_id, excluded.newest_id)
"""
_PAGES = """
SELECT wiki_id, page_id, rev_id, rev_dt, sha1, user_id, user_text, is_edit, is_text_hidden, is_editor_hidden,
  original_id, oldest_id, newest_id
FROM revisions ORDER BY wiki_id, page_id, rev_dt, rev_id
"""
_EDITS = (PageChangeKind.CREATE, PageChangeKind.EDIT)
_IN_MEMORY_BYTES = 64 << 20


class _Revert(Struct):
    is_exact: bool = False
    rev_original_id: int | None = None
    rev_reverted_oldest_id: int | None = None
    rev_reverted_newest_id: int | None = None


class _RevisionWithRevert(Struct):
    revert: _Revert | None = None


class _EventWithRevert(Struct):
    """The part of a page change (1.4.0 and later) that says what an edit undid."""

    revision: _RevisionWithRevert


_decode_revert = msgspec.json.Decoder(_EventWithRevert).decode


class EventCounts(Struct):
    """What was read.

    Attributes:
        events: Page changes.
        undecodable: Lines that are none.
    """

    events: int = 0
    undecodable: int = 0


def event_labels(
    source: Path,
    rules: RevertRules,
    *,
    wiki_id: str | None = None,
    namespaces: Collection[int] = (),
    counts: EventCounts | None = None,
) -> Iterator[RevertLabel]:
    """Tell which edits of recorded page changes were reverted, by wiki, page and time.

    An edit undid others where the sha1 shows it, or else where the event says so (``revision.revert``,
    exact ones). The events may come in any order and repeatedly; they are sorted in a file aside, so that
    memory does not grow with them. Edits and creations get labels. The revisions that moves make, and the
    one that stood before the first event of a page (``prior_state``), only stand between or are reverted to.

    Args:
        source: JSON lines of ``mediawiki.page_change`` or ``mediawiki.revision-create``, packed or not.
        rules: What counts as reverted.
        wiki_id: Whose events to read; of all wikis where None.
        namespaces: Whose pages to read; all where empty.
        counts: Is told how much was read, and what was left out.

    Raises:
        SourceError: The file cannot be read to its end.
        StoreFull: The disk for temporary files is full.
    """
    counts = EventCounts() if counts is None else counts
    with tempfile.TemporaryDirectory(prefix="revstream-labels-") as folder:
        database = sqlite3.connect(Path(folder) / "revisions.sqlite", isolation_level=None)
        try:
            database.execute("PRAGMA journal_mode = OFF")
            database.execute("PRAGMA synchronous = OFF")
            database.execute(f"PRAGMA cache_size = -{_IN_MEMORY_BYTES >> 10}")
            database.execute(_LAYOUT)
            database.execute("BEGIN")
            for change, revert in _changes(source, counts):
                if _is_wanted(change, wiki_id, namespaces):
                    database.executemany(_ADD, _rows(change, revert))
            database.execute("COMMIT")
            for (wiki, page_id), rows in groupby(database.execute(_PAGES), key=lambda row: (row[0], row[1])):
                yield from _page(wiki, page_id, rows, rules)
        except sqlite3.OperationalError as error:
            if "full" not in str(error):
                raise
            raise StoreFull(
                f"the disk is full: sorting the events of {source} takes about 150 bytes for each in "
                f"{tempfile.gettempdir()}; free some space, or name another folder in TMPDIR",
                path=str(source),
            ) from error
        finally:
            database.close()


def _page(wiki_id: str, page_id: int, rows: Iterator[Any], rules: RevertRules) -> Iterator[RevertLabel]:
    # Revisions that are no edits lie among the others until their outcome is known: a few, never the page.
    others: set[int] = set()

    def revisions() -> Iterator[PageRevision]:
        for _, _, rev_id, rev_dt, sha1, user_id, user_text, is_edit, no_text, no_editor, *told in rows:
            if not is_edit:
                others.add(rev_id)
            yield PageRevision(
                rev_id,
                datetime.fromisoformat(rev_dt),
                None if no_text else sha1,
                None if no_editor else user_id or user_text,
                ToldRevert(*told) if told[1] and told[2] else None,
            )

    for label in page_labels(revisions(), rules, wiki_id, page_id):
        if label.rev_id in others:
            others.remove(label.rev_id)
        else:
            yield label


def _changes(source: Path, counts: EventCounts) -> Iterator[tuple[PageChange, _Revert | None]]:
    with open_unpacked(source) as stream:
        try:
            while line := stream.readline(MAX_EVENT_BYTES + 1):
                is_cut = not line.endswith(b"\n") and len(line) > MAX_EVENT_BYTES
                while is_cut and (rest := stream.readline(MAX_EVENT_BYTES)):
                    is_cut = not rest.endswith(b"\n")
                if not line.strip():
                    continue
                try:
                    event = decode_event(line)
                except EventError:
                    counts.undecodable += 1
                    continue
                if not isinstance(event, Canary):
                    counts.events += 1
                    yield event, _told(line)
        except unpacking_errors() as error:
            raise SourceError(
                f"{source} cannot be read to its end ({error}); it is cut off or damaged: fetch it again",
                path=str(source),
            ) from error


def _told(line: bytes) -> _Revert | None:
    if b'"revert"' not in line:
        return None
    try:
        revert = _decode_revert(line).revision.revert
    except (msgspec.DecodeError, RecursionError):
        # The event itself is sound; what it says of reverts is of a kind that came later.
        return None
    return revert if revert is not None and revert.is_exact else None


def _is_wanted(change: PageChange, wiki_id: str | None, namespaces: Collection[int]) -> bool:
    return (wiki_id is None or change.wiki_id == wiki_id) and (
        not namespaces or change.page.namespace_id in namespaces
    )


def _rows(change: PageChange, revert: _Revert | None) -> Iterator[tuple[Any, ...]]:
    revision, prior = change.revision, change.prior_state
    editor = revision.editor
    shown_at = _sortable(change.dt)
    yield (
        change.wiki_id,
        change.page.page_id,
        revision.rev_id,
        _sortable(revision.rev_dt),
        revision.rev_sha1,
        None if editor is None else editor.user_id,
        None if editor is None else editor.user_text,
        int(change.page_change_kind in _EDITS),
        shown_at,
        int(not revision.is_content_visible),
        int(not revision.is_editor_visible),
        None if revert is None else revert.rev_original_id,
        None if revert is None else revert.rev_reverted_oldest_id,
        None if revert is None else revert.rev_reverted_newest_id,
    )
    if prior is not None and prior.rev_id and prior.rev_dt and prior.rev_id != revision.rev_id:
        yield (
            change.wiki_id,
            change.page.page_id,
            prior.rev_id,
            _sortable(prior.rev_dt),
            prior.rev_sha1,
            None,
            None,
            0,
            # It says nothing of what is hidden unless asked, so that any event of the revision itself wins.
            "",
            int(prior.is_content_visible is False),
            0,
            None,
            None,
            None,
        )


def _sortable(dt: datetime) -> str:
    """Return a time of fixed width, so that it sorts as text."""
    return dt.astimezone(UTC).isoformat(timespec="microseconds")
