"""From a page's prediction to the bytes of a ``/mediawiki/page/prediction_classification_change`` event.

Version 1.2.0, or 1.3.0 where the change tells what that one added: ``namespace_is_content`` of the page and
``wiki_id`` of a user.
"""

import re
from collections.abc import Iterator
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from schemas.identity import derived_id
from schemas.keys import page_topic_key
from schemas.output_event import OutputEvent, OutputSchema, output_meta, schema_document, time_text
from schemas.page_change import PageChange, PageChangeKind, PriorState, User
from schemas.prediction import ModelId, Score
from schemas.suppressed import page_of

PAGE_PREDICTION_SCHEMA: Final = "/mediawiki/page/prediction_classification_change/1.2.0"
PAGE_PREDICTION_SCHEMA_1_3: Final = "/mediawiki/page/prediction_classification_change/1.3.0"

_EVENT_IDS: Final = UUID("5b0a3f52-3d0e-5c1d-8d9b-4f0a4f6f2c77")
_STREAMS: Final = {
    "article-country": "mediawiki.article_country_prediction_change.v1",
    "outlink-topic-model": "mediawiki.page_outlink_topic_prediction_change.v1",
    "revertrisk-language-agnostic": "mediawiki.page_revert_risk_prediction_change.v1",
    "revertrisk-multilingual": "mediawiki.page_revert_risk_multilingual_prediction_change.v1",
    "revertrisk-wikidata": "mediawiki.page_revert_risk_wikidata_prediction_change.v1",
}
_INSERTING: Final = frozenset((PageChangeKind.CREATE, PageChangeKind.UNDELETE))


class ChangelogKind(StrEnum):
    """What an event asks of a store that holds the predictions of pages."""

    INSERT = "insert"
    UPDATE = "update"
    DELETE = "delete"


def document_of_1_3() -> dict[str, Any]:
    """Return the JSON schema of version 1.3.0: ours of 1.2.0, and what 1.3.0 added."""
    document = schema_document("page_prediction")
    document["definitions"]["user"]["properties"]["wiki_id"] = {"$ref": "#/definitions/name"}
    fields = document["properties"]
    for page in (
        fields["page"],
        fields["created_redirect_page"],
        fields["prior_state"]["properties"]["page"],
    ):
        page["properties"]["namespace_is_content"] = {"type": "boolean"}
    return document


_SCHEMA: Final = OutputSchema(schema_document("page_prediction"), PAGE_PREDICTION_SCHEMA)
_SCHEMA_1_3: Final = OutputSchema(document_of_1_3(), PAGE_PREDICTION_SCHEMA_1_3)


def page_prediction_stream(model_name: str) -> str:
    """Return the stream of a model's page-level events: Wikimedia's where there is one, else named alike."""
    named = re.sub(r"[^A-Za-z0-9]+", "_", model_name).strip("_").lower()
    return _STREAMS.get(model_name, f"mediawiki.page_{named}_prediction_change.v1")


def page_prediction_event(
    change: PageChange,
    model: ModelId,
    score: Score,
    *,
    stream: str,
    previous: tuple[ModelId, Score] | None = None,
    is_restored: bool = False,
) -> OutputEvent:
    """Build, check and encode the event that tells what a model says of a page now.

    No clock goes into it, as into none of our events. Nothing hidden goes into it either, and nothing about
    other pages, whose suppression would not find it here: no target of a redirect, and no redirect that a
    move leaves.

    Args:
        change: What became of the page.
        model: Which model spoke.
        score: What it said.
        stream: That the event goes to.
        previous: What it said of the revision before; told in ``prior_state`` where it was different.
        is_restored: Whether the prediction was withdrawn before the change.

    Raises:
        OutputInvalid: The event does not meet its schema.
    """
    is_new = is_restored or change.page_change_kind in _INSERTING
    event = _event(change, ChangelogKind.INSERT if is_new else ChangelogKind.UPDATE)
    event["page"] |= _told(
        namespace_is_content=change.page.namespace_is_content, revision_count=change.page.revision_count
    )
    event["revision"] |= _saved(change)
    event |= _told(comment=_comment(change), performer=_user(_performer(change)))
    now, before = _prediction(model, score), None if previous is None else _prediction(*previous)
    prior = dict(_prior_state(change.prior_state))
    if before is not None and before != now:
        prior["predicted_classification"] = before
    if prior:
        event["prior_state"] = prior
    event["predicted_classification"] = now
    return _encoded(change, model, event, stream)


