"""Runs of letters, and of one character."""

import re
from typing import Final

import numpy as np

from models.engine.characters import known_classes
from models.native import native

_RUNS: Final = re.compile(r"\w+").findall
_TWO = re.compile(r"(.)\1", re.DOTALL)
_THREE = re.compile(r"(.)\1\1", re.DOTALL)
_THREE_AND_MORE = re.compile(r"(.)\1{2,}", re.DOTALL)
# Below so many characters a search is quicker than setting numpy up.
_FEW = 1_000


def word_runs(text: str) -> list[str]:
    r"""Return ``re.findall(r"\w+", text)``."""
    return _RUNS(text) if native is None else native.word_runs(text, known_classes())


def longest_run(text: str) -> int:
    """Return the length of the longest run of one character in a text, whatever its case.

    Equal to what revscoring counts, for a text that is not empty.
    """
    lowered = text.lower()
    return longest_run_of(lowered) if native is None else native.longest_run(lowered)


def longest_run_of(lowered: str) -> int:
    """Return the length of the longest run of one character in a text that is not empty."""
    if len(lowered) < _FEW:
        return _longest_of_few(lowered)
    points = np.frombuffer(lowered.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    ends = np.flatnonzero(points[1:] != points[:-1])
    if not len(ends):
        return len(points)
    longest = int(np.diff(ends).max()) if len(ends) > 1 else 0
    return max(longest, int(ends[0]) + 1, len(points) - 1 - int(ends[-1]))


def _longest_of_few(text: str) -> int:
    # Doubled letters are in every word or two, and three in a row are rare.
    if _THREE.search(text):
        return max(match.end() - match.start() for match in _THREE_AND_MORE.finditer(text))
    return 2 if _TWO.search(text) else 1
