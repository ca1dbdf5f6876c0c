"""Lift Wing's face: one prediction per request, by KServe's first protocol."""

import asyncio
from collections.abc import Mapping
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from app.api.answers import Resources, answer
from app.api.documents import ores_answers, ores_models
from app.api.endpoint import Handler, failure_response, json_response
from app.api.errors import liftwing_failure
from app.api.liftwing_body import LargeBodies, read_object
from app.api.liftwing_direct import LANGID, OUTLINKS, DirectModels
from app.api.liftwing_revertrisk import (
    RevertRiskRequest,
    RevisionAsked,
    parse_revertrisk,
    revertrisk_answers,
)
from app.metrics import Face
from schemas.catalogue import ModelInfo
from schemas.decode import decode_event
from schemas.errors import (
    EventSchemaUnsupported,
    ModelNotFound,
    RequestInvalid,
    RevisionNotFound,
)
from schemas.page_change import PageChange
from schemas.prediction import ScoredModel, ScoreFailure

HEADERS: Mapping[str, str] = {"cache-control": "no-cache"}
REVERT_RISK = "revertrisk-language-agnostic"
"""A model that Lift Wing names without a wiki: its clients send the language."""

_ID_END = 1 << 63
_SCHEMAS = ("/mediawiki/page/change/", "/mediawiki/revision/create/")


