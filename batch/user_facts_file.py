"""Writes down what is known of accounts, out of SQL dumps and users files."""

import os
import re
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec

from batch.compression import open_unpacked, unpacking_errors
from batch.locations import find_files
from batch.sql_dump import SqlDump, SqlRow, Value
from batch.user_facts import LAYOUT, listed_row
from schemas.errors import SourceError
from schemas.revision import RevisionUser

_MEMBERSHIP: Final = ("ug_user", "ug_group")
_MEMBERSHIP_THAT_ENDS: Final = (*_MEMBERSHIP, "ug_expiry")
# Nothing else of that table is read: it has addresses and passwords where it was not made for the public.
_ACCOUNT: Final = ("user_id", "user_registration")
_WANTED: Final = (_MEMBERSHIP_THAT_ENDS, _MEMBERSHIP, _ACCOUNT)
_DAY: Final = re.compile(r"-(\d{8})-")
_MOMENT: Final = "%Y%m%d%H%M%S"
_BEGINNING_BYTES: Final = 1 << 10


def build_user_facts(path: Path, sources: Sequence[str]) -> None:
    """Write what sources tell of accounts, for `batch.user_facts.UserFacts`.

    Memory is bounded, whatever the sources' size. The file is whole or absent.

    Args:
        path: To write; what is there is replaced.
        sources: SQL dumps of the tables ``user_groups`` and ``user`` and users files (JSON lines of
            `RevisionUser`), told apart by their content, packed or not, paths, globs and addresses as
            `batch.dump_inputs.list_inputs` takes them. Memberships that had ended on the day that a dump's
            name tells are left out.

    Raises:
        SourceError: One cannot be read to its end, or is neither.
    """
    partial = path.with_name(f"{path.name}.partial")
    partial.unlink(missing_ok=True)
    try:
        with closing(sqlite3.connect(partial, isolation_level=None)) as database:
            # Nothing reads a partial file, so a journal would only cost time.
            database.execute("PRAGMA journal_mode = OFF")
            database.execute("PRAGMA synchronous = OFF")
            database.executescript(LAYOUT)
            database.execute("BEGIN")
            for source in sources:
                for found in find_files(source)[0]:
                    _write(database, found.url, found.name)
            database.execute("COMMIT")
        with partial.open("rb") as written:
            os.fsync(written.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def read_users(source: Path | str) -> Iterator[RevisionUser]:
    """Read a users file: JSON lines of `RevisionUser`, packed or not.

    Raises:
        SourceError: It cannot be read, or a line is no user.
    """
    decoder = msgspec.json.Decoder(RevisionUser)
    number = 0
    with open_unpacked(source) as stream:
        try:
            for line in stream:
                number += 1
                yield decoder.decode(line)
        except msgspec.DecodeError as error:
            raise SourceError(
                f"line {number} of {source} is not a user: {error}; expected JSON like "
                '{"user_id":1,"user_text":"Name","groups":["bot"],"registration_dt":"2020-01-01T00:00:00Z"}',
                path=str(source),
                line=number,
            ) from error
        except unpacking_errors() as error:
            raise SourceError(
                f"{source} cannot be unpacked after line {number} ({error}); it is cut off or damaged: "
                "fetch or write it again",
                path=str(source),
                line=number,
            ) from error


def _write(database: sqlite3.Connection, url: str, name: str) -> None:
    if ".jsonl" in name or _is_json(url):
        database.executemany(
            "INSERT OR REPLACE INTO listed VALUES (?, ?, ?, ?)", map(listed_row, read_users(url))
        )
        return
    day = _DAY.search(name)
    dump = SqlDump(url, _WANTED)
    for row in dump.rows():
        try:
            _write_row(database, row, day[1] if day else "")
        except (ValueError, OverflowError, TypeError) as error:
            raise SourceError(
                f"{url} has a row that is none of MediaWiki's, of {', '.join(row.columns)}: {error}; name a "
                "dump of the table user_groups or user",
                path=url,
            ) from error
    if not dump.met:
        raise SourceError(
            f"{url} holds neither the table user_groups nor user, and is no users file; name another file",
            path=url,
        )
    told = {"registrations" if kind == _ACCOUNT else "groups" for kind in dump.met}
    database.executemany("INSERT OR REPLACE INTO told VALUES (?, ?)", ((each, name) for each in told))


def _is_json(url: str) -> bool:
    with open_unpacked(url) as stream:
        try:
            return stream.read(_BEGINNING_BYTES).lstrip()[:1] == b"{"
        except unpacking_errors():
            # Whoever reads on says where and why.
            return False


def _write_row(database: sqlite3.Connection, row: SqlRow, day: str) -> None:
    user_id = _number(row.values[0])
    if row.columns == _ACCOUNT:
        database.execute(
            "INSERT OR REPLACE INTO accounts VALUES (?, ?)", (user_id, _registration(row.values[1]))
        )
    elif len(row.columns) == len(_MEMBERSHIP) or not _has_ended(row.values[2], day):
        group = row.values[1]
        if not isinstance(group, bytes):
            raise ValueError(f"{group} is no name of a group")
        database.execute("INSERT OR IGNORE INTO memberships VALUES (?, ?)", (user_id, group.decode()))


def _number(value: Value) -> int:
    if value is None:
        raise ValueError("an account without a number")
    return int(value)


def _registration(value: Value) -> str | None:
    """Return MediaWiki's fourteen digits as ISO 8601; None for accounts of before they were written down."""
    digits = str(value) if isinstance(value, int) else (value or b"").rstrip(b"\0 ").decode()
    if not digits.strip("0"):
        return None
    return datetime.strptime(digits, _MOMENT).replace(tzinfo=UTC).isoformat()


def _has_ended(expiry: Value, day: str) -> bool:
    if expiry is None or not day:
        return False
    digits = str(expiry) if isinstance(expiry, int) else expiry.decode()
    return digits.isdigit() and digits < day
