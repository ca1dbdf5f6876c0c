"""The push feed: rows as they become visible, matched once for each filter, rendered once for all readers.

What is told comes from the index of arrivals beside the rows (`tables.row_index`), so that it survives
restarts, and from the rows themselves, so that nothing withdrawn is told, neither now nor when a reader
resumes.
"""

import asyncio
import contextlib
import weakref
from collections import OrderedDict
from collections.abc import AsyncIterator, Mapping
from typing import Final

import structlog
from msgspec import Struct

from app.api.documents import compact
from app.api.lists import listed_document
from app.feed_place import FeedPlace
from app.feed_reader import BUFFER_EVENTS, FeedEvent, Subscription
from app.feed_text import gap_event, place_event, score_event, withdrawal_event
from app.row_filter import RowFilter
from schemas.catalogue import Catalogue
from schemas.errors import NotReady, StoreFormatUnsupported
from schemas.keys import PAGES_TABLE, row_key
from schemas.prediction import PredictionRow
from tables.codec import decode_row
from tables.lists import IndexedRows
from tables.row_index import Arrival, Stream
from tables.withdrawal import is_hidden

HEARTBEAT_SECONDS: Final = 15.0
_AT_ONCE: Final = 500
_REMEMBERED: Final = 10_000

_log = structlog.get_logger("revstream.feed")


class FeedStatus(Struct, frozen=True):
    """What the metrics show.

    Attributes:
        readers: That are connected.
        events: That were told to anybody.
        dropped: Readers that were too slow.
    """

    readers: int = 0
    events: int = 0
    dropped: int = 0


