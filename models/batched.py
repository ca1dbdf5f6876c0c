"""Scores many revisions: features one by one, and then one prediction for all of a model.

A prediction alone costs as much as three among many, most of it the way into the estimator. An estimator's
answer for a row does not depend on the rows beside it, to the last bit.
"""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from models.scoring import Extraction, FeatureCache, Scorer, cache_of, failure_of, scored_by
from schemas.prediction import FeatureValue, Outcome, Score
from schemas.revision import Revision

Floats = NDArray[np.float64]


@runtime_checkable
class Batched(Scorer, Protocol):
    """A scorer that computes what a score rests on first, and scores any number of revisions later."""

    def row(self, revision: Revision, cache: FeatureCache) -> tuple[Floats, dict[str, FeatureValue]]:
        """Return the input of the estimator, float64[1, columns], and features as ``Scorer.score`` does.

        Raises:
            ScoringError: As ``Scorer.score``.
            ContentError: As ``Scorer.score``.
        """
        ...

    def scores(self, rows: Floats) -> list[Score]:
        """Return a score for each row, float64[rows, columns]; to the last bit that of the row alone."""
        ...


class Promise:
    """What a model says about a revision, once the batch is settled.

    Attributes:
        outcome: None before.
        features: By printed name; None where not asked for.
    """

    __slots__ = ("features", "outcome")

    def __init__(self, outcome: Outcome | None, features: dict[str, FeatureValue] | None = None) -> None:
        self.outcome = outcome
        self.features = features


class ScoringBatch:
    """Scores revisions together.

    Args:
        extraction: Computes features.
        with_features: Whether to give the features back as well.
    """

    def __init__(self, extraction: Extraction, *, with_features: bool) -> None:
        self._extraction = extraction
        self._with_features = with_features
        self._waiting: dict[Batched, list[tuple[Floats, Promise]]] = {}
        # To look at a scorer by its protocol takes as long as most features of a small edit.
        self._batched: dict[Scorer, Batched | None] = {}

    def add(self, scorers: Sequence[Scorer], revision: Revision) -> list[Promise]:
        """Compute the features of a revision, and score it where a model cannot do so later.

        Returns:
            One per scorer, in order. Failures are settled at once.
        """
        cache = cache_of(scorers, revision, self._extraction, with_features=self._with_features)
        return [self._begin(scorer, revision, cache) for scorer in scorers]

    def settle(self) -> None:
        """Score all that waits."""
        for scorer, waiting in self._waiting.items():
            scores = scorer.scores(np.concatenate([row for row, _ in waiting]))
            for score, (_, promise) in zip(scores, waiting, strict=True):
                promise.outcome = score
        self._waiting.clear()

    def _begin(self, scorer: Scorer, revision: Revision, cache: FeatureCache) -> Promise:
        if scorer not in self._batched:
            self._batched[scorer] = scorer if isinstance(scorer, Batched) else None
        batched = self._batched[scorer]
        if batched is None:
            told = scored_by(scorer, revision, cache, with_features=self._with_features)
            return Promise(told.outcome, told.features)
        try:
            row, features = batched.row(revision, cache)
        except Exception as error:
            return Promise(failure_of(scorer, revision, error))
        promise = Promise(None, features if self._with_features else None)
        self._waiting.setdefault(batched, []).append((row, promise))
        return promise
