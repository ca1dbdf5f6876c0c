"""Rows of snapshots, into the log that this worker reads."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Final, cast

from aiokafka.errors import KafkaError

from agents.embedded.transport import partition_of
from agents.gapless import GaplessConsumer
from agents.homes import Homes, home_partition
from app.api.loading import LoadPlace, LoadPlan
from app.in_place import InPlace
from app.stream_app import StreamApp
from schemas.errors import EngineError, NotReady, RequestInvalid
from schemas.keys import page_topic_key
from schemas.loaded import LoadedRows, loaded_topic

PARTITIONERS: Final[dict[str, Callable[[bytes, int], int]]] = {
    "crc32": partition_of,
    "murmur2": home_partition,
}
"""The rules of both engines by which a page's key gives the partition of its events, and of its rows."""

_RECORDS_WAITING: Final = 256
_TAKE_SECONDS: Final = 30.0


class WorkerLoads:
    """An `app.api.loading.Loads` over the worker's own producer and consumer.

    Args:
        app: Gives both.
        partitions: Of the tables.
        is_embedded: Which engine it is.
        not_ready: Returns what the worker waits for; nothing when it handles events.

    Attributes:
        homes: Knows where pages are at home; None where the log itself does.
        in_place: Has the process begin anew; None where it cannot.
    """

    def __init__(
        self, app: StreamApp, *, partitions: int, is_embedded: bool, not_ready: Callable[[], Sequence[str]]
    ) -> None:
        self._app = app
        self._partitions = partitions
        self._partitioner = "crc32" if is_embedded else "murmur2"
        self._not_ready = not_ready
        self._topic = loaded_topic(app.conf.id)
        self.homes: Homes | None = None
        self.in_place: InPlace | None = None

    def check(self) -> None:
        """Raise if no rows can be taken now.

        Raises:
            NotReady: The worker starts or stops, or too many records wait.
            RequestInvalid: The events come from a producer with a rule of its own.
        """
        reasons = self._not_ready()
        if reasons:
            raise NotReady(f"The worker takes no rows now: {', '.join(reasons)}. Send them again later.")
        waiting = self._app.lag((self._topic,)) or 0
        if waiting >= _RECORDS_WAITING:
            raise NotReady(
                f"{waiting} records of rows wait already. Send these again later.", waiting=waiting
            )
        if self.homes is not None and self.homes.home(b"") is None:
            raise RequestInvalid(
                "The events that are read here are cut into partitions by a rule that is not Kafka's usual "
                "one, so that nobody knows where the rows of a page belong. Have their producer use it."
            )

    async def plan(self) -> LoadPlan:
        """Return how rows have to be cut, and how far those are that were sent.

        Raises:
            NotReady: The worker starts, or the broker does not tell.
        """
        consumer = cast(GaplessConsumer | None, self._app._consumer)
        if consumer is None:
            raise NotReady("The worker starts. Ask again later.")
        try:
            async with asyncio.timeout(_TAKE_SECONDS):
                done = await consumer.committed_all(self._topic, self._partitions)
                # The tables come a moment after the log.
                await consumer.maybe_wait_for_commit_to_finish()
        except (KafkaError, TimeoutError) as error:
            raise NotReady(f"The broker does not tell how far rows are: {error}. Ask again later.") from error
        return LoadPlan(self._partitions, self._partitioner, done)

    async def begin_anew(self) -> None:
        """Have the process serve what models.yaml says by now.

        Raises:
            NotReady: What is on the disk cannot be served, or the process cannot begin anew by itself.
        """
        if self.in_place is None:
            raise NotReady("This process cannot begin anew by itself. Stop and start it.")
        await self.in_place.begin()

    async def take(self, partition: int, rows: LoadedRows, record: bytes) -> LoadPlace:
        """Return where a record lies once it is durable.

        Raises:
            RequestInvalid: Its first or last page is of another partition.
            EngineError: The log does not take it.
        """
        cut = PARTITIONERS[self._partitioner]
        for row in rows.rows[:: max(1, len(rows.rows) - 1)]:
            home = cut(page_topic_key(rows.wiki_id, row.page_id), self._partitions)
            if home != partition:
                raise RequestInvalid(
                    f"Page {row.page_id} of {rows.wiki_id} is of partition {home}, not {partition}. Ask GET "
                    "/v1/loaded-rows how rows have to be cut."
                )
        try:
            async with asyncio.timeout(_TAKE_SECONDS):
                sent: Any = await self._app.producer.send(self._topic, None, record, partition, None, None)
                place = await sent
        except (KafkaError, TimeoutError) as error:
            raise EngineError(
                f"The log did not take the rows: {type(error).__name__} {error}. Check the broker; send them "
                "again."
            ) from error
        return LoadPlace(partition, place.offset)