class Feed:
    """Tells readers of rows as they become visible. Use it on one loop.

    Args:
        rows: Where the rows lie.
        catalogue: The models, by wiki.
        readers_most: So many may be connected at once.

    Attributes:
        catalogue: As above; others may take its place.
    """

    def __init__(self, rows: IndexedRows, catalogue: Catalogue, *, readers_most: int) -> None:
        self._rows = rows
        self.catalogue = catalogue
        self._readers_most = readers_most
        self._readers: dict[RowFilter, set[Subscription]] = {}
        self._place = FeedPlace()
        # Arrivals beyond the head that were told already: their offsets may be committed out of order.
        self._told: dict[Stream, set[int]] = {}
        # What was told last of each revision, so that it is not told twice, and can be taken back.
        self._last: OrderedDict[tuple[str, int], tuple[int, weakref.ref[FeedEvent], int]] = OrderedDict()
        self._is_scheduled = self._is_closed = False
        self._events = self._dropped = 0

    # What happens to rows

    def changed(self) -> None:
        """Note that rows may have become visible, or gone."""
        if not self._is_scheduled and not self._is_closed:
            self._is_scheduled = True
            try:
                asyncio.get_running_loop().call_soon(self._advance)
            except RuntimeError:
                self._is_scheduled = False

    def _advance(self) -> None:
        """Tell what came since the last time, some at a time."""
        self._is_scheduled = False
        if self._is_closed or not self._readers:
            return
        heads = self._rows.heads()
        gone = self._place.keys() - heads.keys()
        for stream in gone:
            del self._place[stream]
            self._told.pop(stream, None)
        is_more = False
        for stream, head in heads.items():
            is_more |= self._advance_stream(stream, head)
        if is_more:
            self.changed()

    def _advance_stream(self, stream: Stream, head: int) -> bool:
        """Tell what came in one stream; return whether there is more.

        1. What was there before we looked for the first time is old.
        2. Where arrivals are lost that were never told, readers are told so.
        3. Tell the others, in the order of the changelog.
        """
        told, since = self._told.setdefault(stream, set()), self._place.get(stream)
        if since is None:  # 1
            self._begin(stream, head)
            return False
        if head < since or self._rows.floor(stream) > since:  # 2
            self._place[stream] = since = max(self._rows.floor(stream), min(head, since))
            self._tell_all(gap_event("arrivals_lost"))
        arrivals = self._rows.arrived(stream, since, _AT_ONCE)
        fresh = [one for one in arrivals if one.offset not in told]  # 3
        batches: dict[RowFilter, list[FeedEvent]] = {row_filter: [] for row_filter in self._readers}
        for arrival in fresh:
            self._place[stream] = max(since, min(arrival.offset, head))
            self._tell(stream, arrival, batches)
        for row_filter, events in batches.items():
            self._hand_over(row_filter, events)
        is_more = len(arrivals) == _AT_ONCE
        self._place[stream] = reached = min(head, arrivals[-1].offset) if is_more else head
        told.update(one.offset for one in fresh)
        told -= {offset for offset in told if offset <= reached}
        return is_more

    def _begin(self, stream: Stream, head: int) -> None:
        self._place[stream] = head
        self._told[stream] = {one.offset for one in self._rows.arrived(stream, head, _AT_ONCE)}

    def _tell(self, stream: Stream, arrival: Arrival, batches: Mapping[RowFilter, list[FeedEvent]]) -> None:
        row = self._row(stream.table, arrival.key)
        if row is None:
            return
        if stream.table == PAGES_TABLE:
            if is_hidden(row):
                self._take_back(row.wiki_id, page_id=row.page_id)
                self._tell_withdrawal(row, None, batches)
            return
        if not self._is_shown(row):
            self._take_back(row.wiki_id, rev_id=row.rev_id)
            self._tell_withdrawal(row, row.rev_id, batches)
            return
        wanting = [one for one in batches if one.is_met(row, self.catalogue.models(row.wiki_id))]
        if not wanting:
            return
        data = self._text(row)
        digest, key = hash(data), (row.wiki_id, row.rev_id)
        before = self._last.get(key)
        if before is not None and before[0] == digest:
            return
        event = FeedEvent(score_event(data, self._place))
        self._remember(key, (digest, weakref.ref(event), row.page_id))
        self._events += 1
        for row_filter in wanting:
            batches[row_filter].append(event)

    def _tell_withdrawal(
        self, row: PredictionRow, rev_id: int | None, batches: Mapping[RowFilter, list[FeedEvent]]
    ) -> None:
        """Tell that copies of a score are to be dropped: whoever reads the wiki may have one."""
        event = FeedEvent(withdrawal_event(row, rev_id, self._place))
        self._events += 1
        for row_filter, events in batches.items():
            if not row_filter.wiki_ids or row.wiki_id in row_filter.wiki_ids:
                events.append(event)

    def _remember(self, key: tuple[str, int], last: tuple[int, "weakref.ref[FeedEvent]", int]) -> None:
        self._last[key] = last
        self._last.move_to_end(key)
        while len(self._last) > _REMEMBERED:
            self._last.popitem(last=False)

    def _take_back(self, wiki_id: str, *, rev_id: int | None = None, page_id: int | None = None) -> None:
        """Take the text of what was withdrawn from the readers that have not got it yet."""
        keys = (
            [(wiki_id, rev_id)]
            if rev_id is not None
            else [key for key, last in self._last.items() if key[0] == wiki_id and last[2] == page_id]
        )
        for key in keys:
            last = self._last.pop(key, None)
            event = None if last is None else last[1]()
            if event is not None:
                event.text = b""

    def _hand_over(self, row_filter: RowFilter, events: list[FeedEvent]) -> None:
        if events:
            for reader in [one for one in self._readers.get(row_filter, ()) if not one.put(events)]:
                self._dropped += 1
                _log.info("feed_reader_dropped", waiting=BUFFER_EVENTS)
                self._end(reader, "too_slow")

    def _tell_all(self, text: bytes) -> None:
        event = FeedEvent(text)
        for row_filter in list(self._readers):
            self._hand_over(row_filter, [event])

    def _row(self, table: str, key: bytes) -> PredictionRow | None:
        held = self._rows.get(table, key)
        try:
            return None if held is None else decode_row(held)
        except StoreFormatUnsupported:
            return None

    def _text(self, row: PredictionRow) -> bytes:
        return compact(listed_document(row, self.catalogue.models(row.wiki_id)))

    def _is_shown(self, row: PredictionRow) -> bool:
        if is_hidden(row) or not row.scores:
            return False
        page = self._row(PAGES_TABLE, row_key(row.wiki_id, row.page_id))
        return page is None or not is_hidden(page)

    # Readers

    def subscribe(self, row_filter: RowFilter) -> Subscription:
        """Return a new reader, which gets what comes from now on. End it with `leave`.

        Raises:
            NotReady: There are too many, or the process stops.
        """
        if self._is_closed or self.status().readers >= self._readers_most:
            raise NotReady(
                "The feed is closed, because the process stops."
                if self._is_closed
                else f"{self._readers_most} readers of the feed are connected already (feed_readers). Ask "
                "again later, or another server."
            )
        if not self._readers:
            # Nobody listened, so that all that is there by now is old.
            self._place.clear()
            self._told.clear()
            for stream, head in self._rows.heads().items():
                self._begin(stream, head)
        reader = Subscription(row_filter)
        self._readers.setdefault(row_filter, set()).add(reader)
        return reader

    def leave(self, reader: Subscription) -> None:
        """Forget a reader. Idempotent."""
        self._end(reader, "left")

    def _end(self, reader: Subscription, reason: str) -> None:
        reader.end(reason)
        readers = self._readers.get(reader.row_filter)
        if readers is not None:
            readers.discard(reader)
            if not readers:
                del self._readers[reader.row_filter]

    def place(self) -> FeedPlace:
        """Return how far the feed has come."""
        return self._place.copy()

    def lost(self, since: FeedPlace) -> bool:
        """Tell whether arrivals are not known any more that came after a place."""
        return any(
            offset < self._rows.floor(stream) or offset > self._reach(stream)
            for stream, offset in since.items()
            if stream in self._place
        )

    async def replay(self, row_filter: RowFilter, since: FeedPlace, until: FeedPlace) -> AsyncIterator[bytes]:
        """Yield what a reader missed, as far as it is known, some events at a time.

        Of something that changed several times, what holds now is told.

        Args:
            row_filter: What it wants.
            since: How far it had come. Streams that are not in it were none of this process's then.
            until: How far the feed had come when it joined.
        """
        place = since.copy()
        for stream in sorted(until.keys() & since.keys()):
            end = self._reach(stream)
            offset = since[stream]
            while offset < end and (arrivals := self._rows.arrived(stream, offset, _AT_ONCE)):
                last = {one.key: one.offset for one in arrivals}
                text = bytearray()
                for arrival in arrivals:
                    if arrival.offset <= end and last[arrival.key] == arrival.offset:
                        place[stream] = min(arrival.offset, max(until[stream], since[stream]))
                        text += self._missed(stream, arrival, row_filter, place)
                offset = arrivals[-1].offset
                yield bytes(text)
                await asyncio.sleep(0)
        yield place_event(until)

    def _missed(self, stream: Stream, arrival: Arrival, row_filter: RowFilter, place: FeedPlace) -> bytes:
        row = self._row(stream.table, arrival.key)
        if row is None or (row_filter.wiki_ids and row.wiki_id not in row_filter.wiki_ids):
            return b""
        if stream.table == PAGES_TABLE:
            return withdrawal_event(row, None, place) if is_hidden(row) else b""
        if not self._is_shown(row):
            return withdrawal_event(row, row.rev_id, place)
        if not row_filter.is_met(row, self.catalogue.models(row.wiki_id)):
            return b""
        return score_event(self._text(row), place)

    def _reach(self, stream: Stream) -> int:
        """Return the last offset of a stream that may have been told."""
        return max(self._place.get(stream, -1), *self._told.get(stream, ()), -1)

    def oldest(self) -> FeedPlace:
        """Return the place from which on arrivals are known."""
        return FeedPlace({stream: self._rows.floor(stream) for stream in self._place})

    async def run(self, stop: asyncio.Event) -> None:
        """Send heartbeats until the process stops, then end all readers.

        A heartbeat carries the place, so that a reader that wants little has not to resume from long ago.
        """
        while not stop.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), HEARTBEAT_SECONDS)
            if self._readers:
                self._tell_all(place_event(self._place))
        self.close()

    def close(self) -> None:
        """End all readers, and take no more. Idempotent."""
        self._is_closed = True
        for reader in [one for readers in self._readers.values() for one in readers]:
            self._end(reader, "stopping")

    def status(self) -> FeedStatus:
        """Return what the metrics show."""
        return FeedStatus(sum(map(len, self._readers.values())), self._events, self._dropped)
