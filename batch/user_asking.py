"""Asks about the editors of dumps whom no table tells of, before anything is scored."""

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from batch.dump_inputs import DumpRange, read_range
from batch.user_facts import UserFacts, UserSource
from schemas.errors import SourceError

_ASKED_TOGETHER: Final = 5000


def ask_about_editors(path: Path, source: UserSource, pieces: Iterable[DumpRange]) -> None:
    """Ask about all accounts in some dumps that nothing is known of, and keep the answers.

    The dumps are read for this alone, at some percent of the cost of scoring them. What was asked is not
    asked again, so a call that was interrupted goes on.

    Args:
        path: Of facts that `batch.user_facts_file.build_user_facts` made.
        source: Whom to ask.
        pieces: What to read. A dump that breaks off is read up to there: whoever scores it says where.

    Raises:
        ContentUnavailable: The source does not answer now.
    """
    facts = UserFacts(path, source=source)
    try:
        editors: set[tuple[int | None, str]] = set()
        for piece in pieces:
            revisions = read_range(piece, max_text_bytes=0)
            while True:
                try:
                    revision = next(revisions, None)
                except SourceError:
                    break
                if revision is None:
                    break
                if revision.user is not None:
                    editors.add((revision.user.user_id, revision.user.user_text))
                if len(editors) == _ASKED_TOGETHER:
                    facts.prepare(editors)
                    editors.clear()
        facts.prepare(editors)
    finally:
        facts.close()
