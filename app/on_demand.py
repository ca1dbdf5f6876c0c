"""Scores for requests that find nothing stored."""

from agents.scoring import RevisionScoring
from app.api.on_demand import ScoreRequest
from models.priority import Priority
from schemas.catalogue import Catalogue
from schemas.prediction import ScoredModel
from schemas.revision import RevisionRequest


class WorkerOnDemand:
    """An `app.api.on_demand.OnDemand` over the worker's own scoring. Stores nothing.

    Args:
        scoring: Fetches and scores.
        catalogue: The models of each wiki.
    """

    def __init__(self, scoring: RevisionScoring, catalogue: Catalogue) -> None:
        self._scoring = scoring
        self._catalogue = catalogue

    async def score(self, request: ScoreRequest, /) -> list[ScoredModel]:
        """Return a score or a failure for each model.

        Raises:
            ContentUnavailable: The wiki does not answer now.
        """
        found = ((name, self._catalogue.find(request.wiki_id, name)) for name in request.model_names)
        return await self._scoring.score(
            RevisionRequest(request.wiki_id, request.rev_id, is_awaited=True),
            {name: info for name, info in found if info is not None},
            priority=Priority.ON_DEMAND,
            with_features=request.with_features,
            with_attribution=request.with_attribution,
            injected=request.injected,
        )
