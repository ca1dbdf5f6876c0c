"""The rule by which two rows about the same thing become one.

Rows reach a table more than once and in any order: a replay, a second worker, a backfill. Both rules are
joins of a total order, so that neither the order nor the number of arrivals shows in the result: they are
idempotent, commutative and associative, and a table that only merges never goes backwards.

An erasure begins a row anew: of two rows the one of the later erasure keeps its scores, and the other's are
gone, whatever they say. Whether a row is hidden is joined apart, see `tables.withdrawal`.
"""

from collections.abc import Iterable
from datetime import UTC, datetime

from msgspec.msgpack import Encoder

from schemas.prediction import PredictionRow, Score, StoredScore, Withdrawal
from tables.withdrawal import join

_NEVER = datetime.min.replace(tzinfo=UTC)
_encoder = Encoder(order="deterministic")


def merge_revision(old: PredictionRow | None, new: PredictionRow) -> PredictionRow:
    """Return the row of a revision that says all that two rows say.

    Of each (model name, model version) the greater entry stays: a score beats a failure, then the later
    ``scored_dt`` wins, then the greater bytes. Should the rows differ in when the revision was saved or in
    its page (after an import or an undeletion), the greater (``rev_dt``, ``page_id``) stays.

    Args:
        old: What the table holds; None at first.
        new: What arrives.

    Returns:
        A row with its scores sorted and single, as rows are kept.

    Raises:
        ValueError: The rows are of different revisions.
    """
    if old is None:
        return _row(new, new.scores, new.withdrawal)
    if (old.wiki_id, old.rev_id) != (new.wiki_id, new.rev_id):
        raise ValueError(
            f"{old.wiki_id} revision {old.rev_id} and {new.wiki_id} revision {new.rev_id} are no one row"
        )
    head = old if (old.rev_dt, old.page_id) >= (new.rev_dt, new.page_id) else new
    old_erased, new_erased = _erased(old), _erased(new)
    if old_erased == new_erased:
        scores = (*old.scores, *new.scores)
    else:
        scores = old.scores if old_erased > new_erased else new.scores
    return _row(head, scores, join(old.withdrawal, new.withdrawal))


def merge_page(old: PredictionRow | None, new: PredictionRow) -> PredictionRow:
    """Return the row of a page's latest revision.

    The row of the later erasure stays whole, then the one with the greater (``rev_dt``, ``rev_id``); rows of
    the same revision are merged as `merge_revision` does.

    Args:
        old: What the table holds; None at first.
        new: What arrives.

    Raises:
        ValueError: The rows are of different pages.
    """
    if old is None:
        return _row(new, new.scores, new.withdrawal)
    if (old.wiki_id, old.page_id) != (new.wiki_id, new.page_id):
        raise ValueError(
            f"{old.wiki_id} page {old.page_id} and {new.wiki_id} page {new.page_id} are no one row"
        )
    old_place = _erased(old), old.rev_dt, old.rev_id
    new_place = _erased(new), new.rev_dt, new.rev_id
    if old_place == new_place:
        return merge_revision(old, new)
    winner = old if old_place > new_place else new
    return _row(winner, winner.scores, join(old.withdrawal, new.withdrawal))


def _erased(row: PredictionRow) -> datetime:
    return (row.withdrawal.erased_dt if row.withdrawal is not None else None) or _NEVER


def _row(head: PredictionRow, scores: Iterable[StoredScore], withdrawal: Withdrawal | None) -> PredictionRow:
    best: dict[tuple[str, str], StoredScore] = {}
    for each in scores:
        key = (each.model.model_name, each.model.model_version)
        kept = best.get(key)
        if kept is None or (kept is not each and _is_greater(each, kept)):
            best[key] = each
    kept_scores = tuple(best[key] for key in sorted(best))
    if kept_scores == head.scores and withdrawal == head.withdrawal:
        return head
    return PredictionRow(head.wiki_id, head.page_id, head.rev_id, head.rev_dt, kept_scores, withdrawal)


def _is_greater(one: StoredScore, other: StoredScore) -> bool:
    one_rank, other_rank = _rank(one), _rank(other)
    if one_rank != other_rank:
        return one_rank > other_rank
    return one != other and _encoder.encode(one) > _encoder.encode(other)


def _rank(stored: StoredScore) -> tuple[bool, datetime]:
    return isinstance(stored.outcome, Score), stored.provenance.scored_dt
