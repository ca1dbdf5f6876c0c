"""Topics by what a page links to: the fastText kind, and Lift Wing's contract of it."""

from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from app.api.liftwing_outlinks import OutlinkRequest, outlinks_answer, parse_outlinks
from models.artefact import open_artefact
from models.kinds.outlinks import OUTLINKS, OutlinkScorer, load
from models.scoring import FeatureCache, score_revision
from schemas.errors import FeatureError, ModelCorrupt, RequestInvalid
from schemas.prediction import ScoreFailure, ScoreKind
from tests.kinds import TOPICS, fasttext_bytes, write_outlinks
from tests.model_revisions import edit

PAGE_CHANGE = {
    "$schema": "/mediawiki/page/change/1.2.0",
    "wiki_id": "frwiki",
    "meta": {"domain": "fr.wikipedia.org"},
    "page": {"page_id": 7, "page_title": "Chêne"},
    "revision": {"rev_id": 99},
}


@pytest.fixture(scope="module")
def topics(tmp_path_factory: pytest.TempPathFactory) -> OutlinkScorer:
    pytest.importorskip("fasttext", reason="the extra `fasttext` is not installed")
    return load(open_artefact(write_outlinks(tmp_path_factory.mktemp("models"))))


@pytest.mark.parametrize(("links", "wanted"), TOPICS)
def test_a_page_gets_the_topics_of_pages_with_its_links(
    topics: OutlinkScorer, links: tuple[str, ...], wanted: tuple[str, ...]
) -> None:
    score = topics.classify(links)
    assert score.kind is ScoreKind.MULTILABEL
    assert set(score.prediction) == set(wanted)
    assert set(score.probability) == set(topics.info.labels)
    assert all(0 <= probability <= 1 for probability in score.probability.values())
    assert list(score.probability.values()) == sorted(score.probability.values(), reverse=True)


def test_neither_the_order_of_links_nor_their_repetition_matters(topics: OutlinkScorer) -> None:
    assert topics.classify(["Q4", "Q1", "Q3", "Q1"]) == topics.classify(["Q1", "Q3", "Q4"])


def test_links_that_the_model_does_not_know_count_for_nothing(topics: OutlinkScorer) -> None:
    assert topics.classify(["Q1", "Q777"]) == topics.classify(["Q1"])
    for unknown in ([], ["Q777"]):
        score = topics.classify(unknown)
        assert (score.prediction, score.probability) == ((), {})


def test_only_the_first_thousand_links_are_read(topics: OutlinkScorer) -> None:
    padding = [f"Q{number}" for number in range(1_000, 2_000)]
    assert topics.classify([*padding, "Q1"]).probability == {}
    assert topics.classify([*padding[:-1], "Q1"]) == topics.classify(["Q1"])


def test_a_threshold_decides_which_topics_are_given(topics: OutlinkScorer) -> None:
    assert topics.classify(["Q1"], threshold=0.0).prediction == tuple(topics.classify(["Q1"]).probability)
    assert topics.classify(["Q1"], threshold=1.1).prediction == ()


@pytest.mark.parametrize("wrong", ["42", "Q0", "Q", "q42", "Q4 2", "Q42\n", "", "P31", "Q1" * 90])
def test_what_is_no_item_is_refused(topics: OutlinkScorer, wrong: str) -> None:
    with pytest.raises(FeatureError):
        topics.classify(["Q1", wrong])


def test_a_revision_from_a_source_that_knows_no_links_is_a_typed_failure(topics: OutlinkScorer) -> None:
    [answer] = score_revision([topics], edit())
    assert isinstance(answer.outcome, ScoreFailure)
    assert answer.outcome.code == FeatureError.code
    assert "Wikidata ids" in answer.outcome.message


def test_a_revision_is_scored_by_its_links(topics: OutlinkScorer) -> None:
    score, features = topics.score(replace(edit(), outlinks=("Q1", "Q2", "Q1")), FeatureCache())
    assert score == topics.classify(["Q1", "Q2"])
    assert features == {OUTLINKS: 2}


