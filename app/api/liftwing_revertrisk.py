"""Lift Wing's contract of its revert-risk models: requests, answers and failures, without a server."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta, Raw, Struct

from app.api.liftwing_event import event_fields, event_id, wikipedia_of
from app.api.liftwing_language import require_wikipedia, wiki_of
from schemas.errors import ParentNotFound, RequestInvalid
from schemas.prediction import Score, ScoredModel, ScoreFailure
from schemas.revision import Revision, RevisionUser

MOST_REVISIONS: Final = 20
UNSAVED: Final = -1
"""Revision id in answers about an edit that is not saved yet."""

_REV_ID_END: Final = 1 << 63
_MOST_GROUPS: Final = 1_000
_FIELDS: Final = (
    "`id`, `lang`, `text`, `timestamp`, `bytes`, `page.id`, `page.title`, `page.first_edit_timestamp`, "
    "`parent.id`, `parent.lang`, `parent.text`, `parent.timestamp`, `parent.bytes`, `user.id`"
)


class DataIncomplete(RequestInvalid):
    """The data of an edit before it is saved lack a field, or one is malformed."""


class RevisionAsked(Struct, frozen=True):
    """A saved revision that a client asks for.

    Attributes:
        wiki_id: Database name.
        rev_id: Positive.
        lang: As the client named it, for failures.
    """

    wiki_id: str
    rev_id: int
    lang: str


class RevertRiskRequest(Struct, frozen=True):
    """What a request asks.

    Attributes:
        asked: Saved revisions, 1 to 20, all of one wiki; empty where ``unsaved`` is given.
        is_batch: Whether the answer is that of a batch.
        unsaved: An edit that is not saved yet, with its texts; None for saved revisions.
    """

    asked: tuple[RevisionAsked, ...] = ()
    is_batch: bool = False
    unsaved: Revision | None = None


# A message to a scoring process holds no larger numbers.
_Id = Annotated[int, Meta(ge=-_REV_ID_END, le=_REV_ID_END - 1)]


class _Page(Struct):
    id: _Id
    title: str
    first_edit_timestamp: datetime


class _Parent(Struct):
    id: _Id
    lang: str
    text: str
    timestamp: datetime
    bytes: int


class _User(Struct):
    id: _Id | None
    name: str = ""
    groups: Annotated[tuple[str, ...], Meta(max_length=_MOST_GROUPS)] | None = None
    registration_timestamp: datetime | None = None


class _RevisionData(Struct):
    id: int
    lang: Annotated[str, Meta(min_length=1)]
    text: str
    timestamp: datetime
    bytes: int
    page: _Page
    parent: _Parent
    user: _User
    comment: str = ""


def parse_revertrisk(body: Mapping[str, Any], *, allows_batch: bool) -> RevertRiskRequest:
    """Read the body of a request.

    Args:
        body: One of ``{"rev_id", "lang"}``, ``{"instances": [{"rev_id", "lang"}, …]}``, ``{"event"}`` (page
            change 1 or revision-create 1 or 2) and ``{"revision_data"}``, which may be ``msgspec.Raw``.
        allows_batch: Whether ``instances`` are looked at; otherwise they are as if they were not there.

    Raises:
        RequestInvalid: With the texts of Lift Wing, where clients know them; ``DataIncomplete`` is told in
            ``detail``.
    """
    if "revision_data" in body:
        return RevertRiskRequest(unsaved=_unsaved(body["revision_data"]))
    if allows_batch and "instances" in body:
        return RevertRiskRequest(_instances(body["instances"]), is_batch=True)
    if "event" in body:
        return RevertRiskRequest((_event(body["event"]),))
    return RevertRiskRequest((_asked(body),))


def revertrisk_answer(scored: ScoredModel, score: Score, wiki_id: str, rev_id: int) -> dict[str, Any]:
    """Return the answer about one revision.

    Args:
        scored: Whose name and version stand in it.
        score: Binary.
        wiki_id: Database name.
        rev_id: ``UNSAVED`` for an edit that is not saved yet.
    """
    return {
        "model_name": scored.model.model_name,
        "model_version": scored.model.model_version,
        "wiki_db": wiki_id,
        "revision_id": rev_id,
        "output": {
            "prediction": score.prediction_value(),
            "probabilities": {"true": score.probability["true"], "false": score.probability["false"]},
        },
    }


def revertrisk_answers(
    request: RevertRiskRequest, scored: Sequence[ScoredModel], *, allows_batch: bool
) -> tuple[int, dict[str, Any]]:
    """Return the whole answer.

    Args:
        request: What was asked.
        scored: One answer for each revision asked, in their order; of an unsaved edit, just one.
        allows_batch: Whether the model takes batches: it words the failure of one revision as that of all.

    Returns:
        HTTP status and JSON document: 200, or 422 where no revision got a score. A batch of which only some
        did has ``errors`` beside ``predictions``, and so has a single revision never.
    """
    asked = request.asked
    if request.unsaved is not None:
        unsaved = request.unsaved
        asked = (RevisionAsked(unsaved.wiki_id, UNSAVED, unsaved.wiki_id.removesuffix("wiki")),)
    predictions, errors, codes = [], [], []
    for one, answer in zip(asked, scored, strict=True):
        if isinstance(answer.outcome, ScoreFailure):
            codes.append(_code(answer.outcome))
            errors.append(
                f"Could not make prediction for revision {one.rev_id} ({one.lang}). Reason: {codes[-1]}"
            )
        else:
            predictions.append(revertrisk_answer(answer, answer.outcome, one.wiki_id, one.rev_id))
    if not predictions and not allows_batch:
        return 422, {"detail": errors[0]}
    if not predictions:
        keys = ", ".join(f"({one.rev_id}, {one.lang!r})" for one in asked)
        return 422, {
            "detail": f"Could not make prediction for revisions dict_keys([{keys}]). Reason: {codes}"
        }
    if not request.is_batch:
        return 200, predictions[0]
    return 200, {"predictions": predictions, **({"errors": errors} if errors else {})}


def _code(failure: ScoreFailure) -> str:
    # The names that clients of Lift Wing know; all others are ours.
    return {ParentNotFound.code: "parent_revision_missing", "revision_not_found": "revision_missing"}.get(
        failure.code, failure.code
    )


def _instances(instances: object) -> tuple[RevisionAsked, ...]:
    if not isinstance(instances, list) or not instances:
        raise RequestInvalid('Expected "instances" to be a list of revisions.')
    if len(instances) > MOST_REVISIONS:
        raise RequestInvalid(f"Only accept a maximum of {MOST_REVISIONS} rev_ids in the request.")
    asked = tuple(_asked(instance) for instance in instances)
    if len({one.lang for one in asked}) > 1:
        raise RequestInvalid("Requesting multiple revisions should have the same language.")
    return asked


def _asked(body: object) -> RevisionAsked:
    if not isinstance(body, Mapping):
        raise RequestInvalid('Expected each of "instances" to be an object.')
    lang, rev_id = body.get("lang"), body.get("rev_id")
    wiki_id = wiki_of(lang)
    return RevisionAsked(wiki_id, _rev_id(rev_id), str(lang))


def _rev_id(rev_id: object) -> int:
    # Lift Wing tests for truth, so that 0 and "" are missing rather than wrong.
    if not rev_id:
        raise RequestInvalid("The parameter rev_id is required.")
    if not isinstance(rev_id, int) or isinstance(rev_id, bool) or not 0 < rev_id < _REV_ID_END:
        raise RequestInvalid('Expected "rev_id" to be a int.')
    return rev_id


def _event(event: object) -> RevisionAsked:
    fields = event_fields(event, "lang")
    require_wikipedia(fields.domain)
    wiki_id = wikipedia_of(fields)
    return RevisionAsked(wiki_id, event_id(fields.rev_id, "rev_id"), wiki_id.removesuffix("wiki"))


def _unsaved(data: object) -> Revision:
    try:
        found = (
            msgspec.json.decode(data, type=_RevisionData)
            if isinstance(data, Raw)
            else msgspec.convert(data, _RevisionData)
        )
    except (msgspec.DecodeError, RecursionError) as error:
        raise DataIncomplete(
            f"Missing some required fields. Required fields are {_FIELDS}", reason=str(error)[:500]
        ) from error
    has_account = bool(found.user.id)
    return Revision(
        wiki_id=wiki_of(found.lang),
        page_id=found.page.id,
        page_title=found.page.title,
        namespace_id=0,
        rev_id=UNSAVED,
        rev_parent_id=found.parent.id,
        rev_dt=_utc(found.timestamp),
        content_model="wikitext",
        text=found.text,
        parent_text=found.parent.text,
        comment=found.comment,
        user=RevisionUser(
            user_id=found.user.id or None,
            user_text=found.user.name,
            groups=tuple(sorted(found.user.groups or ())),
            registration_dt=_utc(found.user.registration_timestamp)
            if found.user.registration_timestamp
            else None,
            is_known=not has_account or found.user.groups is not None,
        ),
        parent_dt=_utc(found.parent.timestamp),
    )


def _utc(dt: datetime) -> datetime:
    try:
        return dt.replace(tzinfo=UTC) if dt.tzinfo is None else dt.astimezone(UTC)
    except OverflowError as error:
        raise RequestInvalid(f"The revision data hold the time {dt}, which is none in UTC.") from error
