"""Training and evaluation from tables of feature values."""

import bz2
import gzip
import zipfile
from pathlib import Path

import msgspec
import numpy as np
import pytest

from models.columns import Column, fill
from models.recipes import ENWIKI_REVERTED, Recipe
from models.scoring import score_revision
from models.store import PACKAGED_MODELS, ModelStore
from models.table import read_table
from models.training import evaluate, train
from schemas.errors import ModelIncompatible, ResourceMissing, SourceError
from schemas.prediction import Score
from tests.model_revisions import EDIT

SMALL: Recipe = msgspec.structs.replace(
    ENWIKI_REVERTED,
    name="small",
    parameters={"n_estimators": 20, "max_depth": 3, "subsample": 0.7, "random_state": 3},
)
HEADER = ["rev_id", *reversed(list(ENWIKI_REVERTED.features)), "reverted"]


@pytest.fixture
def words(tmp_path: Path) -> Path:
    path = tmp_path / "stopwords.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("stopwords/english", "the\nof\nare\n")
    return path


@pytest.fixture
def data(tmp_path: Path) -> Path:
    path = tmp_path / "small.tsv.bz2"
    path.write_bytes(bz2.compress(table_text().encode()))
    return path


def table_text(rows: int = 300) -> str:
    """Return a table where anonymous editors who add informal words are reverted; columns reversed."""
    random = np.random.default_rng(4)
    lines = ["\t".join(HEADER)]
    for rev_id in range(rows):
        is_anon = random.random() < 0.4
        informals = float(random.integers(0, 4))
        is_reverted = bool(is_anon and informals > 1) ^ bool(random.random() < 0.05)
        seconds = 300_000_000 + rev_id if is_anon else int(random.integers(100, 200))
        values = [3, 5, 1, 0.0, informals, 2.5, is_anon, False, seconds]
        lines.append("\t".join(str(x) for x in (rev_id, *reversed(values), is_reverted)))
    return "\n".join(lines) + "\n"


def test_training_twice_gives_the_same_bytes(tmp_path: Path, data: Path, words: Path) -> None:
    for name in ("a", "b"):
        train(SMALL, data, tmp_path / name, nltk_stopwords=words, folds=2, repeats=1)
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
    train(SMALL, data, tmp_path, nltk_stopwords=words, folds=3, repeats=2, tell=told.append)
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


def test_the_stand_in_for_unknown_accounts_is_the_median_of_accounts_alone(
    tmp_path: Path, data: Path, words: Path
) -> None:
    manifest = train(SMALL, data, tmp_path, nltk_stopwords=words, folds=2, repeats=1)
    stand_ins = {spec.name: spec.unknown_user_value for spec in manifest.features}
    seconds = stand_ins["feature.temporal.revision.user.seconds_since_registration"]
    assert isinstance(seconds, int)
    assert 100 <= seconds < 200
    assert stand_ins["feature.revision.user.is_anon"] is None


def test_evaluation_finds_columns_by_name_and_agrees_with_the_fit(
    tmp_path: Path, data: Path, words: Path
) -> None:
    train(SMALL, data, tmp_path, nltk_stopwords=words, folds=2, repeats=1)
    shuffled = tmp_path / "shuffled.tsv.gz"
    rows = [line.split("\t")[::-1] for line in table_text().splitlines()]
    shuffled.write_bytes(gzip.compress("\n".join("\t".join(row) for row in rows).encode()))
    store = ModelStore([tmp_path])
    one, other = (evaluate(store, "small", path) for path in (data, shuffled))
    assert one.statistics == other.statistics
    assert one.statistics["roc_auc"]["labels"]["true"] > 0.95
    assert one.model == store.info("small").id
    assert one.sha512 != other.sha512


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
    assert manifest.estimator["parameters"] == ENWIKI_REVERTED.parameters
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


GOOD = "\t".join(["1"] * 10 + ["True"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "holds no rows"),
        ("\t".join(HEADER), "holds no rows"),
        ("a\tb\n1\t2\n", "lacks the columns longest_repeated_char_added"),
        ("\t".join(HEADER) + "\n" + GOOD + "\n" + GOOD.replace("1", "x", 3), "line 3"),
        ("\t".join(HEADER) + "\n" + GOOD.replace("True", "maybe"), "line 2"),
        ("\t".join(HEADER) + "\n" + "1\t2", "line 2"),
        ("\t".join(HEADER) + "\n" + "1\tnan" + "\t1" * 8 + "\tTrue", "not finite"),
        ("\t".join(HEADER) + "\n" + GOOD, "one label only"),
    ],
)
def test_a_table_that_is_none_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "table.tsv"
    path.write_text(text)
    with pytest.raises(SourceError, match=message):
        read_table(path, columns=tuple(ENWIKI_REVERTED.features), label_column="reverted")


@pytest.mark.parametrize("name", ["absent.tsv", "broken.tsv.bz2", "broken.tsv.gz", "latin.tsv"])
def test_a_table_that_cannot_be_read_is_named(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if "absent" not in name:
        path.write_bytes(b"\xff\xfe broken")
    with pytest.raises(SourceError, match=name):
        read_table(path, columns=(), label_column="reverted")


def test_a_feature_without_a_definition_stops_training_before_the_table_is_read(
    tmp_path: Path, words: Path
) -> None:
    recipe = msgspec.structs.replace(SMALL, features={"a": "feature.wikitext.revision.gone"})
    with pytest.raises(ModelIncompatible, match="gone"):
        train(recipe, tmp_path / "absent.tsv", tmp_path, nltk_stopwords=words)


def test_training_without_the_stop_words_names_the_archive(tmp_path: Path, data: Path) -> None:
    with pytest.raises(ResourceMissing, match=r"absent\.zip"):
        train(SMALL, data, tmp_path / "models", nltk_stopwords=tmp_path / "absent.zip")
    assert not (tmp_path / "models").exists()


def test_a_model_that_learnt_from_no_table_cannot_be_evaluated_on_one(data: Path) -> None:
    with pytest.raises(ModelIncompatible, match="testwiki-revid"):
        evaluate(ModelStore([PACKAGED_MODELS]), "testwiki-revid", data)
