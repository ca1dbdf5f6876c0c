"""Many look-ups in one request: revisions of any wikis and models, answered line by line."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Annotated, Final

import structlog
from msgspec import DecodeError, Meta, Struct
from msgspec.json import Decoder
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from app.api import errors
from app.api.age import note_age
from app.api.answers import Resources, answer
from app.api.asked import MODELS_MOST, asked_document, asked_models, lacking, why_absent
from app.api.batch_lines import BatchLines, Plan
from app.api.documents import (
    Document,
    compact,
    freshness_document,
    full_document,
    row_document,
    stored_document,
)
from app.api.endpoint import Handler, read_body
from app.api.memo import Memo
from app.metrics import Face, Outcome
from schemas.errors import NotReady, OnDemandBound, RequestInvalid, RevstreamError
from schemas.prediction import PredictionRow

CONTENT_TYPE: Final = "application/x-ndjson"
REVISIONS_MOST: Final = 10_000
LOOKUPS_MOST: Final = 1000
ON_DEMAND_MOST: Final = 200
"""How many revisions one batch may have scored."""

# Revisions that are looked at without a pause, which takes a few milliseconds, and that wait together.
_SLICE: Final = 256
_CONCURRENT_SCORINGS: Final = 8
_SEND_BYTES: Final = 64 << 10
_PLANS: Final = 128

_Id = Annotated[int, Meta(ge=0, le=2**63 - 1)]
_Model = Annotated[str, Meta(min_length=1, max_length=200)]

_log = structlog.get_logger(__name__)


class LookUp(Struct, frozen=True, forbid_unknown_fields=True):
    """Revisions of one wiki, and the models to ask about them.

    Attributes:
        wiki_id: Database name.
        rev_ids: Answered in this order; repetitions are answered again.
        models: ``name`` or ``name@version``; None for all.
    """

    wiki_id: Annotated[str, Meta(min_length=1, max_length=100, pattern=r"^[^\x00]*$")]
    rev_ids: Annotated[tuple[_Id, ...], Meta(min_length=1, max_length=REVISIONS_MOST)]
    models: Annotated[tuple[_Model, ...], Meta(min_length=1, max_length=MODELS_MOST)] | None = None


class BatchRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """What a batch asks for.

    Attributes:
        lookups: At most `LOOKUPS_MOST`, and `REVISIONS_MOST` revisions in all.
        on_demand: Score what is not stored, of the first `ON_DEMAND_MOST` revisions that lack something.
        provenance: Tell where each score came from, and how old the tables may be.
    """

    lookups: Annotated[tuple[LookUp, ...], Meta(min_length=1, max_length=LOOKUPS_MOST)]
    on_demand: bool = False
    provenance: bool = False


_decode = Decoder(BatchRequest).decode


class BatchFace:
    """The handler of ``POST /scores``."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._catalogue = resources.catalogue
        self._counters = resources.metrics.faces[Face.BATCH]
        self._lines = BatchLines(resources.reader)
        self._plans: Memo[tuple[str, tuple[str, ...] | None, bool], Plan] = Memo(_PLANS)

    def post_routes(self) -> dict[str, tuple[Face, Handler]]:
        """Return path to face and handler of the routes that answer POST."""
        return {"/scores": (Face.BATCH, self._answer)}

    async def _answer(self, request: Request) -> Response:
        batch = _parse(await read_body(request))
        if batch.on_demand and self._resources.on_demand is None:
            raise RequestInvalid(
                "This server does not score on demand. Ask without on_demand, or ask a worker.",
                parameter="on_demand",
            )
        note_age(self._resources.reader.freshness())
        return StreamingResponse(self._stream(batch), media_type=CONTENT_TYPE)

    async def _stream(self, batch: BatchRequest) -> AsyncIterator[bytes]:
        """Yield the lines in pieces, and let other requests in between."""
        scoring = _Scoring(batch.on_demand)
        waiting: list[bytes] = []
        size_bytes = 0
        for look_up, rev_ids in _slices(batch.lookups):
            lines = await self._slice(batch, look_up, rev_ids, scoring)
            waiting += lines
            size_bytes += sum(map(len, lines))
            if size_bytes >= _SEND_BYTES:
                yield b"".join(waiting)
                waiting, size_bytes = [], 0
            await asyncio.sleep(0)
        yield b"".join(waiting)

    async def _slice(
        self, batch: BatchRequest, look_up: LookUp, rev_ids: Sequence[int], scoring: "_Scoring"
    ) -> list[bytes]:
        plan = self._plan(look_up, needs_served=batch.on_demand)
        lines: list[bytes | None] = [None] * len(rev_ids)
        if not batch.provenance:
            try:
                lines, answers = self._lines.lines(plan, rev_ids)
                self._counters.answers[Outcome.STORED] += answers
            except RevstreamError as error:
                # A row that cannot be read: each is looked at alone, and that one says so.
                _log.warning("batch_row_unreadable", code=error.code)
        missing = [at for at, line in enumerate(lines) if line is None]
        if not missing:
            return [line for line in lines if line is not None]
        made = await asyncio.gather(
            *(self._line(plan, rev_ids[at], scoring, has_provenance=batch.provenance) for at in missing)
        )
        for at, line in zip(missing, made, strict=True):
            lines[at] = line
        return [line for line in lines if line is not None]

    def _plan(self, look_up: LookUp, *, needs_served: bool) -> Plan:
        key = look_up.wiki_id, look_up.models, needs_served
        plan = self._plans.get(key)
        if plan is None:
            models = self._catalogue.models(look_up.wiki_id)
            names = look_up.models
            if names is None and needs_served:
                names = tuple(models)
            asked = None if names is None else asked_models(self._catalogue, look_up.wiki_id, names)
            plan = Plan(look_up.wiki_id, asked, models, needs_served=needs_served)
            self._plans.put(key, plan)
        return plan

    async def _line(self, plan: Plan, rev_id: int, scoring: "_Scoring", *, has_provenance: bool) -> bytes:
        try:
            document = await self._document(plan, rev_id, scoring, has_provenance=has_provenance)
        except RevstreamError as error:
            document = errors.ours(error).document
        except Exception:
            _log.exception("batch_line_failed", wiki_id=plan.wiki_id, rev_id=rev_id)
            document = errors.ours(errors.defect()).document
        if "error" in document:
            document = {"wiki_id": plan.wiki_id, "rev_id": rev_id, **document}
        return compact(document) + b"\n"

    async def _document(
        self, plan: Plan, rev_id: int, scoring: "_Scoring", *, has_provenance: bool
    ) -> Document:
        found = await self._resources.finder.revision(plan.wiki_id, rev_id)
        row, freshness = found.row, found.freshness
        made = await self._scored(plan, rev_id, row, scoring)
        if row is None:
            if not made:
                self._counters.answers[Outcome.ABSENT] += 1
                what = f"revision {rev_id}"
                raise why_absent(self._catalogue, freshness, plan.wiki_id, what, rev_id=rev_id)
            # What scoring gives says nothing of page and time.
            return {"wiki_id": plan.wiki_id, "rev_id": rev_id, "scores": made}
        if plan.asked is not None:
            document = asked_document(row, plan.asked, made=made, has_provenance=has_provenance)
        else:
            models = self._catalogue.models(plan.wiki_id)
            document = full_document(row, models) if has_provenance else row_document(row, models)
        self._counters.answers[Outcome.STORED] += len(document["scores"]) - len(made)
        return {**document, **freshness_document(freshness)} if has_provenance else document

    async def _scored(
        self, plan: Plan, rev_id: int, row: PredictionRow | None, scoring: "_Scoring"
    ) -> Document:
        """Return answers by name where something is to be scored, or the failure that it may not be now."""
        wanted = scoring.is_wanted and plan.asked is not None and lacking(plan.asked, row)
        if not wanted:
            return {}
        if not scoring.take():
            bound = OnDemandBound(
                f"Revision {rev_id} of {plan.wiki_id} lacks scores, and a batch has {ON_DEMAND_MOST} "
                "revisions scored at most. Ask for the rest again.",
                wiki_id=plan.wiki_id,
                rev_id=rev_id,
            )
            return dict.fromkeys(wanted, errors.ours(bound).document)
        try:
            async with scoring.permits:
                scored = await answer(self._resources, self._counters, plan.wiki_id, rev_id, wanted)
        except NotReady as error:
            # What is stored of the others is told all the same.
            return dict.fromkeys(wanted, errors.ours(error).document)
        return {name: stored_document(one) for name, one in scored.items()}


