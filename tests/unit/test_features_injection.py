"""What a client puts in the place of computed values, and the features that it is shown."""

from typing import Any

import pytest

from models import inputs, resources
from models.engine.extractor import Extractor
from models.features.binder import FeatureBinder
from models.features.definitions import printed_name
from models.features.feature_set import FeatureSet
from models.manifest import FeatureSpec
from models.scoring import FeatureCache, Scorer, score_revision
from models.store import PACKAGED_MODELS, ModelStore
from schemas.errors import FeatureError
from schemas.prediction import FeatureValue, Score, ScoreFailure
from schemas.revision import Revision
from tests.model_revisions import edit

CHARS = "feature.wikitext.revision.chars"
PARENT_CHARS = "feature.wikitext.revision.parent.chars"
RATIO = "feature.(wikitext.revision.chars / max(wikitext.revision.parent.chars, 1))"
STOPWORDS = "feature.len(<datasource.english.stopwords.revision.stopwords>)"
TEXT = "datasource.revision.text"
PARENT_TEXT = "datasource.revision.parent.text"
IS_ANON = "feature.revision.user.is_anon"


def feature_set(returns: dict[str, str]) -> FeatureSet:
    specs = [FeatureSpec(name, kind) for name, kind in returns.items()]
    return FeatureSet("trial", specs, FeatureBinder(lambda _: frozenset({"the", "an"})))


def values(features: FeatureSet, revision: Revision) -> dict[str, FeatureValue]:
    return features.by_name(features.compute(revision, FeatureCache()))


@pytest.fixture(scope="module")
def ratios() -> FeatureSet:
    return feature_set({RATIO: "float", CHARS: "float", STOPWORDS: "float"})


@pytest.mark.parametrize(
    ("injected", "expected"),
    [
        ({}, {RATIO: 5.0, CHARS: 10.0, STOPWORDS: 1.0}),
        ({CHARS: 3}, {RATIO: 1.5, CHARS: 3, STOPWORDS: 1.0}),
        ({PARENT_CHARS: 5.0}, {RATIO: 2.0, CHARS: 10.0, STOPWORDS: 1.0}),
        ({TEXT: "an an oak"}, {RATIO: 4.5, CHARS: 9.0, STOPWORDS: 2.0}),
        ({STOPWORDS: 7}, {RATIO: 5.0, CHARS: 10.0, STOPWORDS: 7}),
        ({RATIO: -1.5, TEXT: ""}, {RATIO: -1.5, CHARS: 0.0, STOPWORDS: 0.0}),
        ({"feature.of.nothing": "x"}, {RATIO: 5.0, CHARS: 10.0, STOPWORDS: 1.0}),
    ],
)
def test_a_value_takes_the_place_of_what_would_be_computed_and_the_rest_follows(
    ratios: FeatureSet, injected: dict[str, Any], expected: dict[str, FeatureValue]
) -> None:
    revision = edit(text="the oak on", parent_text="an", injected=injected)
    assert values(ratios, revision) == expected


def test_what_is_injected_is_not_asked_of_the_revision(ratios: FeatureSet) -> None:
    orphan = edit(text="oak", parent_text=None, rev_parent_id=5, injected={PARENT_TEXT: "ok"})
    assert values(ratios, orphan)[RATIO] == 1.5


@pytest.mark.parametrize("value", ["much", None, [1], {"a": 1}])
def test_what_is_no_number_stands_for_no_feature(ratios: FeatureSet, value: Any) -> None:
    with pytest.raises(FeatureError, match="no finite float"):
        values(ratios, edit(injected={STOPWORDS: value}))


def test_a_value_that_a_computation_cannot_take_fails_it(ratios: FeatureSet) -> None:
    with pytest.raises(FeatureError, match="could not be computed"):
        values(ratios, edit(injected={TEXT: 7}))


def test_features_made_of_others_are_shown_as_those(ratios: FeatureSet) -> None:
    revision = edit(text="the oak on", parent_text="an")
    assert values(ratios.base, revision) == {CHARS: 10.0, PARENT_CHARS: 2.0, STOPWORDS: 1.0}
    plain = feature_set({CHARS: "float"})
    assert plain.base is plain


@pytest.fixture(scope="module")
def reverted() -> Scorer:
    return ModelStore([PACKAGED_MODELS]).load("enwiki-reverted")


@pytest.mark.parametrize("injected", [{}, {TEXT: "Oaks are great."}, {CHARS: 11}, {IS_ANON: True}])
def test_features_are_shown_as_ores_takes_them_out_of_revscoring(
    reverted: Any, injected: dict[str, Any]
) -> None:
    revision = edit(injected=injected or None)
    [answer] = score_revision([reverted], revision, Extractor(), with_features=True)
    assert isinstance(answer.outcome, Score)
    # As ORES does it: one cache with what was fetched and then what was injected, by name.
    features = [bound.feature for bound in reverted._features.bound]
    cache = {**inputs.values(revision, reverted._features.roots_of(revision)), **injected}
    base = list(resources.module("features.functions").trim(features))
    solved = resources.module("dependencies").solve(base, cache=cache)
    expected = dict(zip(map(printed_name, base), solved, strict=True))
    assert list((answer.features or {}).items()) == list(expected.items())


def test_an_injected_score_is_that_of_the_injected_text(reverted: Scorer) -> None:
    other = edit(text="Oaks are great.")
    [meant] = score_revision([reverted], other)
    [injected] = score_revision([reverted], edit(injected={TEXT: "Oaks are great."}), Extractor())
    assert injected.outcome == meant.outcome


def test_nothing_injected_is_remembered_for_the_next_revision(reverted: Scorer) -> None:
    extractor = Extractor()
    [before] = score_revision([reverted], edit(), extractor)
    score_revision([reverted], edit(injected={TEXT: "Oaks are great.", PARENT_TEXT: ""}), extractor)
    [after] = score_revision([reverted], edit(), extractor)
    assert before == after


def test_a_failure_by_injection_is_that_of_the_model_alone(reverted: Scorer) -> None:
    conformance = ModelStore([PACKAGED_MODELS]).load("testwiki-revid")
    failed, scored = score_revision([reverted, conformance], edit(injected={TEXT: 7}))
    assert isinstance(failed.outcome, ScoreFailure)
    assert failed.outcome.code == "feature_error"
    assert isinstance(scored.outcome, Score)
