"""On-demand scoring inside one worker: shared, stored, and admitted by its cost."""

from collections.abc import Callable

from msgspec.structs import replace

from agents.ruling import UnderWay
from app.admission import Admission
from app.api.on_demand import OnDemand, ScoreRequest
from app.costs import Costs
from app.flights import Flights
from schemas.catalogue import Catalogue, ModelInfo
from schemas.errors import ContentUnavailable
from schemas.prediction import ScoredModel
from schemas.revision import RevisionRequest


class _Models(UnderWay):
    """Models, and what scores with them for one who asks."""

    def __init__(self, plain: OnDemand, catalogue: Catalogue) -> None:
        self.plain = plain
        self.catalogue = catalogue

    def __enter__(self) -> "_Models":
        self.count += 1
        return self


class SharedOnDemand:
    """An `app.api.on_demand.OnDemand` that scores each model of a revision once, however many ask.

    What is asked with features, with what moved a score, or with values put in, is admitted as well, and then
    scored for the one who asks and not stored; so are models that read no content, which cost nothing.

    Args:
        plain: Scores for one who asks.
        flights: Score for all who ask.
        catalogue: The models of each wiki.
        admission: Admits what ``plain`` scores.
        costs: Estimate it.
        is_let_alone: Tells whether a wiki is not asked now, because it does not answer.
    """

    def __init__(
        self,
        plain: OnDemand,
        flights: Flights,
        catalogue: Catalogue,
        *,
        admission: Admission,
        costs: Costs,
        is_let_alone: Callable[[str], bool],
    ) -> None:
        self._models = _Models(plain, catalogue)
        self._flights = flights
        self._admission = admission
        self._costs = costs
        self._is_let_alone = is_let_alone

    def switch(self, plain: OnDemand, catalogue: Catalogue) -> UnderWay:
        """Score with other models from the next request on.

        Returns:
            The requests that are under way with those before.
        """
        former, self._models = self._models, _Models(plain, catalogue)
        return former

    async def score(self, request: ScoreRequest, /) -> list[ScoredModel]:
        """Return a score or a failure for each model, see `app.api.on_demand.OnDemand`.

        Raises:
            ContentError: The revision cannot be had.
            Overloaded: Too much waits to be scored.
            NotReady: Nothing can be scored now.
            PredictionWithdrawn: It was withdrawn while it was scored.
        """
        with self._models as by:
            return await self._score(request, by)

    async def _score(self, request: ScoreRequest, by: "_Models") -> list[ScoredModel]:
        found = ((name, by.catalogue.find(request.wiki_id, name)) for name in request.model_names)
        models = {name: info for name, info in found if info is not None}
        reading = {name: info for name, info in models.items() if info.reads_content}
        if reading and self._is_let_alone(request.wiki_id):
            raise ContentUnavailable(
                f"{request.wiki_id} did not answer several times in a row, and is let alone for a while. Ask "
                "again in a minute.",
                wiki_id=request.wiki_id,
                rev_id=request.rev_id,
            )
        if request.with_features or request.with_attribution or request.injected:
            return await self._alone(request, by.plain, models, reading)
        wanted = RevisionRequest(request.wiki_id, request.rev_id, is_awaited=True)
        shared = iter(await self._flights.score(wanted, list(reading.values())) if reading else ())
        light = [name for name in models if name not in reading]
        alone = iter(await by.plain.score(replace(request, model_names=light)) if light else ())
        return [next(shared if name in reading else alone) for name in models]

    async def _alone(
        self,
        request: ScoreRequest,
        plain: OnDemand,
        models: dict[str, ModelInfo],
        reading: dict[str, ModelInfo],
    ) -> list[ScoredModel]:
        known = replace(request, model_names=list(models))
        if not reading:
            return await plain.score(known)
        artefacts = [info.artefact for info in reading.values()]
        place = self._admission.admit(self._costs.estimate(request.wiki_id, artefacts))
        try:
            return await plain.score(known)
        finally:
            place.release()
