"""An index on disk over a dump: any revision by its id, in bounded memory."""

import sqlite3
from datetime import UTC, datetime
from enum import IntEnum
from pathlib import Path
from typing import Any

import msgspec
import zstandard

from schemas.revision import RevisionUser

LAYOUT = """
CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID;
CREATE TABLE pages (page_id INTEGER PRIMARY KEY, page_title TEXT, namespace_id INTEGER);
CREATE TABLE revisions (
  rev_id INTEGER PRIMARY KEY, page_id INTEGER, rev_parent_id INTEGER, rev_seconds INTEGER,
  user_id INTEGER, user_text TEXT, comment TEXT, content_model TEXT,
  text_state INTEGER, text_bytes INTEGER, text BLOB
);
CREATE TABLE users (
  user_text TEXT PRIMARY KEY, user_id INTEGER, groups TEXT, registration_dt TEXT
) WITHOUT ROWID;
"""
_TEXT_QUERY = """
SELECT rev_seconds, text_state, text_bytes, text, user_id, user_text FROM revisions WHERE rev_id = ?
"""
_QUERY = """
SELECT rev_seconds, text_state, text_bytes, text, revisions.user_id, revisions.user_text,
  page_id, page_title, namespace_id, rev_parent_id, comment, content_model,
  users.user_text IS NOT NULL, users.groups, users.registration_dt
FROM revisions JOIN pages USING (page_id) LEFT JOIN users ON users.user_text = revisions.user_text
WHERE rev_id = ?
"""


class TextState(IntEnum):
    """What became of the text of a revision."""

    PRESENT = 0
    HIDDEN = 1
    TOO_LARGE = 2
    LEFT_OUT = 3


class IndexedText(msgspec.Struct, frozen=True):
    """The text of one revision, still packed.

    Attributes:
        rev_id: Revision.
        rev_dt: When it was saved, aware UTC.
        state: Says why there is no text.
        text_bytes: Size of the plain text, 0 without one.
        packed: None unless the state is PRESENT.
        user: Who saved it, id and name; None where hidden.
    """

    rev_id: int
    rev_dt: datetime
    state: TextState
    text_bytes: int
    packed: bytes | None
    user: RevisionUser | None = None

    def text(self, unpacker: zstandard.ZstdDecompressor) -> str:
        """Unpack the text, about 1 ms for each megabyte; empty unless the state is PRESENT."""
        return "" if self.packed is None else unpacker.decompress(self.packed).decode()


class IndexedRevision(msgspec.Struct, frozen=True):
    """One revision as the index keeps it.

    Attributes:
        page_id: Page it belongs to.
        page_title: With its prefix, with spaces.
        namespace_id: Of the page.
        rev_parent_id: None where the dump names none.
        user: None where hidden.
        comment: Empty where hidden or absent.
        content_model: Of the main slot.
        text: Its text, packed.
    """

    page_id: int
    page_title: str
    namespace_id: int
    rev_parent_id: int | None
    user: RevisionUser | None
    comment: str
    content_model: str
    text: IndexedText


class DumpIndex:
    """The index of one dump, open for reading from one thread at a time.

    Args:
        path: Its file, as `batch.index_builder.build_index` returned it.
    """

    def __init__(self, path: Path) -> None:
        self._database = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True, check_same_thread=False
        )
        facts = dict(self._database.execute("SELECT name, value FROM facts"))
        self.wiki_id: str | None = facts.get("wiki_id")
        self.revision_count = int(facts["revision_count"])
        self.size_bytes = path.stat().st_size

    def get(self, rev_id: int) -> IndexedRevision | None:
        """Return a revision, or None where the dump has none of that id."""
        row = self._database.execute(_QUERY, (rev_id,)).fetchone()
        if row is None:
            return None
        return IndexedRevision(
            page_id=row[6],
            page_title=row[7],
            namespace_id=row[8],
            rev_parent_id=row[9],
            user=_user(row[4:6], row[12:]),
            comment=row[10],
            content_model=row[11],
            text=_text(rev_id, row),
        )

    def text(self, rev_id: int) -> IndexedText | None:
        """Return only the text of a revision, or None where the dump has none of that id."""
        row = self._database.execute(_TEXT_QUERY, (rev_id,)).fetchone()
        return None if row is None else _text(rev_id, row)

    def close(self) -> None:
        """Release the file. Idempotent."""
        self._database.close()


def _text(rev_id: int, row: tuple[Any, ...]) -> IndexedText:
    seconds, state, text_bytes, packed, user_id, user_text = row[:6]
    named = None if user_text is None else RevisionUser(user_id or None, user_text, is_known=False)
    moment = datetime.fromtimestamp(seconds, UTC)
    return IndexedText(rev_id, moment, TextState(state), text_bytes, packed, named)


def _user(named: tuple[Any, ...], facts: tuple[Any, ...]) -> RevisionUser | None:
    user_id, user_text = named
    is_listed, groups, registration = facts
    if user_text is None:
        return None
    if not is_listed:
        # Of someone without an account there is nothing more to know; of an account there is.
        return RevisionUser(user_id, user_text, is_known=user_id is None)
    return RevisionUser(
        user_id,
        user_text,
        groups=tuple(groups.split("|")) if groups else (),
        registration_dt=datetime.fromisoformat(registration) if registration else None,
    )
