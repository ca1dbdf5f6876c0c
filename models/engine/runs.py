"""Runs of letters, and of one character."""

import re
from typing import Final

import numpy as np

word_runs: Final = re.compile(r"\w+").findall
_REPEATED = re.compile(r"(.)\1+", re.DOTALL)
# Below so many characters a search is quicker than setting numpy up.
_FEW = 300


def longest_run(text: str) -> int:
    """Return the length of the longest run of one character in a text, whatever its case.

    Equal to what revscoring counts, for a text that is not empty.
    """
    lowered = text.lower()
    if len(lowered) < _FEW:
        return max((match.end() - match.start() for match in _REPEATED.finditer(lowered)), default=1)
    points = np.frombuffer(lowered.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    ends = np.flatnonzero(points[1:] != points[:-1])
    if not len(ends):
        return len(points)
    longest = int(np.diff(ends).max()) if len(ends) > 1 else 0
    return max(longest, int(ends[0]) + 1, len(points) - 1 - int(ends[-1]))
