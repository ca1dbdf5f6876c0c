"""Builds the index of a dump."""

import errno
import fcntl
import hashlib
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import zstandard

from batch.dump import read_dump
from batch.dump_revision import DumpPage, DumpRevision
from batch.local_index import LAYOUT, TextState
from batch.user_facts import listed_row
from batch.user_facts_file import read_users
from schemas.errors import SourceError, StoreFull

_FORMAT = 1
_LEVEL = 3
_INSERT_REVISION = "INSERT OR REPLACE INTO revisions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
# parentid came with export-0.7. Before it, the revision above in the same page is the parent.
VERSIONS_WITHOUT_PARENT = frozenset(f"0.{minor}" for minor in range(1, 7))


def build_index(dump: Path, users: Path | None, cache_dir: Path, *, max_text_bytes: int) -> Path:
    """Build the index of a dump, unless it is there already.

    1. Name the index after the dump's path, size and time of change, and those of the users file.
    2. Take the lock of that dump, so that of several processes one builds and the others wait.
    3. Write a partial file, flush it to disk, and rename it: an index is whole or absent.
    4. Remove the indexes of earlier states of the same dump.

    Args:
        dump: Anything that `read_dump` reads.
        users: JSON lines of `RevisionUser`, packed or not; None where there are none.
        cache_dir: Where indexes lie; made where absent.
        max_text_bytes: Larger texts are marked and left out.

    Returns:
        The file of the index.

    Raises:
        SourceError: The dump or the users file cannot be read to its end. No index is left behind.
        StoreFull: The disk is full.
    """
    family = f"{dump.name}-{_digest(str(dump.absolute()))[:8]}"
    state = _digest(repr((_FORMAT, max_text_bytes, _stamp(dump), users and (str(users), _stamp(users)))))
    index = cache_dir / f"{family}-{state[:16]}.sqlite"
    try:
        cache_dir.mkdir(parents=True, exist_ok=True)
        with _locked(cache_dir / f"{family}.lock"):
            if not index.exists():
                partial = index.with_suffix(".partial")
                try:
                    _write(partial, dump, users, max_text_bytes)
                    partial.replace(index)
                finally:
                    partial.unlink(missing_ok=True)
                for other in cache_dir.glob(f"{family}-*.sqlite"):
                    if other != index:
                        other.unlink(missing_ok=True)
    except (OSError, sqlite3.OperationalError) as error:
        if getattr(error, "errno", None) != errno.ENOSPC and "full" not in str(error):
            raise
        raise StoreFull(
            f"the disk is full: the index of {dump.name} does not fit into {cache_dir}; it takes about a "
            "third of the unpacked dump: free some space, or name another cache folder",
            path=str(cache_dir),
        ) from error
    return index


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _stamp(path: Path) -> tuple[int, int]:
    try:
        status = path.stat()
    except OSError as error:
        raise SourceError(f"cannot open {path}: {error.strerror}; check the path", path=str(path)) from error
    return status.st_size, status.st_mtime_ns


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _write(partial: Path, dump: Path, users: Path | None, max_text_bytes: int) -> None:
    partial.unlink(missing_ok=True)
    database = sqlite3.connect(partial, isolation_level=None)
    try:
        # Nothing reads a partial file, so a journal would only cost time.
        database.execute("PRAGMA journal_mode = OFF")
        database.execute("PRAGMA synchronous = OFF")
        database.executescript(LAYOUT)
        database.execute("BEGIN")
        if users is not None:
            _write_users(database, users)
        facts = _write_revisions(database, dump, max_text_bytes)
        database.executemany("INSERT INTO facts VALUES (?, ?)", facts.items())
        database.execute("COMMIT")
    finally:
        database.close()
    with partial.open("rb") as written:
        os.fsync(written.fileno())


def _write_users(database: sqlite3.Connection, users: Path) -> None:
    database.executemany(
        "INSERT OR REPLACE INTO users VALUES (?, ?, ?, ?)", map(listed_row, read_users(users))
    )


def _write_revisions(database: sqlite3.Connection, dump: Path, max_text_bytes: int) -> dict[str, str]:
    """Write pages and revisions; return what is to be known of the whole dump."""
    packer = zstandard.ZstdCompressor(level=_LEVEL)
    facts = {"revision_count": "0"}
    page: DumpPage | None = None
    previous_rev_id: int | None = None
    count = 0
    for revision in read_dump(dump, max_text_bytes=max_text_bytes):
        page_id, rev_id = revision.page.page_id, revision.rev_id
        if page_id is None or rev_id is None:
            # What has no id cannot be asked for.
            continue
        if revision.page is not page:
            page, previous_rev_id = revision.page, None
            database.execute(
                "INSERT OR REPLACE INTO pages VALUES (?, ?, ?)", (page_id, page.page_title, page.namespace_id)
            )
        parent_id = revision.rev_parent_id
        if revision.site.schema_version in VERSIONS_WITHOUT_PARENT:
            parent_id = previous_rev_id
        previous_rev_id = rev_id
        user = revision.user
        text = None if revision.text is None else revision.text.encode()
        database.execute(
            _INSERT_REVISION,
            (
                rev_id,
                page_id,
                parent_id,
                int(revision.rev_dt.timestamp()),
                user and user.user_id,
                user and user.user_text,
                revision.comment or "",
                revision.content_model,
                text_state(revision),
                0 if text is None else len(text),
                None if text is None else packer.compress(text),
            ),
        )
        if revision.site.wiki_id is not None:
            facts["wiki_id"] = revision.site.wiki_id
        count += 1
    return facts | {"revision_count": str(count)}


def text_state(revision: DumpRevision) -> TextState:
    """Return what became of the text of a revision."""
    if revision.is_text_hidden:
        return TextState.HIDDEN
    if revision.is_text_too_large:
        return TextState.TOO_LARGE
    return TextState.LEFT_OUT if revision.text is None else TextState.PRESENT
