"""Scores that are made while the client waits: of revisions, and of what a request brings along."""

from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct

from schemas.catalogue import ModelInfo
from schemas.prediction import Injected, ScoredModel
from schemas.revision import PageRequest, Revision


class ScoreRequest(Struct, frozen=True):
    """What a client wants to be scored.

    Attributes:
        wiki_id: Of the catalogue.
        rev_id: Positive.
        model_names: Of the catalogue's wiki.
        with_features: Return the features of each model as well.
        injected: What is read in the place of what is computed; the answers are never stored then.
        with_attribution: Return the features of each model and what moved its score as well.
    """

    wiki_id: str
    rev_id: int
    model_names: Sequence[str]
    with_features: bool = False
    injected: Injected | None = None
    with_attribution: bool = False


class OnDemand(Protocol):
    """Scores one revision with some of its wiki's models."""

    async def score(self, request: ScoreRequest, /) -> list[ScoredModel]:
        """Return a score or a failure for each model.

        Raises:
            ContentError: The revision cannot be had; this holds for all models.
            ScoringError: It could not be scored; this holds for all models.
            NotReady: Too much is waiting already; try again later.
        """
        ...


class DirectScoring(Protocol):
    """Scores what a request brings along, or looks up for it. Nothing of it is stored."""

    async def score(self, revision: Revision, model: ModelInfo) -> ScoredModel:
        """Return the score of one model, or the failure that names why there is none.

        Args:
            revision: Whatever the model reads of it was given by the client.
            model: Of the catalogue; it reads content.

        Raises:
            NotReady: Too much is waiting already, or nothing can score now; try again later.
        """
        ...

    async def outlinks(self, request: PageRequest) -> tuple[str, ...]:
        """Return the Wikidata ids of the articles that a page links to, at most 1,000.

        Raises:
            ContentError: The page cannot be had, or its wiki does not answer.
            NotReady: Too much is waiting already; try again later.
            RequestInvalid: Nothing here can look links up.
        """
        ...
