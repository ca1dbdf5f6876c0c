"""The rule by which two rows about the same thing become one.

Rows reach a table more than once and in any order: a replay, a second worker, a backfill. Both rules are
joins of a total order, so that neither the order nor the number of arrivals shows in the result: they are
idempotent, commutative and associative, and a table that only merges never goes backwards.
"""

from collections.abc import Iterable
from datetime import datetime

from msgspec.msgpack import Encoder

from schemas.prediction import PredictionRow, Score, StoredScore

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
        return _row(new, new.scores)
    if (old.wiki_id, old.rev_id) != (new.wiki_id, new.rev_id):
        raise ValueError(
            f"{old.wiki_id} revision {old.rev_id} and {new.wiki_id} revision {new.rev_id} are no one row"
        )
    head = old if (old.rev_dt, old.page_id) >= (new.rev_dt, new.page_id) else new
    return _row(head, (*old.scores, *new.scores))


def merge_page(old: PredictionRow | None, new: PredictionRow) -> PredictionRow:
    """Return the row of a page's latest revision.

    The row with the greater (``rev_dt``, ``rev_id``) stays whole; rows of the same revision are merged as
    `merge_revision` does.

    Args:
        old: What the table holds; None at first.
        new: What arrives.

    Raises:
        ValueError: The rows are of different pages.
    """
    if old is None:
        return _row(new, new.scores)
    if (old.wiki_id, old.page_id) != (new.wiki_id, new.page_id):
        raise ValueError(
            f"{old.wiki_id} page {old.page_id} and {new.wiki_id} page {new.page_id} are no one row"
        )
    old_place, new_place = (old.rev_dt, old.rev_id), (new.rev_dt, new.rev_id)
    if old_place == new_place:
        return merge_revision(old, new)
    winner = old if old_place > new_place else new
    return _row(winner, winner.scores)


def _row(head: PredictionRow, scores: Iterable[StoredScore]) -> PredictionRow:
    best: dict[tuple[str, str], StoredScore] = {}
    for each in scores:
        key = (each.model.model_name, each.model.model_version)
        kept = best.get(key)
        if kept is None or (kept is not each and _is_greater(each, kept)):
            best[key] = each
    kept_scores = tuple(best[key] for key in sorted(best))
    if kept_scores == head.scores:
        return head
    return PredictionRow(head.wiki_id, head.page_id, head.rev_id, head.rev_dt, kept_scores)


def _is_greater(one: StoredScore, other: StoredScore) -> bool:
    one_rank, other_rank = _rank(one), _rank(other)
    if one_rank != other_rank:
        return one_rank > other_rank
    return one != other and _encoder.encode(one) > _encoder.encode(other)


def _rank(stored: StoredScore) -> tuple[bool, datetime]:
    return isinstance(stored.outcome, Score), stored.provenance.scored_dt
