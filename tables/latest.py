"""What was scored last, of all wikis."""

from collections.abc import Callable, Iterable, Mapping
from itertools import islice
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
    depth = limit
    while True:
        found = sorted(_arrived(rows, heads, depth, wanted), key=_scored, reverse=True)
        shown = tuple(islice((row for row in found if not _has_hidden_page(rows, row)), limit))
        if len(shown) == limit or depth == deepest:
            return shown
        depth = min(deepest, _DEEPER * depth)


def _arrived(
    rows: IndexedRows, heads: Mapping[Stream, int], depth: int, wanted: Callable[[PredictionRow], bool]
) -> Iterable[PredictionRow]:
    """Return wanted rows among the last offsets of each partition, of whatever page."""
    for stream, head in heads.items():
        for key in dict.fromkeys(one.key for one in rows.arrived(stream, max(head - depth, -1), 2 * depth)):
            held = rows.get(REVISIONS_TABLE, key)
            row = None if held is None else decode_row(held)
            if row is not None and row.scores and not is_hidden(row) and wanted(row):
                yield row


def _has_hidden_page(rows: IndexedRows, row: PredictionRow) -> bool:
    page = rows.get(PAGES_TABLE, row_key(row.wiki_id, row.page_id))
    return page is not None and is_hidden(decode_row(page))


def _scored(row: PredictionRow) -> float:
    return max(score.provenance.scored_dt.timestamp() for score in row.scores)
