"""Train a model from labelled rows, test it, and save it as an artefact."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from models.artefact import open_artefact, save_artefact
from models.estimators import as_part
from models.manifest import Manifest
from models.recipes import Recipe
from models.revscoring_scorer import RevscoringScorer
from models.training.describing import Learnt, describe_artefact
from models.training.fitting import answer, fit
from models.training.label_values import require_labels
from models.training.labelled_revisions import read_labelled_revisions
from models.training.preparing import Prepared, TrainingOptions
from models.training.table import LabelledTable
from models.training.testing import AREAS, cross_validate, describe, hold_out, measure, summarise, tune

Tell = Callable[[str], None]

_DIGITS = 6


def train(
    recipe: Recipe,
    prepared: Prepared,
    models: Path,
    options: TrainingOptions | None = None,
    *,
    tell: Tell = lambda _line: None,
) -> Manifest:
    """Train a model, test it, and save it. The same data on the same machine gives the same bytes.

    1. Hold out rows to test on at the end, where the recipe says so.
    2. Tune, where the recipe says so.
    3. Test: each row is scored by a model that has not seen it; mean and deviation are over the folds of all
       repeats. Figures and thresholds come from the first repeat, or from the rows held out.
    4. Fit on all rows but those held out, and save.
    5. Open and load what was saved.

    Args:
        recipe: What to train.
        prepared: What to learn from, by ``prepare_table`` or ``prepare_revisions``.
        models: Folder to save into, as ``<name>/<version>``; replaces that version.
        options: What is not in the recipe.
        tell: Takes a line of progress.

    Returns:
        The manifest of the artefact.

    Raises:
        SettingsError: scikit-learn refuses the parameters.
        SourceError: The file of the population cannot be read.
        ModelError: What was saved cannot be loaded.
    """
    options = options or TrainingOptions()
    table = prepared.table
    rates = _population_rates(recipe, options)
    tell(f"{len(table.actual)} rows, {_counted(table)}")
    seen, unseen = hold_out(table, recipe.held_out) if recipe.held_out else (table, None)  # 1
    parameters, tuned = dict(recipe.parameters), None
    if recipe.tuning is not None:  # 2
        parameters, tuned = tune(recipe, seen, recipe.tuning, tell)
    folds, repeats = options.folds or recipe.folds, options.repeats or recipe.repeats
    tested = cross_validate(recipe, seen, parameters, folds=folds, repeats=repeats, tell=tell)  # 3
    fitted = fit(recipe, parameters, seen.features, seen.actual)  # 4
    of, answers = seen, tested.answers
    if unseen is not None:
        of, answers = unseen, answer(recipe, fitted, unseen.features)
    statistics: dict[str, Any] = {
        **describe(recipe.labels, answers, of.actual, rates),
        "cross_validation": {"folds": folds, "repeats": repeats, **summarise(tested)},
    }
    if unseen is not None:
        areas = {name: round(measure(name, of.actual, answers), _DIGITS) for name in AREAS}
        statistics["held_out"] = {"rows": len(of.actual), "share": recipe.held_out, **areas}
    if tuned is not None:
        statistics["tuning"] = tuned
    learnt = Learnt(parameters, fitted, statistics, len(seen.actual))
    folder = models / recipe.name / recipe.model_version
    manifest = save_artefact(
        folder,
        describe_artefact(recipe, learnt, prepared),
        as_part(fitted.arrays, "estimator"),
        prepared.words.files(),
    )
    RevscoringScorer(open_artefact(folder))  # 5
    tell(f"saved {recipe.name} {recipe.model_version}, sha512 {manifest.sha512[:16]}…")
    return manifest


def _population_rates(recipe: Recipe, options: TrainingOptions) -> Mapping[str, float] | None:
    if options.population is None:
        return recipe.population_rates
    population = read_labelled_revisions(
        options.population,
        label_column=recipe.label_column,
        # Rates are the same whatever the wiki.
        wiki_id=recipe.wiki_id or "population",
        labels=recipe.labels,
    )
    require_labels(population.actual, population.labels, options.population, least=1)
    counts = np.bincount(population.actual, minlength=len(recipe.labels)).tolist()
    return {label: count / len(population.actual) for label, count in zip(recipe.labels, counts, strict=True)}


def _counted(table: LabelledTable) -> str:
    counts = np.bincount(table.actual, minlength=len(table.labels)).tolist()
    return ", ".join(f"{count} {label}" for label, count in zip(table.labels, counts, strict=True))
