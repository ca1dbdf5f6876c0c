"""ORES's version 1, which also answers without a version in the path."""

from collections.abc import Mapping

from msgspec.structs import replace
from starlette.requests import Request
from starlette.responses import Response

from app.api.answers import Resources
from app.api.documents import Document, ores_score
from app.api.endpoint import BesideHandler, Handler
from app.api.errors import ores_entry
from app.api.lists import asks_for_list
from app.api.ores_json import ores_response
from app.api.ores_request import OresRequest, read_ores_request
from app.api.ores_scores import Answers, answers_about, models_asked, revision_in_path
from app.metrics import Face
from models.statistics import model_info
from schemas.catalogue import ModelInfo
from schemas.prediction import Score, ScoredModel

PREFIXES = ("/v1/scores", "/scores")
OF_WIKI = "/{wiki_id}"
OF_MODEL = "/{wiki_id}/{model_name}"
OF_REVISION = "/{wiki_id}/{model_name}/{rev_id}"
# Our own face answers here as well: about a revision, where this one has the name of a model.
SHARED = "/scores/{wiki_id}/{rev_id}"
# And about the newest revisions of a wiki, where its parameters are given.
SHARED_WIKI = "/scores/{wiki_id}"


class OresV1Face:
    """Handlers of ``/v1/scores`` and ``/scores``."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources

    def routes(self) -> dict[str, tuple[Face, Handler]]:
        """Return path to face and handler of the routes that answer GET."""
        routes: dict[str, tuple[Face, Handler]] = {}
        for prefix in PREFIXES:
            routes[prefix] = (Face.ORES, self._contexts)
            routes[prefix + OF_REVISION] = (Face.ORES, self._revision)
        return {
            **routes,
            "/v1/scores" + OF_WIKI: (Face.ORES, self._wiki),
            "/v1/scores" + OF_MODEL: (Face.ORES, self._model),
        }

    def post_routes(self) -> dict[str, tuple[Face, Handler]]:
        """Return path to face and handler of the routes that answer POST."""
        return {prefix + OF_REVISION: (Face.ORES, self._revision) for prefix in PREFIXES}

    def routes_beside(self) -> dict[str, BesideHandler]:
        """Return what answers GET in the place of other faces' routes."""
        return {
            SHARED: BesideHandler(self._model, names_model),
            SHARED_WIKI: BesideHandler(self._wiki, asks_for_no_list),
        }

    async def _contexts(self, request: Request) -> Response:
        asked = await read_ores_request(request)
        return _respond(asked, {"contexts": sorted(self._resources.catalogue.wikis)})

    async def _wiki(self, request: Request) -> Response:
        return await self._answer(request, await read_ores_request(request), None)

    async def _model(self, request: Request) -> Response:
        places = request.path_params
        model_name: str = places["model_name"] if "model_name" in places else places["rev_id"]
        return await self._answer(
            request, await read_ores_request(request, model_name=model_name), model_name
        )

    async def _revision(self, request: Request) -> Response:
        model_name: str = request.path_params["model_name"]
        rev_id = revision_in_path(request)
        asked = await read_ores_request(request, rev_id=rev_id, model_name=model_name)
        return await self._answer(request, asked, model_name)

    async def _answer(self, request: Request, asked: OresRequest, model_name: str | None) -> Response:
        """Answer with scores, or with what is told of the models where no revision is asked for.

        Where the path names the model, what is below its name is the whole answer.
        """
        wiki_id: str = request.path_params["wiki_id"]
        models = models_asked(self._resources.catalogue, wiki_id, asked.model_names)
        if not asked.rev_ids:
            infos = {name: _told(info) for name, info in models.items()}
            return _respond(asked, {"models": infos} if model_name is None else infos[model_name])
        # Features have no place in this version, so that nothing is scored for their sake.
        asked = replace(asked, has_features=False)
        answers = await answers_about(self._resources, wiki_id, models, asked)
        return _respond(asked, _scores(answers, model_name))


def names_model(request: Request) -> bool:
    """Tell whether the last part of a path names a model: it begins with a letter, which no number does."""
    last: str = request.path_params["rev_id"]
    return last[:1].isalpha()


def asks_for_no_list(request: Request) -> bool:
    """Tell whether a request has no parameter of our own lists."""
    return not asks_for_list(request)


def _told(info: ModelInfo) -> Document:
    # An empty list of paths asks for the usual sections.
    return model_info(info.document, "")


def _scores(answers: Answers, model_name: str | None) -> Document:
    if model_name is not None:
        return {str(rev_id): _entry(rev_id, found[model_name]) for rev_id, found in answers.items()}
    return {str(rev_id): _entries(rev_id, found) for rev_id, found in answers.items()}


def _entries(rev_id: int, found: Mapping[str, ScoredModel]) -> Document:
    return {name: _entry(rev_id, scored) for name, scored in found.items()}


def _entry(rev_id: int, scored: ScoredModel) -> Document:
    """Return a score or a typed error."""
    if isinstance(scored.outcome, Score):
        return ores_score(scored.outcome)
    return {"error": ores_entry(scored.outcome, rev_id)}


def _respond(asked: OresRequest, document: Document) -> Response:
    return ores_response(document, is_compact=asked.is_compact)
