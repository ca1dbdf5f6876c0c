"""A producer that hands what several events send to the client at once, so that it leaves in one request.

Each request to a broker takes the client as long as a look-up of a few hundred rows, however little is in it,
and each batch is compressed by itself. The client's own linger holds back each partition of each topic by its
own clock, so that many partitions still leave one by one; and record by record it takes several times as long
as to be given whole batches.
"""

import asyncio
from collections.abc import Awaitable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, Final, NamedTuple, cast

from faust.transport.drivers.aiokafka import Producer
from faust.types import TP, HeadersArg, RecordMetadata

from agents.gapless import GaplessKafkaConsumer
from agents.homes import home_partition
from agents.membership import MembershipLost

GATHER_SECONDS: Final = 0.2
# Larger ones leave alone: the client says which are too large.
_SMALL_BYTES: Final = 1 << 12

_Sent = asyncio.Future[RecordMetadata]
_Arguments = tuple[str, bytes | None, bytes | None, int | None, float | None, HeadersArg | None]


class _Waiting(NamedTuple):
    """A record that was taken and not sent.

    Attributes:
        arguments: Of `GatheringProducer.send`.
        sent: Told where it lies.
        member_id: Of a changelog, as whom its worker had the partition; None of what anybody may send.
    """

    arguments: _Arguments
    sent: _Sent
    member_id: str | None


class GatheringProducer(Producer):
    """Faust's producer, whose records wait for others for `GATHER_SECONDS`, and keep their order.

    Those of tables' changelogs leave only while nobody else can have their partitions: they fail with
    `agents.membership.MembershipLost` where the worker is no longer who it was as it wrote them.
    """

    _waiting: list[_Waiting]
    _sending: asyncio.Task[None] | None

    def __post_init__(self) -> None:
        super().__post_init__()
        self._waiting = []
        self._sending = None

    async def send(  # noqa: PLR0917 - Faust's
        self,
        topic: str,
        key: bytes | None,
        value: bytes | None,
        partition: int | None,
        timestamp: float | None,
        headers: HeadersArg | None,
        *,
        transactional_id: str | None = None,
    ) -> Awaitable[RecordMetadata]:
        """Take a record; return a future of where it lies in the log.

        Raises:
            NotReady: The producer is not started, or has been stopped.
        """
        self._ensure_producer()
        future: _Sent = asyncio.get_running_loop().create_future()
        member_id = self._consumer.member_id if topic in self.app.tables.changelog_topics else None
        self._waiting.append(_Waiting((topic, key, value, partition, timestamp, headers), future, member_id))
        if self._sending is None:
            self._sending = asyncio.create_task(self._send_soon(), name="gathered_sends")
        return future

    async def flush(self) -> None:
        """Wait until all that was taken is in the log."""
        await self._drain()
        await super().flush()

    async def on_stop(self) -> None:
        """Send what waits, then stop."""
        await self._drain()
        await super().on_stop()

    async def _drain(self) -> None:
        while self._sending is not None:
            await asyncio.wait((self._sending,))

    async def _send_soon(self) -> None:
        try:
            while self._waiting:
                await asyncio.sleep(GATHER_SECONDS)
                waiting, self._waiting = self._waiting, []
                await self._send_all(await self._still_ours(waiting))
        finally:
            self._sending = None

    @property
    def _consumer(self) -> GaplessKafkaConsumer:
        return cast(GaplessKafkaConsumer, self.app.consumer)

    async def _still_ours(self, waiting: Sequence[_Waiting]) -> Sequence[_Waiting]:
        """Return the records that may leave; tell the others that they do not."""
        members = {one.member_id for one in waiting if one.member_id is not None}
        lost = {member_id for member_id in members if not await self._consumer.holds(member_id)}
        if not lost:
            return waiting
        for one in waiting:
            if one.member_id in lost:
                _fail(one.sent, MembershipLost())
        return [one for one in waiting if one.member_id not in lost]

    async def _send_all(self, waiting: Iterable[_Waiting]) -> None:
        """Send records, in the order of each partition."""
        batches: dict[TP, _Batch] = {}
        partitions: dict[str, int] = {}
        for arguments, future, _ in waiting:
            topic, key, value, partition, *_ = arguments
            try:
                if key is None or len(value or b"") > _SMALL_BYTES:
                    # Whatever partition the client chooses, none of those before it may come later.
                    await self._send_batches(batches)
                    await self._send_one(arguments, future)
                else:
                    if partition is None:
                        partition = home_partition(key, await self._partitions(topic, partitions))
                    await self._gather(batches, TP(topic, partition), arguments, future)
            except Exception as error:
                _fail(future, error)
        await self._send_batches(batches)

    async def _partitions(self, topic: str, known: dict[str, int]) -> int:
        """Return how many partitions a topic has, and keep it."""
        if topic not in known:
            known[topic] = len(await self._ensure_producer().partitions_for(topic))
        return known[topic]

    async def _gather(
        self, batches: "dict[TP, _Batch]", place: TP, arguments: _Arguments, future: _Sent
    ) -> None:
        """Add a record to the batch of its partition; one that is full is sent before."""
        batch = batches.get(place)
        if batch is not None and batch.add(arguments, future):
            return
        if batch is not None:
            await self._send_batch(batch)
        batch = batches[place] = _Batch(place, self._ensure_producer().create_batch())
        batch.add(arguments, future)

    async def _send_batches(self, batches: "dict[TP, _Batch]") -> None:
        for batch in batches.values():
            await self._send_batch(batch)
        batches.clear()

    async def _send_batch(self, batch: "_Batch") -> None:
        try:
            sent = await self._ensure_producer().send_batch(
                batch.builder, batch.place.topic, partition=batch.place.partition
            )
        except Exception as error:
            batch.fail(error)
        else:
            sent.add_done_callback(batch.tell)

    async def _send_one(self, arguments: _Arguments, future: _Sent) -> None:
        sent: Any = await super().send(*arguments)
        sent.add_done_callback(partial(_pass_on, future))


