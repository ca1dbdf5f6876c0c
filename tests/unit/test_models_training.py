"""Training from tables of feature values, and evaluation on them."""

import bz2
import gzip
from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace

from models.artefact import save_artefact
from models.columns import Column, fill
from models.manifest import Manifest
from models.recipes import ENWIKI_REVERTED, Recipe, Tuning
from models.scoring import score_revision
from models.store import PACKAGED_MODELS, ModelStore
from models.training import TrainingOptions, evaluate, prepare_table, train
from models.training.fitting import answer, fit
from schemas.errors import ModelIncompatible, ResourceMissing, SettingsError, SourceError
from schemas.prediction import Score, ScoreKind
from tests.model_revisions import EDIT
from tests.training_data import CLASSES, SMALL, classes_table, small_table, words

__all__ = ["words"]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    path = tmp_path / "small.tsv.bz2"
    path.write_bytes(bz2.compress(small_table().encode()))
    return path


def trained(
    recipe: Recipe, data: Path, models: Path, words: Path | None = None, *, told: list[str] | None = None
) -> Manifest:
    options = TrainingOptions(nltk_stopwords=words)
    tell = (lambda _line: None) if told is None else told.append
    return train(recipe, prepare_table(recipe, data, options), models, options, tell=tell)


def test_training_twice_gives_the_same_bytes(tmp_path: Path, data: Path, words: Path) -> None:
    recipe = replace(SMALL, held_out=0.2, tuning=Tuning({"max_depth": [2, 3]}, folds=2))
    for name in ("a", "b"):
        trained(recipe, data, tmp_path / name, words)
    first, second = (tmp_path / name / "small" / "0.1.0" for name in ("a", "b"))
    files = sorted(path.relative_to(first) for path in first.rglob("*") if path.is_file())
    assert [str(path) for path in files] == [
        "arrays.npz",
        "manifest.json",
        "word_lists/english.stopwords.txt",
    ]
    for file in files:
        assert (first / file).read_bytes() == (second / file).read_bytes()


def test_what_was_trained_scores_and_says_where_it_came_from(tmp_path: Path, data: Path, words: Path) -> None:
    told: list[str] = []
    trained(replace(SMALL, folds=3, repeats=2), data, tmp_path, words, told=told)
    store = ModelStore([tmp_path])
    [answer] = score_revision([store.load("small")], EDIT, with_features=True)
    assert isinstance(answer.outcome, Score)
    manifest = store.open("small").manifest
    assert manifest.training is not None
    assert manifest.training.rows == 300
    assert manifest.environment.packages["python"].startswith("3.11")
    assert {"revscoring", "scikit-learn", "numpy"} <= set(manifest.environment.packages)
    assert set(manifest.pattern_lists) == {"english.badwords", "english.informals"}
    assert store.open("small").words("english.stopwords") == {"the", "of", "are"}
    assert manifest.statistics["cross_validation"]["roc_auc"]["mean"] > 0.85
    assert len([line for line in told if line.startswith("fold")]) == 6
    assert told[0].startswith("300 rows, ")


def test_the_stand_in_for_unknown_accounts_is_the_median_of_accounts_alone(
    tmp_path: Path, data: Path, words: Path
) -> None:
    manifest = trained(SMALL, data, tmp_path, words)
    stand_ins = {spec.name: spec.unknown_user_value for spec in manifest.features}
    seconds = stand_ins["feature.temporal.revision.user.seconds_since_registration"]
    assert isinstance(seconds, int)
    assert 100 <= seconds < 200
    assert stand_ins["feature.revision.user.is_anon"] is None


