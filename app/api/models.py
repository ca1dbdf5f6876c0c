"""What is served: models by wiki, and of each its card, its test statistics and its thresholds."""

from collections.abc import Mapping
from typing import Final

from msgspec import to_builtins
from starlette.requests import Request
from starlette.responses import Response

from app.api.answers import Resources
from app.api.asked import require_wiki, served_model
from app.api.conditional import conditional_response
from app.api.documents import Document
from app.api.endpoint import Handler
from app.api.ours import parse_parameters, parse_wiki_id
from app.metrics import Face
from models.statistics import model_info, thresholds
from schemas.catalogue import ModelInfo
from schemas.errors import InfoPathMalformed, RequestInvalid, StatisticsNotFound

# Models change with a reload only.
_CACHE_SECONDS: Final = 60
_TEXT_MOST: Final = 500


class ModelsFace:
    """Handlers of ``/models``. A model is named ``damaging``, or ``damaging@0.5.1`` for a version of it."""

    def __init__(self, resources: Resources) -> None:
        self._catalogue = resources.catalogue
        self._health = resources.health

    def routes(self) -> dict[str, tuple[Face, Handler]]:
        """Return path to face and handler; all are GET."""
        return {
            "/models": (Face.MODELS, self._all),
            "/models/{wiki_id}": (Face.MODELS, self._of_wiki),
            "/models/{wiki_id}/{model_name}": (Face.MODELS, self._card),
            "/models/{wiki_id}/{model_name}/statistics": (Face.MODELS, self._statistics),
            "/models/{wiki_id}/{model_name}/thresholds": (Face.MODELS, self._thresholds),
            "/models/{wiki_id}/{model_name}/live": (Face.MODELS, self._live),
        }

    async def _all(self, request: Request) -> Response:
        parse_parameters(request, ())
        wikis = {wiki_id: {"models": self._listed(wiki_id)} for wiki_id in sorted(self._catalogue.wikis)}
        return _respond(request, {"wikis": wikis, "aliases": self._catalogue.aliases})

    async def _of_wiki(self, request: Request) -> Response:
        parse_parameters(request, ())
        wiki_id = self._wiki_id(request)
        return _respond(request, {"wiki_id": wiki_id, "models": self._listed(wiki_id)})

    async def _card(self, request: Request) -> Response:
        parse_parameters(request, ())
        wiki_id, info = self._asked(request)
        sections = info.document.sections()
        sections.pop("statistics", None)
        document = {
            **_identity(wiki_id, info),
            "model_sha512": info.id.model_sha512,
            "artefact": info.artefact,
            "stage": info.stage or None,
            **_summary(info),
            "versions": self._versions(wiki_id, info),
            "reads_content": info.reads_content,
            "reads_text_alone": info.reads_text_alone,
            "content_models": info.content_models,
            "card": info.card,
            "information": sections,
        }
        return _respond(request, document)

    async def _statistics(self, request: Request) -> Response:
        parse_parameters(request, ())
        wiki_id, info = self._asked(request)
        self._require_statistics(wiki_id, info)
        told = model_info(info.document, "statistics")
        return _respond(request, {**_identity(wiki_id, info), **told})

    async def _thresholds(self, request: Request) -> Response:
        given = parse_parameters(request, ("label", "formula"))
        wiki_id, info = self._asked(request)
        self._require_statistics(wiki_id, info)
        for name, value in given.items():
            if len(value) > _TEXT_MOST:
                raise RequestInvalid(
                    f"The parameter {name} has {len(value)} characters; {_TEXT_MOST} are the most.",
                    parameter=name,
                )
        try:
            found = thresholds(info.document, given.get("label"), given.get("formula"))
        except InfoPathMalformed as error:
            raise RequestInvalid(error.message, parameter="formula") from error
        return _respond(request, {**_identity(wiki_id, info), "thresholds": found})

    async def _live(self, request: Request) -> Response:
        parse_parameters(request, ())
        wiki_id, info = self._asked(request)
        if self._health is None:
            raise StatisticsNotFound(
                "This process does not see the stream, so it cannot tell how models do now. Ask a worker.",
                wiki_id=wiki_id,
                model_name=info.id.model_name,
            )
        health = self._health(wiki_id, info.id.model_name)
        return _respond(request, {**_identity(wiki_id, info), **to_builtins(health)})

    def _wiki_id(self, request: Request) -> str:
        wiki_id = parse_wiki_id(request)
        require_wiki(self._catalogue.wikis, wiki_id)
        return wiki_id

    def _asked(self, request: Request) -> tuple[str, ModelInfo]:
        wiki_id = parse_wiki_id(request)
        return wiki_id, served_model(self._catalogue, wiki_id, request.path_params["model_name"])

    def _listed(self, wiki_id: str) -> Document:
        models: Mapping[str, ModelInfo] = self._catalogue.models(wiki_id)
        return {
            name: {
                "model_version": info.id.model_version,
                **_summary(info),
                "versions": self._versions(wiki_id, info),
            }
            for name, info in sorted(models.items())
        }

    def _versions(self, wiki_id: str, info: ModelInfo) -> list[str]:
        """Return the versions of a model that answer when asked for, the one that is served first."""
        name = info.id.model_name
        served = self._catalogue.models(wiki_id).get(name, info).id.model_version
        others = (
            other.id.model_version
            for other in self._catalogue.versions.get(wiki_id, {}).values()
            if other.id.model_name == name
        )
        return list(dict.fromkeys((served, *others)))

    def _require_statistics(self, wiki_id: str, info: ModelInfo) -> None:
        if not info.document.statistics:
            raise StatisticsNotFound(
                f"{info.id.model_name} {info.id.model_version} of {wiki_id} came without test statistics.",
                wiki_id=wiki_id,
                model_name=info.id.model_name,
            )


def _identity(wiki_id: str, info: ModelInfo) -> Document:
    return {
        "wiki_id": wiki_id,
        "model_name": info.id.model_name,
        "model_version": info.id.model_version,
    }


def _summary(info: ModelInfo) -> Document:
    return {
        "kind": info.kind,
        "labels": info.labels,
        "has_statistics": bool(info.document.statistics),
    }


def _respond(request: Request, document: Document) -> Response:
    return conditional_response(request, document, cache_seconds=_CACHE_SECONDS)
