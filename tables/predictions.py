"""The tables of predictions, written through Faust."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from time import monotonic
from typing import Any, Final, cast

import numpy as np
from faust import Table
from faust.tables.manager import TableManager
from faust.types import TP, AppT, EventT, Message, RecordMetadata
from msgspec.structs import replace
from numpy.typing import NDArray

from schemas.errors import StoreError
from schemas.keys import PAGES_TABLE, REVISIONS_TABLE, place_key, place_partition, row_key
from schemas.prediction import PredictionRow
from tables.changelog import QUIET_HEADERS
from tables.codec import decode_row, encode_row, row_head
from tables.file_status import FileStatus
from tables.loading import LoadableRow, LoadCounts
from tables.merge import merge_page, merge_revision
from tables.row_index import Arrival, Stream
from tables.store import CommittedStore
from tables.withdrawal import Act, acted_on, admitted, emptied

Sent = asyncio.Future[RecordMetadata]

# How long a look at many rows may hold the event loop.
_SLICE_SECONDS: Final = 0.005


class PredictionTable(Table[bytes, bytes]):
    """A Faust table whose rows are bytes and become visible with their event's commit."""

    data: CommittedStore

    async def put(
        self, event: EventT[Any], key: bytes, row: bytes, *, is_urgent: bool = False, is_quiet: bool = False
    ) -> Sent:
        """Send a row to the changelog and hold it until its event is committed.

        Args:
            event: What caused it.
            key: Of the row.
            row: In bytes.
            is_urgent: Show it to readers at once.
            is_quiet: Have feeds tell nothing of it, unless they would miss an event by that.

        Returns:
            Done when the changelog record is in the log.
        """
        message = event.message
        is_quiet = is_quiet and self.data.may_be_quiet(message.partition, key)
        headers = list(QUIET_HEADERS) if is_quiet else None
        sent = await self.app.producer.send(
            self.changelog_topic_name, key, row, message.partition, None, headers
        )
        future = cast(Sent, sent)
        if message.generation_id == self.app.consumer_generation_id:
            self.data.hold(
                message.tp, message.offset, key, row, future, is_urgent=is_urgent, is_quiet=is_quiet
            )
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


def _nobody() -> None:
    pass


