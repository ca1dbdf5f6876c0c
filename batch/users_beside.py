"""What lies beside a dump and tells of its editors."""

from pathlib import Path
from typing import Final

from batch.dump_names import tables_named

_USERS_SUFFIXES: Final = (".users.jsonl.gz", ".users.jsonl.zst", ".users.jsonl.bz2", ".users.jsonl")


def users_beside(dump: Path) -> Path | None:
    """Return the users file that lies beside a dump, ``NAME.users.jsonl*`` for ``NAME.xml*``, if any."""
    stem = dump.name.partition(".xml")[0]
    for suffix in _USERS_SUFFIXES:
        candidate = dump.with_name(stem + suffix)
        if candidate.exists():
            return candidate
    return None


def facts_beside(dump: Path) -> list[Path]:
    """Return all that lies beside a dump and tells of its editors.

    That is its users file; or else the tables of the same wiki and day, ``WIKI-DAY-user_groups.sql*`` and
    ``WIKI-DAY-user.sql*``.
    """
    users = users_beside(dump)
    if users is not None:
        return [users]
    return [each for name in tables_named(dump.name) if (each := dump.with_name(name)).exists()]