def test_evaluation_finds_columns_by_name_and_agrees_with_the_fit(
    tmp_path: Path, data: Path, words: Path
) -> None:
    trained(SMALL, data, tmp_path, words)
    shuffled = tmp_path / "shuffled.tsv.gz"
    rows = [line.split("\t")[::-1] for line in small_table().splitlines()]
    shuffled.write_bytes(gzip.compress("\n".join("\t".join(row) for row in rows).encode()))
    store = ModelStore([tmp_path])
    one, other = (evaluate(store, "small", path) for path in (data, shuffled))
    assert one.statistics == other.statistics
    assert one.statistics["roc_auc"]["labels"]["true"] > 0.95
    assert one.model == store.info("small").id
    assert one.sha512 != other.sha512


def test_a_model_of_several_classes_answers_with_each_of_them(tmp_path: Path) -> None:
    data = tmp_path / "classes.tsv"
    data.write_text(classes_table())
    manifest = trained(CLASSES, data, tmp_path)
    assert (manifest.kind, manifest.labels) == (ScoreKind.MULTICLASS, ("Stub", "C", "FA"))
    assert manifest.statistics["roc_auc"]["macro"] > 0.85
    store = ModelStore([tmp_path])
    [answer] = score_revision([store.load("classes")], EDIT)
    assert isinstance(answer.outcome, Score)
    assert answer.outcome.prediction == ("Stub",)
    assert list(answer.outcome.probability) == ["Stub", "C", "FA"]
    assert evaluate(store, "classes", data).statistics["accuracy"]["macro"] > 0.8


def test_a_model_that_was_trained_elsewhere_is_tested_on_the_printed_names_of_its_features(
    tmp_path: Path,
) -> None:
    data = tmp_path / "classes.tsv"
    data.write_text(classes_table())
    manifest = trained(CLASSES, data, tmp_path / "ours")
    opened = ModelStore([tmp_path / "ours"]).open("classes")
    elsewhere = replace(manifest, training=None, model_name="wp10")
    save_artefact(tmp_path / "theirs" / "classes" / "0.1.0", elsewhere, opened.arrays(), {})
    printed = tmp_path / "printed.tsv"
    text = data.read_text().replace("quality", "wp10")
    for column, name in CLASSES.features.items():
        text = text.replace(column, name, 1)
    printed.write_text(text)
    ours = evaluate(ModelStore([tmp_path / "ours"]), "classes", data)
    theirs = evaluate(ModelStore([tmp_path / "theirs"]), "classes", printed)
    assert ours.statistics == theirs.statistics


@pytest.mark.parametrize(
    ("estimator", "scaler", "parameters"),
    [
        ("RandomForestClassifier", None, {"n_estimators": 10}),
        ("LogisticRegression", "RobustScaler", {"C": 0.5}),
        ("GradientBoostingClassifier", "StandardScaler", {"n_estimators": 5}),
    ],
)
def test_models_of_other_estimators_are_saved_and_loaded(
    tmp_path: Path, estimator: str, scaler: str | None, parameters: dict[str, float]
) -> None:
    data = tmp_path / "classes.tsv"
    data.write_text(classes_table())
    recipe = replace(CLASSES, estimator=estimator, scaler=scaler, parameters=parameters)
    manifest = trained(recipe, data, tmp_path)
    assert manifest.estimator["trained"]["algorithm"] == f"scikit-learn {estimator}"
    evaluated = evaluate(ModelStore([tmp_path]), "classes", data)
    # On the rows that it learnt from, unless columns or labels got mixed up.
    assert evaluated.statistics["roc_auc"]["macro"] > 0.85


def test_rows_held_out_are_what_the_statistics_are_of(tmp_path: Path, data: Path, words: Path) -> None:
    manifest = trained(replace(SMALL, held_out=0.3), data, tmp_path, words)
    held_out = manifest.statistics["held_out"]
    assert manifest.training is not None
    assert (held_out["rows"], manifest.training.rows) == (90, 210)
    assert manifest.statistics["counts"]["n"] == 90
    assert held_out["roc_auc"] > 0.7
    assert "On 90 rows held out" in manifest.card["Tests"]


