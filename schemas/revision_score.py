"""From scores to the bytes of a ``/mediawiki/revision/score/3.0.0`` event."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from schemas.identity import derived_id
from schemas.keys import page_topic_key
from schemas.output_event import OutputEvent, OutputSchema, output_meta, schema_document, time_text
from schemas.page_change import PageChange
from schemas.prediction import Score, ScoredModel

REVISION_SCORE_SCHEMA = "/mediawiki/revision/score/3.0.0"
STREAM_PREFIX = "mediawiki.revision_score_"

_EVENT_IDS = UUID("0b7a2c5e-94d3-5f1b-8a64-3c52e1d9f7b2")
_SCHEMA = OutputSchema(schema_document("revision_score"), REVISION_SCORE_SCHEMA)


def revision_score_event(
    change: PageChange,
    scored: Sequence[ScoredModel],
    *,
    stream_prefix: str = STREAM_PREFIX,
    stream: str | None = None,
) -> OutputEvent:
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
    ordered = [by_name[name] for name in sorted(by_name)]
    event_id = _event_id(change, ordered, stream)
    event = _event(change, ordered, stream, event_id)
    key = page_topic_key(change.wiki_id, change.page.page_id)
    return OutputEvent(stream, key, _SCHEMA.encode(event, event_id), event_id)


def _event(change: PageChange, scored: Sequence[ScoredModel], stream: str, event_id: str) -> dict[str, Any]:
    page, revision = change.page, change.revision
    event: dict[str, Any] = {
        "$schema": REVISION_SCORE_SCHEMA,
        "meta": output_meta(change, stream, event_id),
        "dt": time_text(change.dt),
        "database": change.wiki_id,
        "page_id": page.page_id,
        "page_title": page.page_title,
        "page_namespace": page.namespace_id,
        "page_is_redirect": page.is_redirect,
        "rev_id": revision.rev_id,
        "rev_timestamp": time_text(revision.rev_dt),
    }
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


def _event_id(change: PageChange, scored: Sequence[ScoredModel], stream: str) -> str:
    models = [(each.model.model_name, each.model.model_version) for each in scored]
    return derived_id(_EVENT_IDS, stream, change.event_id, *models)


def _performer(change: PageChange) -> dict[str, Any] | None:
    user = change.saved_by
    if user is None or user.user_text is None:
        return None
    performer: dict[str, Any] = {
        "user_text": user.user_text,
        "user_groups": list(user.groups),
    }
    if user.is_bot is not None:
        performer["user_is_bot"] = user.is_bot
    if user.user_id is not None:
        performer["user_id"] = user.user_id
    if user.registration_dt is not None:
        performer["user_registration_dt"] = time_text(user.registration_dt)
    if user.edit_count is not None:
        performer["user_edit_count"] = user.edit_count
    return performer
