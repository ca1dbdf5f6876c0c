"""The newest events that were set aside, read from the log each time they are asked for."""

import contextlib
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Final, Protocol

from msgspec import Struct

from agents.embedded.log import Log, LogRecord
from schemas.dead_letter import DeadLetter, decode_dead_letter
from schemas.errors import BrokerUnavailable, EngineError, EventUndecodable
from schemas.keys import DEAD_LETTER_TOPIC

_PER_PARTITION: Final = 3
_NEWEST: Final = 8


class SetAside(Struct, frozen=True):
    """What is told of a dead letter: nothing of the event itself, but where it is found.

    Attributes:
        code: Of the error.
        message: What is wrong, and what to do.
        source_topic: Where the event came from.
        source_partition: Its partition.
        source_offset: Its offset.
        dt: When it was set aside, aware UTC.
    """

    code: str
    message: str
    source_topic: str
    source_partition: int
    source_offset: int
    dt: datetime


class DeadLetters(Protocol):
    """Knows the newest events that were set aside."""

    async def newest(self) -> Sequence[SetAside]:
        """Return the newest, which are few, from the newest on.

        Raises:
            BrokerUnavailable: The log cannot be read now.
        """
        ...


class LoggedDeadLetters:
    """Reads them from the embedded log. Nothing is kept, so that what is erased there is gone here.

    Args:
        path: The log's file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    async def newest(self) -> Sequence[SetAside]:
        """Return the newest, from the newest on.

        Raises:
            BrokerUnavailable: The log cannot be read now.
        """
        records = self._last()
        letters = [letter for record in records if (letter := _letter(record.value)) is not None]
        return sorted(map(_told, letters), key=lambda one: one.dt, reverse=True)[:_NEWEST]

    def _last(self) -> list[LogRecord]:
        """Return the last records of each partition; none where no event was ever set aside."""
        if not self._path.is_file():
            raise BrokerUnavailable(f"There is no log {self._path} yet. Start the worker that writes it.")
        try:
            with contextlib.closing(Log(self._path)) as log:
                records = []
                for number in range(log.partitions(DEAD_LETTER_TOPIC) or 0):
                    start, end = log.start(DEAD_LETTER_TOPIC, number), log.end(DEAD_LETTER_TOPIC, number)
                    first = max(start, end - _PER_PARTITION)
                    records += log.read(DEAD_LETTER_TOPIC, number, first, limit=_PER_PARTITION)
                return records
        except (OSError, EngineError) as error:
            raise BrokerUnavailable(f"The log {self._path} cannot be read ({error}).") from error


def _letter(value: bytes | None) -> DeadLetter | None:
    try:
        return None if value is None else decode_dead_letter(value)
    except EventUndecodable:
        return None


def _told(letter: DeadLetter) -> SetAside:
    return SetAside(
        letter.code,
        letter.message,
        letter.source_topic,
        letter.source_partition,
        letter.source_offset,
        letter.meta.dt,
    )


async def newest_set_aside(letters: DeadLetters | None) -> Sequence[SetAside] | None:
    """Return the newest; None where this process does not know them, or not now."""
    if letters is None:
        return None
    try:
        return await letters.newest()
    except BrokerUnavailable:
        return None
