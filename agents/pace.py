"""How many events may go now."""

import time
from collections.abc import Callable

from schemas.errors import SettingsError


class Pace:
    """A steady rate by the monotonic clock. The first event may go at once.

    Args:
        events_per_second: Above 0.
        tick_seconds: Shortest wait, so that a fast pace goes in small groups.
        monotonic: Clock in seconds.

    Raises:
        SettingsError: The rate is not above 0.
    """

    def __init__(
        self,
        events_per_second: float,
        *,
        tick_seconds: float = 0.05,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        if not events_per_second > 0:
            raise SettingsError(
                f"a pace of {events_per_second} events a second never sends one: give more than 0"
            )
        self._rate = events_per_second
        self._tick_seconds = tick_seconds
        self._monotonic = monotonic
        self._start = monotonic()
        self._spent = 0

    def allowance(self) -> int:
        """Return how many events are due. What a long stall missed is caught up for one second at most."""
        due = int((self._monotonic() - self._start) * self._rate + 1e-6) + 1 - self._spent
        most = max(1, int(self._rate))
        if due > most:
            self._start += (due - most) / self._rate
            return most
        return due

    def spend(self, count: int) -> None:
        """Note events that went."""
        self._spent += count

    def wait_seconds(self) -> float:
        """Return how long to wait for the next event."""
        return max(self._tick_seconds, self._start + self._spent / self._rate - self._monotonic())
