"""Train a model from a table of feature values, and test it."""

import hashlib
import platform
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from models import resources, statistics
from models.artefact import open_artefact, save_artefact
from models.columns import fill
from models.features import BoundFeature, FeatureBinder, pattern_list_sha512, words_of_nltk
from models.inputs import reads_account
from models.manifest import Environment, FeatureSpec, Manifest, TrainingData, WordList
from models.recipes import Recipe
from models.revscoring_scorer import RevscoringScorer
from models.store import ModelStore
from models.table import LabelledTable, read_table
from models.trees import TreeEnsemble
from schemas.errors import ModelIncompatible
from schemas.prediction import FeatureValue, ModelId, ScoreKind

Floats = NDArray[np.float64]
Tell = Callable[[str], None]

LABELS = ("false", "true")
_PACKAGES = ("revscoring", "deltas", "mwparserfromhell", "scikit-learn", "scipy", "numpy")


class Evaluation(Struct, frozen=True):
    """How a model does on a labelled table.

    Attributes:
        model: Which model.
        file: Name of the table.
        sha512: Of the table.
        statistics: In the shape of ORES's model_info.
    """

    model: ModelId
    file: str
    sha512: str
    statistics: Mapping[str, Any]


def train(
    recipe: Recipe,
    data: Path,
    models: Path,
    *,
    nltk_stopwords: Path,
    folds: int = 5,
    repeats: int = 2,
    tell: Tell = lambda _line: None,
) -> Manifest:
    """Train a model, test it by stratified cross-validation, and save it as an artefact.

    1. Bind the features, so that a wrong name fails before the work.
    2. Test: each row is scored by a model that has not seen it; figures and thresholds come from the first
       repeat, mean and deviation over the folds of all.
    3. Fit on all rows and save. The same data on the same machine gives the same bytes.
    4. Open and load what was saved.

    Args:
        recipe: What to train.
        data: Tab-separated table with a header row; plain, ``.bz2`` or ``.gz``.
        models: Folder to save into, as ``<name>/<version>``; replaces that version.
        nltk_stopwords: Zip of NLTK's stop-word corpus, from which the artefact takes its words.
        folds: At least 2.
        repeats: At least 1.
        tell: Takes a line of progress.

    Returns:
        The manifest of the artefact.

    Raises:
        SourceError: The table cannot be read.
        ModelIncompatible: A feature cannot be bound.
        ResourceMissing: The stop words, a dictionary or a package are not there.
    """
    words = _Words(nltk_stopwords)
    binder = FeatureBinder(words)
    bound = [binder.bind(name) for name in recipe.features.values()]  # 1
    table = read_table(data, columns=tuple(recipe.features), label_column=recipe.label_column)
    tell(f"{len(table.is_true)} rows, {int(table.is_true.sum())} of them true")
    tested = _cross_validate(recipe, table, folds=folds, repeats=repeats, tell=tell)  # 2
    ensemble = _fit(recipe, table.features, table.is_true)
    manifest = save_artefact(  # 3
        models / recipe.name / recipe.model_version,
        _manifest(recipe=recipe, data=data, table=table, bound=bound, words=words, tested=tested),
        ensemble.arrays,
        {_word_file(collection): list_ for collection, list_ in words.read.items()},
    )
    RevscoringScorer(open_artefact(models / recipe.name / recipe.model_version))  # 4
    tell(f"saved {recipe.name} {recipe.model_version}, sha512 {manifest.sha512[:16]}…")
    return manifest


def evaluate(store: ModelStore, artefact: str, data: Path) -> Evaluation:
    """Test a model on a labelled table with the columns that it was trained on.

    Args:
        store: Where the model is.
        artefact: Its name, or ``name@version``.
        data: Tab-separated table with a header row; plain, ``.bz2`` or ``.gz``. Further columns are ignored.

    Raises:
        SourceError: The table cannot be read.
        ModelIncompatible: The model was not trained from a table.
        ModelError: The model cannot be loaded.
    """
    manifest = store.open(artefact).manifest
    training, names = manifest.training, [feature.name for feature in manifest.features]
    scorer = store.load(artefact)
    if training is None or not isinstance(scorer, RevscoringScorer):
        raise ModelIncompatible(
            f"artefact {artefact!r} was not trained from a table of features, so it cannot be tested on "
            "one; name another artefact",
            model_name=artefact,
        )
    columns = tuple(training.columns[name] for name in names)
    table = read_table(data, columns=columns, label_column=training.label_column)
    described = _describe(scorer.predict(table.features), table.is_true)
    return Evaluation(scorer.info.id, data.name, table.sha512, described)


class _Words:
    """Gives the words of collections out of NLTK's archive, and remembers which were asked for."""

    def __init__(self, archive: Path) -> None:
        self.archive = archive
        self.read: dict[str, frozenset[str]] = {}

    def __call__(self, collection: str) -> frozenset[str]:
        if collection not in self.read:
            self.read[collection] = words_of_nltk(
                collection, lambda language: resources.nltk_words(self.archive, language)
            )
        return self.read[collection]


