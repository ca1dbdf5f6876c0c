"""The engine beside revscoring's own solver, over histories made here, and what it does when it cannot."""

import random

import pytest

from models import resources
from models.engine.extractor import Extractor
from models.engine.fallbacks import FALLBACKS
from models.engine.pages import PageMemory
from models.features.feature_set import FeatureSet
from models.inputs import account_gaps
from models.revscoring_scorer import RevscoringScorer
from models.scoring import score_revision
from models.store import PACKAGED_MODELS, ModelStore
from schemas.errors import FeatureError, ParentNotFound, RevisionDeleted
from schemas.prediction import ScoreFailure
from schemas.revision import Revision
from tests.dictionaries import make_up_dictionaries
from tests.feature_lists import differences, published
from tests.histories import edited
from tests.model_revisions import edit

ARTICLE = """'''Oaks''' are [[tree]]s of the genus ''Quercus''.<ref>{{cite book|title=Trees|year=1999}}</ref>

== Uses ==
* Wood of the [[oak|Oak]] is HARD and lasts.
* Bark, see [http://example.org/bark the bark].
{| class="wikitable"
! Name !! Height
|-
| English oak || 40 m
|}

=== Folklore ===
Nobody can't say that haha it was a stupid tree, wasn't it? <!-- hidden
over lines -->
[[File:Oak.jpg|thumb|An oak\nof 1,000 years]]
{{stub}}
[[Category:Trees]]
"""
NASTY = (
    "",
    "\n",
    "\r\n\r\n x\r\r\n",
    "{{a|{{b|{{c|[[d|{{e}}]]}}}}}}",
    "{{{{{{1}}}}}} [[[[a]]]] ''''' '''x'' y'''''",
    "x" * 2_000,
    "\u0627\u0644\u0639\u0631\u0628\u064a\u0629 \u05e2\u05d1\u05e8\u05d9\u05ea \u202e abc",
    "\u4e2d\u6587\u5b57\u7b26\u3002\u65e5\u672c\u8a9e\u306e\u30c6\u30ad\u30b9\u30c8",
    "e\u0301\u0302\u0303 \U0001f600\U0001f468\u200d\U0001f469\u200d\U0001f467 \u0130\u0131\u017f\u212a",
    "\u039f\u0394\u039f\u03a3\n\u03a3\u03a3 \u03a3\u03b1\u03a3",
    "\x00\x01 nul \x85 nel \u2028 ls \x0b vt",
    "<ref name=a\n>x</ref <b\n\n</b> <ref/> <!-- <ref> --> <nowiki>[[x]]</nowiki>",
    "don't can't fu-ck won't\u2019t d\u2019 o'",
    "a < b\n\nc > d <i\ne>f",
    "http://example.org/a|b [http://x.y z] //cdn &amp; &#38; == h == \n=== i ===\n",
)
LISTS = (
    "editquality.feature_lists.enwiki.damaging",
    "editquality.feature_lists.dewiki.damaging",
    "editquality.feature_lists.ruwiki.damaging",
    "articlequality.feature_lists.enwiki.wp10",
    "articlequality.feature_lists.nlwiki.wp10",
)


@pytest.fixture(autouse=True)
def _made_up_dictionaries(monkeypatch: pytest.MonkeyPatch) -> None:
    make_up_dictionaries(monkeypatch)


@pytest.fixture(scope="module")
def lists() -> list[FeatureSet]:
    return [published(name) for name in LISTS]


def history(texts: list[str]) -> list[Revision]:
    """Return one page with these texts in turn."""
    pairs = zip([None, *texts], texts, strict=False)
    return [
        edit(
            rev_id=number, rev_parent_id=None if before is None else number - 1, text=text, parent_text=before
        )
        for number, (before, text) in enumerate(pairs, start=2)
    ]


