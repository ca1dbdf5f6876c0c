"""How well a recipe does on rows that its models have not seen."""

import itertools
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from models import statistics
from models.estimators import Answers
from models.recipes import Metric, Recipe, Tuning
from models.training.fitting import answer, complete, fit
from models.training.label_values import LabelPositions
from models.training.table import LabelledTable

Floats = NDArray[np.float64]
Positions = NDArray[np.intp]
Tell = Callable[[str], None]

AREAS: tuple[Metric, ...] = ("roc_auc", "average_precision")
_DIGITS = 6
_LEAST_PROBABILITY = 1e-15


class Tested(Struct, frozen=True):
    """Answers about rows, each by a model that has not seen it, and figures of each fold.

    Attributes:
        answers: Of the first repeat.
        folds: Figure by metric, of each fold of each repeat.
    """

    answers: Answers
    folds: tuple[Mapping[str, float], ...]


def cross_validate(
    recipe: Recipe,
    table: LabelledTable,
    parameters: Mapping[str, Any],
    *,
    folds: int,
    repeats: int,
    tell: Tell,
    metrics: tuple[Metric, ...] = AREAS,
) -> Tested:
    """Test by stratified cross-validation.

    Args:
        recipe: What to train.
        table: Labelled rows; each label has at least as many as there are folds.
        parameters: Of the estimator.
        folds: At least 2.
        repeats: At least 1; each deals the rows anew, the same way every time.
        tell: Takes a line of progress for each fold.
        metrics: To compute for each fold.
    """
    # Serving processes never import scikit-learn; only training does.
    from sklearn.model_selection import StratifiedKFold  # noqa: PLC0415

    found: list[Mapping[str, float]] = []
    shape = len(table.actual), len(table.labels)
    first = Answers(np.empty(shape), np.zeros(shape, dtype=np.bool_))
    for repeat in range(repeats):
        splitter = StratifiedKFold(folds, shuffle=True, random_state=repeat)
        for fold, (seen, unseen) in enumerate(splitter.split(table.features, table.actual), start=1):
            fitted = fit(recipe, parameters, table.features[seen], table.actual[seen])
            answers = answer(recipe, fitted, table.features[unseen])
            if repeat == 0:
                first.probabilities[unseen], first.chosen[unseen] = answers.probabilities, answers.chosen
            found.append({name: measure(name, table.actual[unseen], answers) for name in metrics})
            figures = ", ".join(f"{_TITLES[name]} {found[-1][name]:.4f}" for name in metrics[:1])
            tell(f"fold {fold} of {folds}, repeat {repeat + 1} of {repeats}: {figures}")
    return Tested(first, tuple(found))


def tune(
    recipe: Recipe, table: LabelledTable, tuning: Tuning, tell: Tell
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Choose the parameters that do best.

    Args:
        recipe: What to train; its own parameters stand where the grid names none.
        table: Labelled rows.
        tuning: The grid.
        tell: Takes a line for each combination.

    Returns:
        The parameters, and what was tried: ``metric``, ``folds``, ``chosen``, and ``tried`` with mean and
        deviation in the order of the grid. Of equals the first wins.
    """
    tried = []
    for combination in _combinations(tuning.grid):
        parameters = complete(recipe, {**recipe.parameters, **combination})
        tested = cross_validate(
            recipe,
            table,
            parameters,
            folds=tuning.folds,
            repeats=1,
            tell=lambda _line: None,
            metrics=(tuning.metric,),
        )
        summary = summarise(tested, (tuning.metric,))[tuning.metric]
        tried.append({"parameters": combination, **summary})
        tell(f"{combination}: {_TITLES[tuning.metric]} {summary['mean']:.4f} ± {summary['std']:.4f}")
    sign = -1 if tuning.metric == "log_loss" else 1
    best = max(tried, key=lambda one: sign * float(str(one["mean"])))
    chosen: Mapping[str, Any] = best["parameters"]  # type: ignore[assignment] # the one mapping in it
    report = {"metric": tuning.metric, "folds": tuning.folds, "chosen": chosen, "tried": tried}
    return {**recipe.parameters, **chosen}, report


def hold_out(table: LabelledTable, share: float) -> tuple[LabelledTable, LabelledTable]:
    """Split rows into those to learn from and those to test on, each label by the same share.

    The split depends on the rows alone.
    """
    from sklearn.model_selection import train_test_split  # noqa: PLC0415 - as in cross_validate

    rows = np.arange(len(table.actual))
    seen, unseen = train_test_split(rows, test_size=share, stratify=table.actual, random_state=0)
    return table.take(np.sort(seen)), table.take(np.sort(unseen))


def summarise(tested: Tested, metrics: tuple[Metric, ...] = AREAS) -> dict[str, dict[str, float]]:
    """Return mean and standard deviation over the folds, by metric."""
    figures = {name: [fold[name] for fold in tested.folds] for name in metrics}
    return {
        name: {
            "mean": round(float(np.mean(values, axis=0)), _DIGITS),
            "std": round(float(np.std(values, axis=0)), _DIGITS),
        }
        for name, values in figures.items()
    }


def describe(
    labels: tuple[str, ...],
    answers: Answers,
    actual: Positions,
    population_rates: Mapping[str, float] | None = None,
) -> dict[str, Any]:
    """Compute the statistics of answers, in the shape that manifests hold.

    Args:
        labels: In the order of the probabilities.
        answers: About each row.
        actual: Position of the label of each row.
        population_rates: Share of each label in the world.
    """
    values = LabelPositions(labels).values()
    rates = None
    if population_rates is not None:
        rates = {value: population_rates[label] for value, label in zip(values, labels, strict=True)}
    chosen = np.asarray(answers.chosen.argmax(axis=1), dtype=np.intp)
    return statistics.describe(actual, answers.probabilities, chosen, values, population_rates=rates)


def measure(metric: Metric, actual: Positions, answers: Answers) -> float:
    """Compute one figure; areas of more than two labels are the mean over those that occur.

    Args:
        metric: Which.
        actual: Position of the label of each row.
        answers: About each row.
    """
    rows, probabilities = np.arange(len(actual)), answers.probabilities
    match metric:
        case "roc_auc":
            return _mean_area(statistics.roc_auc, actual, probabilities)
        case "average_precision":
            return _mean_area(statistics.average_precision, actual, probabilities)
        case "accuracy":
            return float(answers.chosen[rows, actual].mean())
        case "balanced_accuracy":
            right = answers.chosen[rows, actual]
            return float(np.mean([right[actual == label].mean() for label in np.unique(actual)]))
        case "log_loss":
            return float(-np.log(np.maximum(probabilities[rows, actual], _LEAST_PROBABILITY)).mean())


def _mean_area(area: Callable[..., float | None], actual: Positions, probabilities: Floats) -> float:
    labels = [1] if probabilities.shape[1] == 2 else range(probabilities.shape[1])
    areas = [area(actual == label, probabilities[:, label]) for label in labels]
    known = [found for found in areas if found is not None]
    return float(np.mean(known)) if known else 0.0


def _combinations(grid: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for values in itertools.product(*grid.values()):
        yield dict(zip(grid, values, strict=True))


_TITLES: Mapping[str, str] = {
    "roc_auc": "ROC-AUC",
    "average_precision": "average precision",
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "log_loss": "log loss",
}
