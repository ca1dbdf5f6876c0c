"""What CirrusSearch is told of a page's tags."""

from typing import Any

import orjson
import pytest
from msgspec.structs import replace

from schemas.output_event import OutputEvent
from schemas.prediction import ModelId, Score, ScoreKind
from schemas.suppressed import is_suppression_notice
from schemas.weighted_tags import WEIGHTED_TAGS_STREAM, TagGroup, tag_prefix, weighted_tags_event
from tests.unit.test_page_prediction import change, suppressed

MODEL = ModelId("articletopic", "1.3.0", "ab" * 64)
PREFIX = "classification.prediction.articletopic"


def topics(**probability: float) -> Score:
    return Score(ScoreKind.MULTILABEL, tuple(probability), probability | {"never": 0.4})


def group(score: Score | None, prefix: str = PREFIX) -> TagGroup:
    return TagGroup(prefix, MODEL, score)


def read(output: OutputEvent) -> dict[str, Any]:
    document: dict[str, Any] = orjson.loads(output.value)
    return document


def test_chosen_labels_become_tags_with_weights_in_thousandths() -> None:
    output = weighted_tags_event(change(), [group(topics(ferns=0.87654, moss=0.9996))])
    assert (output.stream, output.key) == (WEIGHTED_TAGS_STREAM, b'{"wiki_id":"mosswiki","page_id":31}')
    assert output.headers == {"revision": b'{"rev_id":5002}'}
    document = read(output)
    assert document["meta"]["request_id"] == "3b1b3a52-6d0e-4a07-9a55-0c6f2b9f1e02"
    del document["meta"]
    assert document == {
        "$schema": "/mediawiki/cirrussearch/page_weighted_tags_change/1.0.0",
        "dt": "2026-11-01T10:00:00Z",
        "wiki_id": "mosswiki",
        "page": {"page_id": 31, "page_title": "Talk:Moss", "namespace_id": 1},
        "rev_based": True,
        "weighted_tags": {"set": {PREFIX: [{"tag": "moss", "score": 1.0}, {"tag": "ferns", "score": 0.877}]}},
    }


def test_every_weight_is_a_whole_number_from_1_to_1000_to_cirrussearch() -> None:
    for step in range(0, 10_001, 7):
        told = read(weighted_tags_event(change(), [group(topics(moss=step / 10_000))]))["weighted_tags"]
        weights = [tag["score"] * 1000 for tag in told.get("set", {}).get(PREFIX, ())]
        assert all(abs(weight - round(weight)) < 1e-9 and 1 <= round(weight) <= 1000 for weight in weights)
        assert bool(weights) == (step >= 5 and "clear" not in told)


def test_tags_of_a_page_without_any_topic_are_cleared() -> None:
    told = read(
        weighted_tags_event(change(), [group(topics()), group(topics(moss=0.5), "b"), group(None, "c")])
    )
    assert told["weighted_tags"] == {"set": {"b": [{"tag": "moss", "score": 0.5}]}, "clear": ["c", PREFIX]}


def test_of_a_suppressed_page_neither_title_nor_address_is_told() -> None:
    output = weighted_tags_event(suppressed(), [group(None)])
    assert read(output)["page"] == {"page_id": 31, "page_title": "<suppressed>", "namespace_id": 1}
    assert b"Moss" not in output.value
    assert is_suppression_notice(output.value)
    assert not is_suppression_notice(weighted_tags_event(suppressed(), [group(topics(moss=0.5))]).value)


def test_an_event_is_about_groups_of_different_prefixes() -> None:
    for groups in ([], [group(None), group(topics())]):
        with pytest.raises(ValueError, match="different prefixes"):
            weighted_tags_event(change(), groups)


def test_the_id_follows_from_stream_change_models_and_prefixes() -> None:
    first = weighted_tags_event(change(), [group(None)])
    newer = TagGroup(PREFIX, replace(MODEL, model_version="2"), None)
    assert weighted_tags_event(change(), [group(topics(moss=0.5))]).event_id == first.event_id
    others = {
        weighted_tags_event(change(), [newer]).event_id,
        weighted_tags_event(change(), [group(None)], stream="elsewhere").event_id,
        weighted_tags_event(change(), [group(None, "b")]).event_id,
        weighted_tags_event(change(meta={"id": "another"}), [group(None)]).event_id,
    }
    assert len(others | {first.event_id}) == 5


def test_topic_models_share_the_prefix_that_search_knows() -> None:
    assert tag_prefix("outlink-topic-model") == tag_prefix("articletopic") == PREFIX
    assert tag_prefix("article-country") == "classification.prediction.articlecountry"