def _fit(recipe: Recipe, features: Floats, is_true: NDArray[np.bool_]) -> TreeEnsemble:
    # Serving processes never import scikit-learn; only training does.
    from sklearn.ensemble import GradientBoostingClassifier  # noqa: PLC0415

    model = GradientBoostingClassifier(**recipe.parameters)
    return TreeEnsemble.from_scikit_learn(model.fit(fill(recipe.columns, features), is_true))


def _cross_validate(
    recipe: Recipe, table: LabelledTable, *, folds: int, repeats: int, tell: Tell
) -> dict[str, Any]:
    from sklearn.model_selection import StratifiedKFold  # noqa: PLC0415 - as in _fit

    areas: list[tuple[float, float]] = []
    first = np.empty((len(table.is_true), len(LABELS)))
    for repeat in range(repeats):
        splitter = StratifiedKFold(folds, shuffle=True, random_state=repeat)
        for fold, (fit, test) in enumerate(splitter.split(table.features, table.is_true), start=1):
            ensemble = _fit(recipe, table.features[fit], table.is_true[fit])
            answers = ensemble.probabilities(fill(recipe.columns, table.features[test]))
            if repeat == 0:
                first[test] = answers
            sought = table.is_true[test]
            areas.append(
                (
                    statistics.roc_auc(sought, answers[:, 1]) or 0.0,
                    statistics.average_precision(sought, answers[:, 1]) or 0.0,
                )
            )
            tell(f"fold {fold} of {folds}, repeat {repeat + 1} of {repeats}: ROC-AUC {areas[-1][0]:.4f}")
    means, deviations = np.mean(areas, axis=0), np.std(areas, axis=0)
    return {
        **_describe(first, table.is_true),
        "cross_validation": {
            "folds": folds,
            "repeats": repeats,
            **{
                name: {"mean": round(float(means[i]), 6), "std": round(float(deviations[i]), 6)}
                for i, name in enumerate(("roc_auc", "average_precision"))
            },
        },
    }


def _describe(probabilities: Floats, is_true: NDArray[np.bool_]) -> dict[str, Any]:
    predicted = (probabilities[:, 1] >= 0.5).astype(np.intp)
    return statistics.describe(is_true.astype(np.intp), probabilities, predicted, LABELS)


def _manifest(
    *,
    recipe: Recipe,
    data: Path,
    table: LabelledTable,
    bound: list[BoundFeature],
    words: _Words,
    tested: Mapping[str, Any],
) -> Manifest:
    areas = tested["cross_validation"]
    figures = ", ".join(
        f"{title} {areas[name]['mean']:.3f} ± {areas[name]['std']:.3f}"
        for title, name in (("ROC-AUC", "roc_auc"), ("average precision", "average_precision"))
    )
    tests = (
        f"{areas['folds']}-fold stratified cross-validation, {areas['repeats']} times: {figures} "
        "(mean and standard deviation over the folds)."
    )
    patterns = {feature.patterns for feature in bound if feature.patterns is not None}
    return Manifest(
        name=recipe.name,
        model_name=recipe.model_name,
        model_version=recipe.model_version,
        kind=ScoreKind.BINARY,
        labels=LABELS,
        scorer="revscoring",
        estimator={
            "algorithm": "scikit-learn GradientBoostingClassifier",
            "parameters": dict(recipe.parameters),
            "columns": recipe.columns,
        },
        features=tuple(
            FeatureSpec(feature.name, feature.returns, _unknown_user_value(recipe, table, bound, position))
            for position, feature in enumerate(bound)
        ),
        word_lists={
            collection: WordList(
                _word_file(collection), f"{words.archive.name}, sha512 {_sha512(words.archive)}"
            )
            for collection in sorted(words.read)
        },
        pattern_lists={collection: pattern_list_sha512(collection) for collection in sorted(patterns)},
        environment=Environment(
            {"python": platform.python_version(), **{name: version(name) for name in _PACKAGES}},
            resources.dictionaries_read(),
        ),
        training=TrainingData(
            file=data.name,
            sha512=table.sha512,
            description=recipe.data,
            rows=len(table.is_true),
            columns={feature.name: column for feature, column in zip(bound, recipe.features, strict=True)},
            label_column=recipe.label_column,
        ),
        statistics=tested,
        card={**recipe.card, "Data": recipe.data, "Tests": tests},
        licence=recipe.licence,
        owner=recipe.owner,
        stage="production",
    )


def _unknown_user_value(
    recipe: Recipe, table: LabelledTable, bound: list[BoundFeature], position: int
) -> FeatureValue | None:
    """Return the median of a feature that reads the account; None for the others."""
    if not reads_account(bound[position].roots):
        return None
    values = table.features[:, position]
    for column in recipe.columns:
        if column.kind == "unless" and column.of == position:
            values = values[table.features[:, column.by] == 0]
            break
    median = float(np.median(values))
    return {"bool": median != 0, "int": int(median), "float": median}[bound[position].returns]


def _word_file(collection: str) -> str:
    return f"word_lists/{collection}.txt"


def _sha512(path: Path) -> str:
    return hashlib.sha512(path.read_bytes()).hexdigest()
