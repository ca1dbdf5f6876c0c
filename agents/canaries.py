"""Canaries: events that say nothing, by which somebody sees that a stream goes through."""

from datetime import datetime
from typing import Final
from uuid import UUID

from agents.rules.rule import OutputKind
from schemas.identity import derived_id
from schemas.keys import PAGE_CHANGE_TOPIC
from schemas.output_event import OutputEvent
from schemas.page_change import CANARY_DOMAIN, ChangedRevision, Page, PageChange, PageChangeKind
from schemas.page_prediction import page_prediction_event
from schemas.prediction import ModelId, Score, ScoredModel, ScoreKind
from schemas.revision_score import revision_score_event
from schemas.weighted_tags import TAG_PREFIX, TagGroup, weighted_tags_event

_EVENT_IDS: Final = UUID("ad3a1f7e-0a4b-5f0e-9c6e-51d7a1f1b1c9")
_NAME: Final = "canary"
_MODEL: Final = ModelId(_NAME, "0.0.0", "0" * 128)
_SCORE: Final = Score(ScoreKind.MULTILABEL, (_NAME,), {_NAME: 1.0})


def canary(stream: str, kind: OutputKind, at: datetime) -> OutputEvent:
    """Return a canary of a stream: an event of its schema in all, but for ``meta.domain``, which is canary.

    Args:
        stream: That it goes to.
        kind: What the stream tells.
        at: When it is made, aware; every moment has a canary of its own.
    """
    change = PageChange(
        event_id=derived_id(_EVENT_IDS, at),
        stream=PAGE_CHANGE_TOPIC,
        schema_uri="/mediawiki/page/change/1.0.0",
        page_change_kind=PageChangeKind.CREATE,
        dt=at,
        wiki_id=_NAME,
        page=Page(1, "Canary", 0, is_redirect=False),
        revision=ChangedRevision(1, at),
        meta_dt=at,
        domain=CANARY_DOMAIN,
    )
    if kind is OutputKind.PAGE_PREDICTION:
        return page_prediction_event(change, _MODEL, _SCORE, stream=stream)
    if kind is OutputKind.WEIGHTED_TAGS:
        return weighted_tags_event(change, [TagGroup(TAG_PREFIX + _NAME, _MODEL, _SCORE)], stream=stream)
    return revision_score_event(change, [ScoredModel(_MODEL, _SCORE)], stream=stream)