class LiftWingFace:
    """Handlers of ``/v1/models``. A model is named ``{wiki}-{model}``, such as ``enwiki-damaging``."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._direct = DirectModels(resources)
        self._large_bodies = LargeBodies()
        self._counters = resources.metrics.faces[Face.LIFTWING]
        self._models: dict[str, tuple[str, str, ModelInfo]] = {
            f"{wiki_id}-{name}": (wiki_id, name, info)
            for wiki_id, models in sorted(resources.catalogue.wikis.items())
            for name, info in sorted(models.items())
        }
        served = {name for models in resources.catalogue.wikis.values() for name in models}
        can_score = resources.direct is not None
        # Models that clients name without a wiki, and whether they answer here.
        self._shared = {
            name: is_ready
            for name, is_ready in ((LANGID, can_score), (OUTLINKS, can_score), (REVERT_RISK, True))
            if name in served
        }

    def routes(self) -> dict[str, tuple[Face, Handler]]:
        """Return path to face and handler of the routes that answer GET."""
        return {
            "/v1/models": (Face.LIFTWING, self._list),
            "/v1/models/{name}": (Face.LIFTWING, self._model),
        }

    def post_routes(self) -> dict[str, tuple[Face, Handler]]:
        """Return path to face and handler of the routes that answer POST."""
        return {
            f"/v1/models/{REVERT_RISK}:predict": (Face.LIFTWING, self._revert_risk),
            f"/v1/models/{LANGID}:predict": (Face.LIFTWING, self._direct.langid),
            f"/v1/models/{OUTLINKS}:predict": (Face.LIFTWING, self._direct.outlinks),
            "/v1/models/{name}:predict": (Face.LIFTWING, self._predict),
        }

    async def _list(self, _: Request) -> Response:
        return json_response({"models": [*self._models, *self._shared]})

    async def _model(self, request: Request) -> Response:
        name: str = request.path_params["name"]
        if name not in self._shared:
            self._named(request)
        return json_response({"name": name, "ready": self._shared.get(name, True)})

    async def _predict(self, request: Request) -> Response:
        wiki_id, model_name, info = self._named(request)
        body = await read_object(request)
        if "instances" in body:
            raise RequestInvalid(
                'This server takes one revision per request: send {"rev_id": …} without "instances".'
            )
        has_features = _extended_output(body)
        if has_features and self._resources.on_demand is None:
            raise RequestInvalid(
                "Features are not stored, and this server does not score on demand. Ask without "
                "extended_output."
            )
        rev_id = _event_revision(body["event"], wiki_id) if body.get("event") else _revision(body)
        if not 0 < rev_id < _ID_END:
            return failure_response(liftwing_failure(ScoreFailure(RevisionNotFound.code, ""), rev_id))
        models = {model_name: info}
        found = await answer(
            self._resources, self._counters, wiki_id, rev_id, models, with_features=has_features
        )
        outcome = found[model_name].outcome
        if isinstance(outcome, ScoreFailure):
            return failure_response(liftwing_failure(outcome, rev_id))
        scores = {str(rev_id): ores_answers(rev_id, found)}
        return json_response({wiki_id: {**ores_models(models), "scores": scores}})

    async def _revert_risk(self, request: Request) -> Response:
        async with self._large_bodies.reading(request) as body:
            wanted = parse_revertrisk(body, allows_unsaved=True)
            scored = await self._revert_risks(wanted)
        status, document = revertrisk_answers(wanted, scored)
        return json_response(document, status=status)

    async def _revert_risks(self, wanted: RevertRiskRequest) -> list[ScoredModel]:
        if wanted.unsaved is not None:
            wiki_id = wanted.unsaved.wiki_id
            info = self._revert_risk_model(wiki_id, wiki_id.removesuffix("wiki"))
            return [await self._direct.score(wanted.unsaved, info)]

        async def one(asked: RevisionAsked) -> ScoredModel:
            info = self._revert_risk_model(asked.wiki_id, asked.lang)
            models = {REVERT_RISK: info}
            found = await answer(self._resources, self._counters, asked.wiki_id, asked.rev_id, models)
            return found[REVERT_RISK]

        return await asyncio.gather(*map(one, wanted.asked))

    def _revert_risk_model(self, wiki_id: str, lang: str) -> ModelInfo:
        info = self._resources.catalogue.find(wiki_id, REVERT_RISK)
        if info is None:
            raise RequestInvalid(
                f"lang {lang[:100]!r} does not exist in the canonical Wikipedia language list."
            )
        return info

    def _named(self, request: Request) -> tuple[str, str, ModelInfo]:
        name: str = request.path_params["name"]
        found = self._models.get(name)
        if found is None:
            raise ModelNotFound(f"Model with name {name[:200]} does not exist.")
        return found


def _extended_output(body: Mapping[str, Any]) -> bool:
    value = body.get("extended_output", False)
    # One of Lift Wing's servers wants the word as text, so its clients send that.
    is_wanted = {"true": True, "false": False}.get(value, value) if isinstance(value, str) else value
    if not isinstance(is_wanted, bool):
        raise RequestInvalid('Expected "extended_output" to be a boolean.')
    return is_wanted


def _revision(body: Mapping[str, Any]) -> int:
    rev_id = body.get("rev_id")
    # Lift Wing tests for truth, so that 0 and "" are missing rather than wrong.
    if not rev_id:
        raise RequestInvalid('Expected "rev_id" in input data.')
    if not isinstance(rev_id, int) or isinstance(rev_id, bool):
        raise RequestInvalid('Expected "rev_id" to be an integer.')
    return rev_id


def _event_revision(event: object, wiki_id: str) -> int:
    schema = event.get("$schema") if isinstance(event, dict) else None
    unsupported = f"Unsupported event of schema {schema}, the rev_id value cannot be determined."
    # The stream reads more than Lift Wing's clients may send: deletions and moves of the older streams.
    if isinstance(schema, str) and not schema.startswith(_SCHEMAS):
        raise RequestInvalid(unsupported)
    try:
        change = decode_event(orjson.dumps(event))
    except EventSchemaUnsupported as error:
        raise RequestInvalid(unsupported) from error
    if not isinstance(change, PageChange):
        raise RequestInvalid("A canary event names no revision; send a page change.")
    if change.wiki_id != wiki_id:
        raise RequestInvalid(
            f"The event is of {change.wiki_id}, and this model scores revisions of {wiki_id}. Send it to a "
            f"model of {change.wiki_id}."
        )
    return change.revision.rev_id
