"""What deleting, hiding and suppressing do to rows, and their undoing. Pure.

A row of a page knows what befell the page, a row of a revision what befell that revision; a prediction is
shown while neither is hidden. So a deletion is one row to write, however many revisions the page has, and
an undeletion gives back just what the deletion took.
"""

from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct
from msgspec.structs import replace

from schemas.errors import PredictionWithdrawn
from schemas.prediction import PredictionRow, StoredScore, Withdrawal


class Act(Struct, frozen=True):
    """Something done to a page or to one of its revisions.

    Attributes:
        wiki_id: Database name.
        page_id: The page.
        rev_id: The revision; of a page, its current one.
        rev_dt: When that was saved.
        acted_dt: When the act was done.
        source_offset: Of its event, which orders acts of one moment.
        is_hidden: Whether predictions are hidden from then on; False shows them again.
        is_erasure: Whether those of events up to then are gone for good.
    """

    wiki_id: str
    page_id: int
    rev_id: int
    rev_dt: datetime
    acted_dt: datetime
    source_offset: int
    is_hidden: bool
    is_erasure: bool = False


def join(one: Withdrawal | None, other: Withdrawal | None) -> Withdrawal | None:
    """Return the withdrawal that takes in two: the later act decides, and what is erased stays erased."""
    if one is None or other is None or one == other:
        return one or other
    later = one if _place(one) >= _place(other) else other
    erased = [each.erased_dt for each in (one, other) if each.erased_dt is not None]
    return replace(later, erased_dt=max(erased, default=None))


def acted_on(row: PredictionRow | None, act: Act) -> PredictionRow:
    """Return the row of the page or revision that an act was about.

    Acts are idempotent, and one that comes late changes nothing that a later one decided.

    Args:
        row: What is held; None where nothing is.
        act: What was done.
    """
    row = _bare(act) if row is None else row
    withdrawal = join(row.withdrawal, Withdrawal(act.is_hidden, act.acted_dt, act.source_offset))
    row = replace(row, withdrawal=withdrawal)
    return emptied(row, act) if act.is_erasure else row


def emptied(row: PredictionRow | None, act: Act) -> PredictionRow:
    """Return a row without the scores of events up to an erasure; whether it is hidden does not change."""
    row = _bare(act) if row is None else row
    # Nothing can have been done to a revision before it was saved.
    held = row.withdrawal or Withdrawal(is_hidden=False, acted_dt=row.rev_dt, source_offset=-1)
    if held.erased_dt is not None and held.erased_dt >= act.acted_dt:
        return row
    later = tuple(score for score in row.scores if score.provenance.event_dt > act.acted_dt)
    return replace(row, scores=later, withdrawal=replace(held, erased_dt=act.acted_dt))


def admitted(row: PredictionRow, held: Withdrawal | None) -> PredictionRow:
    """Return new scores as the row that is held takes them in.

    What was erased and is hidden stays empty, whenever scores of events before the erasure come.
    """
    scores: Sequence[StoredScore] = row.scores
    if held is not None and held.is_hidden and held.erased_dt is not None:
        scores = [score for score in scores if score.provenance.event_dt > held.erased_dt]
    return replace(row, scores=tuple(scores), withdrawal=held)


def refuse_withdrawn(revision: PredictionRow | None, page: PredictionRow | None, **asked: int) -> None:
    """Raise if predictions of a revision are withdrawn.

    Args:
        revision: Row of the revision.
        page: Row of its page.
        asked: ``rev_id`` or ``page_id``, as the client named it.

    Raises:
        PredictionWithdrawn: The page or the revision is hidden; the field ``withdrawn`` says which.
    """
    for row, what in ((page, "page"), (revision, "revision")):
        if row is not None and is_hidden(row):
            raise withdrawn(row.wiki_id, what, **asked)


def withdrawn(wiki_id: str, what: str, **asked: int) -> PredictionWithdrawn:
    """Return the error about a prediction whose ``page`` or ``revision`` is hidden."""
    return PredictionWithdrawn(
        f"The prediction was withdrawn, because its {what} was deleted or hidden on {wiki_id}. "
        "It comes back if that is undone; do not show copies of it.",
        wiki_id=wiki_id,
        withdrawn=what,
        **asked,
    )


def is_hidden(row: PredictionRow) -> bool:
    """Tell whether what a row stands for is hidden now."""
    return row.withdrawal is not None and row.withdrawal.is_hidden


def _bare(act: Act) -> PredictionRow:
    return PredictionRow(act.wiki_id, act.page_id, act.rev_id, act.rev_dt, ())


def _place(withdrawal: Withdrawal) -> tuple[datetime, int, bool]:
    return withdrawal.acted_dt, withdrawal.source_offset, withdrawal.is_hidden
