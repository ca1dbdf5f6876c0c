"""Recipes as TOML files."""

from pathlib import Path

import pytest

from models.columns import Column
from models.recipe_file import read_recipe
from models.recipes import Tuning
from schemas.errors import SettingsError

MINIMAL = """
name = "ruwiki-damaging"
model_version = "0.1.0"
features = ["feature.revision.user.is_anon", "feature.wikitext.revision.chars"]
label_column = "damaging"
data = "Edits that people looked at."
licence = "CC0-1.0"
owner = "somebody"
"""
WHOLE = (
    MINIMAL.replace(
        'features = ["feature.revision.user.is_anon", "feature.wikitext.revision.chars"]',
        'features = {anon = "feature.revision.user.is_anon", chars = "feature.wikitext.revision.chars"}',
    )
    + """
model_name = "quality"
wiki_id = "ruwiki"
labels = ["Stub", "C", "FA"]
content_models = ["wikitext", "proofread-page"]
stage = "staging"
columns = [{kind = "feature", of = "chars"}, {kind = "rate", of = "chars", by = "anon"}]
[estimator]
kind = "RandomForestClassifier"
scaler = "RobustScaler"
parameters = {n_estimators = 50, max_features = "log2"}
[training]
class_weights = {FA = 3}
population_rates = {Stub = 0.7, C = 0.25, FA = 0.05}
folds = 4
repeats = 1
held_out = 0.25
[tuning]
metric = "log_loss"
folds = 2
grid = {max_depth = [3, 5]}
[card]
What = "How good a page is."
"""
)


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "recipe.toml"
    path.write_text(text)
    return path


def test_a_short_recipe_is_enough(tmp_path: Path) -> None:
    recipe = read_recipe(written(tmp_path, MINIMAL))
    assert (recipe.name, recipe.model_name, recipe.stage) == ("ruwiki-damaging", "damaging", "experimental")
    assert recipe.features == {
        "feature.revision.user.is_anon": "feature.revision.user.is_anon",
        "feature.wikitext.revision.chars": "feature.wikitext.revision.chars",
    }
    assert recipe.columns == (Column("feature", 0), Column("feature", 1))
    assert recipe.labels == ("false", "true")
    assert (recipe.estimator, recipe.tuning, recipe.held_out) == ("GradientBoostingClassifier", None, 0)


def test_every_key_arrives(tmp_path: Path) -> None:
    recipe = read_recipe(written(tmp_path, WHOLE))
    assert list(recipe.features) == ["anon", "chars"]
    assert recipe.columns == (Column("feature", 1, 1), Column("rate", 1, 0))
    assert (recipe.model_name, recipe.wiki_id, recipe.labels) == ("quality", "ruwiki", ("Stub", "C", "FA"))
    assert (recipe.estimator, recipe.scaler) == ("RandomForestClassifier", "RobustScaler")
    assert recipe.parameters == {"n_estimators": 50, "max_features": "log2"}
    assert recipe.class_weights == {"FA": 3}
    assert recipe.population_rates == {"Stub": 0.7, "C": 0.25, "FA": 0.05}
    assert (recipe.folds, recipe.repeats, recipe.held_out) == (4, 1, 0.25)
    assert recipe.tuning == Tuning({"max_depth": [3, 5]}, "log_loss", 2)
    assert recipe.content_models == ("wikitext", "proofread-page")
    assert (recipe.stage, recipe.card) == ("staging", {"What": "How good a page is."})


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ('owner = "somebody"', "", "missing required field `owner`"),
        ('owner = "somebody"', 'owner = "somebody"\nfolds = 3', "unknown field `folds`"),
        ('owner = "somebody"', 'owner = "somebody', "is no recipe"),
        ('"ruwiki-damaging"', '"../evil"', "no name"),
        ('"0.1.0"', '"0/1"', "no version"),
        ('["Stub", "C", "FA"]', '["Stub"]', "fewer than two"),
        ('["Stub", "C", "FA"]', '["Stub", "C", "C"]', "one twice"),
        ('["Stub", "C", "FA"]', '["true", "false"]', "in this order"),
        ('of = "chars", by', 'of = "words", by', "'words', which is none of the features"),
        (', by = "anon"', "", "takes `by`"),
        ('"RandomForestClassifier"', '"SVC"', "'SVC' is none of GradientBoostingClassifier"),
        ('"RobustScaler"', '"Normalizer"', "'Normalizer' is none of RobustScaler"),
        ("{FA = 3}", "{GA = 3}", "class_weights names GA, no label"),
        ("{FA = 3}", '"even"', "class_weights"),
        ("{FA = 3}", "{FA = 0}", "above 0"),
        ("FA = 0.05}", "FA = 0.5}", "add up to 1"),
        ("C = 0.25, FA = 0.05}", "C = 0.3}", "gives each label"),
        ("folds = 4", "folds = 1", "training.folds"),
        ("repeats = 1", "repeats = 0", "training.repeats"),
        ("held_out = 0.25", "held_out = 1.0", "training.held_out"),
        ('"log_loss"', '"luck"', "metric"),
        ("{max_depth = [3, 5]}", "{max_depth = []}", "tuning.grid"),
        ('"staging"', '"live"', "'live' is none of"),
    ],
)
def test_what_cannot_be_is_told_by_its_key(tmp_path: Path, before: str, after: str, message: str) -> None:
    assert before in WHOLE
    with pytest.raises(SettingsError, match=message) as told:
        read_recipe(written(tmp_path, WHOLE.replace(before, after)))
    assert "recipe.toml" in told.value.message


def test_an_absent_recipe_is_told_by_its_path(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"absent\.toml cannot be read"):
        read_recipe(tmp_path / "absent.toml")


def test_a_feature_twice_is_refused(tmp_path: Path) -> None:
    doubled = MINIMAL.replace('"feature.wikitext.revision.chars"', '"feature.revision.user.is_anon"')
    with pytest.raises(SettingsError, match="names one twice"):
        read_recipe(written(tmp_path, doubled))