class _Batch:
    """Records of one partition that leave together.

    Args:
        place: The partition.
        builder: Of the client, empty.
    """

    __slots__ = ("builder", "place", "records")

    def __init__(self, place: TP, builder: Any) -> None:
        self.place = place
        self.builder = builder
        # The future of each, and when the record was made (milliseconds since the epoch).
        self.records: list[tuple[_Sent, int]] = []

    def add(self, arguments: _Arguments, future: _Sent) -> bool:
        """Add a record; tell whether there was room. There is for the first."""
        _, key, value, _, timestamp, headers = arguments
        added = self.builder.append(
            timestamp=int(timestamp * 1000) if timestamp else None,
            key=key,
            value=value,
            headers=list(headers.items() if isinstance(headers, Mapping) else headers or ()),
        )
        if added is None:
            return False
        self.records.append((future, added.timestamp))
        return True

    def tell(self, sent: _Sent) -> None:
        """Tell each record where it lies, or why it does not."""
        error = _error_of(sent)
        if error is not None:
            self.fail(error)
            return
        first = sent.result()
        for place, (future, timestamp) in enumerate(self.records, first.offset):
            if not future.done():
                # A broker that keeps the time of records tells none of its own.
                told = timestamp if first.timestamp in {None, -1} else first.timestamp
                future.set_result(RecordMetadata(*self.place, self.place, place, told, first.timestamp_type))

    def fail(self, error: BaseException) -> None:
        """Tell each record that it is not in the log."""
        for future, _ in self.records:
            _fail(future, error)


def _error_of(sent: _Sent) -> BaseException | None:
    return asyncio.CancelledError() if sent.cancelled() else sent.exception()


def _fail(future: _Sent, error: BaseException) -> None:
    if future.done():
        return
    if isinstance(error, asyncio.CancelledError):
        future.cancel()
        return
    future.set_exception(error)


def _pass_on(future: _Sent, sent: _Sent) -> None:
    error = _error_of(sent)
    if error is not None:
        _fail(future, error)
    elif not future.done():
        future.set_result(sent.result())
