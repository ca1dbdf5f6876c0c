"""ORES's face, version 3: lists of models, and scores of revisions."""

import asyncio
from collections.abc import Iterable, Mapping

from starlette.requests import Request
from starlette.responses import Response

from app.api.answers import Resources, answer
from app.api.documents import Document, ores_answers, ores_models
from app.api.endpoint import Handler, json_response
from app.api.errors import RouteUnknown
from app.api.numbers import parse_id
from app.metrics import Face
from models.statistics import model_info
from schemas.catalogue import ModelInfo
from schemas.errors import ModelNotFound, OwnerUnavailable, Recovering, RequestInvalid, WikiUnknown
from schemas.prediction import ScoredModel, ScoreFailure

REVISIONS_MOST = 50
# ORES forbids every cache: tools poll it, and expect what is new.
HEADERS: Mapping[str, str] = {
    "cache-control": "no-store, no-cache, max-age=0",
    "pragma": "no-cache",
    "expires": "Thu, 01 Jan 1970 00:00:00 GMT",
}
_REFUSED = ("inject",)
_REFUSED_PREFIXES = ("feature.", "datasource.")


class OresFace:
    """Handlers of ``/v3/scores``."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._wikis = resources.catalogue.wikis
        self._find = resources.catalogue.find
        self._counters = resources.metrics.faces[Face.ORES]

    def routes(self) -> dict[str, tuple[Face, Handler]]:
        """Return path to face and handler; all are GET."""
        return {
            "/v3/scores": (Face.ORES, self._list_wikis),
            "/v3/scores/{wiki_id}": (Face.ORES, self._wiki),
            "/v3/scores/{wiki_id}/{rev_id}": (Face.ORES, self._revision),
            "/v3/scores/{wiki_id}/{rev_id}/{model_name}": (Face.ORES, self._model),
        }

    async def _list_wikis(self, request: Request) -> Response:
        _refuse_unsupported(request)
        wikis = {wiki_id: ores_models(models) for wiki_id, models in sorted(self._wikis.items())}
        return _respond(request, wikis)

    async def _wiki(self, request: Request) -> Response:
        wiki_id, models = self._asked(request)
        if "revids" in request.query_params:
            return await self._scores(request, wiki_id, models, _revision_ids(request))
        return _respond(request, {wiki_id: _described(request, models)})

    async def _revision(self, request: Request) -> Response:
        rev_id = parse_id(request.path_params["rev_id"])
        if rev_id is None:
            raise RouteUnknown("The revision in the path is no whole number. GET / lists the routes.")
        wiki_id, models = self._asked(request)
        return await self._scores(request, wiki_id, models, [rev_id])

    async def _model(self, request: Request) -> Response:
        return await self._revision(request)

    def _asked(self, request: Request) -> tuple[str, Mapping[str, ModelInfo]]:
        """Return the wiki and those of its models that the request names; all where it names none."""
        _refuse_unsupported(request)
        wiki_id: str = request.path_params["wiki_id"]
        models = self._wikis.get(wiki_id)
        if models is None:
            raise WikiUnknown(f"No scorers available for {wiki_id[:100]}")
        names: Iterable[str] | None = None
        if "model_name" in request.path_params:
            names = [request.path_params["model_name"]]
        elif "models" in request.query_params:
            names = dict.fromkeys(request.query_params["models"].split("|"))
        if names is None:
            return wiki_id, dict(sorted(models.items()))
        # Other names and versions that are live answer under the name that was asked for.
        found = {name: self._find(wiki_id, name) for name in sorted(names)}
        if unknown := tuple(name[:100] for name in names if found[name] is None):
            # ORES shows a Python tuple here, and clients show it to people.
            raise ModelNotFound(f"Models {unknown} not available for {wiki_id}")
        return wiki_id, {name: info for name, info in found.items() if info is not None}

    async def _scores(
        self, request: Request, wiki_id: str, models: Mapping[str, ModelInfo], rev_ids: Iterable[int]
    ) -> Response:
        has_features = "features" in request.query_params
        if has_features and self._resources.on_demand is None:
            raise RequestInvalid(
                "Features are not stored, and this server does not score on demand. Ask without 'features'."
            )

        unknown: list[Recovering | OwnerUnavailable] = []

        async def one(rev_id: int) -> Document:
            try:
                found = await answer(
                    self._resources, self._counters, wiki_id, rev_id, models, with_features=has_features
                )
            except (Recovering, OwnerUnavailable) as error:
                unknown.append(error)
                failure = ScoreFailure(error.code, error.message)
                found = {name: ScoredModel(info.id, failure) for name, info in models.items()}
            return ores_answers(rev_id, found)

        rev_ids = list(dict.fromkeys(rev_ids))
        answers = await asyncio.gather(*map(one, rev_ids))
        if unknown and len(unknown) == len(rev_ids):
            raise unknown[0]
        scores = {str(rev_id): found for rev_id, found in zip(rev_ids, answers, strict=True)}
        return _respond(request, {wiki_id: {**_described(request, models), "scores": scores}})


def _described(request: Request, models: Mapping[str, ModelInfo]) -> Document:
    """Return versions, or what the parameter ``model_info`` asks for."""
    paths = request.query_params.get("model_info")
    if paths is None:
        return ores_models(models)
    return {"models": {name: model_info(info.document, paths) for name, info in sorted(models.items())}}


def _respond(request: Request, document: Document) -> Response:
    return json_response(document, is_pretty=request.query_params.get("format") != "json")


def _revision_ids(request: Request) -> list[int]:
    texts = request.query_params["revids"].split("|")
    if len(texts) > REVISIONS_MOST:
        raise RequestInvalid(f"Too many values for 'revids' parameter.  Max of {REVISIONS_MOST}.")
    numbers = [parse_id(text) for text in texts]
    wrong = [text[:100] for text, number in zip(texts, numbers, strict=True) if number is None]
    if wrong:
        raise RequestInvalid(
            f"Could not interpret revids. {wrong[0]!r} is no revision id: give whole numbers, separated by "
            "'|'."
        )
    return [number for number in numbers if number is not None]


def _refuse_unsupported(request: Request) -> None:
    """Refuse what would change the answer and is not done here, rather than answer something else."""
    for name in request.query_params:
        if name in _REFUSED or name.startswith(_REFUSED_PREFIXES):
            raise RequestInvalid(
                f"The parameter {name[:100]!r} is not supported by this server. Ask without it."
            )
