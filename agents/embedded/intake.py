"""Takes source events into the embedded log, cursor and all."""

import asyncio
from collections.abc import Callable, Sequence

from agents.embedded.log import Log, NewRecord, now_ms
from agents.embedded.transport import partition_of
from agents.embedded.writer import LogWriter
from agents.intake import SourceEvent

_POLL_SECONDS = 0.1


class LogIntake:
    """An `agents.intake.Intake` over a topic of the embedded log.

    Args:
        log: The log.
        writer: Writes to it.
        topic: Where the events go; made where it is missing.
        partitions: Of the topic when it is made.
        backlog: How many events are taken and not done, and how many may be; without, any number.
    """

    def __init__(
        self,
        log: Log,
        writer: LogWriter,
        topic: str,
        *,
        partitions: int,
        backlog: tuple[Callable[[], int], int] | None = None,
    ) -> None:
        self._backlog = backlog
        self._log = log
        self._writer = writer
        self._topic = topic
        log.create_topic(topic, partitions)
        self._partitions = log.partitions(topic) or partitions

    def cursor(self, source_id: str) -> str | None:
        """Return the cursor stored with the last events taken from this source; None at first."""
        return self._log.cursor(source_id)

    async def room(self) -> None:
        """Wait while too many events are not done. The log would grow as long as a source is faster."""
        if self._backlog is not None:
            count, most = self._backlog
            while count() >= most:  # noqa: ASYNC110 - a commit gives no event
                await asyncio.sleep(_POLL_SECONDS)

    async def take(self, source_id: str, events: Sequence[SourceEvent], cursor: str) -> None:
        """Append the events and store the cursor in one transaction; return when it is durable.

        Who is cancelled meanwhile leaves a write that goes on, cursor and all.

        Raises:
            StoreFull: The disk is full; nothing was taken.
            EngineError: The log failed; nothing was taken.
        """
        timestamp_ms = now_ms()
        await self._writer.write(
            [
                NewRecord(
                    self._topic,
                    partition_of(event.key, self._partitions),
                    timestamp_ms,
                    event.key,
                    event.value,
                )
                for event in events
            ],
            cursors={source_id: cursor},
        )
