"""What one worker can say about a row without asking another."""

from collections.abc import Callable
from time import monotonic
from typing import Final, Literal, cast

from msgspec import Struct
from msgspec.structs import replace

from schemas.errors import PredictionWithdrawn
from schemas.keys import PAGES_TABLE, PLACES, REVISIONS_TABLE, place_key, place_partition, row_key
from schemas.prediction import PredictionRow
from tables.copies import Copies
from tables.lists import ListedRows, PredictionLists, RowList
from tables.predictions import Predictions
from tables.reader import Freshness, PredictionReader, RowSource
from tables.row_index import Place

# A place that is not there means something only where nothing can have been told for longer than this.
_PLACES_AGE_MOST_SECONDS: Final = 10.0


class HistoryPart(Struct, frozen=True, array_like=True):
    """Which part of a page's history is asked for.

    Attributes:
        limit: Most rows.
        rev_dt_us: Where the part before ended, see `tables.row_index.Place`; None for the first.
        rev_id: The same.
    """

    limit: int
    rev_dt_us: int | None = None
    rev_id: int = 0

    @property
    def after(self) -> Place | None:
        """Where the part before ended."""
        return None if self.rev_dt_us is None else Place(self.rev_dt_us, self.rev_id)


class Ask(Struct, frozen=True, array_like=True):
    """A question of one worker to another.

    Attributes:
        table: ``revisions`` or ``pages``.
        wiki_id: Database name.
        number: Of the revision or page, in [0, 2**63).
        partition: Where the row lies; None where that is not known yet.
        history: Which part of the page's revisions is wanted in place of its row; None where none is.
    """

    table: str
    wiki_id: str
    number: int
    partition: int | None = None
    history: HistoryPart | None = None


class Reply(Struct, frozen=True, array_like=True):
    """What a worker knows. What is withdrawn is said to be so, and never sent.

    Attributes:
        kind: ``row``; ``absent`` for certain; ``withdrawn``; ``elsewhere``, in ``partition``; ``unplaced``:
            the owner of ``partition`` of the places knows; ``recovering``: nothing can be said now.
        row: With a score at least.
        withdrawn: ``page`` or ``revision``.
        partition: See above.
        age_seconds: How old the row may be; None from its owner.
        history: The part of the history that was asked for, in place of the row.
    """

    kind: Literal["row", "absent", "withdrawn", "elsewhere", "unplaced", "recovering"]
    row: PredictionRow | None = None
    withdrawn: str | None = None
    partition: int | None = None
    age_seconds: float | None = None
    history: RowList | None = None

    @property
    def is_final(self) -> bool:
        """Whether nobody needs to be asked any more."""
        return self.kind in {"row", "absent", "withdrawn"}


class _PartitionRows:
    """The rows of one partition that is not ours, or not yet, as a `tables.reader.RowSource`."""

    def __init__(
        self,
        get: Callable[[str, int, bytes], bytes | None],
        listed: Callable[[int, bytes, bytes, int], list[bytes]],
        partition: int,
    ) -> None:
        self._get = get
        self._listed = listed
        self._partition = partition

    def get(self, table: str, key: bytes) -> bytes | None:
        return self._get(table, self._partition, key)

    def listed(self, prefix: bytes, after: bytes, limit: int) -> list[bytes]:
        return self._listed(self._partition, prefix, after, limit)

    def freshness(self) -> Freshness:
        return Freshness(True, (), None)


