"""Scores that are not stored yet, made while the client waits."""

from collections.abc import Sequence
from typing import Protocol

from schemas.prediction import ScoredModel


class OnDemand(Protocol):
    """Scores one revision with some of its wiki's models."""

    async def score(
        self, wiki_id: str, rev_id: int, model_names: Sequence[str], *, with_features: bool = False
    ) -> list[ScoredModel]:
        """Return a score or a failure for each model.

        Args:
            wiki_id: Of the catalogue.
            rev_id: Positive.
            model_names: Of the catalogue's wiki.
            with_features: Return the features of each model as well.

        Raises:
            ContentError: The revision cannot be had; this holds for all models.
            ScoringError: It could not be scored; this holds for all models.
            NotReady: Too much is waiting already; try again later.
        """
        ...
