"""Scores for requests that find nothing stored."""

from collections.abc import Sequence

from agents.scoring import RevisionScoring
from models.priority import Priority
from schemas.catalogue import Catalogue
from schemas.prediction import Injected, ScoredModel
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

    async def score(
        self,
        wiki_id: str,
        rev_id: int,
        model_names: Sequence[str],
        *,
        with_features: bool = False,
        injected: Injected | None = None,
    ) -> list[ScoredModel]:
        """Return a score or a failure for each model.

        Raises:
            ContentUnavailable: The wiki does not answer now.
        """
        found = ((name, self._catalogue.find(wiki_id, name)) for name in model_names)
        return await self._scoring.score(
            RevisionRequest(wiki_id, rev_id, is_awaited=True),
            {name: info for name, info in found if info is not None},
            priority=Priority.ON_DEMAND,
            with_features=with_features,
            injected=injected,
        )
