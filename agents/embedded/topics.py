"""Whole topics of the embedded log, read from any process."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from time import monotonic

from agents.embedded.headers import unpacked
from agents.embedded.log import Log
from schemas.errors import BrokerUnavailable, EngineError
from tables.changelog import TopicRecord, is_quiet

_POLL_SECONDS = 0.05


class EmbeddedTopicReader:
    """A `tables.changelog.TopicReader` over the log's file, which another process writes.

    Args:
        path: The log's file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._log: Log | None = None
        self._inode = 0

    async def identity(self) -> str:
        """Return the name that the log was given when it was made."""
        return self._opened().identity

    async def partitions(self, topic: str) -> list[int]:
        """Return the partitions of a topic, sorted."""
        return list(range(self._partitions(topic)))

    async def starts(self, topic: str) -> Mapping[int, int]:
        """Return the first offset that each partition still holds; its end where it holds none."""
        log = self._opened()
        return {number: log.start(topic, number) for number in range(self._partitions(topic))}

    async def ends(self, topic: str) -> Mapping[int, int]:
        """Return the offset that each partition will give to its next record."""
        log = self._opened()
        return {number: log.end(topic, number) for number in range(self._partitions(topic))}

    async def read(
        self, topic: str, positions: Mapping[int, int], *, limit: int, timeout_seconds: float
    ) -> list[TopicRecord]:
        """Return records of the partitions named, waiting for the first as long as told."""
        deadline = monotonic() + timeout_seconds
        while True:
            log = self._opened()
            self._partitions(topic)
            records: list[TopicRecord] = []
            for number, position in positions.items():
                if position < log.end(topic, number):
                    records += [
                        TopicRecord(
                            number,
                            record.offset,
                            record.key,
                            record.value,
                            record.timestamp_ms,
                            is_quiet(unpacked(record.headers)),
                        )
                        for record in log.read(topic, number, position, limit=limit - len(records))
                    ]
                if len(records) >= limit:
                    break
            if records or monotonic() >= deadline:
                return records
            await asyncio.sleep(_POLL_SECONDS)

    async def addresses(self) -> tuple[str, ...]:
        """Return the address of the worker that writes the log; empty where none ever told it."""
        address = self._opened().worker_address
        return () if address is None else (address,)

    async def close(self) -> None:
        """Close the file. Idempotent."""
        if self._log is not None:
            self._log.close()
            self._log = None

    def _opened(self) -> Log:
        """Return the log, fresh: opened anew where another file has taken its place."""
        try:
            inode = self._path.stat().st_ino
            if self._log is None or inode != self._inode:
                if self._log is not None:
                    self._log.close()
                self._log, self._inode = Log(self._path), inode
            self._log.refresh()
        except (OSError, EngineError) as error:
            raise BrokerUnavailable(
                f"The log {self._path} cannot be read ({error}). Start the worker that writes it.",
                path=str(self._path),
            ) from error
        return self._log

    def _partitions(self, topic: str) -> int:
        partitions = self._opened().partitions(topic)
        if partitions is None:
            raise BrokerUnavailable(
                f"The log {self._path} has no topic {topic} yet. Start the worker that writes it.",
                topic=topic,
            )
        return partitions