def test_tuning_takes_what_does_best_and_tells_all_that_was_tried(
    tmp_path: Path, data: Path, words: Path
) -> None:
    grid = {"max_depth": [1, 3], "n_estimators": [1, 30]}
    recipe = replace(SMALL, tuning=Tuning(grid, metric="log_loss", folds=2))
    manifest = trained(recipe, data, tmp_path, words)
    tuning = manifest.statistics["tuning"]
    assert [one["parameters"] for one in tuning["tried"]] == [
        {"max_depth": depth, "n_estimators": trees} for depth in (1, 3) for trees in (1, 30)
    ]
    best = min(tuning["tried"], key=lambda one: one["mean"])
    assert tuning["chosen"] == best["parameters"]
    assert best["parameters"]["n_estimators"] == 30
    parameters = manifest.estimator["trained"]["parameters"]
    assert parameters == {**SMALL.parameters, **best["parameters"]}


def test_statistics_are_scaled_to_the_rates_of_the_population(
    tmp_path: Path, data: Path, words: Path
) -> None:
    plain = trained(SMALL, data, tmp_path / "plain", words)
    rates = {"false": 0.99, "true": 0.01}
    scaled = trained(replace(SMALL, population_rates=rates), data, tmp_path / "scaled", words)
    assert scaled.statistics["rates"]["population"] == rates
    precision = [one.statistics["precision"]["labels"]["true"] for one in (plain, scaled)]
    assert precision[1] < precision[0] / 2
    recall = [one.statistics["recall"]["labels"]["true"] for one in (plain, scaled)]
    assert recall[0] == pytest.approx(recall[1])


def test_the_rates_of_the_population_can_be_counted_in_a_random_sample(
    tmp_path: Path, data: Path, words: Path
) -> None:
    population = tmp_path / "population.tsv"
    population.write_text("\n".join(f"{rev_id}\t{rev_id % 10 == 0}" for rev_id in range(1, 51)))
    options = TrainingOptions(words, population=population)
    manifest = train(SMALL, prepare_table(SMALL, data, options), tmp_path, options)
    assert manifest.statistics["rates"]["population"] == {"false": 0.9, "true": 0.1}


def test_weights_move_answers_towards_the_rare_label(tmp_path: Path, data: Path, words: Path) -> None:
    prepared = prepare_table(SMALL, data, TrainingOptions(words))

    def mean_of_true(recipe: Recipe) -> float:
        fitted = fit(recipe, recipe.parameters, prepared.table.features, prepared.table.actual)
        return float(answer(recipe, fitted, prepared.table.features).probabilities[:, 1].mean())

    plain, balanced = mean_of_true(SMALL), mean_of_true(replace(SMALL, class_weights="balanced"))
    share = prepared.table.actual.mean()
    by_hand = mean_of_true(replace(SMALL, class_weights={"true": 0.5 / share, "false": 0.5 / (1 - share)}))
    assert balanced > 1.3 * plain
    assert by_hand == pytest.approx(balanced)


def test_a_parameter_that_scikit_learn_refuses_is_told_with_the_recipe(
    tmp_path: Path, data: Path, words: Path
) -> None:
    for parameters in ({"depth": 3}, {"max_depth": "deep"}):
        with pytest.raises(SettingsError, match="GradientBoostingClassifier refuses the recipe 'small'"):
            trained(replace(SMALL, parameters=parameters), data, tmp_path / "models", words)
    assert not (tmp_path / "models").exists()


def test_the_age_of_anonymous_editors_makes_no_difference() -> None:
    scorer = ModelStore([PACKAGED_MODELS]).load("enwiki-reverted")
    predict = scorer.predict  # type: ignore[attr-defined] # of the revscoring scorer
    ages = np.array([0.0, 3e8, 1e9])
    rows = np.tile(np.array([2.0, 5, 0, 0, 1, 3, 1, 0, 0]), (3, 1))
    rows[:, 8] = ages
    assert len(np.unique(predict(rows)[:, 1])) == 1
    rows[:, 6] = 0
    assert len(np.unique(predict(rows)[:, 1])) > 1


