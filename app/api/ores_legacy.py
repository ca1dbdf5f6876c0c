"""ORES's paths the way that ores-legacy answers them, the service that took ORES's place over Lift Wing."""

import asyncio
import json
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import ClassVar

from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response

from app.api import errors
from app.api.answers import Resources, answer
from app.api.documents import Document, ores_features, ores_models
from app.api.endpoint import BesideHandler, Handler
from app.api.errors import Failure, MethodNotAllowed, RouteUnknown, liftwing_failure, status_of
from app.api.numbers import parse_id
from app.api.ores_v1 import (
    OF_MODEL,
    OF_REVISION,
    PREFIXES,
    SHARED,
    SHARED_WIKI,
    asks_for_no_list,
    names_model,
)
from app.metrics import Face
from schemas.catalogue import ModelInfo
from schemas.errors import ModelNotFound, NotReady, RequestInvalid, RevstreamError, WikiUnknown
from schemas.prediction import Score, ScoredModel

_NOT_FOUND = "not found"
_NO_REVISION = "The MW API does not have any info related to the rev-id"
_TRUE_WORDS = frozenset({"", "1", "on", "t", "true", "y", "yes"})
_FALSE_WORDS = frozenset({"0", "off", "f", "false", "n", "no"})
# Of models of whatever kind.
_AS_BOOLEANS = {"true": True, "false": False}
_UNSUPPORTED = ("model_info", "inject")


class LegacyRefusal(RequestInvalid):
    """A request that ORES took and ores-legacy does not."""

    ores_code: ClassVar[str] = "bad request"


class NoLongerServed(LegacyRefusal):
    """What was asked for went with ORES."""

    ores_code = _NOT_FOUND


class TooManyScores(LegacyRefusal):
    """More scores than one request may ask for."""

    ores_code = "too many requests"


class BadParameter(LegacyRefusal):
    """A part of the path or of the query has the wrong form.

    Args:
        place: ``path`` or ``query``.
        name: Of the part.
        kind: What it was to be, in the words of pydantic 1: ``integer``.
        message: In the same words.
    """

    def __init__(self, place: str, name: str, kind: str, message: str) -> None:
        super().__init__(message)
        self.detail = [{"loc": [place, name], "msg": message, "type": f"type_error.{kind}"}]


class CallbackRefused(LegacyRefusal):
    """Answers come as JSON only."""

    ores_code = _NOT_FOUND


def envelope(error: RevstreamError) -> Failure:
    """Return an error as FastAPI shows it: the rest in ``detail``, but for refused callbacks."""
    failure = errors.ores(error)
    document: Document = {"detail": failure.document}
    status = failure.status
    match error:
        case RouteUnknown() | MethodNotAllowed():
            document = {"detail": HTTPStatus(status).phrase}
        case BadParameter():
            status, document = 422, {"detail": error.detail}
        case ModelNotFound() | LegacyRefusal():
            status = 400
            code = error.ores_code if isinstance(error, LegacyRefusal) else _NOT_FOUND
            shown = {"error": {"code": code, "message": error.message}}
            document = shown if isinstance(error, CallbackRefused) else {"detail": shown}
    return Failure(status, document, failure.headers)


