"""What scoring a revision costs, learned from what it took."""

from collections.abc import Collection
from typing import Final

from app.api.memo import Memo

_FIRST_TEXT_LENGTH: Final = 20_000.0
_FIRST_SECONDS_PER_CHARACTER: Final = 1e-6
_LEAST_SECONDS: Final = 0.002
_WEIGHT: Final = 0.1
_KEPT_MOST: Final = 1024


class Costs:
    """Estimates the time of scoring as the length of the text times what the models take per character.

    Until a text is there, it counts as one of the mean length of its wiki; until a set of models has scored,
    each counts with a microsecond per character. Both are means in which the last ten revisions have two
    thirds of the weight.
    """

    def __init__(self) -> None:
        self._lengths: dict[str, float] = {}
        self._rates: Memo[frozenset[str], float] = Memo(_KEPT_MOST)

    def estimate(self, wiki_id: str, artefacts: Collection[str], text_length: int | None = None) -> float:
        """Return how long scoring will take, in seconds.

        Args:
            wiki_id: Of the catalogue.
            artefacts: That score it.
            text_length: Of its text and its parent's, in characters; None where it is not there yet.
        """
        length = self._lengths.get(wiki_id, _FIRST_TEXT_LENGTH) if text_length is None else text_length
        rate = self._rates.get(frozenset(artefacts))
        if rate is None:
            rate = _FIRST_SECONDS_PER_CHARACTER * len(artefacts)
        return max(_LEAST_SECONDS, length * rate)

    def learn(self, wiki_id: str, artefacts: Collection[str], text_length: int, seconds: float) -> None:
        """Hear what scoring a revision took."""
        known_length = self._lengths.get(wiki_id)
        self._lengths[wiki_id] = _mean(known_length, float(text_length))
        if text_length > 0:
            key = frozenset(artefacts)
            self._rates.put(key, _mean(self._rates.get(key), seconds / text_length))


def _mean(before: float | None, now: float) -> float:
    return now if before is None else before + _WEIGHT * (now - before)
