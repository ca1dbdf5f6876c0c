"""What is known of the accounts that edited: groups and registration."""

import sqlite3
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Protocol

from schemas.revision import RevisionUser

LAYOUT: Final = """
CREATE TABLE told (name TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID;
CREATE TABLE listed (
  user_text TEXT PRIMARY KEY, user_id INTEGER, groups TEXT, registration_dt TEXT
) WITHOUT ROWID;
CREATE TABLE accounts (user_id INTEGER PRIMARY KEY, registration_dt TEXT);
CREATE TABLE memberships (user_id INTEGER, name TEXT, PRIMARY KEY (user_id, name)) WITHOUT ROWID;
CREATE TABLE asked (user_text TEXT PRIMARY KEY) WITHOUT ROWID;
"""
_REMEMBERED: Final = 1 << 15
_LARGEST_ID: Final = (1 << 63) - 1
_Editor = tuple[int | None, str]


class UserSource(Protocol):
    """Somebody who can be asked about accounts: a wiki's API."""

    def users(self, accounts: Sequence[tuple[int, str]]) -> Iterable[RevisionUser]:
        """Return what is known of accounts, by positive id and name. Those it does not know are left out.

        Raises:
            ContentUnavailable: It does not answer now.
        """
        ...


class UserFacts:
    """What is known of accounts, by id and name.

    A users file and an answer of a wiki tell all of those whom they list. The table ``user_groups`` tells the
    groups of all, ``user`` when they registered. What nobody tells is unknown, and features that read it take
    their declared defaults: ``is_known`` is False where neither is known, ``lacks_groups`` and
    ``lacks_registration`` where one is. Facts are those of the day when they were written down, not those of
    the edit.

    Not for several threads at once.

    Args:
        path: What `batch.user_facts_file.build_user_facts` made; None where nothing is known.
        source: Whom to ask about accounts that nothing is known of, see `prepare`. Needs a path.
    """

    def __init__(self, path: Path | None = None, *, source: UserSource | None = None) -> None:
        self._database: sqlite3.Connection | None = None
        self._source = source
        self._has_groups = self._has_registrations = False
        self._remembered: dict[_Editor, RevisionUser] = {}
        if path is not None:
            mode = "ro&immutable=1" if source is None else "rw"
            self._database = sqlite3.connect(f"{path.absolute().as_uri()}?mode={mode}", uri=True)
            told = dict(self._database.execute("SELECT name, value FROM told"))
            self._has_groups, self._has_registrations = "groups" in told, "registrations" in told

    def user(self, user_id: int | None, user_text: str) -> RevisionUser:
        """Return an editor with what is known.

        Args:
            user_id: As the dump tells; None or 0 for those without an account.
            user_text: Name or address.
        """
        editor = (user_id, user_text)
        known = self._remembered.get(editor)
        if known is None:
            if len(self._remembered) >= _REMEMBERED:
                self._remembered.clear()
            known = self._remembered[editor] = self._look_up(user_id, user_text)
        return known

    def prepare(self, editors: Iterable[_Editor]) -> None:
        """Ask the source about those accounts among some editors that nothing is known of, once each.

        Args:
            editors: Pairs of id and name; of any number, best some hundred.

        Raises:
            ContentUnavailable: The source does not answer now.
        """
        if self._source is None or self._database is None:
            return
        accounts = {
            (user_id, name) for user_id, name in editors if user_id and not self._is_settled(user_id, name)
        }
        if not accounts:
            return
        found = list(self._source.users(sorted(accounts)))
        with self._database:
            self._database.executemany(
                "INSERT OR IGNORE INTO asked VALUES (?)", {(name,) for _, name in accounts}
            )
            self._database.executemany(
                "INSERT OR REPLACE INTO listed VALUES (?, ?, ?, ?)", map(listed_row, found)
            )
        self._remembered.clear()

    def close(self) -> None:
        """Release the file. Idempotent."""
        if self._database is not None:
            self._database.close()

    def _is_settled(self, user_id: int, user_text: str) -> bool:
        user = self.user(user_id, user_text)
        if user.is_known and not (user.lacks_groups or user.lacks_registration):
            return True
        return self._row("SELECT 1 FROM asked WHERE user_text = ?", user_text) is not None

    def _look_up(self, user_id: int | None, user_text: str) -> RevisionUser:
        row = self._row("SELECT groups, registration_dt FROM listed WHERE user_text = ?", user_text)
        if row is not None:
            groups = tuple(row[0].split("|")) if row[0] else ()
            return RevisionUser(user_id, user_text, groups, _moment(row[1]))
        if not user_id:
            # Of someone without an account there is nothing more to know.
            return RevisionUser(user_id, user_text, is_known=user_id is None)
        if user_id > _LARGEST_ID:
            return RevisionUser(user_id, user_text, is_known=False)
        account = None
        if self._has_registrations:
            account = self._row("SELECT registration_dt FROM accounts WHERE user_id = ?", user_id)
            if account is None:
                # Younger than the tables, or of another wiki.
                return RevisionUser(user_id, user_text, is_known=False)
        if account is None and not self._has_groups:
            return RevisionUser(user_id, user_text, is_known=False)
        return RevisionUser(
            user_id,
            user_text,
            self._groups(user_id),
            None if account is None else _moment(account[0]),
            lacks_groups=not self._has_groups,
            lacks_registration=account is None,
        )

    def _groups(self, user_id: int) -> tuple[str, ...]:
        if self._database is None:
            return ()
        found = self._database.execute(
            "SELECT name FROM memberships WHERE user_id = ? ORDER BY name", (user_id,)
        )
        return tuple(name for (name,) in found)

    def _row(self, query: str, key: int | str) -> Any:
        return None if self._database is None else self._database.execute(query, (key,)).fetchone()


def listed_row(user: RevisionUser) -> tuple[str, int | None, str, str | None]:
    """Return an editor as a row of the table ``listed``."""
    registration = None if user.registration_dt is None else user.registration_dt.astimezone(UTC).isoformat()
    return user.user_text, user.user_id, "|".join(sorted(user.groups)), registration


def _moment(written: str | None) -> datetime | None:
    return None if written is None else datetime.fromisoformat(written)
