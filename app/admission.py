"""The door to on-demand scoring: as much work as can be done in time, and no more."""

from math import ceil
from typing import Final

from schemas.errors import Overloaded

_REVISIONS_MOST: Final = 1000


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
            self._admission.waiting_seconds -= self._seconds
            self._admission.revisions -= 1
            self._admission = None


class Admission:
    """Admits work by its cost.

    The first is always admitted, however much it costs. What is refused is told at once, and when to come
    again. Revisions are counted as well, up to a thousand: those that wait for a slow wiki cost no time of a
    process, and memory all the same.

    Args:
        processes: That score.
        most_seconds: How long the last that is admitted may have to wait for those before it.

    Attributes:
        waiting_seconds: Of scoring, of all that is admitted and not done, as estimated.
        revisions: How many that are.
        refused: How many were not admitted.
    """

    def __init__(self, *, processes: int, most_seconds: float) -> None:
        self._processes = processes
        self._most_seconds = most_seconds
        self.waiting_seconds = 0.0
        self.revisions = 0
        self.refused = 0

    def admit(self, seconds: float) -> Place:
        """Admit work of so many seconds.

        Raises:
            Overloaded: Too much waits already; the field ``retry_after_seconds`` says when to come again.
        """
        after = (self.waiting_seconds + seconds) / self._processes - self._most_seconds
        if self.revisions and (after > 0 or self.revisions >= _REVISIONS_MOST):
            self.refused += 1
            wait_seconds = self.waiting_seconds / self._processes
            raise Overloaded(
                f"About {wait_seconds:.1f} s of work wait to be scored, and no more is taken now. What is "
                "stored is answered all the same; for this one come again later.",
                retry_after_seconds=max(1, ceil(after)),
            )
        self.waiting_seconds += seconds
        self.revisions += 1
        return Place(self, seconds)
