"""Takes source events into the embedded log, cursor and all."""

from collections.abc import Sequence

from agents.embedded.log import Log, NewRecord, now_ms
from agents.embedded.transport import partition_of
from agents.intake import SourceEvent


class LogIntake:
    """An `agents.intake.Intake` over a topic of the embedded log.

    Args:
        log: The log.
        topic: Where the events go; made where it is missing.
        partitions: Of the topic when it is made.
    """

    def __init__(self, log: Log, topic: str, *, partitions: int) -> None:
        self._log = log
        self._topic = topic
        log.create_topic(topic, partitions)
        self._partitions = log.partitions(topic) or partitions

    def cursor(self, source_id: str) -> str | None:
        """Return the cursor stored with the last events taken from this source; None at first."""
        return self._log.cursor(source_id)

    def take(self, source_id: str, events: Sequence[SourceEvent], cursor: str) -> None:
        """Append the events and store the cursor in one transaction.

        Raises:
            StoreFull: The disk is full; nothing was taken.
            EngineError: The log failed; nothing was taken.
        """
        timestamp_ms = now_ms()
        self._log.transact(
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