def test_the_packaged_model_is_the_recipe_and_meets_its_figures(shared: Path) -> None:
    store = ModelStore([PACKAGED_MODELS])
    manifest = store.open("enwiki-reverted").manifest
    assert manifest.card.items() >= ENWIKI_REVERTED.card.items()
    assert [spec.name for spec in manifest.features] == list(ENWIKI_REVERTED.features.values())
    data = shared / "data" / "labelled" / "editquality" / "enwiki.features_reverted.train.tsv.bz2"
    evaluation = evaluate(store, "enwiki-reverted", data)
    assert manifest.training is not None
    assert evaluation.sha512 == manifest.training.sha512
    # On its own training rows a model does better than on others; were columns mixed up, it would not.
    assert evaluation.statistics["roc_auc"]["labels"]["true"] > 0.88
    tested = manifest.statistics["cross_validation"]
    assert tested["roc_auc"]["mean"] > 0.86
    assert tested["average_precision"]["mean"] > 0.37


def test_fitting_the_recipe_anew_gives_the_numbers_of_the_packaged_model(shared: Path) -> None:
    data = shared / "data" / "labelled" / "editquality" / "enwiki.features_reverted.train.tsv.bz2"
    options = TrainingOptions(shared / "data" / "nltk" / "stopwords.zip")
    table = prepare_table(ENWIKI_REVERTED, data, options).table
    fitted = fit(ENWIKI_REVERTED, ENWIKI_REVERTED.parameters, table.features, table.actual)
    arrays = ModelStore([PACKAGED_MODELS]).open("enwiki-reverted").arrays()
    assert {f"estimator.{name}" for name in fitted.arrays} == arrays.keys()
    for name, found in fitted.arrays.items():
        packaged = arrays[f"estimator.{name}"]
        assert (found.dtype, found.tobytes()) == (packaged.dtype, packaged.tobytes())


def test_columns_are_sums_and_shares_of_features() -> None:
    columns = (
        Column("feature", of=1),
        Column("unless", of=0, by=2),
        Column("difference", of=0, by=1),
        Column("share", of=0, by=1),
        Column("rate", of=0, by=1),
    )
    filled = fill(columns, np.array([[6.0, 2.0, 0.0], [6.0, 2.0, 1.0]]))
    assert filled.tolist() == [[2, 6, 4, 6 / 9, 2], [2, 0, 4, 6 / 9, 2]]


def test_a_feature_without_a_definition_stops_training_before_the_table_is_read(
    tmp_path: Path, words: Path
) -> None:
    recipe = replace(SMALL, features={"a": "feature.wikitext.revision.gone"})
    with pytest.raises(ModelIncompatible, match="gone"):
        prepare_table(recipe, tmp_path / "absent.tsv", TrainingOptions(words))


def test_training_without_the_stop_words_names_what_is_missing(tmp_path: Path, data: Path) -> None:
    with pytest.raises(ResourceMissing, match=r"absent\.zip"):
        prepare_table(SMALL, data, TrainingOptions(tmp_path / "absent.zip"))
    with pytest.raises(ResourceMissing, match=r"stop words of english.*stopwords\.zip"):
        prepare_table(SMALL, data)


def test_too_few_rows_for_the_folds_are_told_before_the_work(tmp_path: Path, words: Path) -> None:
    data = tmp_path / "few.tsv"
    head, *rows = small_table().splitlines()
    few = [row for row in rows if row.endswith("True")][:3] + [row for row in rows if row.endswith("False")]
    data.write_text("\n".join([head, *few]))
    with pytest.raises(SourceError, match="3 rows of label 'true', and 5 are needed"):
        prepare_table(SMALL, data, TrainingOptions(words, folds=5))


def test_a_model_that_reads_no_features_cannot_be_evaluated_on_a_table(data: Path) -> None:
    with pytest.raises(ModelIncompatible, match="testwiki-revid"):
        evaluate(ModelStore([PACKAGED_MODELS]), "testwiki-revid", data)