class OresLegacyFace:
    """Handlers of ORES's paths, to be served in place of those of ORES itself.

    Args:
        resources: What to ask.
        scores_most: Revisions times models of one request for several revisions.
    """

    def __init__(self, resources: Resources, scores_most: int) -> None:
        self._resources = resources
        self._scores_most = scores_most
        self._wikis = resources.catalogue.wikis
        self._counters = resources.metrics.faces[Face.ORES]

    def routes(self) -> dict[str, tuple[Face, Handler]]:
        """Return path to face and handler; all are GET."""
        handlers: dict[str, Handler] = {
            "/ui": self._ui,
            "/v3/scores": self._list_wikis,
            "/v3/scores/{wiki_id}": self._wiki,
            "/v3/scores/{wiki_id}/{rev_id}": self._revision,
            "/v3/scores/{wiki_id}/{rev_id}/{model_name}": self._revision,
        }
        for prefix in PREFIXES:
            for place in ("", "/{wiki_id}", OF_MODEL, OF_REVISION):
                handlers[prefix + place] = self._deprecated
        del handlers[SHARED_WIKI], handlers[PREFIXES[1] + OF_MODEL]
        return {path: (Face.ORES, _checked(handler)) for path, handler in handlers.items()}

    def routes_beside(self) -> dict[str, BesideHandler]:
        """Return what answers GET in the place of other faces' routes."""
        return {
            "/": BesideHandler(_checked(self._root), lambda _: True),
            SHARED: BesideHandler(_checked(self._deprecated), names_model),
            SHARED_WIKI: BesideHandler(_checked(self._deprecated), asks_for_no_list),
        }

    async def _root(self, _: Request) -> Response:
        return RedirectResponse("/docs", 307)

    async def _ui(self, _: Request) -> Response:
        return PlainTextResponse("The form of ORES is gone. /docs describes what can be asked here.\n")

    async def _deprecated(self, _: Request) -> Response:
        raise NoLongerServed("ORES support for v1 has been deprecated. Please use v3.")

    async def _list_wikis(self, _: Request) -> Response:
        return _respond({wiki_id: ores_models(models) for wiki_id, models in sorted(self._wikis.items())})

    async def _wiki(self, request: Request) -> Response:
        has_features = _has_features(request)
        names = self._names(request)
        models = self._models(request.path_params["wiki_id"], names)
        texts = request.query_params.get("revids")
        rev_ids = [parse_id(text) for text in texts.split("|")] if texts else []
        known = [rev_id for rev_id in rev_ids if rev_id is not None]
        if len(known) != len(rev_ids):
            raise LegacyRefusal("Each revision id must be a valid integer")
        count = len(rev_ids) * len(names)
        if count > self._scores_most:
            raise TooManyScores(
                f"Scoring more than {self._scores_most} scores is not supported anymore by this endpoint. "
                f"This request asks for {count} of them. Ask for fewer at a time, or for one revision at a "
                "time by /v3/scores/{context}/{revid}.",
            )
        if not known:
            shown = {name: {"version": info.id.model_version} for name, info in models.items()}
            return _respond({request.path_params["wiki_id"]: {"models": shown}})
        return await self._scores(request, models, known, has_features=has_features)

    async def _revision(self, request: Request) -> Response:
        rev_id = parse_id(request.path_params["rev_id"])
        if rev_id is None:
            raise BadParameter("path", "revid", "integer", "value is not a valid integer")
        has_features = _has_features(request)
        models = self._models(request.path_params["wiki_id"], self._names(request))
        return await self._scores(request, models, [rev_id], has_features=has_features)

    def _names(self, request: Request) -> list[str]:
        """Return the names of models asked for, as often as they are named; all of the wiki if none is."""
        if "model_name" in request.path_params:
            return [request.path_params["model_name"]]
        named = request.query_params.get("models")
        return named.split("|") if named else sorted(self._wikis.get(request.path_params["wiki_id"], ()))

    def _models(self, wiki_id: str, names: Iterable[str]) -> dict[str, ModelInfo]:
        """Return the models of these names, in their order."""
        if wiki_id not in self._wikis:
            raise WikiUnknown(f"No scorers available for {wiki_id[:100]}")
        models = {}
        for name in names:
            info = self._resources.catalogue.find(wiki_id, name)
            if info is None:
                raise ModelNotFound(f"Models {(name[:100],)} not available for {wiki_id}")
            models[name] = info
        return models

    async def _scores(
        self, request: Request, models: Mapping[str, ModelInfo], rev_ids: Iterable[int], *, has_features: bool
    ) -> Response:
        wiki_id: str = request.path_params["wiki_id"]
        if has_features and self._resources.on_demand is None:
            raise LegacyRefusal(
                "Features are not stored, and this server does not score on demand. Ask without 'features'."
            )

        async def one(rev_id: int) -> Document:
            try:
                found = await answer(
                    self._resources, self._counters, wiki_id, rev_id, models, with_features=has_features
                )
            except NotReady as error:
                return dict.fromkeys(models, _refused(error.message, status_of(error)))
            return {name: _entry(rev_id, scored, models[name].labels) for name, scored in found.items()}

        rev_ids = list(dict.fromkeys(rev_ids))
        found = await asyncio.gather(*map(one, rev_ids))
        versions = {name: {"version": info.id.model_version} for name, info in models.items()}
        scores = {str(rev_id): entries for rev_id, entries in zip(rev_ids, found, strict=True)}
        return _respond({wiki_id: {"models": versions, "scores": scores}})


def _entry(rev_id: int, scored: ScoredModel, labels: Iterable[str]) -> Document:
    """Return a score, or what Lift Wing's refusal becomes here: its text, and its status in words.

    Args:
        rev_id: Of the revision.
        scored: One model's answer about it.
        labels: Of the model, in the order in which it gives their probabilities; tables keep another.
    """
    if isinstance(scored.outcome, Score):
        given, said = scored.outcome.probability, scored.outcome.prediction_value()
        probability = {label: given[label] for label in labels if label in given} | given
        prediction = _AS_BOOLEANS.get(said.lower(), said) if isinstance(said, str) else said
        entry: Document = {"score": {"prediction": prediction, "probability": probability}}
        if scored.features is not None:
            entry["features"] = ores_features(scored.features)
        return entry
    failure = liftwing_failure(scored.outcome, rev_id)
    message: str = failure.document["error"]
    if message.startswith(_NO_REVISION):
        return {
            "error": {
                "message": f"RevisionNotFound: Could not find revision ({{revision}}:{rev_id})",
                "type": "RevisionNotFound",
            }
        }
    return _refused(message, failure.status)


def _refused(message: str, status: int) -> Document:
    return {"error": {"message": message, "type": HTTPStatus(status).phrase}}


def _checked(handler: Handler) -> Handler:
    async def handle(request: Request) -> Response:
        if "callback" in request.query_params:
            raise CallbackRefused(
                "Callback parameters are not allowed. The API will return only JSONresponses."
            )
        for name in _UNSUPPORTED:
            if name in request.query_params:
                raise LegacyRefusal(
                    f"{name} query parameter is not supported by this endpoint anymore. Ask without it."
                )
        return await handler(request)

    return handle


def _has_features(request: Request) -> bool:
    word = request.query_params.get("features", "false").lower()
    if word not in _TRUE_WORDS | _FALSE_WORDS:
        raise BadParameter("query", "features", "bool", "value could not be parsed to a boolean")
    return word in _TRUE_WORDS


def _respond(document: Document) -> Response:
    # Python's own writer: clients may have got used to its blanks at line ends, and to e-05 for e-5.
    body = json.dumps(document, ensure_ascii=False, allow_nan=False, indent=2, separators=(", ", ": "))
    return Response(body, media_type="application/json")
