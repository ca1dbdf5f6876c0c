"""What the pool is told and what it tells: limits, state, and the hook for metrics."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Protocol

from msgspec import Struct


class PoolLimits(Struct, frozen=True):
    """What one revision, and one start, may take.

    Attributes:
        cpu_seconds: CPU time of one revision, all its models together; above 0.
        wall_seconds: Wall time of one try; above ``cpu_seconds``. The net beneath the CPU limit, for a
            process that sleeps or is starved.
        memory_bytes: Memory that one revision may take above what its process held before; above 0. It is
            looked at twenty times a second, and only where the system tells. A process that keeps half as
            much from one revision to the next is replaced.
        attempts: Tries of a revision whose process dies without having spent its budget; at least 1.
        load_seconds: Wall time in which the models must be loaded; above 0.
    """

    cpu_seconds: float = 15.0
    wall_seconds: float = 60.0
    memory_bytes: int = 1 << 30
    attempts: int = 2
    load_seconds: float = 120.0


class KillReason(StrEnum):
    """Why a scoring process ended although the pool still wanted it."""

    CPU = "cpu"
    MEMORY = "memory"
    WALL = "wall"
    CRASH = "crash"


class PoolObserver(Protocol):
    """Hears what the pool does. Called on the event loop: return at once, raise nothing."""

    def scored(self, seconds_queued: float, seconds_cpu: float, n: int) -> None:
        """Hear that a process answered for ``n`` models, after the wait and with the CPU time told."""

    def killed(self, reason: KillReason) -> None:
        """Hear that a process ended."""


class PoolStatus(Struct, frozen=True):
    """The pool at one moment.

    Attributes:
        processes: How many there should be.
        alive: How many run with their models loaded.
        busy: How many of those score.
        queued_by_priority: Revisions that wait for a process, by the name of their class.
        restarts: Processes that died and were replaced since the start.
        killed_for_cpu: Processes that spent the CPU budget of a revision.
        killed_for_memory: Processes that spent the memory of a revision.
        pids: Of those alive, ascending.
        cpu_seconds: CPU time of all revisions so far; one that was ended counts as its limit.
        fallbacks: How often revscoring's own code computed what the engine has a quick way for, by the way.
    """

    processes: int
    alive: int
    busy: int
    queued_by_priority: Mapping[str, int]
    restarts: int
    killed_for_cpu: int
    killed_for_memory: int
    pids: tuple[int, ...]
    cpu_seconds: float
    fallbacks: Mapping[str, int] = {}

    @property
    def queued(self) -> int:
        """Revisions that wait for a process."""
        return sum(self.queued_by_priority.values())
