"""From predictions to the bytes of a ``/mediawiki/cirrussearch/page_weighted_tags_change/1.0.0`` event."""

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from msgspec import Struct

from schemas.identity import derived_id
from schemas.keys import page_topic_key
from schemas.output_event import OutputEvent, OutputSchema, output_meta, schema_document, time_text
from schemas.page_change import PageChange
from schemas.prediction import ModelId, Score
from schemas.suppressed import page_of

WEIGHTED_TAGS_SCHEMA: Final = "/mediawiki/cirrussearch/page_weighted_tags_change/1.0.0"
WEIGHTED_TAGS_STREAM: Final = "mediawiki.cirrussearch.page_weighted_tags_change.v1"
REVISION_HEADER: Final = "revision"
"""Header of a record with tags: which revision they are of, for the value has no place for it."""
TAG_PREFIX: Final = "classification.prediction."

_EVENT_IDS: Final = UUID("c1f0d7f4-52f5-5e53-8b55-7e3f1f0f5a10")
_SCHEMA: Final = OutputSchema(schema_document("weighted_tags"), WEIGHTED_TAGS_SCHEMA)
# CirrusSearch keeps a weight as a whole number of thousandths, from 1 on.
_STEPS: Final = 1000
_PREFIXES: Final = {
    "outlink-topic-model": f"{TAG_PREFIX}articletopic",
    "article-country": f"{TAG_PREFIX}articlecountry",
}


class TagGroup(Struct, frozen=True):
    """What becomes of one group of a page's tags.

    Attributes:
        prefix: Of the group.
        model: That says so.
        score: What it says; None where its prediction is withdrawn.
    """

    prefix: str
    model: ModelId
    score: Score | None


def tag_prefix(model_name: str) -> str:
    """Return the group of tags that a model's labels are put into: CirrusSearch's own where it has one."""
    return _PREFIXES.get(model_name, TAG_PREFIX + model_name)


def weighted_tags_event(
    change: PageChange, groups: Sequence[TagGroup], *, stream: str = WEIGHTED_TAGS_STREAM
) -> OutputEvent:
    """Build, check and encode the event that sets and clears a page's tags.

    The labels that a model chose become tags. Where it chose none the tags of before are cleared, or else
    the page would be found by them for ever. One event has all tags of a change: a second one of the same
    moment may take the place of the first.

    Args:
        change: What became of the page.
        groups: Each prefix once.
        stream: That the event goes to.

    Raises:
        ValueError: There are no groups, or two of one prefix.
        OutputInvalid: The event does not meet its schema.
    """
    weighed = {each.prefix: [] if each.score is None else _weighed(each.score) for each in groups}
    if not groups or len(weighed) < len(groups):
        raise ValueError("an event of tags is about one or more groups of different prefixes")
    to_set = {prefix: found for prefix, found in sorted(weighed.items()) if found}
    to_clear = sorted(prefix for prefix, found in weighed.items() if not found)
    said = sorted((each.prefix, each.model.model_name, each.model.model_version) for each in groups)
    event_id = derived_id(_EVENT_IDS, stream, change.event_id, *said)
    event = {
        "$schema": WEIGHTED_TAGS_SCHEMA,
        "meta": output_meta(change, stream, event_id, has_uri=not change.is_suppression),
        "dt": time_text(change.dt),
        "wiki_id": change.wiki_id,
        # Which index the page is in follows from its namespace: without it nothing could be cleared.
        "page": page_of(change) | {"namespace_id": change.page.namespace_id},
        # Whoever updates the index may wait for the page's own change, which all of these follow from.
        "rev_based": True,
        "weighted_tags": ({"set": to_set} if to_set else {}) | ({"clear": to_clear} if to_clear else {}),
    }
    key = page_topic_key(change.wiki_id, change.page.page_id)
    headers = {REVISION_HEADER: b'{"rev_id":%d}' % change.revision.rev_id}
    return OutputEvent(stream, key, _SCHEMA.encode(event, event_id), event_id, headers)


def _weighed(score: Score) -> list[dict[str, Any]]:
    """Return the chosen labels with their weights, the heaviest first; none that would weigh nothing."""
    found = ((score.probability.get(label, 0.0), label) for label in score.prediction)
    return [
        {"tag": label, "score": weight / _STEPS}
        for probability, label in sorted(found, key=lambda each: (-each[0], each[1]))
        if (weight := round(probability * _STEPS)) >= 1
    ]
