"""What one process of the pool has been given, and how that ends when the process does."""

import signal
from collections import deque
from collections.abc import Sequence

from models.pool_call import PoolCall
from models.pool_process import ScoringProcess, describe_exit
from models.pool_status import KillReason, PoolLimits
from models.process_memory import memory_bytes


class Held:
    """The call that a process scores, and those sent ahead to it.

    Attributes:
        calls: In their order; the first is being scored.
        since: When the first began, in the loop's time.

    Args:
        calls: As above.
        now: The loop's time.
    """

    def __init__(self, calls: Sequence[PoolCall] = (), now: float = 0.0) -> None:
        self.calls = deque(calls)
        self.since = 0.0
        self._reason: KillReason | None = None
        self._is_lent = False
        self.go_on(now)

    @property
    def call(self) -> PoolCall | None:
        """The call that is being scored; None without any."""
        return self.calls[0] if self.calls else None

    @property
    def is_preparing(self) -> bool:
        """Whether the call is a preparation, and what may stand behind it is what it is for."""
        return bool(self.calls) and self.calls[0].is_preparation

    def go_on(self, now: float) -> None:
        """Begin with the first call, where there is one."""
        self.since = now
        self._reason = None
        if self.calls:
            self.calls[0].begin()

    def take_back(self) -> list[PoolCall]:
        """Return the calls sent ahead, once; the process may still be the first to answer them."""
        if self._is_lent or self.is_preparing:
            return []
        self._is_lent = True
        return list(self.calls)[1:]

    def end_preparation(self) -> None:
        """Hear that the process ended: what was prepared for, where that has come, is what it scored."""
        if self.is_preparing:
            self.calls.popleft()

    def is_beyond(self, limits: PoolLimits, process: ScoringProcess, now: float) -> bool:
        """Tell whether the process is to be ended for its call, and remember why."""
        if now - self.since >= limits.wall_seconds:
            self._reason = KillReason.WALL
        elif memory_bytes(process.pid) - process.memory_bytes > limits.memory_bytes:
            self._reason = KillReason.MEMORY
        return self._reason is not None

    def settle(self, status: int, limits: PoolLimits) -> KillReason:
        """Hear that the process ended, and answer its call unless that is to be tried again.

        Args:
            status: Exit code, or the negative number of a signal.
            limits: Of the pool.

        Returns:
            Why it ended.
        """
        reason = KillReason.CPU if status == -signal.SIGPROF else self._reason or KillReason.CRASH
        call = self.call
        if call is None:
            return reason
        call.deaths += 1
        if reason is KillReason.CPU:
            call.fail_cpu(limits.cpu_seconds)
        elif reason is KillReason.MEMORY:
            call.fail_memory(limits.memory_bytes)
        elif call.deaths >= limits.attempts:
            is_overdue = reason is KillReason.WALL
            limit = f"did not answer within {limits.wall_seconds:g} s"
            call.fail_crashed(limit if is_overdue else describe_exit(status))
        return reason