@pytest.mark.parametrize(
    "changes",
    [
        {"labels": ("Space", "Sport")},
        {"estimator": {"kind": "fasttext"}},
    ],
    ids=str,
)
def test_a_manifest_that_does_not_fit_the_file_does_not_load(changes: dict[str, Any], tmp_path: Path) -> None:
    pytest.importorskip("fasttext", reason="the extra `fasttext` is not installed")
    with pytest.raises(ModelCorrupt):
        load(open_artefact(write_outlinks(tmp_path, **changes)))


def test_a_file_that_is_cut_off_does_not_load(tmp_path: Path) -> None:
    pytest.importorskip("fasttext", reason="the extra `fasttext` is not installed")
    with pytest.raises(ModelCorrupt):
        load(open_artefact(write_outlinks(tmp_path, fasttext_bytes()[:-1])))


@pytest.mark.parametrize(
    ("body", "request_"),
    [
        (
            {"lang": "fr", "page_title": "Chêne"},
            OutlinkRequest("frwiki", "fr", "Chêne", None, None, None, 0.5),
        ),
        (
            {"wiki_id": "zh_yuewiki", "page_id": 7, "threshold": 0.1},
            OutlinkRequest("zh_yuewiki", "zh-yue", None, 7, None, None, 0.1),
        ),
        (
            {"lang": "en", "page_id": 7, "debug": True, "revision_id": 5, "features_str": "Q1 Q2"},
            OutlinkRequest("enwiki", "en", None, 7, 5, ("Q1", "Q2"), 0.0),
        ),
        ({"event": PAGE_CHANGE}, OutlinkRequest("frwiki", "fr", None, 7, 99, None, 0.5)),
    ],
)
def test_a_request_is_read(body: dict[str, Any], request_: OutlinkRequest) -> None:
    assert parse_outlinks(body) == request_


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"lang": "fr"}, "You must pass either `page_title` or `page_id`."),
        ({"lang": "fr", "page_id": 1, "page_title": "A"}, "both `page_title` and `page_id`"),
        ({"page_id": 1}, 'Missing "lang" in input data.'),
        ({"lang": 3, "page_id": 1}, 'Expected "lang" to be a string.'),
        ({"lang": "frwiki", "page_id": 1}, "'wiki' suffix"),
        ({"wiki_id": "french", "page_id": 1}, "Unknown wiki_id: french"),
        ({"lang": "fr", "page_id": 1, "threshold": 1}, 'Expected "threshold" to be a float'),
        ({"lang": "fr", "page_id": -1}, '"page_id"'),
        ({"lang": "fr", "page_id": 1, "features_str": ["Q1"]}, '"features_str"'),
        ({"lang": "fr", "page_id": 1, "features_str": "Q1 " * 40_000}, '"features_str" holds 120000'),
        (
            {"event": {**PAGE_CHANGE, "$schema": "/x/1"}},
            "/x/1, the lang value cannot be determined.",
        ),
        ({"event": {**PAGE_CHANGE, "meta": {"domain": "fr.wiktionary.org"}}}, "outside of Wikipedia"),
        ({"event": {**PAGE_CHANGE, "page": {}}}, 'Missing "page_id" in input data.'),
        ({"event": 3}, '"event"'),
    ],
)
def test_a_wrong_request_is_told_what_is_wrong(body: dict[str, Any], told: str) -> None:
    with pytest.raises(RequestInvalid) as caught:
        parse_outlinks(body)
    assert told in caught.value.message


def test_the_answer_names_the_article_and_its_topics_likeliest_first(topics: OutlinkScorer) -> None:
    score = topics.classify(["Q1", "Q3"])
    answer = outlinks_answer(parse_outlinks({"lang": "fr", "page_title": "Chêne"}), score)
    assert answer["prediction"]["article"] == "https://fr.wikipedia.org/wiki/Chêne"
    assert {one["topic"] for one in answer["prediction"]["results"]} == {"Space", "Sport"}
    everything = outlinks_answer(parse_outlinks({"lang": "fr", "page_id": 7, "debug": True}), score)
    assert everything["prediction"]["article"] == "https://fr.wikipedia.org/wiki?curid=7"
    scores = [one["score"] for one in everything["prediction"]["results"]]
    assert len(scores) == 3
    assert scores == sorted(scores, reverse=True)