class _Scoring:
    """What one batch may have scored."""

    def __init__(self, is_wanted: bool) -> None:
        self.is_wanted = is_wanted
        self.permits = asyncio.Semaphore(_CONCURRENT_SCORINGS)
        self._left = ON_DEMAND_MOST

    def take(self) -> bool:
        """Tell whether one more revision may be scored."""
        self._left -= 1
        return self._left >= 0


def _parse(body: bytes) -> BatchRequest:
    try:
        batch = _decode(body)
    except (DecodeError, RecursionError) as error:
        raise RequestInvalid(
            f"The body is no batch: {str(error)[:300]}. Send "
            '{"lookups": [{"wiki_id": "enwiki", "rev_ids": [1, 2], "models": ["damaging"]}]}.'
        ) from error
    revisions = sum(len(one.rev_ids) for one in batch.lookups)
    if revisions > REVISIONS_MOST:
        raise RequestInvalid(
            f"The batch asks for {revisions} revisions, and one may for {REVISIONS_MOST}. Send several.",
            parameter="lookups",
        )
    return batch


def _slices(look_ups: Sequence[LookUp]) -> Iterator[tuple[LookUp, Sequence[int]]]:
    for one in look_ups:
        for start in range(0, len(one.rev_ids), _SLICE):
            yield one, one.rev_ids[start : start + _SLICE]
