"""ORES's version 2: one document for every path, scores by model and then by revision."""

from collections.abc import Mapping
from urllib.parse import unquote

from starlette.requests import Request
from starlette.responses import Response

from agents.rules.book import read_event
from app.api.answers import Resources
from app.api.documents import Document, ores_features, ores_score
from app.api.endpoint import Handler
from app.api.errors import ores_entry
from app.api.ores_json import ores_response
from app.api.ores_precache import precached_event
from app.api.ores_request import OresRequest, read_ores_request
from app.api.ores_scores import Answers, answers_about, models_asked, revision_in_path
from app.metrics import Face
from models.statistics import model_info
from schemas.catalogue import ModelInfo
from schemas.errors import RequestInvalid
from schemas.prediction import Score

_OF_REVISION = "/v2/scores/{wiki_id}/{model_name}/{rev_id}"


class OresV2Face:
    """Handlers of ``/v2/scores`` and ``/v2/precache``."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources

    def routes(self) -> dict[str, tuple[Face, Handler]]:
        """Return path to face and handler of the routes that answer GET."""
        return {
            "/v2/scores": (Face.ORES, self._wikis),
            "/v2/scores/{wiki_id}": (Face.ORES, self._wiki),
            "/v2/scores/{wiki_id}/{model_name}": (Face.ORES, self._model),
            _OF_REVISION: (Face.ORES, self._revision),
            "/v2/precache": (Face.ORES, self._precache),
        }

    def post_routes(self) -> dict[str, tuple[Face, Handler]]:
        """Return path to face and handler of the routes that answer POST."""
        return {_OF_REVISION: (Face.ORES, self._revision)}

    async def _wikis(self, request: Request) -> Response:
        asked = await read_ores_request(request)
        wikis = sorted(self._resources.catalogue.wikis.items())
        return _respond(asked, {wiki_id: _described(models, asked) for wiki_id, models in wikis})

    async def _wiki(self, request: Request) -> Response:
        return await self._answer(request, await read_ores_request(request))

    async def _model(self, request: Request) -> Response:
        model_name: str = request.path_params["model_name"]
        return await self._answer(request, await read_ores_request(request, model_name=model_name))

    async def _revision(self, request: Request) -> Response:
        model_name: str = request.path_params["model_name"]
        rev_id = revision_in_path(request)
        return await self._answer(
            request, await read_ores_request(request, rev_id=rev_id, model_name=model_name)
        )

    async def _precache(self, request: Request) -> Response:
        """Answer about the revision of an event with the models that rules name; with nothing if none do."""
        event = precached_event(_event(request), self._resources.catalogue, self._resources.rules)
        if not event.models:
            return Response(status_code=204)
        is_compact = request.query_params.get("format") == "json"
        asked = OresRequest(rev_ids=(event.rev_id,), is_precache=True, is_compact=is_compact)
        return await self._scores(asked, event.wiki_id, event.models)

    async def _answer(self, request: Request, asked: OresRequest) -> Response:
        wiki_id: str = request.path_params["wiki_id"]
        models = models_asked(self._resources.catalogue, wiki_id, asked.model_names)
        return await self._scores(asked, wiki_id, models)

    async def _scores(self, asked: OresRequest, wiki_id: str, models: Mapping[str, ModelInfo]) -> Response:
        document = _described(models, asked)
        if asked.rev_ids:
            _add_scores(document, await answers_about(self._resources, wiki_id, models, asked))
        return _respond(asked, {wiki_id: document})


def _add_scores(document: Document, answers: Answers) -> None:
    """Add scores, or typed errors in their place, and features to what is told of models by name."""
    for rev_id, found in answers.items():
        for name, scored in found.items():
            model = document[name]
            scores: Document = model.setdefault("scores", {})
            if not isinstance(scored.outcome, Score):
                scores[str(rev_id)] = {"error": ores_entry(scored.outcome, rev_id)}
                continue
            scores[str(rev_id)] = ores_score(scored.outcome)
            if scored.features is not None:
                model.setdefault("features", {})[str(rev_id)] = ores_features(scored.features)


def _event(request: Request) -> bytes:
    """Return the JSON of the event in the query, which clients escape once or twice."""
    text = request.query_params.get("event")
    if text is None:
        raise RequestInvalid("Must provide an 'event' parameter")
    for value in (text.encode(), unquote(text).encode()):
        try:
            read_event(value)
        except (ValueError, RecursionError):
            continue
        return value
    raise RequestInvalid("Can not parse event argument as JSON blob")


def _described(models: Mapping[str, ModelInfo], asked: OresRequest) -> Document:
    """Return the versions of models, with what the parameter ``model_info`` asks for."""
    document: Document = {name: {"version": info.id.model_version} for name, info in sorted(models.items())}
    if asked.info_paths is not None:
        for name, info in models.items():
            document[name]["info"] = model_info(info.document, asked.info_paths)
    return document


def _respond(asked: OresRequest, wikis: Document) -> Response:
    return ores_response({"scores": wikis}, is_compact=asked.is_compact)
