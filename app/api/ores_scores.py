"""What the versions of ORES do alike: the models asked for, and the answers about several revisions."""

import asyncio
from collections.abc import Iterable, Mapping

from starlette.requests import Request

from app.api.answers import Resources, answer
from app.api.clients import exempt
from app.api.errors import RouteUnknown
from app.api.numbers import parse_id
from app.api.ores_request import OresRequest
from app.metrics import Face
from schemas.catalogue import Catalogue, ModelInfo
from schemas.errors import (
    ModelNotFound,
    NotReady,
    Overloaded,
    OwnerUnavailable,
    Recovering,
    RequestInvalid,
    TooManyRequests,
    WikiUnknown,
)
from schemas.prediction import ScoredModel, ScoreFailure

REVISIONS_MOST = 1000
"""ORES set no limit in these versions; this one keeps a request from taking the server for itself."""

Answers = Mapping[int, Mapping[str, ScoredModel]]
"""Revision to the answers about it by model name, in the order of asking."""


def models_asked(
    catalogue: Catalogue, wiki_id: str, model_names: Iterable[str] | None
) -> dict[str, ModelInfo]:
    """Return the models that a request names, under the names that it gives; all where it names none.

    Raises:
        WikiUnknown: The wiki has no models.
        ModelNotFound: It has none of such a name.
    """
    models = catalogue.wikis.get(wiki_id)
    if models is None:
        raise WikiUnknown(f"No scorers available for {wiki_id[:100]}")
    if model_names is None:
        return dict(sorted(models.items()))
    # Other names and versions that are live answer under the name that was asked for.
    found = {name: catalogue.find(wiki_id, name) for name in model_names}
    if unknown := tuple(name[:100] for name, info in found.items() if info is None):
        # ORES shows a Python tuple here, and clients show it to people.
        raise ModelNotFound(f"Models {unknown} not available for {wiki_id}")
    return {name: info for name, info in sorted(found.items()) if info is not None}


def revision_in_path(request: Request) -> int:
    """Return the revision that a path names.

    Raises:
        RouteUnknown: It is no number.
    """
    rev_id = parse_id(request.path_params["rev_id"])
    if rev_id is None:
        raise RouteUnknown("The revision in the path is no whole number. GET / lists the routes.")
    return rev_id


async def answers_about(
    resources: Resources, wiki_id: str, models: Mapping[str, ModelInfo], asked: OresRequest
) -> Answers:
    """Return the answers of some models about the revisions that are asked for.

    Raises:
        RequestInvalid: Too many are asked for, or features, and nothing here makes scores.
        NotReady: Too much is waiting to be scored, or nothing is known of any of the revisions yet.
    """
    if asked.is_precache:
        exempt()
    rev_ids = asked.rev_ids or ()
    if len(rev_ids) > REVISIONS_MOST:
        raise RequestInvalid(f"Too many values for 'revids' parameter.  Max of {REVISIONS_MOST}.")
    if resources.on_demand is None and (asked.has_features or asked.injected):
        raise RequestInvalid(
            "Features are not stored, and this server does not score on demand. Ask without 'features' and "
            "without values to inject."
        )
    counters = resources.metrics.faces[Face.ORES]
    unknown: list[NotReady] = []

    async def one(rev_id: int) -> Mapping[str, ScoredModel]:
        try:
            return await answer(
                resources,
                counters,
                wiki_id,
                rev_id,
                models,
                with_features=asked.has_features,
                injected=asked.injected.get(rev_id),
            )
        except (Recovering, OwnerUnavailable, Overloaded, TooManyRequests) as error:
            unknown.append(error)
            failure = ScoreFailure(error.code, error.message)
            return {name: ScoredModel(info.id, failure) for name, info in models.items()}

    # A task for a single revision would cost more than it gives.
    found = [await one(rev_ids[0])] if len(rev_ids) == 1 else await asyncio.gather(*map(one, rev_ids))
    if unknown and len(unknown) == len(rev_ids):
        raise unknown[0]
    return dict(zip(rev_ids, found, strict=True))
