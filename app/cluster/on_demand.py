"""Scores that are not stored, computed by the one worker that is responsible for their revision."""

import json
from collections.abc import Callable, Sequence

from app.api.on_demand import OnDemand, ScoreRequest
from app.cluster.addresses import by_rendezvous
from app.cluster.scoring import ScoreAsk, ScoringPeers
from schemas.catalogue import Catalogue
from schemas.errors import ModelNotFound, OwnerUnavailable
from schemas.prediction import ModelId, ScoredModel, ScoreFailure


class ClusterOnDemand:
    """An `app.api.on_demand.OnDemand` over all workers of a cluster.

    Whoever is asked, a revision is scored by the worker that a hash of wiki and revision chooses among those
    that are alive: so it is scored once, however many processes are asked for it at a time. Where that worker
    is gone and nobody has noticed yet, the next in its order is asked.

    Args:
        workers: Returns the addresses of the workers that are alive.
        peers: Asks them.
        catalogue: The models of each wiki.
        own: Scores here, on a worker; None on a replica.
        address: Returns the address that is ours among those of the workers.

    Attributes:
        catalogue: As above; others may take its place.
    """

    def __init__(
        self,
        workers: Callable[[], Sequence[str]],
        peers: ScoringPeers,
        catalogue: Catalogue,
        *,
        own: OnDemand | None = None,
        address: Callable[[], str] = lambda: "",
    ) -> None:
        self._workers = workers
        self._peers = peers
        self.catalogue = catalogue
        self._own = own
        self._address = address

    async def score(self, request: ScoreRequest, /) -> list[ScoredModel]:
        """Return a score or a failure for each model, see `app.api.on_demand.OnDemand`.

        A worker asks the one that it thinks is responsible, and takes the answer for final. A replica, which
        may hear later who is alive, lets whom it asks pass the question on once.

        Raises:
            OwnerUnavailable: No worker answers.
            RevstreamError: As the worker that scores raises.
        """
        catalogue = self.catalogue
        ask = ScoreAsk(
            request.wiki_id,
            request.rev_id,
            tuple(request.model_names),
            request.with_features,
            # As text: msgpack has no numbers of any size, and JSON has.
            None if request.injected is None else json.dumps(dict(request.injected)),
            is_final=self._own is not None,
            with_attribution=request.with_attribution,
        )
        failure: OwnerUnavailable | None = None
        for address in by_rendezvous(self._workers(), request.wiki_id, request.rev_id):
            if self._own is not None and address == self._address():
                break
            try:
                scored = await self._peers.ask(address, ask)
            except OwnerUnavailable as error:
                failure = failure or error
                continue
            if self._own is not None and not _is_alike(catalogue, ask, scored):
                # One of us two has not taken up yet what the other goes by.
                break
            return _checked(catalogue, ask, scored)
        if self._own is not None:
            # It is ours, or nobody else answers with our models.
            return await self._own.score(request)
        raise failure or OwnerUnavailable(
            f"Revision {request.rev_id} of {request.wiki_id} is not stored, and no worker runs that could "
            "score it. Start one, or ask again later.",
            wiki_id=request.wiki_id,
            rev_id=request.rev_id,
        )


def _is_alike(catalogue: Catalogue, ask: ScoreAsk, scored: Sequence[ScoredModel | None]) -> bool:
    """Tell whether all answers are of the models that are served here."""
    infos = [catalogue.find(ask.wiki_id, name) for name in ask.model_names]
    return len(scored) == len(infos) and all(
        answer is not None and info is not None and _version(answer.model) == _version(info.id)
        for info, answer in zip(infos, scored, strict=True)
    )


def _checked(catalogue: Catalogue, ask: ScoreAsk, scored: Sequence[ScoredModel | None]) -> list[ScoredModel]:
    """Return the answers, with a failure for each that is not of the model that is served here."""
    checked = []
    answers = iter(scored)
    for name in ask.model_names:
        info = catalogue.find(ask.wiki_id, name)
        answer = next(answers, None)
        if info is None:
            continue
        if answer is None or _version(answer.model) != _version(info.id):
            message = (
                f"The worker that scores revision {ask.rev_id} of {ask.wiki_id} has another {name} than "
                "this server. Give all of them the same models."
            )
            answer = ScoredModel(info.id, ScoreFailure(ModelNotFound.code, message))
        checked.append(answer)
    return checked


def _version(model: ModelId) -> tuple[str, str]:
    return model.model_name, model.model_version