class CommittingTables(TableManager):
    """Faust's table manager, which lets tables write when offsets are committed.

    Attributes:
        changed: Called after rows of all tables became visible.
    """

    changed: Callable[[], None] = staticmethod(_nobody)

    def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Forget the rows of uncommitted events, which will be consumed again, here or elsewhere.

        Those whose changelog records are in the log come back by the recovery that ends each rebalance.
        """
        super().on_partitions_revoked(revoked)
        for table in self.values():
            if isinstance(table, PredictionTable):
                table.data.forget_uncommitted()

    async def on_rebalance(
        self, assigned: set[TP], revoked: set[TP], newly_assigned: set[TP], generation_id: int = 0
    ) -> None:
        """Take up the partitions of a generation.

        All tables close and hide theirs in one step: a row that is shown without the row that withdraws it
        would show what is withdrawn.
        """
        for table in self.values():
            if isinstance(table, PredictionTable):
                table.data.take_up()
        await super().on_rebalance(assigned, revoked, newly_assigned, generation_id)

    def on_actives_ready(self) -> None:
        """Show the rows of the partitions that came by the last rebalance."""
        super().on_actives_ready()
        for table in self.values():
            if isinstance(table, PredictionTable):
                table.data.recovered()
        self.changed()

    def on_commit(self, offsets: Any) -> None:
        """Write the rows of all events below the offsets just committed."""
        for table in self.values():
            if isinstance(table, PredictionTable):
                table.data.flush_committed(cast(Mapping[TP, int], offsets))
        self.changed()


class Predictions:
    """The two tables: scores by revision, and the latest scored revision of each page.

    Args:
        app: A Faust app configured with ``Table=PredictionTable`` and ``TableManager=CommittingTables``.
        partitions: Must equal the partitions of the source topic: a row lives where its page's events do.
        places_topic: Where to tell in which partition a row lies, so that any worker can find its owner;
            None where there is but one worker.
    """

    def __init__(self, app: AppT, *, partitions: int, places_topic: str | None = None) -> None:
        self._app = app
        self._partitions = partitions
        self._places_topic = places_topic
        self._revisions = _table(app, REVISIONS_TABLE, partitions)
        self._pages = _table(app, PAGES_TABLE, partitions)

    async def upsert(self, event: EventT[Any], row: PredictionRow) -> Sequence[Sent]:
        """Merge a row into both tables.

        Idempotent: the same row again changes nothing, and a row never goes backwards in (rev_dt, rev_id).
        The merged row is always sent, even where it equals the stored one, so that a changelog that missed
        a row gets it when its event is consumed again. Scores of what is withdrawn stay hidden, and what was
        erased is not filled again by an event from before.

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
        merged = row if stored is None else _merged(_remembered(stored), row)
        encoded = encode_row(merged)
        latest = self._pages.data.newest(partition, page_key)
        # A revision that went from a page to another keeps the one that the merge rule chooses.
        of_page = _of_page(merged, row.page_id)
        encoded_of_page = encoded if of_page is merged else encode_row(of_page)
        return (
            *await self._tell_place(event, REVISIONS_TABLE, revision_key, _decoded(stored)),
            *await self._tell_place(event, PAGES_TABLE, page_key, _decoded(latest)),
            await self._revisions.put(event, revision_key, encoded),
            await self._pages.put(event, page_key, _later(latest, of_page, encoded_of_page)),
        )

    async def load(
        self, event: EventT[Any], wiki_id: str, page_id: int, rows: Iterable[LoadableRow]
    ) -> tuple[list[Sent], LoadCounts]:
        """Take rows of a snapshot that are of one page into both tables.

        As `upsert`, but that a row that changes nothing is not written again, that what is stored counts for
        more than what is loaded (see `LoadableRow.merged`), and that feeds tell nothing of it. Calls for one
        page may overlap with all others: between the look at a row and its writing nothing else runs.

        Args:
            event: The record that they came in.
            wiki_id: Database name.
            page_id: The page.
            rows: Of its revisions, each once.

        Returns:
            Futures as of `upsert`, and what became of the rows.
        """
        partition = event.message.partition
        page_key = row_key(wiki_id, page_id)
        latest = newest = self._pages.data.newest(partition, page_key)
        held = _decoded(latest)
        withdrawal = None if held is None else held.withdrawal
        is_erased = withdrawal is not None and withdrawal.erased_dt is not None
        written = unchanged = withheld = 0
        sent: list[Sent] = []
        best: tuple[LoadableRow, bytes] | None = None
        for one in rows:
            key = row_key(wiki_id, one.rev_id)
            stored, encoded = self._revisions.data.newest(partition, key), one.encoded
            if stored != encoded and (stored is not None or is_erased):
                merged = one.merged(None if stored is None else decode_row(stored), withdrawal)
                if merged is None:
                    withheld += 1
                    continue
                encoded = encode_row(merged)
                of_page = _of_page(merged, page_id)
                newest = _later(newest, of_page, encoded if of_page is merged else encode_row(of_page))
            elif best is None or best[0].place < one.place:
                best = one, encoded
            # A record that is handled again after a crash finds its rows, and maybe not their places.
            sent += await self._tell_place(event, REVISIONS_TABLE, key, None)
            if stored == encoded:
                unchanged += 1
            else:
                sent.append(await self._revisions.put(event, key, encoded, is_quiet=True))
                written += 1
        if best is not None:
            newest = _later(newest, best[0].row, best[1])
        if newest is not None and (written or unchanged):
            sent += await self._tell_place(event, PAGES_TABLE, page_key, None)
            if newest != latest:
                sent.append(await self._pages.put(event, page_key, newest, is_quiet=True))
        return sent, LoadCounts(written, unchanged, withheld)

    async def _tell_place(
        self, event: EventT[Any], table: str, key: bytes, stored: PredictionRow | None
    ) -> Sequence[Sent]:
        """Tell where a row lies, unless an event before this one has told it.

        What the row holds of an event further on may be there while the place is not: a crash came in
        between, and all from the first uncommitted event on is handled again.
        """
        message = event.message
        if self._places_topic is None or (stored is not None and _is_of_earlier(stored, message)):
            return ()
        place = place_key(table, key)
        sent = await self._app.producer.send(
            self._places_topic,
            place,
            b"%d" % message.partition,
            place_partition(place, self._partitions),
            None,
            None,
        )
        return (cast(Sent, sent),)

    async def act_on_page(self, event: EventT[Any], act: Act) -> tuple[Sequence[Sent], tuple[int, ...]]:
        """Hide a page's predictions, show them again, or erase them.

        One row says that a page is hidden. An erasure takes the scores out of the rows of its revisions as
        well, which takes a look at all rows of the wiki in the event's partition: some seconds per million.

        Idempotent. Calls for one page must not overlap, with `upsert` neither.

        Args:
            event: The page change that caused it.
            act: What was done.

        Returns:
            Futures as of `upsert`, and the revisions whose rows were emptied.
        """
        partition = event.message.partition
        page_key = row_key(act.wiki_id, act.page_id)
        stored = _decoded(self._pages.data.newest(partition, page_key))
        page = acted_on(stored, act)
        is_urgent = act.is_hidden
        sent = [
            *await self._tell_place(event, PAGES_TABLE, page_key, stored),
            await self._pages.put(event, page_key, encode_row(page), is_urgent=is_urgent),
        ]
        if not act.is_erasure or event.message.generation_id != self._app.consumer_generation_id:
            # Of a partition that was given back meanwhile nothing may be opened here.
            return sent, ()
        rows = {
            row_key(act.wiki_id, act.rev_id): self.newest_revision(event, act.wiki_id, act.rev_id),
            **{key: row async for key, row in self._revisions_of(partition, act.wiki_id, act.page_id)},
        }
        for key in rows:
            # Rows of a snapshot may have come during the look.
            row = _decoded(self._revisions.data.newest(partition, key))
            sent += await self._tell_place(event, REVISIONS_TABLE, key, row)
            row_now = encode_row(emptied(row, act))
            sent.append(await self._revisions.put(event, key, row_now, is_urgent=is_urgent))
        return sent, tuple(sorted(act.rev_id if row is None else row.rev_id for row in rows.values()))

    async def act_on_revision(self, event: EventT[Any], act: Act) -> Sequence[Sent]:
        """Hide a revision's predictions, show them again, or erase them; as `act_on_page`."""
        key, page_key = row_key(act.wiki_id, act.rev_id), row_key(act.wiki_id, act.page_id)
        stored = self.newest_revision(event, act.wiki_id, act.rev_id)
        page = self.newest_page(event, act.wiki_id, act.page_id)
        revision = encode_row(acted_on(stored, act))
        sent = [
            *await self._tell_place(event, REVISIONS_TABLE, key, stored),
            await self._revisions.put(event, key, revision, is_urgent=act.is_hidden),
        ]
        if act.is_erasure and page is not None and page.rev_id == act.rev_id:
            sent.append(
                await self._pages.put(event, page_key, encode_row(emptied(page, act)), is_urgent=True)
            )
        return sent

    def newest_page(self, event: EventT[Any], wiki_id: str, page_id: int) -> PredictionRow | None:
        """Return the newest row of a page, uncommitted or not: what the event finds."""
        return _decoded(self._pages.data.newest(event.message.partition, row_key(wiki_id, page_id)))

    def newest_revision(self, event: EventT[Any], wiki_id: str, rev_id: int) -> PredictionRow | None:
        """Return the newest row of a revision; see `newest_page`."""
        return _decoded(self._revisions.data.newest(event.message.partition, row_key(wiki_id, rev_id)))

    async def _revisions_of(
        self, partition: int, wiki_id: str, page_id: int
    ) -> AsyncIterator[tuple[bytes, PredictionRow]]:
        """Yield the rows of a page's revisions in a partition, and let other work in between."""
        prefix = row_key(wiki_id, 0)[:-8]
        deadline = monotonic() + _SLICE_SECONDS
        for key, row in self._revisions.data.rows(partition, prefix):
            if row_head(row).page_id == page_id:
                yield key, decode_row(row)
            if monotonic() > deadline:
                await asyncio.sleep(0)
                deadline = monotonic() + _SLICE_SECONDS

    def rewrite(self, partition: int, wiki_id: str, page_id: int, rev_ids: Sequence[int]) -> None:
        """Rewrite the files that may hold earlier rows of a page or of its revisions. Blocks for the disk.

        Args:
            partition: Of the page's events.
            wiki_id: Database name.
            page_id: The page.
            rev_ids: Sorted; may be empty.
        """
        self._pages.data.rewrite(partition, row_key(wiki_id, page_id), row_key(wiki_id, page_id))
        if rev_ids:
            first, last = row_key(wiki_id, rev_ids[0]), row_key(wiki_id, rev_ids[-1])
            self._revisions.data.rewrite(partition, first, last)

    def get(self, table: str, key: bytes) -> bytes | None:
        """Return a committed row of ``revisions`` or ``pages``, of the partitions that are recovered."""
        return (self._revisions if table == REVISIONS_TABLE else self._pages).data.committed(key)

    def get_many(self, table: str, keys: Sequence[bytes]) -> list[bytes | None]:
        """Return what `get` does for each key."""
        return (self._revisions if table == REVISIONS_TABLE else self._pages).data.committed_many(keys)

    def hidden_among(self, wiki_id: str, page_ids: NDArray[np.int64]) -> list[int]:
        """Return what `tables.reader.HiddenPagesSource.hidden_among` does."""
        return self._pages.data.hidden.among(wiki_id, page_ids)

    def listed(self, prefix: bytes, after: bytes, limit: int) -> list[bytes]:
        """Return what `tables.row_index.RowIndex.listed` does, of the partitions that are recovered."""
        return self._revisions.data.listed(prefix, after, limit)

    def unready_listed(self, partition: int, prefix: bytes, after: bytes, limit: int) -> list[bytes]:
        """Return what `listed` does, of a partition that is recovering, as old as that is."""
        return self._revisions.data.unready_listed(partition, prefix, after, limit)

    def heads(self) -> Mapping[Stream, int]:
        """Return what `tables.row_index.RowIndex.heads` does."""
        return {
            Stream(table, partition): offset
            for table, store in self.stores.items()
            for partition, offset in store.heads().items()
        }

    def file_status(self) -> Mapping[Stream, FileStatus]:
        """Return the state of the files of each partition that is open here."""
        return {
            Stream(table, partition): files
            for table, store in self.stores.items()
            for partition, files in store.file_status().items()
        }

    def floor(self, stream: Stream) -> int:
        """Return what `tables.row_index.RowIndex.floor` does."""
        return self.stores[stream.table].floor(stream.partition)

    def arrived(self, stream: Stream, after: int, limit: int) -> list[Arrival]:
        """Return what `tables.row_index.RowIndex.arrived` does."""
        return self.stores[stream.table].arrived(stream.partition, after, limit)

    def unready(self, table: str, partition: int, key: bytes) -> bytes | None:
        """Return a row of a partition that is recovering, as old as that is."""
        store = (self._revisions if table == REVISIONS_TABLE else self._pages).data
        return store.unready(partition, key)

    @property
    def held(self) -> frozenset[int]:
        """The partitions that are ours, recovered or not."""
        return frozenset(self._revisions.data.partitions()) & frozenset(self._pages.data.partitions())

    @property
    def stores(self) -> Mapping[str, CommittedStore]:
        """The files of each table."""
        return {REVISIONS_TABLE: self._revisions.data, PAGES_TABLE: self._pages.data}

    @property
    def recovering(self) -> frozenset[int]:
        """The partitions that are ours and of which nothing is shown yet."""
        return self._revisions.data.recovering | self._pages.data.recovering

    def partition_path(self, table: str, partition: int) -> Path:
        """Return the directory of a table's partition."""
        return (self._revisions if table == REVISIONS_TABLE else self._pages).data.partition_path(partition)

    @property
    def changelog_topics(self) -> Mapping[str, str]:
        """Table name to the name of its changelog topic."""
        return {
            REVISIONS_TABLE: self._revisions.changelog_topic_name,
            PAGES_TABLE: self._pages.changelog_topic_name,
        }


