"""Records on their way to the embedded log, and those that wait for their events."""

import asyncio
from collections.abc import Collection, Mapping, Sequence

from faust.types import TP, RecordMetadata

from agents.embedded.log import NewRecord


class Waiting:
    """A record not yet in the log: of an event whose offset is uncommitted, or of none.

    Args:
        record: To append.
        future: Told where it lies.
        source: Topic and partition of the event; None without one.
        offset: Of the event.
    """

    __slots__ = ("future", "offset", "record", "source")

    def __init__(
        self,
        record: NewRecord,
        future: "asyncio.Future[RecordMetadata]",
        source: TP | None = None,
        offset: int = -1,
    ) -> None:
        self.record = record
        self.future = future
        self.source = source
        self.offset = offset

    @property
    def row(self) -> tuple[str, int, bytes | None]:
        """Which row of which table it is, where it is of a changelog."""
        return self.record.topic, self.record.partition, self.record.key

    def fail(self, error: BaseException) -> None:
        """Tell whoever waits that the record is not in the log."""
        if not self.future.done():
            self.future.set_exception(error)

    def resolve(self, offset: int) -> None:
        """Tell whoever waits where the record lies."""
        if not self.future.done():
            topic, partition = self.record.topic, self.record.partition
            self.future.set_result(RecordMetadata(topic, partition, TP(topic, partition), offset))


class Taken:
    """Records that are being committed.

    Args:
        held: Where they were taken from.
        before: All that were held then, in their order.
        ready: Those to be written, in their order.
        overtaken: Those that give way to one of these, with its number.
    """

    def __init__(
        self,
        held: "HeldRecords",
        before: Sequence[Waiting],
        ready: Sequence[Waiting],
        overtaken: Sequence[tuple[Waiting, int]],
    ) -> None:
        self._held = held
        self._before = before
        self._ready = ready
        self._overtaken = overtaken
        self._generation = held.generation

    @property
    def records(self) -> list[NewRecord]:
        """What to write."""
        return [one.record for one in self._ready]

    def tell(self, offsets: Sequence[int]) -> None:
        """Tell those who wait where the records lie; of those that gave way, where the later one does."""
        for one, offset in zip(self._ready, offsets, strict=True):
            one.resolve(offset)
        for one, number in self._overtaken:
            one.resolve(offsets[number])

    def put_back(self) -> None:
        """Hold all again, before what came since; nothing where what was held is forgotten by now."""
        if self._generation == self._held.generation:
            known = set(map(id, self._before))
            self._held.waiting = [
                *self._before,
                *(one for one in self._held.waiting if id(one) not in known),
            ]


class HeldRecords:
    """Records of events whose offsets are not committed.

    Attributes:
        waiting: In the order in which they were sent.
        generation: Counts how often all were forgotten.
    """

    def __init__(self) -> None:
        self.waiting: list[Waiting] = []
        self.generation = 0

    def hold(self, one: Waiting) -> None:
        """Let a record wait for its event."""
        self.waiting.append(one)

    def take(self, offsets: Mapping[TP, int], changelogs: Collection[str]) -> Taken:
        """Take out the records of all events below these offsets.

        A row that waits for its event gives way to a later one of its key, which was built on it and whose
        event, of another topic, is committed first: a changelog ends with the newest row. What is sent from
        here on is later than all that is taken.

        Args:
            offsets: Source partition to the next offset to consume.
            changelogs: Topics whose records are rows.
        """
        ready: list[Waiting] = []
        newest: dict[tuple[str, int, bytes | None], tuple[int, int]] = {}
        others: list[tuple[int, Waiting]] = []
        for order, one in enumerate(self.waiting):
            if one.source is not None and one.offset >= offsets.get(one.source, -1):
                others.append((order, one))
                continue
            if one.record.topic in changelogs:
                newest[one.row] = order, len(ready)
            ready.append(one)
        held: list[Waiting] = []
        overtaken: list[tuple[Waiting, int]] = []
        for order, one in others:
            newest_order, number = newest.get(one.row, (-1, -1))
            if order < newest_order:
                overtaken.append((one, number))
            else:
                held.append(one)
        before, self.waiting = self.waiting, held
        return Taken(self, before, ready, overtaken)

    def drop(self) -> None:
        """Forget all: their events will be consumed again."""
        self.generation += 1
        self.waiting = []
