"""From a recipe and labelled edits to rows that an estimator can learn from."""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from msgspec import Struct

from models.features.binder import FeatureBinder
from models.features.bound import BoundFeature
from models.manifest import FeatureSpec
from models.recipes import Recipe
from models.training.extraction import RevisionSource, extract
from models.training.feature_file import write_features
from models.training.label_values import require_labels
from models.training.labelled_revisions import read_labelled_revisions
from models.training.table import LabelledTable, read_table
from models.training.unknown_accounts import feature_specs, with_stand_ins
from models.training.words import TrainingWords
from schemas.errors import ModelIncompatible

Tell = Callable[[str], None]


class TrainingOptions(Struct, frozen=True):
    """What is not in the recipe.

    Attributes:
        nltk_stopwords: Zip of NLTK's stop-word corpus, from which the artefact takes its words; None where
            no feature reads them.
        folds: Of cross-validation, at least 2; None as in the recipe.
        repeats: Of cross-validation, at least 1; None as in the recipe.
        population: Labelled revisions drawn at random, whose labels are as frequent as in the world; None
            takes the rates of the recipe.
    """

    nltk_stopwords: Path | None = None
    folds: int | None = None
    repeats: int | None = None
    population: Path | None = None


class LabelledSource(Struct, frozen=True):
    """Labelled revision ids, and where their texts come from.

    Attributes:
        labels: As ``models.training.labelled_revisions`` reads them.
        source: Gives the revisions.
        source_name: What the artefact says of the source: ``the dump …``.
        features_file: Where the extracted features are written as a table to train on again; None for
            nowhere.
    """

    labels: Path
    source: RevisionSource
    source_name: str
    features_file: Path | None = None


class Prepared(Struct, frozen=True):
    """Rows to learn from, with the features that they hold.

    Attributes:
        table: The rows.
        bound: The features, in the order of the columns.
        specs: What the artefact says of them.
        words: Those that they read.
        file: Name of the file of labels.
        note: What else is to be said of the data; empty for nothing.
    """

    table: LabelledTable
    bound: tuple[BoundFeature, ...]
    specs: tuple[FeatureSpec, ...]
    words: TrainingWords
    file: str
    note: str = ""


def prepare_table(recipe: Recipe, data: Path, options: TrainingOptions | None = None) -> Prepared:
    """Read a table of feature values. Features are bound first, so that a wrong name fails before the work.

    Args:
        recipe: Names the columns.
        data: As ``models.training.table`` reads it.
        options: What is not in the recipe.

    Raises:
        SourceError: The table cannot be read, or holds too few rows of a label.
        ModelIncompatible: A feature cannot be bound.
        ResourceMissing: The stop words, a dictionary or a package are not there.
    """
    options = options or TrainingOptions()
    words, _, bound = _bind(recipe, options)
    table = read_table(
        data,
        columns=tuple(recipe.features),
        label_column=recipe.label_column,
        labels=recipe.labels,
        least=_least(recipe, options),
    )
    return Prepared(table, bound, feature_specs(recipe, bound, table.features), words, data.name)


async def prepare_revisions(
    recipe: Recipe,
    given: LabelledSource,
    options: TrainingOptions | None = None,
    *,
    tell: Tell = lambda _line: None,
) -> Prepared:
    """Extract the features of labelled revisions. Those that cannot be had are left out and counted.

    Args:
        recipe: Names the features, and the wiki of rows that name none.
        given: The labels and the texts.
        options: What is not in the recipe.
        tell: Takes a line of progress.

    Raises:
        ContentError: The source does not answer.
        SourceError: The labels cannot be read, or too few of their revisions can be had.
        ModelIncompatible: A feature cannot be bound.
        ResourceMissing: The stop words, a dictionary or a package are not there.
    """
    options = options or TrainingOptions()
    words, binder, bound = _bind(recipe, options)
    revisions = read_labelled_revisions(
        given.labels, label_column=recipe.label_column, wiki_id=recipe.wiki_id, labels=recipe.labels
    )
    least = _least(recipe, options)
    require_labels(revisions.actual, revisions.labels, given.labels, least=least)
    tell(f"{len(revisions.keys)} labelled revisions, {revisions.unlabelled} rows without a label")
    extracted = await extract(
        revisions,
        [FeatureSpec(feature.name, feature.returns) for feature in bound],
        binder,
        given.source,
        path=given.labels,
        content_models=recipe.content_models,
        tell=tell,
    )
    require_labels(extracted.actual, revisions.labels, given.labels, least=least)
    specs = feature_specs(recipe, bound, extracted.features, extracted.has_account)
    table = LabelledTable(
        with_stand_ins(extracted.features, specs), extracted.actual, revisions.labels, revisions.sha512
    )
    if given.features_file is not None:
        write_features(given.features_file, recipe, table, extracted.keys, bound)
    note = _note(given.source_name, extracted.failures)
    return Prepared(table, bound, specs, words, given.labels.name, note)


def _bind(
    recipe: Recipe, options: TrainingOptions
) -> tuple[TrainingWords, FeatureBinder, tuple[BoundFeature, ...]]:
    words = TrainingWords(options.nltk_stopwords)
    binder = FeatureBinder(words)
    bound = tuple(binder.bind(name) for name in recipe.features.values())
    for feature in bound:
        if feature.is_vector:
            raise ModelIncompatible(
                f"{feature.name!r} gives several values, and models are trained here on features of one; "
                "leave it out of the recipe",
                feature=feature.name,
            )
    return words, binder, bound


def _least(recipe: Recipe, options: TrainingOptions) -> int:
    """Return how many rows each label needs, so that every fold has one to learn from and one to test on."""
    folds = max(options.folds or recipe.folds, recipe.tuning.folds if recipe.tuning else 0)
    return folds if not recipe.held_out else int(np.ceil(folds / (1 - recipe.held_out))) + 1


def _note(source_name: str, failures: Mapping[str, int]) -> str:
    left_out = ", ".join(f"{count} {code}" for code, count in failures.items())
    return f"Features computed by revstream from {source_name}" + (
        f"; revisions left out: {left_out}." if left_out else "."
    )
