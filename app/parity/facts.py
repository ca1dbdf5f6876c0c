"""What is known of the editors of a dump, told to both ways as one users file."""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from msgspec.json import Encoder

from batch.dump_revision import DumpRevision
from batch.user_facts import UserFacts
from batch.user_facts_file import build_user_facts
from schemas.revision import RevisionUser


class WholeFacts:
    """Knows all of an account or nothing: events and users files cannot tell a part of it.

    Args:
        facts: What there is.
    """

    def __init__(self, facts: UserFacts) -> None:
        self._facts = facts

    def user(self, user_id: int | None, user_text: str) -> RevisionUser:
        """Return an editor; see `UserFacts.user`."""
        user = self._facts.user(user_id, user_text)
        if user.lacks_groups or user.lacks_registration:
            return RevisionUser(user_id, user_text, is_known=False)
        return user


@contextmanager
def known_users(sources: Sequence[str], folder: Path) -> Iterator[WholeFacts]:
    """Open what sources tell of users.

    Args:
        sources: Tables and users files, see `build_user_facts`; none where nothing is to be known.
        folder: For what is written down of them.

    Raises:
        SourceError: One cannot be read.
    """
    path = folder / "users.sqlite" if sources else None
    if path is not None:
        build_user_facts(path, sources)
    with closing(UserFacts(path)) as facts:
        yield WholeFacts(facts)


def writing_users(path: Path, revisions: Iterable[DumpRevision], facts: WholeFacts) -> Iterator[DumpRevision]:
    """Yield revisions as they come, and write a users file of their editors that are known.

    Args:
        path: Of the file, which is whole once all revisions have been taken.
        revisions: Of a dump.
        facts: Tell of users.
    """
    encode = Encoder().encode
    # Names may be many: the set of those that are written lies on disk.
    with closing(sqlite3.connect("", isolation_level=None)) as written, path.open("wb") as file:
        written.execute("CREATE TABLE names (user_text TEXT PRIMARY KEY) WITHOUT ROWID")
        written.execute("BEGIN")
        for revision in revisions:
            yield revision
            if revision.user is None or not revision.user.user_id:
                continue
            user = facts.user(revision.user.user_id, revision.user.user_text)
            if user.is_known:
                name = (user.user_text,)
                if written.execute("INSERT OR IGNORE INTO names VALUES (?)", name).rowcount:
                    file.write(encode(user) + b"\n")
