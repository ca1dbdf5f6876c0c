"""How often a quick way could not prove its value, so that revscoring's own code gave it."""

from collections import Counter


class Fallbacks:
    """Counts by the name of the way that was not taken.

    Attributes:
        counts: Since the process began.
    """

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    def count(self, name: str) -> None:
        """Count one."""
        self.counts[name] += 1


FALLBACKS = Fallbacks()
"""Of this process."""
