"""How often a quick way could not prove its value, so that revscoring's own code gave it."""

from collections import Counter


class Fallbacks:
    """Counts by the name of the way that was not taken.

    Attributes:
        counts: Since the process began, or since they were taken.
    """

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    def count(self, name: str) -> None:
        """Count one."""
        self.counts[name] += 1

    def take(self) -> dict[str, int]:
        """Return the counts since the last call of this, and begin anew."""
        taken = dict(self.counts)
        self.counts.clear()
        return taken


FALLBACKS = Fallbacks()
"""Of this process."""
