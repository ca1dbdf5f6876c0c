"""How rows of snapshots are taken, as the API sees it."""

from collections.abc import Mapping
from typing import Protocol

from msgspec import Struct

from schemas.loaded import FORMAT_VERSION, LoadedRows


class LoadPlan(Struct, frozen=True):
    """How rows have to be cut, and how far those are that were sent.

    Attributes:
        format_version: Of the records that are read.
        partitions: Of the tables.
        partitioner: Rule by which a page's key gives its partition: ``crc32`` or ``murmur2``.
        done: Partition to the offset behind the last record whose rows are in the tables.
    """

    partitions: int
    partitioner: str
    done: Mapping[int, int]
    format_version: int = FORMAT_VERSION


class LoadPlace(Struct, frozen=True):
    """Where a record lies in the log.

    Attributes:
        partition: From 0.
        offset: From 0.
    """

    partition: int
    offset: int


class Loads(Protocol):
    """Takes rows of snapshots into the log that the worker reads."""

    def check(self) -> None:
        """Raise if no rows can be taken now.

        Raises:
            NotReady: The worker starts or stops, or too many rows wait.
            RequestInvalid: Nobody knows where rows belong.
        """
        ...

    async def plan(self) -> LoadPlan:
        """Return how rows have to be cut, and how far those are that were sent."""
        ...

    async def begin_anew(self) -> None:
        """Have the process serve what models.yaml says by now.

        Raises:
            NotReady: What is on the disk cannot be served, or the process cannot begin anew by itself.
        """
        ...

    async def take(self, partition: int, rows: LoadedRows, record: bytes) -> LoadPlace:
        """Return where a record lies once it is durable.

        Raises:
            RequestInvalid: A page is of another partition.
            EngineError: The log does not take it.
        """
        ...
