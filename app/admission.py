"""The door to on-demand scoring: as much work as can be done in time, and no more."""

from collections.abc import Callable
from math import ceil
from time import monotonic
from typing import Final

from schemas.errors import Overloaded

_REVISIONS_MOST: Final = 1000
_SLOWEST: Final = 50.0
_LEAST_SECONDS: Final = 0.002
_WEIGHT: Final = 0.1


class Place:
    """Admitted work, until it is released."""

    __slots__ = ("_admission", "_seconds")

    def __init__(self, admission: "Admission", seconds: float) -> None:
        self._admission: Admission | None = admission
        self._seconds = seconds

    def correct(self, seconds: float) -> None:
        """Say better what the work costs."""
        if self._admission is not None:
            self._admission.waiting_seconds += seconds - self._seconds
            self._seconds = seconds

    def release(self) -> None:
        """Say that the work is done, or given up. Idempotent."""
        if self._admission is not None:
            self._admission.leave(self._seconds)
            self._admission = None


class Admission:
    """Admits work by its cost.

    The first is always admitted, however much it costs. What is refused is told at once, and when to come
    again. Revisions are counted as well, up to a thousand: those that wait for a slow wiki cost no time of a
    process, and memory all the same.

    How fast work goes is learned while some waits: where other programs take the cores, or the wiki is slow,
    a second of work takes longer than a second.

    Args:
        processes: That score.
        most_seconds: How long the last that is admitted may have to wait for those before it.
        clock: Seconds.

    Attributes:
        pace: Seconds that go by for each second of work, at least its share of all processes.
        waiting_seconds: Of scoring, of all that is admitted and not done, as estimated.
        revisions: How many that are.
        refused: How many were not admitted.
    """

    def __init__(
        self, *, processes: int, most_seconds: float, clock: Callable[[], float] = monotonic
    ) -> None:
        self._best = 1 / processes
        self._clock = clock
        self._left_at: float | None = None
        self.pace = self._best
        self._most_seconds = most_seconds
        self.waiting_seconds = 0.0
        self.revisions = 0
        self.refused = 0

    def admit(self, seconds: float) -> Place:
        """Admit work of so many seconds.

        Raises:
            Overloaded: Too much waits already; the field ``retry_after_seconds`` says when to come again.
        """
        after = (self.waiting_seconds + seconds) * self.pace - self._most_seconds
        if self.revisions and (after > 0 or self.revisions >= _REVISIONS_MOST):
            self.refused += 1
            wait_seconds = self.waiting_seconds * self.pace
            raise Overloaded(
                f"About {wait_seconds:.1f} s of work wait to be scored, and no more is taken now. What is "
                "stored is answered all the same; for this one come again later.",
                retry_after_seconds=max(1, ceil(after)),
            )
        self.waiting_seconds += seconds
        self.revisions += 1
        return Place(self, seconds)

    def leave(self, seconds: float) -> None:
        """Hear that work of so many seconds is done; see `Place.release`."""
        self.waiting_seconds -= seconds
        self.revisions -= 1
        now = self._clock()
        if self._left_at is not None:
            seen = (now - self._left_at) / max(seconds, _LEAST_SECONDS)
            self.pace += _WEIGHT * (min(max(seen, self._best), _SLOWEST) - self.pace)
        # Nobody knows how fast it would have gone while nothing waits.
        self._left_at = now if self.revisions else None