def _decoded(row: bytes | None) -> PredictionRow | None:
    return None if row is None else _remembered(row)


# What an event is decided by is what it is merged with a little later.
_remembered = lru_cache(maxsize=256)(decode_row)


def _is_of_earlier(stored: PredictionRow, message: Message) -> bool:
    return any(
        (origin.source_topic, origin.source_partition) == (message.topic, message.partition)
        and origin.source_offset < message.offset
        for origin in (score.provenance for score in stored.scores)
    )


def _merged(stored: PredictionRow, row: PredictionRow) -> PredictionRow:
    return merge_revision(stored, admitted(row, stored.withdrawal))


def _of_page(row: PredictionRow, page_id: int) -> PredictionRow:
    return row if row.page_id == page_id else replace(row, page_id=page_id)


def _later(latest: bytes | None, merged: PredictionRow, encoded: bytes) -> bytes:
    """Return the row of a page after a revision's: what befell the revision is not said of the page."""
    if latest is None:
        return encoded if merged.withdrawal is None else encode_row(replace(merged, withdrawal=None))
    page = _remembered(latest)
    is_plain = page.withdrawal is None and merged.withdrawal is None
    if is_plain and (page.rev_dt, page.rev_id) < (merged.rev_dt, merged.rev_id):
        return encoded
    return encode_row(merge_page(page, replace(merged, withdrawal=page.withdrawal)))


def _table(app: AppT, name: str, partitions: int) -> PredictionTable:
    # By their types alone: given a schema, Faust takes JSON for the changelog all the same.
    return cast(PredictionTable, app.Table(name, partitions=partitions, key_type=bytes, value_type=bytes))