class Node:
    """This worker's own tables, standbys and places.

    Args:
        predictions: Its tables.
        reader: Over them.
        copies: Its standbys and places.
        partitions: Of each table.

    Attributes:
        taken: Partitions that were whole standbys here when they became ours: when they last were caught up,
            on the monotonic clock.
    """

    def __init__(
        self, predictions: Predictions, reader: PredictionReader, copies: Copies, *, partitions: int
    ) -> None:
        self._predictions = predictions
        self._reader = reader
        self._copies = copies
        self._partitions = partitions
        self.taken: dict[int, float] = {}

    def answer(self, ask: Ask) -> Reply:
        """Answer by what is held here.

        1. A row of a partition that is ours.
        2. Where the partition is known: of ours there is no such row; of a standby see `standby`.
        3. Where it is not: what the places say.

        Raises:
            ValueError: The ids make no key.
        """
        own = _read(self._reader, ask)  # 1
        if own.is_final and own.kind != "absent":
            return own
        if ask.partition is not None:  # 2
            return own if self._is_shown(ask.partition) else self.standby(ask, ask.partition)
        partition = self._place(ask)  # 3
        if isinstance(partition, Reply):
            return partition
        if self._is_shown(partition):
            return own
        return Reply("elsewhere", partition=partition)

    def standby(self, ask: Ask, partition: int) -> Reply:
        """Answer by the standby of a partition, or by what was one until we took it over.

        That a row is not there means nothing: it may be late.
        """
        copies = [self._copies.whole(table, partition) for table in (REVISIONS_TABLE, PAGES_TABLE)]
        whole = [copy for copy in copies if copy is not None]
        if len(whole) == len(copies):
            rows = _PartitionRows(self._copied, self._copied_list, partition)
            age_seconds = max(map(self._copies.age_seconds, whole))
        elif partition in self.taken and partition in self._predictions.recovering & self._predictions.held:
            rows = _PartitionRows(self._predictions.unready, self._predictions.unready_listed, partition)
            age_seconds = monotonic() - self.taken[partition]
        else:
            return Reply("recovering", partition=partition)
        reply = _read(PredictionReader(rows), ask)
        if reply.kind == "absent" and rows.get(ask.table, row_key(ask.wiki_id, ask.number)) is None:
            return Reply("recovering", partition=partition)
        return replace(reply, partition=partition, age_seconds=age_seconds)

    def _copied(self, table: str, partition: int, key: bytes) -> bytes | None:
        copy = self._copies.whole(table, partition)
        return None if copy is None else copy.get(key)

    def _copied_list(self, partition: int, prefix: bytes, after: bytes, limit: int) -> list[bytes]:
        copy = self._copies.whole(REVISIONS_TABLE, partition)
        return [] if copy is None else copy.listed(prefix, after, limit)

    def any_standby(self, ask: Ask) -> Reply | None:
        """Answer by whichever standby here has the row; None where none has."""
        for partition in (*self._copies.held(ask.table), *self.taken):
            reply = self.standby(ask, partition)
            if reply.is_final:
                return reply
        return None

    def _place(self, ask: Ask) -> int | Reply:
        key = place_key(ask.table, row_key(ask.wiki_id, ask.number))
        home = place_partition(key, self._partitions)
        places = self._copies.whole(PLACES, home)
        if places is None:
            return Reply("unplaced", partition=home)
        place = places.get(key)
        if place is not None:
            return int(place)
        is_fresh = self._copies.age_seconds(places) <= _PLACES_AGE_MOST_SECONDS
        return Reply("absent" if is_fresh else "recovering", partition=home)

    def _is_shown(self, partition: int) -> bool:
        return partition in self._predictions.held and partition not in self._predictions.recovering


def _read(reader: PredictionReader, ask: Ask) -> Reply:
    if ask.history is not None:
        return _read_history(reader.source, ask, ask.history)
    find: Callable[[str, int], PredictionRow | None]
    find = reader.revision if ask.table == REVISIONS_TABLE else reader.page
    try:
        row = find(ask.wiki_id, ask.number)
    except PredictionWithdrawn as error:
        return Reply("withdrawn", withdrawn=str(error.fields["withdrawn"]))
    return Reply("absent") if row is None else Reply("row", row)


def _read_history(rows: RowSource, ask: Ask, part: HistoryPart) -> Reply:
    lists = PredictionLists(cast(ListedRows, rows))
    try:
        found = lists.of_page(ask.wiki_id, ask.number, after=part.after, limit=part.limit)
    except PredictionWithdrawn as error:
        return Reply("withdrawn", withdrawn=str(error.fields["withdrawn"]))
    return Reply("absent") if found is None else Reply("row", history=found)
