"""What was scored last, of all wikis."""

from collections.abc import Callable
from typing import Final

from schemas.keys import PAGES_TABLE, REVISIONS_TABLE, row_key
from schemas.prediction import PredictionRow
from tables.codec import decode_row
from tables.lists import IndexedRows
from tables.withdrawal import is_hidden

_LOOKED_AT_MOST: Final = 2000


def latest_scored(
    rows: IndexedRows, wanted: Callable[[PredictionRow], bool], *, limit: int
) -> tuple[PredictionRow, ...]:
    """Return the revisions whose scores came last, by the order in which rows came.

    Looks at 2,000 arrivals at most, those of each partition alike.

    Args:
        rows: Where the rows lie.
        wanted: The condition.
        limit: Most rows, at least 1.

    Returns:
        The latest first, by the time of scoring. None of them is withdrawn.

    Raises:
        StoreFormatUnsupported: A row was written by a later version than this one.
    """
    heads = {stream: head for stream, head in rows.heads().items() if stream.table == REVISIONS_TABLE}
    each = max(limit, _LOOKED_AT_MOST // max(1, len(heads)))
    found: dict[bytes, PredictionRow] = {}
    for stream, head in heads.items():
        arrivals = rows.arrived(stream, max(head - each, -1), 2 * each)
        for arrival in {one.key: one for one in arrivals}.values():
            row = _shown(rows, arrival.key)
            if row is not None and wanted(row):
                found[arrival.key] = row
    return tuple(sorted(found.values(), key=_scored, reverse=True)[:limit])


def _shown(rows: IndexedRows, key: bytes) -> PredictionRow | None:
    held = rows.get(REVISIONS_TABLE, key)
    row = None if held is None else decode_row(held)
    if row is None or not row.scores or is_hidden(row):
        return None
    page = rows.get(PAGES_TABLE, row_key(row.wiki_id, row.page_id))
    return None if page is not None and is_hidden(decode_row(page)) else row


def _scored(row: PredictionRow) -> float:
    return max(score.provenance.scored_dt.timestamp() for score in row.scores)
