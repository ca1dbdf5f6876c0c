"""The routes that each KServe server has beside its models: health, models and what they are."""

from collections.abc import Awaitable, Callable, Mapping
from importlib.metadata import version as package_version
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from app.api.answers import Resources
from app.api.documents import Document
from app.api.endpoint import Handler, json_response
from app.api.liftwing_answer import Answer
from app.api.liftwing_body import read_object
from app.api.liftwing_infer import INPUTS, OUTPUTS, infer_answer, parse_infer
from app.api.liftwing_names import ModelNames
from app.metrics import Face
from models.statistics import model_info
from schemas.errors import InfoPathMalformed, ModelNotFound, NotReady, RequestInvalid

PLATFORM: Final = "revstream"
"""Also the name of the package."""

Predict = Callable[[str, Mapping[str, Any]], Awaitable[Answer]]


class KServeFace:
    """Handlers of ``/v1/models``, which answer GET, and of ``/v2``.

    Args:
        resources: What to ask.
        names: Names of models.
        predict: Answers a request to a model of a name.
    """

    def __init__(self, resources: Resources, names: ModelNames, predict: Predict) -> None:
        self._resources = resources
        self._names = names
        self._predict = predict

    def routes(self) -> dict[str, tuple[Face, Handler]]:
        """Return path to face and handler of the routes that answer GET."""
        handlers: dict[str, Handler] = {
            "/v1/models": self._list,
            "/v1/models/{name}": self._model,
            "/v2": self._server,
            "/v2/health/live": self._live,
            "/v2/health/ready": self._ready,
            "/v2/models": self._list,
            "/v2/models/{name}": self._metadata,
            "/v2/models/{name}/ready": self._model_ready,
            "/v2/models/{name}/versions/{version}": self._metadata,
            "/v2/models/{name}/versions/{version}/ready": self._model_ready,
        }
        return {path: (Face.LIFTWING, handler) for path, handler in handlers.items()}

    def post_routes(self) -> dict[str, tuple[Face, Handler]]:
        """Return path to face and handler of the routes that answer POST."""
        return {
            "/v2/models/{name}/infer": (Face.LIFTWING, self._infer),
            "/v2/models/{name}/versions/{version}/infer": (Face.LIFTWING, self._infer),
        }

    async def _list(self, _: Request) -> Response:
        return json_response({"models": [*self._names]})

    async def _model(self, request: Request) -> Response:
        """Answer whether a model is ready, its version, and what the parameter ``model_info`` asks for."""
        name: str = request.path_params["name"]
        self._names.require_ready(name)
        infos = self._names.infos(name)
        document: Document = {"name": name, "ready": True}
        if len(infos) == 1:
            document["version"] = infos[0].id.model_version
        paths = request.query_params.get("model_info")
        if paths is not None:
            if len(infos) > 1:
                raise RequestInvalid(
                    f"Several models answer as {name}, by wiki. Ask of one: /v1/models/{{wiki}}-{name}."
                )
            try:
                document["model_info"] = model_info(infos[0].document, paths)
            except InfoPathMalformed as error:
                raise RequestInvalid(error.message) from error
        return json_response(document)

    async def _server(self, _: Request) -> Response:
        return json_response({"name": PLATFORM, "version": package_version(PLATFORM), "extensions": []})

    async def _live(self, _: Request) -> Response:
        return json_response({"live": True})

    async def _ready(self, _: Request) -> Response:
        freshness = self._resources.reader.freshness()
        reasons = [*self._resources.readiness(), *(() if freshness.is_ready else freshness.reasons)]
        if reasons:
            raise NotReady(f"Server is not ready: {', '.join(reasons)}.")
        return json_response({"ready": True})

    async def _metadata(self, request: Request) -> Response:
        name, infos = self._named(request)
        versions = sorted({info.id.model_version for info in infos})
        return json_response(
            {"name": name, "versions": versions, "platform": PLATFORM, "inputs": INPUTS, "outputs": OUTPUTS}
        )

    async def _model_ready(self, request: Request) -> Response:
        name, _ = self._named(request)
        self._names.require_ready(name)
        return json_response({"name": name, "ready": True})

    async def _infer(self, request: Request) -> Response:
        name, infos = self._named(request)
        body = await read_object(request)
        answer = await self._predict(name, parse_infer(body))
        version = infos[0].id.model_version if len(infos) == 1 else None
        return infer_answer(request.path_params["name"], version, body, answer).response()

    def _named(self, request: Request) -> tuple[str, list[Any]]:
        """Return the name that answers, with its version where the path has one, and what it stands for."""
        name: str = request.path_params["name"]
        version: str | None = request.path_params.get("version")
        infos = self._names.infos(name)
        if version is None or {info.id.model_version for info in infos} == {version}:
            return name, infos
        if self._names.is_shared(name):
            raise ModelNotFound(f"Model with name {name} does not exist in version {version[:100]}.")
        name = f"{name}@{version}"
        return name, self._names.infos(name)