def test_a_history_of_small_edits_gives_revscorings_values(lists: list[FeatureSet]) -> None:
    compared, different = differences(lists, edited([ARTICLE, ARTICLE.upper()], edits=9))
    assert different == []
    assert compared > 5_000


def test_a_history_of_nasty_texts_gives_revscorings_values(lists: list[FeatureSet]) -> None:
    chance = random.Random(7)
    texts = [*NASTY, *(ARTICLE + text for text in NASTY)]
    texts += [first + ARTICLE[: chance.randrange(900)] + second for first in NASTY for second in NASTY[::8]]
    chance.shuffle(texts)
    compared, different = differences(lists, history(texts))
    assert different == []
    assert compared > 5_000


def test_a_page_is_the_same_whatever_was_scored_before(lists: list[FeatureSet]) -> None:
    revisions = list(edited([ARTICLE], edits=6))
    random.Random(3).shuffle(revisions)
    extractor = Extractor()
    twice = [extractor.extract(lists, revision) for revision in [*revisions, *revisions]]
    alone = [Extractor(PageMemory(0)).extract(lists, revision) for revision in revisions]
    assert twice == [*alone, *alone]


def test_what_revscoring_cannot_compute_fails_with_revscorings_words(
    lists: list[FeatureSet], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_self: object, word: str) -> bool:
        raise ValueError(f"no {word}")

    monkeypatch.setattr(resources.LazyDictionary, "check", broken)
    before = FALLBACKS.counts["plan"]
    [outcome] = Extractor().extract([published(LISTS[1])], edit()).values()
    assert repr(outcome) == repr(published(LISTS[1]).solve(edit()))
    assert "ValueError: no" in str(outcome)
    assert FALLBACKS.counts["plan"] == before + 1


def test_a_model_that_lacks_what_it_reads_does_not_stop_the_others(lists: list[FeatureSet]) -> None:
    damaging, quality = lists[0], lists[3]
    hidden = Extractor().extract([damaging, quality], edit(user=None))
    assert isinstance(hidden[damaging], RevisionDeleted)
    assert isinstance(hidden[quality], list)
    orphan = Extractor().extract([damaging, quality], edit(parent_text=None))
    assert isinstance(orphan[damaging], ParentNotFound)
    assert isinstance(orphan[quality], list)


def test_models_are_scored_the_same_with_the_engine_and_without() -> None:
    scorers = [ModelStore([PACKAGED_MODELS]).load("enwiki-reverted")]
    extractor = Extractor()
    for revision in edited([ARTICLE], edits=10):
        ours = score_revision(scorers, revision, extractor, with_features=True)
        assert ours == score_revision(scorers, revision, with_features=True)
        assert not isinstance(ours[0].outcome, ScoreFailure)


def test_a_revision_of_another_content_model_is_refused_as_without_the_engine() -> None:
    scorers = [ModelStore([PACKAGED_MODELS]).load("enwiki-reverted")]
    script = edit(content_model="javascript")
    assert score_revision(scorers, script, Extractor()) == score_revision(scorers, script)


@pytest.mark.parametrize(
    ("whole", "share", "is_finite"),
    [(10**400, 0.5, True), (3, 1.7e308, True), (3, float("inf"), False), (3, float("nan"), False)],
    ids=["a whole number beyond floats", "a sum beyond floats", "infinite", "no number"],
)
def test_values_are_refused_where_one_of_them_is_not_finite(
    whole: int, share: float, is_finite: bool
) -> None:
    model = ModelStore([PACKAGED_MODELS]).load("enwiki-reverted")
    assert isinstance(model, RevscoringScorer)
    features = model._features
    values = {"int": whole, "float": share, "bool": True}
    raw = [values[spec.returns] for spec in features.specs]
    revision = edit()
    outcome = features.checked(raw, revision)
    assert outcome == raw if is_finite else isinstance(outcome, FeatureError)
    assert features.is_plain(raw, account_gaps(revision)) is is_finite
