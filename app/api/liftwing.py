"""Lift Wing's face: predictions by KServe's first protocol, and by Open Inference."""

import asyncio
import functools
from collections.abc import Mapping
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from app.api.answers import Resources, answer
from app.api.documents import ores_answers, ores_models
from app.api.endpoint import Handler, json_response
from app.api.errors import liftwing, liftwing_failure
from app.api.liftwing_answer import Answer, Predictor
from app.api.liftwing_body import LargeBodies, read_object
from app.api.liftwing_direct import DirectModels
from app.api.liftwing_names import (
    LANGID,
    MULTILINGUAL_REVERT_RISK,
    OUTLINKS,
    REVERT_RISK,
    ModelNames,
    WikiModel,
)
from app.api.liftwing_revertrisk import (
    DataIncomplete,
    RevertRiskRequest,
    RevisionAsked,
    parse_revertrisk,
    revertrisk_answers,
)
from app.api.liftwing_revscoring import extended_output, instances, revision_asked
from app.api.liftwing_server import KServeFace
from app.metrics import Face
from schemas.catalogue import ModelInfo
from schemas.errors import RequestInvalid, RevisionNotFound, RevstreamError
from schemas.prediction import ScoredModel, ScoreFailure

HEADERS: Mapping[str, str] = {"cache-control": "no-cache"}

_ID_END: Final = 1 << 63
_WITH_BATCH: Final = {REVERT_RISK: True, MULTILINGUAL_REVERT_RISK: False}


class LiftWingFace:
    """Handlers of ``/v1/models`` and ``/v2``. A model is named ``{wiki}-{model}``: ``enwiki-damaging``.

    The path alone says which model is meant, whatever the ``Host``: behind Lift Wing's gateway each model had
    a host of its own, and its clients still send that. Whatever is known of a request is an argument here,
    never an attribute, so that one request cannot be answered with another's.
    """

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._names = ModelNames(resources)
        self._direct = DirectModels(resources)
        self._large_bodies = LargeBodies()
        self._counters = resources.metrics.faces[Face.LIFTWING]
        self._server = KServeFace(resources, self._names, self._predict)
        self._shared: Mapping[str, Predictor] = {
            LANGID: self._direct.langid,
            OUTLINKS: self._direct.outlinks,
            **{name: functools.partial(self._revert_risk, name) for name in _WITH_BATCH},
        }

    def routes(self) -> dict[str, tuple[Face, Handler]]:
        """Return path to face and handler of the routes that answer GET."""
        return self._server.routes()

    def post_routes(self) -> dict[str, tuple[Face, Handler]]:
        """Return path to face and handler of the routes that answer POST."""
        shared: dict[str, tuple[Face, Handler]] = {
            f"/v1/models/{name}:predict": (Face.LIFTWING, functools.partial(self._post, name=name))
            for name in self._shared
        }
        return {
            **shared,
            "/v1/models/{name}:predict": (Face.LIFTWING, self._post),
            "/v1/models/{name}:explain": (Face.LIFTWING, self._explain),
            **self._server.post_routes(),
        }

    async def _post(self, request: Request, name: str | None = None) -> Response:
        name = name or request.path_params["name"]
        self._names.infos(name)
        if name not in _WITH_BATCH:
            return (await self._predict(name, await read_object(request))).response()
        async with self._large_bodies.reading(request) as body:
            return (await self._predict(name, body)).response()

    async def _explain(self, request: Request) -> Response:
        name: str = request.path_params["name"]
        self._names.infos(name)
        return json_response({"error": f"Model with name {name[:200]} has no explainer."}, status=501)

    async def _predict(self, name: str, body: Mapping[str, Any]) -> Answer:
        if not self._names.is_shared(name):
            return await self._of_wiki(self._names.wiki_model(name), body)
        return await self._shared[name](body)

    async def _of_wiki(self, model: WikiModel, body: Mapping[str, Any]) -> Answer:
        has_features = extended_output(body)
        if has_features and self._resources.on_demand is None:
            raise RequestInvalid(
                "Features are not stored, and this server does not score on demand. Ask without "
                "extended_output."
            )
        if "instances" not in body:
            return await self._of_revision(model, body, has_features=has_features)

        async def one(instance: Mapping[str, Any]) -> Answer:
            try:
                return await self._of_revision(model, instance, has_features=has_features)
            except RevstreamError as error:
                return Answer.failed(liftwing(error))

        found = await asyncio.gather(*map(one, instances(body)))
        predictions = [
            each.document if each.status == 200 else {**each.document, "status_code": each.status}
            for each in found
        ]
        # Where not one is scored, the whole answer is as the first.
        best = next((each for each in found if each.status == 200), found[0])
        return Answer({"predictions": predictions}, best.status, best.headers)

    async def _of_revision(self, model: WikiModel, body: Mapping[str, Any], *, has_features: bool) -> Answer:
        rev_id = revision_asked(body, model.wiki_id)
        if not 0 < rev_id < _ID_END:
            return Answer.failed(liftwing_failure(ScoreFailure(RevisionNotFound.code, ""), rev_id))
        models = {model.model_name: model.info}
        found = await answer(
            self._resources, self._counters, model.wiki_id, rev_id, models, with_features=has_features
        )
        outcome = found[model.model_name].outcome
        if isinstance(outcome, ScoreFailure):
            return Answer.failed(liftwing_failure(outcome, rev_id))
        scores = {str(rev_id): ores_answers(rev_id, found)}
        return Answer({model.wiki_id: {**ores_models(models), "scores": scores}})

    async def _revert_risk(self, name: str, body: Mapping[str, Any]) -> Answer:
        allows_batch = _WITH_BATCH[name]
        try:
            wanted = parse_revertrisk(body, allows_batch=allows_batch)
        except DataIncomplete as error:
            return Answer({"detail": error.message, **error.fields}, 400)
        scored = await self._revert_risks(name, wanted)
        status, document = revertrisk_answers(wanted, scored, allows_batch=allows_batch)
        return Answer(document, status)

    async def _revert_risks(self, name: str, wanted: RevertRiskRequest) -> list[ScoredModel]:
        if wanted.unsaved is not None:
            wiki_id = wanted.unsaved.wiki_id
            info = self._revert_risk_model(name, wiki_id, wiki_id.removesuffix("wiki"))
            return [await self._direct.score(wanted.unsaved, info)]

        async def one(asked: RevisionAsked) -> ScoredModel:
            info = self._revert_risk_model(name, asked.wiki_id, asked.lang)
            models = {name: info}
            found = await answer(self._resources, self._counters, asked.wiki_id, asked.rev_id, models)
            return found[name]

        return await asyncio.gather(*map(one, wanted.asked))

    def _revert_risk_model(self, name: str, wiki_id: str, lang: str) -> ModelInfo:
        info = self._resources.catalogue.find(wiki_id, name)
        if info is None:
            raise RequestInvalid(
                f"lang '{lang[:100]}' does not exist in the canonical Wikipedia language list."
            )
        return info
