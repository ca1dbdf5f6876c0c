"""The tables of predictions, written through Faust."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

from faust import Table
from faust.tables.manager import TableManager
from faust.types import TP, AppT, EventT, RecordMetadata

from schemas.errors import StoreError
from schemas.keys import PAGES_TABLE, REVISIONS_TABLE, row_key
from schemas.prediction import PredictionRow
from tables.codec import decode_row, encode_row, row_place
from tables.merge import merge_page, merge_revision
from tables.store import CommittedStore

Sent = asyncio.Future[RecordMetadata]


class PredictionTable(Table[bytes, bytes]):
    """A Faust table whose rows are bytes and become visible with their event's commit."""

    data: CommittedStore

    async def put(self, event: EventT[Any], key: bytes, row: bytes) -> Sent:
        """Send a row to the changelog and hold it until its event is committed.

        Returns:
            Done when the changelog record is in the log.
        """
        message = event.message
        sent = await self.app.producer.send(
            self.changelog_topic_name, key, row, message.partition, None, None
        )
        future = cast(Sent, sent)
        if message.generation_id == self.app.consumer_generation_id:
            self.data.hold(message.tp, message.offset, key, row, future)
        return future

    def apply_changelog_batch(self, batch: Iterable[EventT[Any]]) -> None:
        """Write recovered rows; stop the worker where they cannot be.

        Faust's recovery logs what is raised here as a warning, and waits for the rows for ever.
        """
        try:
            super().apply_changelog_batch(batch)
        except StoreError as error:
            # On the way out nobody goes on without the rows: the next start recovers them.
            if not self.app.should_stop:
                self.add_future(self.crash(error))
                raise


class CommittingTables(TableManager):
    """Faust's table manager, which lets tables write when offsets are committed."""

    def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Forget the rows of uncommitted events, which will be consumed again, here or elsewhere.

        Those whose changelog records are in the log come back by the recovery that ends each rebalance.
        """
        super().on_partitions_revoked(revoked)
        for table in self.values():
            if isinstance(table, PredictionTable):
                table.data.forget_uncommitted()

    def on_commit(self, offsets: Any) -> None:
        """Write the rows of all events below the offsets just committed."""
        for table in self.values():
            if isinstance(table, PredictionTable):
                table.data.flush_committed(cast(Mapping[TP, int], offsets))


class Predictions:
    """The two tables: scores by revision, and the latest scored revision of each page.

    Args:
        app: A Faust app configured with ``Table=PredictionTable`` and ``TableManager=CommittingTables``.
        partitions: Must equal the partitions of the source topic: a row lives where its page's events do.
    """

    def __init__(self, app: AppT, *, partitions: int) -> None:
        self._revisions = _table(app, REVISIONS_TABLE, partitions)
        self._pages = _table(app, PAGES_TABLE, partitions)

    async def upsert(self, event: EventT[Any], row: PredictionRow) -> Sequence[Sent]:
        """Merge a row into both tables.

        Idempotent: the same row again changes nothing, and a row never goes backwards in (rev_dt, rev_id).
        The merged row is always sent, even where it equals the stored one, so that a changelog that missed
        a row gets it when its event is consumed again.

        Calls for one page must not overlap.

        Args:
            event: The page change that caused it.
            row: Its scores.

        Returns:
            Futures which are done when the changelog records are in the log.
        """
        partition = event.message.partition
        revision_key = row_key(row.wiki_id, row.rev_id)
        page_key = row_key(row.wiki_id, row.page_id)
        stored = self._revisions.data.newest(partition, revision_key)
        merged = row if stored is None else merge_revision(decode_row(stored), row)
        encoded = encode_row(merged)
        latest = self._pages.data.newest(partition, page_key)
        return (
            await self._revisions.put(event, revision_key, encoded),
            await self._pages.put(event, page_key, _later(latest, merged, encoded)),
        )

    def get(self, table: str, key: bytes) -> bytes | None:
        """Return a committed row of ``revisions`` or ``pages``."""
        return (self._revisions if table == REVISIONS_TABLE else self._pages).data.committed(key)

    @property
    def changelog_topics(self) -> Mapping[str, str]:
        """Table name to the name of its changelog topic."""
        return {
            REVISIONS_TABLE: self._revisions.changelog_topic_name,
            PAGES_TABLE: self._pages.changelog_topic_name,
        }


def _later(latest: bytes | None, merged: PredictionRow, encoded: bytes) -> bytes:
    """Return the row of a page after a revision's, as `merge_page` but decoding only where it must."""
    if latest is None:
        return encoded
    stored, new = row_place(latest), (merged.rev_dt, merged.rev_id)
    if stored == new:
        return encode_row(merge_page(decode_row(latest), merged))
    return latest if stored > new else encoded


def _table(app: AppT, name: str, partitions: int) -> PredictionTable:
    # By their types alone: given a schema, Faust takes JSON for the changelog all the same.
    return cast(PredictionTable, app.Table(name, partitions=partitions, key_type=bytes, value_type=bytes))
