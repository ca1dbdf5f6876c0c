"""What a backfill knows of users: written down once, read by each scoring process."""

from functools import partial
from pathlib import Path
from typing import Final

from batch.backfill.plan import Plan
from batch.backfill.subjects import UserLookup
from batch.user_facts import UserFacts
from batch.user_facts_file import build_user_facts

_FILE: Final = "plan-users.sqlite"


def write_users(plan: Plan, folder: Path) -> None:
    """Write down what the sources of a plan tell, unless it is there.

    Args:
        plan: Names the sources.
        folder: Of the run.

    Raises:
        SourceError: One cannot be read.
    """
    path = folder / _FILE
    if plan.users and not path.exists():
        build_user_facts(path, [source for source, _ in plan.users])


def users_file(plan: Plan, folder: Path) -> Path | None:
    """Return where `write_users` wrote; None where nobody tells anything."""
    return folder / _FILE if plan.users else None


def open_users(path: Path | None) -> UserLookup:
    """Return what tells of users, for one process."""
    return UserFacts(path).user


def opener(plan: Plan, folder: Path) -> "partial[UserLookup]":
    """Return what `open_users` does for a plan, in a form that another process can import."""
    return partial(open_users, users_file(plan, folder))
