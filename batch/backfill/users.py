"""What a backfill knows of users: written down once, read by each scoring process."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Final

from batch.backfill.plan import Plan
from batch.backfill.subjects import UserLookup
from batch.user_asking import ask_about_editors
from batch.user_facts import UserFacts, UserSource
from batch.user_facts_file import build_user_facts

WIKI: Final = "wiki"
"""Stands among the sources for the wiki itself, which is asked by its API."""
OpenWiki = Callable[[str], AbstractContextManager[UserSource]]
"""Opens a wiki, by its id."""

_FILE: Final = "plan-users.sqlite"
_ASKED: Final = "plan-users.asked"


def write_users(plan: Plan, folder: Path, open_wiki: OpenWiki | None = None) -> None:
    """Write down what the sources of a plan tell, unless it is there.

    Args:
        plan: Names the sources.
        folder: Of the run.
        open_wiki: Opens whom to ask about the editors of whom no other source tells; None to ask nobody.

    Raises:
        SourceError: One cannot be read.
        ContentUnavailable: The wiki does not answer now. What it told is kept.
    """
    path, asked = folder / _FILE, folder / _ASKED
    sources = [source for source, _ in plan.users]
    if sources and not path.exists():
        build_user_facts(path, [source for source in sources if source != WIKI])
    if WIKI in sources and open_wiki is not None and not asked.exists():
        with open_wiki(plan.inputs[0].wiki_id) as wiki:
            ask_about_editors(path, wiki, (part.range for part in plan.parts))
        asked.touch()


def users_file(plan: Plan, folder: Path) -> Path | None:
    """Return where `write_users` wrote; None where nobody tells anything."""
    return folder / _FILE if plan.users else None


def open_users(path: Path | None) -> UserLookup:
    """Return what tells of users, for one process."""
    return UserFacts(path).user


def opener(plan: Plan, folder: Path) -> "partial[UserLookup]":
    """Return what `open_users` does for a plan, in a form that another process can import."""
    return partial(open_users, users_file(plan, folder))
