"""What was scored last, of all wikis."""

from collections.abc import Callable
from typing import Final

from schemas.keys import PAGES_TABLE, REVISIONS_TABLE, row_key
from schemas.prediction import PredictionRow
from tables.codec import decode_row
from tables.lists import IndexedRows
from tables.row_index import Stream
from tables.withdrawal import is_hidden

_LOOKED_AT_MOST: Final = 2000
_DEEPER: Final = 4


def latest_scored(
    rows: IndexedRows, wanted: Callable[[PredictionRow], bool], *, limit: int
) -> tuple[PredictionRow, ...]:
    """Return the revisions whose scores came last, by the order in which rows came.

    Looks at 2,000 arrivals at most, those of each partition alike, and at fewer where these suffice.

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
    deepest = max(limit, _LOOKED_AT_MOST // max(1, len(heads)))
    found = [
        row
        for stream, head in heads.items()
        for row in _last(rows, stream, head, wanted, enough=limit, deepest=deepest)
    ]
    return tuple(sorted(found, key=_scored, reverse=True)[:limit])


def _last(
    rows: IndexedRows,
    stream: Stream,
    head: int,
    wanted: Callable[[PredictionRow], bool],
    *,
    enough: int,
    deepest: int,
) -> list[PredictionRow]:
    """Return what is wanted of a partition's last arrivals, of so many that it is enough, or of the most."""
    depth = enough
    while True:
        arrivals = rows.arrived(stream, max(head - depth, -1), 2 * depth)
        shown = (_shown(rows, key, wanted) for key in dict.fromkeys(one.key for one in arrivals))
        found = [row for row in shown if row is not None]
        if len(found) >= enough or depth >= min(deepest, head + 1):
            return found
        depth = min(deepest, _DEEPER * depth)


def _shown(rows: IndexedRows, key: bytes, wanted: Callable[[PredictionRow], bool]) -> PredictionRow | None:
    held = rows.get(REVISIONS_TABLE, key)
    row = None if held is None else decode_row(held)
    if row is None or not row.scores or is_hidden(row) or not wanted(row):
        return None
    page = rows.get(PAGES_TABLE, row_key(row.wiki_id, row.page_id))
    return None if page is not None and is_hidden(decode_row(page)) else row


def _scored(row: PredictionRow) -> float:
    return max(score.provenance.scored_dt.timestamp() for score in row.scores)
