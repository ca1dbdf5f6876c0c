"""From scores to the bytes of a ``/mediawiki/revision/score/3.0.0`` event."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.resources import files
from typing import Any
from urllib.parse import quote
from uuid import UUID

import jsonschema_rs
import orjson
from msgspec import Struct, to_builtins

from schemas.errors import OutputInvalid
from schemas.identity import derived_id
from schemas.keys import page_topic_key
from schemas.page_change import PageChange, PageChangeKind, User
from schemas.prediction import Score, ScoredModel

REVISION_SCORE_SCHEMA = "/mediawiki/revision/score/3.0.0"
STREAM_PREFIX = "mediawiki.revision_score_"

_EVENT_IDS = UUID("0b7a2c5e-94d3-5f1b-8a64-3c52e1d9f7b2")
_SCHEMA: dict[str, Any] = orjson.loads(
    files("schemas").joinpath("jsonschema/revision_score.json").read_bytes()
)
# Formats are asserted, as the gateways do that would refuse the event otherwise.
_VALIDATOR = jsonschema_rs.Draft7Validator(_SCHEMA, validate_formats=True)
# Narrower than the grammar of URIs on purpose: all that it takes is valid, and real page addresses fit.
_URI = re.compile(
    r"(?:https?:)?//[A-Za-z0-9.-]++(?::[0-9]{1,5}+)?"
    r"(?:/(?:[A-Za-z0-9._~!$&'()*+,;=:@/-]++|%[0-9A-Fa-f]{2})*+)?"
    r"(?:\?(?:[A-Za-z0-9._~!$&'()*+,;=:@/?-]++|%[0-9A-Fa-f]{2})*+)?"
)
_MAX_URI_LENGTH = 8192
_SAVES = frozenset((PageChangeKind.CREATE, PageChangeKind.EDIT, PageChangeKind.MOVE))


class RevisionScoreEvent(Struct, frozen=True):
    """An output event, ready to send.

    Attributes:
        stream: Topic.
        key: Topic key: of the page, so that the scores of one page stay in order.
        value: JSON. The same scores of the same change give the same bytes.
        event_id: ``meta.id``, derived from the input event, the models and their versions.
    """

    stream: str
    key: bytes
    value: bytes
    event_id: str


def revision_score_event(
    change: PageChange,
    scored: Sequence[ScoredModel],
    *,
    stream_prefix: str = STREAM_PREFIX,
    stream: str | None = None,
) -> RevisionScoreEvent:
    """Build, check and encode the event that tells the scores of a changed revision.

    No clock goes into it: ``dt`` is the event time of the change and ``meta.dt`` is the input's own
    ``meta.dt``, the time the change was taken in, left out where the input has none. So the event of a
    replay equals the first one; when it was sent is the broker's timestamp. Nothing hidden goes into it:
    no comment, and no performer once the editor is hidden.

    Args:
        change: The change that was scored.
        scored: What the models gave; failures go to ``errors``. One model unless ``stream`` is given.
        stream_prefix: Put before the model name to name the stream.
        stream: The whole name of the stream, for events of several models.

    Raises:
        ValueError: No models, two of the same name, or several without ``stream``.
        OutputInvalid: The event does not meet its schema; the fields ``path`` and ``event_id`` say where.
    """
    by_name = {each.model.model_name: each for each in scored}
    if not scored or len(by_name) < len(scored):
        raise ValueError("an event tells of one or more models of different names")
    if stream is None:
        if len(scored) > 1:
            raise ValueError("an event of several models needs the name of its stream")
        stream = stream_prefix + scored[0].model.model_name
    names = sorted(by_name)
    event_id = _event_id(change, [by_name[name] for name in names])
    event = _event(change, [by_name[name] for name in names], stream, event_id)
    return RevisionScoreEvent(
        stream, page_topic_key(change.wiki_id, change.page.page_id), _encode(event, event_id), event_id
    )


def _event(change: PageChange, scored: Sequence[ScoredModel], stream: str, event_id: str) -> dict[str, Any]:
    page, revision = change.page, change.revision
    meta: dict[str, Any] = {"stream": stream, "id": event_id}
    event: dict[str, Any] = {
        "$schema": REVISION_SCORE_SCHEMA,
        "meta": meta,
        "dt": _text(change.dt),
        "database": change.wiki_id,
        "page_id": page.page_id,
        "page_title": page.page_title,
        "page_namespace": page.namespace_id,
        "page_is_redirect": page.is_redirect,
        "rev_id": revision.rev_id,
        "rev_timestamp": _text(revision.rev_dt),
    }
    if change.meta_dt is not None:
        meta["dt"] = _text(change.meta_dt)
    if change.request_id is not None:
        meta["request_id"] = change.request_id
    if change.domain is not None:
        meta["domain"] = change.domain
    if change.uri is not None and (uri := _uri(change.uri)) is not None:
        meta["uri"] = uri
    if revision.rev_parent_id is not None:
        event["rev_parent_id"] = revision.rev_parent_id
    performer = _performer(change)
    if performer is not None:
        event["performer"] = performer
    scores: dict[str, Any] = {}
    errors: dict[str, Any] = {}
    for each in scored:
        model, outcome = each.model, each.outcome
        told: dict[str, Any] = {"model_name": model.model_name, "model_version": model.model_version}
        if isinstance(outcome, Score):
            told["prediction"] = list(outcome.prediction)
            told["probability"] = dict(sorted(outcome.probability.items()))
            scores[model.model_name] = told
        else:
            told["type"] = outcome.code
            told["message"] = outcome.message
            errors[model.model_name] = told
    if scores:
        event["scores"] = scores
    if errors:
        event["errors"] = errors
    return event


def _encode(event: dict[str, Any], event_id: str) -> bytes:
    try:
        if _VALIDATOR.is_valid(event):
            return orjson.dumps(event)
        error = next(_VALIDATOR.iter_errors(event))
        path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in error.instance_path)
        what = error.message
    except (ValueError, TypeError) as unencodable:
        path, what = "", str(unencodable)
    raise OutputInvalid(
        f"the event {event_id} does not meet {REVISION_SCORE_SCHEMA} at ${path}: {what}; it is not sent; "
        "this is a defect of revstream or of the model that gave the score, please report it",
        path=f"${path}",
        event_id=event_id,
    )


def _event_id(change: PageChange, scored: Sequence[ScoredModel]) -> str:
    models = [(each.model.model_name, each.model.model_version) for each in scored]
    return derived_id(_EVENT_IDS, change.event_id, *models)


def _performer(change: PageChange) -> dict[str, Any] | None:
    """Return who saved the revision, which on a deletion or its like is not who acted; None where hidden."""
    user: User | None = None
    if change.revision.is_editor_visible:
        user = change.revision.editor
        if user is None and change.page_change_kind in _SAVES:
            user = change.performer
    if user is None or user.user_text is None:
        return None
    performer: dict[str, Any] = {
        "user_text": user.user_text,
        "user_groups": list(user.groups),
        "user_is_bot": user.is_bot,
    }
    if user.user_id is not None:
        performer["user_id"] = user.user_id
    if user.registration_dt is not None:
        performer["user_registration_dt"] = _text(user.registration_dt)
    if user.edit_count is not None:
        performer["user_edit_count"] = user.edit_count
    return performer


def _uri(uri: str) -> str | None:
    """Return the address as the schema wants it: percent-encoded where it was not, None where it is none."""
    if _URI.fullmatch(uri) is None:
        uri = quote(uri, safe="%/:?@!$&'()*+,;=~")
        if _URI.fullmatch(uri) is None:
            return None
    return uri if len(uri) <= _MAX_URI_LENGTH else None


def _text(dt: datetime) -> str:
    text: str = to_builtins(dt if dt.tzinfo is UTC else dt.astimezone(UTC))
    return text