def page_withdrawal_event(change: PageChange, model: ModelId, *, stream: str) -> OutputEvent:
    """Build, check and encode the event that tells that a page's prediction is withdrawn.

    ``predicted_classification`` names the model, with no predictions and no probabilities, so that who looks
    at nothing else forgets as well. Neither who acted nor a reason is told: reasons quote what is withdrawn.

    Of a suppression no title is told either, and no address, which has the title in it: a page's name may be
    what is suppressed. The schema asks for a title all the same, and gets one that no page can bear. Ids, the
    wiki and times are told; they suppress nothing, and without them nobody could find what to forget.

    Args:
        change: What became of the page.
        model: Of the prediction.
        stream: That the event goes to.

    Raises:
        OutputInvalid: The event does not meet its schema.
    """
    event = _event(change, ChangelogKind.DELETE)
    if not change.is_suppression:
        event["page"] |= _told(namespace_is_content=change.page.namespace_is_content)
    event["predicted_classification"] = {
        "model_name": model.model_name,
        "model_version": model.model_version,
        "predictions": [],
        "probabilities": {},
    }
    return _encoded(change, model, event, stream)


def _event(change: PageChange, changelog_kind: ChangelogKind) -> dict[str, Any]:
    page, revision = page_of(change), change.revision
    if not change.is_suppression:
        page["is_redirect"] = change.page.is_redirect
        if change.page.namespace_id >= 0:
            page["namespace_id"] = change.page.namespace_id
    return {
        "changelog_kind": changelog_kind,
        "page_change_kind": change.page_change_kind,
        "dt": time_text(change.dt),
        "wiki_id": change.wiki_id,
        "page": page,
        "revision": {
            "rev_id": revision.rev_id,
            "rev_dt": time_text(revision.rev_dt),
            **_told(rev_parent_id=revision.rev_parent_id),
            "is_content_visible": revision.is_content_visible,
            "is_editor_visible": revision.is_editor_visible,
            "is_comment_visible": revision.is_comment_visible,
        },
    }


def _saved(change: PageChange) -> dict[str, Any]:
    """Return what is told of the revision where its prediction is."""
    revision = change.revision
    return _told(
        is_minor_edit=revision.is_minor_edit,
        rev_sha1=revision.rev_sha1 if revision.is_content_visible else None,
        rev_size=revision.rev_size if revision.is_content_visible else None,
        comment=revision.comment if revision.is_comment_visible else None,
        editor=_user(revision.editor) if revision.is_editor_visible else None,
    )


def _comment(change: PageChange) -> str | None:
    return change.comment if change.revision.is_comment_visible else None


def _performer(change: PageChange) -> User | None:
    """Return who made the change; None where it may be a hidden editor."""
    return change.performer if change.revision.is_editor_visible else None


def _prior_state(prior: PriorState | None) -> Iterator[tuple[str, dict[str, Any]]]:
    if prior is None:
        return
    namespace_id = prior.namespace_id if prior.namespace_id is not None and prior.namespace_id >= 0 else None
    if page := _told(page_title=prior.page_title, namespace_id=namespace_id):
        yield "page", page
    if revision := _told(
        rev_id=prior.rev_id,
        rev_dt=None if prior.rev_dt is None else time_text(prior.rev_dt),
        rev_parent_id=prior.rev_parent_id,
        rev_sha1=None if prior.is_content_visible is False else prior.rev_sha1,
        rev_size=None if prior.is_content_visible is False else prior.rev_size,
        is_content_visible=prior.is_content_visible,
        is_editor_visible=prior.is_editor_visible,
        is_comment_visible=prior.is_comment_visible,
    ):
        yield "revision", revision


def _user(user: User | None) -> dict[str, Any] | None:
    if user is None or user.user_text is None:
        return None
    return _told(
        user_text=user.user_text,
        groups=list(user.groups),
        is_bot=user.is_bot,
        is_system=user.is_system,
        is_temp=user.is_temp,
        user_id=user.user_id,
        registration_dt=None if user.registration_dt is None else time_text(user.registration_dt),
        edit_count=user.edit_count,
        user_central_id=user.user_central_id,
        wiki_id=user.wiki_id,
    )


def _prediction(model: ModelId, score: Score) -> dict[str, Any]:
    return {
        "model_name": model.model_name,
        "model_version": model.model_version,
        "predictions": list(score.prediction),
        "probabilities": dict(sorted(score.probability.items())),
    }


def _encoded(change: PageChange, model: ModelId, event: dict[str, Any], stream: str) -> OutputEvent:
    event_id = derived_id(_EVENT_IDS, stream, change.event_id, model.model_name, model.model_version)
    people = (event.get("performer"), event["revision"].get("editor"))
    is_of_1_3 = "namespace_is_content" in event["page"] or any(
        person is not None and "wiki_id" in person for person in people
    )
    schema = _SCHEMA_1_3 if is_of_1_3 else _SCHEMA
    meta = output_meta(change, stream, event_id, has_uri=not change.is_suppression)
    value = schema.encode({"$schema": schema.uri, "meta": meta, **event}, event_id)
    return OutputEvent(stream, page_topic_key(change.wiki_id, change.page.page_id), value, event_id)


def _told(**fields: Any) -> dict[str, Any]:
    """Return the fields that there are."""
    return {name: value for name, value in fields.items() if value is not None}
