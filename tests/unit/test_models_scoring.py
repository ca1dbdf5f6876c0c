"""Scoring one revision: what scores, what fails and how, and that one model's failure is its own."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from models.artefact import Artefact
from models.engine.extractor import Extractor
from models.revscoring_scorer import RevscoringScorer
from models.scoring import FeatureCache, Scorer, features_missing, score_revision
from models.store import PACKAGED_MODELS, ModelStore
from schemas.errors import ModelCorrupt, ModelIncompatible
from schemas.prediction import FeatureValue, Score, ScoreFailure
from schemas.revision import Revision, RevisionUser
from tests.model_revisions import EDIT, edit

STORE = ModelStore([PACKAGED_MODELS])
IS_ANON = "feature.revision.user.is_anon"
IN_GROUP = "feature.revision.user.in_group({'bot', 'sysop'})"
SECONDS = "feature.temporal.revision.user.seconds_since_registration"


@pytest.fixture(scope="module")
def reverted() -> Scorer:
    return STORE.load("enwiki-reverted")


def features_of(scorer: Scorer, revision: Revision) -> dict[str, FeatureValue]:
    [answer] = score_revision([scorer], revision, with_features=True)
    assert isinstance(answer.outcome, Score), answer
    assert answer.features is not None
    return answer.features


def failure_of(scorer: Scorer, revision: Revision) -> ScoreFailure:
    [answer] = score_revision([scorer], revision, with_features=True)
    assert isinstance(answer.outcome, ScoreFailure)
    assert answer.features is None
    return answer.outcome


@pytest.mark.parametrize(
    "revision",
    [
        EDIT,
        edit(rev_parent_id=None, parent_text=None, parent_dt=None),
        edit(text=""),
        edit(parent_text=""),
        edit(text="#REDIRECT [[Oak]]"),
        edit(text=EDIT.parent_text),
        edit(text="\U0001f333 \u0434\u0443\u0431 " * 50 + "\0\ufffe"),
    ],
    ids=["edit", "first", "blanked", "filled", "redirect", "null edit", "odd characters"],
)
def test_a_revision_is_scored(reverted: Scorer, revision: Revision) -> None:
    [answer] = score_revision([reverted], revision)
    assert isinstance(answer.outcome, Score)
    assert sum(answer.outcome.probability.values()) == pytest.approx(1, abs=1e-15)
    assert answer.features is None
    assert answer.model == reverted.info.id


def test_the_same_revision_scores_the_same_with_and_without_other_models(reverted: Scorer) -> None:
    others = [STORE.load(name) for name in ("langid", "testwiki-revid")]
    alone = score_revision([reverted], EDIT, with_features=True)
    assert score_revision([*others, reverted, reverted], EDIT, with_features=True)[2:] == alone * 2


@pytest.mark.parametrize("user_id", [None, 0])
def test_an_editor_without_an_account_is_anonymous_and_0_seconds_old(
    reverted: Scorer, user_id: int | None
) -> None:
    values = features_of(reverted, edit(user=RevisionUser(user_id, "192.0.2.1", is_known=False)))
    assert (values[IS_ANON], values[IN_GROUP], values[SECONDS]) == (True, False, 0)


def test_a_temporary_account_is_an_account_of_its_true_age(reverted: Scorer) -> None:
    made = datetime(2020, 12, 31, 23, 0, tzinfo=UTC)
    values = features_of(reverted, edit(user=RevisionUser(99, "~2020-1234-5", ("temp",), made)))
    assert (values[IS_ANON], values[SECONDS]) == (False, 3600)


def test_groups_are_read(reverted: Scorer) -> None:
    assert features_of(reverted, edit(user=RevisionUser(9, "Bot", ("bot",))))[IN_GROUP] is True
    assert features_of(reverted, edit(user=RevisionUser(9, "Bot", ("patroller",))))[IN_GROUP] is False


def test_an_account_older_than_registration_dates_is_dated_as_revscoring_dates_it(reverted: Scorer) -> None:
    values = features_of(reverted, edit(user=RevisionUser(9, "Old", ())))
    assert values[SECONDS] == (EDIT.rev_dt - datetime(2006, 1, 1, tzinfo=UTC)).total_seconds()


def test_where_the_source_knows_no_accounts_the_declared_values_stand_in(reverted: Scorer) -> None:
    declared = {
        spec.name: spec.unknown_user_value
        for spec in STORE.open("enwiki-reverted").manifest.features
        if spec.unknown_user_value is not None
    }
    assert set(declared) == {IN_GROUP, SECONDS}
    values = features_of(reverted, edit(user=RevisionUser(9, "Someone", is_known=False)))
    assert {name: values[name] for name in declared} == declared
    assert values[IS_ANON] is False


def test_of_an_account_known_in_part_only_what_is_not_known_is_declared(reverted: Scorer) -> None:
    specs = {spec.name: spec for spec in STORE.open("enwiki-reverted").manifest.features}
    made = datetime(2020, 12, 31, 23, 0, tzinfo=UTC)
    groups_told = edit(user=RevisionUser(9, "Bot", ("bot",), lacks_registration=True))
    date_told = edit(user=RevisionUser(9, "Bot", (), made, lacks_groups=True))
    by_groups, by_date = features_of(reverted, groups_told), features_of(reverted, date_told)
    assert (by_groups[IN_GROUP], by_groups[SECONDS]) == (True, specs[SECONDS].unknown_user_value)
    assert (by_date[IN_GROUP], by_date[SECONDS]) == (specs[IN_GROUP].unknown_user_value, 3600)
    assert features_missing(reverted, groups_told) == (SECONDS,)
    assert features_missing(reverted, date_told) == (IN_GROUP,)


@pytest.mark.parametrize("with_engine", [True, False])
def test_the_engine_and_revscoring_agree_on_accounts_known_in_part(
    reverted: Scorer, with_engine: bool
) -> None:
    extractor = Extractor() if with_engine else None
    for lacks in ({"lacks_groups": True}, {"lacks_registration": True}, {"is_known": False}, {}):
        revision = edit(user=RevisionUser(9, "Bot", ("bot",), datetime(2015, 1, 1, tzinfo=UTC), **lacks))
        [answer] = score_revision([reverted], revision, extractor, with_features=True)
        assert answer == score_revision([reverted], revision, with_features=True)[0]


def test_where_accounts_are_not_known_the_features_that_read_them_are_named(reverted: Scorer) -> None:
    unknown = edit(user=RevisionUser(9, "Someone", is_known=False))
    assert set(features_missing(reverted, unknown)) == {IN_GROUP, SECONDS}
    assert features_missing(reverted, EDIT) == ()
    assert features_missing(reverted, edit(user=RevisionUser(None, "192.0.2.1", is_known=False))) == ()
    assert features_missing(reverted, edit(user=None)) == ()
    assert features_missing(STORE.load("langid"), unknown) == ()
    assert features_missing(STORE.load("revertrisk-small"), unknown) == ("edit.user.is_trusted",)
    dated = edit(user=RevisionUser(9, "Someone", (), lacks_registration=True))
    assert features_missing(STORE.load("revertrisk-small"), dated) == ()


@pytest.mark.parametrize(
    ("revision", "code"),
    [
        (edit(user=None), "revision_deleted"),
        (edit(parent_text=None), "parent_not_found"),
        (edit(content_model="wikibase-item"), "content_model_unsupported"),
        (edit(text="half a pair: \ud800"), "feature_error"),
    ],
)
def test_what_cannot_be_scored_is_a_failure_with_its_code(
    reverted: Scorer, revision: Revision, code: str
) -> None:
    failure = failure_of(reverted, revision)
    assert failure.code == code
    assert "2342342" in failure.message


def test_a_failing_model_does_not_stop_the_others(reverted: Scorer) -> None:
    class Broken:
        info = reverted.info

        def score(self, revision: Revision, cache: FeatureCache) -> Any:
            raise RecursionError("too deep")

    broken, whole = score_revision([Broken(), reverted], EDIT)
    assert isinstance(whole.outcome, Score)
    assert isinstance(broken.outcome, ScoreFailure)
    assert broken.outcome.code == "feature_error"
    assert "RecursionError: too deep" in broken.outcome.message


def test_the_prediction_is_the_likelier_label(reverted: Scorer) -> None:
    vandal = edit(
        text="poop " * 30 + "!!!!!!!!!!!!!!",
        user=RevisionUser(None, "192.0.2.1"),
        parent_text="An oak is a tree.",
    )
    for revision in (EDIT, vandal):
        [answer] = score_revision([reverted], revision)
        assert isinstance(answer.outcome, Score)
        probability = answer.outcome.probability
        assert answer.outcome.prediction_value() is (probability["true"] >= 0.5)
    assert probability["true"] > 0.5


def opened(**changes: Any) -> Artefact:
    artefact = STORE.open("enwiki-reverted")
    return Artefact(msgspec.structs.replace(artefact.manifest, **changes), artefact.contents)


def test_patterns_that_changed_since_training_are_refused() -> None:
    with pytest.raises(ModelIncompatible, match=r"english\.badwords"):
        RevscoringScorer(opened(pattern_lists={"english.badwords": "0" * 128}))


def test_a_feature_that_cannot_be_bound_refuses_the_model_by_name() -> None:
    specs = list(STORE.open("enwiki-reverted").manifest.features)
    unknown = msgspec.structs.replace(specs[0], name="feature.wikitext.revision.gone")
    with pytest.raises(ModelIncompatible, match=r"feature\.wikitext\.revision\.gone"):
        RevscoringScorer(opened(features=(unknown, *specs[1:])))
    other_type = msgspec.structs.replace(specs[0], returns="bool")
    with pytest.raises(ModelIncompatible, match=r"takes .*longest_repeated_char_added.* for bool"):
        RevscoringScorer(opened(features=(other_type, *specs[1:])))


@pytest.mark.parametrize(
    "columns", [None, [], [{"kind": "feature", "of": 9}], [{"kind": "guess", "of": 0}], [{"kind": "unless"}]]
)
def test_columns_that_mean_nothing_are_refused(columns: Any) -> None:
    stated = STORE.open("enwiki-reverted").manifest.estimator
    with pytest.raises(ModelCorrupt, match=r"(import|train) it anew"):
        RevscoringScorer(opened(estimator={**stated, "columns": columns}))


def test_labels_that_do_not_fit_the_trees_are_refused() -> None:
    with pytest.raises(ModelCorrupt, match="3 labels"):
        RevscoringScorer(opened(labels=("a", "b", "c")))


def test_a_missing_word_list_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelIncompatible, match=r"english\.stopwords"):
        RevscoringScorer(opened(word_lists={}))
