"""Predictions read from wherever their rows lie: the worker's own tables, or a replica of them."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from schemas.keys import PAGES_TABLE, REVISIONS_TABLE, row_key
from schemas.prediction import PredictionRow
from tables.codec import decode_row, is_never_withdrawn
from tables.withdrawal import is_hidden, refuse_withdrawn


class Freshness(Struct, frozen=True):
    """How far rows can be trusted to be there, and to be the latest.

    Attributes:
        is_ready: False until the rows are complete for the first time. A row that is not found then
            means nothing.
        reasons: Names of what is wrong now, empty when nothing is: ``recovering``, ``log_unreachable`` …
        age_seconds: All that the log held that many seconds ago is in the rows. None inside the worker,
            which is the source itself.
    """

    is_ready: bool
    reasons: tuple[str, ...]
    age_seconds: float | None


class Progress(Struct, frozen=True):
    """A partition that is being filled.

    Attributes:
        table: ``revisions``, ``pages``, or ``places``: where rows of others lie.
        partition: From 0.
        role: ``owner`` or ``standby``.
        rows_left: Records of the changelog that are not applied yet; None where that is not known yet.
    """

    table: str
    partition: int
    role: str
    rows_left: int | None


class RowSource(Protocol):
    """Gives committed rows as bytes. Cheap enough to be called on the event loop."""

    def get(self, table: str, key: bytes) -> bytes | None:
        """Return the committed row under a key of ``revisions`` or ``pages``; None where there is none."""
        ...

    def freshness(self) -> Freshness:
        """Return how complete and how old the rows are."""
        ...


@runtime_checkable
class ManyRowsSource(Protocol):
    """A source that gives many rows at less than the cost of each."""

    def get_many(self, table: str, keys: Sequence[bytes]) -> list[bytes | None]:
        """Return what `RowSource.get` does for each key, all of one moment."""
        ...


@runtime_checkable
class HiddenPagesSource(Protocol):
    """A source that knows most pages that are shown without a look at their rows."""

    def hidden_among(self, wiki_id: str, page_ids: NDArray[np.int64]) -> list[int]:
        """Return the places of those pages that may be hidden, as their rows tell; no other page is."""
        ...


class PredictionReader:
    """Predictions by revision and by page.

    Args:
        rows: Where the rows lie.

    Attributes:
        row: As `RowSource.get`: a row in bytes, for whoever decodes it himself.
        source: Where the rows lie.
    """

    def __init__(self, rows: RowSource) -> None:
        self.row = rows.get
        self.source = rows
        self._get_many = rows.get_many if isinstance(rows, ManyRowsSource) else self._one_by_one
        self._hidden_among = rows.hidden_among if isinstance(rows, HiddenPagesSource) else _all_of

    def revision(self, wiki_id: str, rev_id: int) -> PredictionRow | None:
        """Return the scores of a revision.

        Args:
            wiki_id: Database name.
            rev_id: In [0, 2**63).

        Returns:
            The row, with a score at least; None where none is stored.

        Raises:
            PredictionWithdrawn: The revision or its page is deleted or hidden.
            ValueError: The ids make no key.
            StoreFormatUnsupported: The row was written by a later version than this one.
        """
        row = self._decoded(REVISIONS_TABLE, wiki_id, rev_id)
        if row is None:
            return None
        refuse_withdrawn(row, self._decoded(PAGES_TABLE, wiki_id, row.page_id), rev_id=rev_id)
        return row if row.scores else None

    def page(self, wiki_id: str, page_id: int) -> PredictionRow | None:
        """Return the scores of the latest scored revision of a page; see `revision`."""
        row = self._decoded(PAGES_TABLE, wiki_id, page_id)
        if row is None:
            return None
        refuse_withdrawn(self._decoded(REVISIONS_TABLE, wiki_id, row.rev_id), row, page_id=page_id)
        return row if row.scores else None

    def hidden_pages(self, wiki_id: str, page_ids: NDArray[np.int64]) -> set[int]:
        """Return the places of those pages, of some of a wiki, that are hidden now.

        Args:
            wiki_id: Database name, without NUL.
            page_ids: int64[pages], in [0, 2**63).

        Raises:
            StoreFormatUnsupported: The row of a page was written by a later version than this one.
        """
        places = self._hidden_among(wiki_id, page_ids)
        if not places:
            return set()
        keys = [row_key(wiki_id, page_id) for page_id in page_ids[places].tolist()]
        rows = zip(places, self.rows(PAGES_TABLE, keys), strict=True)
        return {
            at
            for at, row in rows
            if row is not None and not is_never_withdrawn(row) and is_hidden(decode_row(row))
        }

    def rows(self, table: str, keys: Sequence[bytes]) -> list[bytes | None]:
        """Return the rows under some keys, as `row` does, all of one moment."""
        return self._get_many(table, keys)

    def _one_by_one(self, table: str, keys: Sequence[bytes]) -> list[bytes | None]:
        return [self.row(table, key) for key in keys]

    def _decoded(self, table: str, wiki_id: str, number: int) -> PredictionRow | None:
        row = self.row(table, row_key(wiki_id, number))
        return None if row is None else decode_row(row)

    def freshness(self) -> Freshness:
        """Return how complete and how old the rows are."""
        return self.source.freshness()


def _all_of(_: str, page_ids: NDArray[np.int64]) -> list[int]:
    return list(range(len(page_ids)))
