"""ORES's face, version 3: lists of models, scores of revisions, and scores ahead of time."""

import asyncio
from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import Response

from app.api.answers import Resources
from app.api.documents import Document, ores_answers, ores_models
from app.api.endpoint import Handler
from app.api.ores_json import ores_response
from app.api.ores_precache import precached
from app.api.ores_request import OresRequest, read_ores_request
from app.api.ores_scores import answers_about, models_asked, revision_in_path
from app.metrics import Face
from models.statistics import model_info
from schemas.catalogue import ModelInfo
from schemas.errors import RequestInvalid

REVISIONS_MOST = 50
# ORES forbids every cache: tools poll it, and expect what is new.
HEADERS: Mapping[str, str] = {
    "cache-control": "no-store, no-cache, max-age=0",
    "pragma": "no-cache",
    "expires": "Thu, 01 Jan 1970 00:00:00 GMT",
}
_WIKI = "/v3/scores/{wiki_id}"
_REVISION = "/v3/scores/{wiki_id}/{rev_id}"
_MODEL = "/v3/scores/{wiki_id}/{rev_id}/{model_name}"


class OresFace:
    """Handlers of ``/v3/scores`` and ``/v3/precache``."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources

    def routes(self) -> dict[str, tuple[Face, Handler]]:
        """Return path to face and handler of the routes that answer GET."""
        return {"/v3/scores": (Face.ORES, self._list_wikis), **self._both()}

    def post_routes(self) -> dict[str, tuple[Face, Handler]]:
        """Return path to face and handler of the routes that answer POST."""
        return {"/v3/precache": (Face.ORES, self._precache), **self._both()}

    def _both(self) -> dict[str, tuple[Face, Handler]]:
        return {
            _WIKI: (Face.ORES, self._wiki),
            _REVISION: (Face.ORES, self._revision),
            _MODEL: (Face.ORES, self._revision),
        }

    async def _list_wikis(self, request: Request) -> Response:
        asked = await read_ores_request(request)
        wikis: Document = {}
        for wiki_id, models in sorted(self._resources.catalogue.wikis.items()):
            wikis[wiki_id] = _described(asked, models)
            # Statistics of every model there is take long to tell.
            await asyncio.sleep(0)
        return _respond(asked, wikis)

    async def _wiki(self, request: Request) -> Response:
        return await self._answer(request, await read_ores_request(request))

    async def _revision(self, request: Request) -> Response:
        rev_id, model_name = revision_in_path(request), request.path_params.get("model_name")
        asked = await read_ores_request(request, rev_id=rev_id, model_name=model_name)
        return await self._answer(request, asked)

    async def _precache(self, request: Request) -> Response:
        """Answer about the revision of an event with the models that rules name; with nothing if none do."""
        event = await precached(request, self._resources)
        if not event.models:
            return Response(status_code=204)
        is_compact = request.query_params.get("format") == "json"
        asked = OresRequest(rev_ids=(event.rev_id,), is_precache=True, is_compact=is_compact)
        return await self._scores(asked, event.wiki_id, event.models)

    async def _answer(self, request: Request, asked: OresRequest) -> Response:
        if len(asked.rev_ids or ()) > REVISIONS_MOST:
            raise RequestInvalid(f"Too many values for 'revids' parameter.  Max of {REVISIONS_MOST}.")
        wiki_id: str = request.path_params["wiki_id"]
        models = models_asked(self._resources.catalogue, wiki_id, asked.model_names)
        if asked.rev_ids is None:
            return _respond(asked, {wiki_id: _described(asked, models)})
        return await self._scores(asked, wiki_id, models)

    async def _scores(self, asked: OresRequest, wiki_id: str, models: Mapping[str, ModelInfo]) -> Response:
        described = _described(asked, models)
        answers = await answers_about(self._resources, wiki_id, models, asked)
        scores = {str(rev_id): ores_answers(rev_id, found) for rev_id, found in answers.items()}
        return _respond(asked, {wiki_id: {**described, "scores": scores}})


def _described(asked: OresRequest, models: Mapping[str, ModelInfo]) -> Document:
    """Return versions, or what the parameter ``model_info`` asks for."""
    if asked.info_paths is None:
        return ores_models(models)
    paths = asked.info_paths
    return {"models": {name: model_info(info.document, paths) for name, info in sorted(models.items())}}


def _respond(asked: OresRequest, document: Document) -> Response:
    return ores_response(document, is_compact=asked.is_compact)
