"""Statistics of a labelled sample, as revscoring's ``Classification`` computes them."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.statistics.confusion import METRICS, Confusion, number
from models.statistics.curves import Booleans, Floats
from models.statistics.document import StatisticsDocument, averaged
from models.statistics.labels import Label, label_text
from models.statistics.thresholds import ThresholdTable
from schemas.errors import SettingsError

THRESHOLD_DIGITS = 3
"""Decimals of ORES's tables: at most 1,001 thresholds a label."""


def describe(
    actual: NDArray[np.intp],
    probabilities: Floats,
    predicted: NDArray[np.intp],
    labels: Sequence[Label],
    *,
    population_rates: Mapping[Label, float] | None = None,
    threshold_digits: int | None = THRESHOLD_DIGITS,
) -> dict[str, Any]:
    """Compute the statistics of a model that gives each row one label.

    Args:
        actual: Position of the true label, int[rows].
        probabilities: float64[rows, labels].
        predicted: Position of the chosen label, int[rows].
        labels: In the order of the probabilities.
        population_rates: Share of each label in the population, to which all metrics are scaled; None takes
            the sample for the population.
        threshold_digits: Decimals to which probabilities are rounded before thresholds are tabulated.

    Returns:
        Plain JSON, see `StatisticsDocument`. A metric that would divide by nothing is None.

    Raises:
        SettingsError: A population rate is not between 0 and 1, or that of a label is missing.
    """
    positions = np.arange(len(labels))
    sought, chosen = actual[:, None] == positions, predicted[:, None] == positions
    predictions = {
        label_text(one): {
            label_text(other): int((sought[:, i] & chosen[:, j]).sum()) for j, other in enumerate(labels)
        }
        for i, one in enumerate(labels)
    }
    return _describe(
        sought,
        probabilities,
        chosen,
        labels,
        predictions,
        population_rates=_checked(population_rates, labels),
        threshold_digits=threshold_digits,
    )


def describe_multilabel(
    actual: Booleans,
    probabilities: Floats,
    predicted: Booleans,
    labels: Sequence[Label],
    *,
    population_rates: Mapping[Label, float] | None = None,
    threshold_digits: int | None = THRESHOLD_DIGITS,
) -> dict[str, Any]:
    """Compute the statistics of a model that gives each row any number of labels.

    Args:
        actual: Which labels are true, bool[rows, labels].
        probabilities: float64[rows, labels].
        predicted: Which labels are chosen, bool[rows, labels].
        labels: As for `describe`.
        population_rates: As for `describe`.
        threshold_digits: As for `describe`.

    Returns:
        As `describe`; ``counts.predictions`` is label to whether it is true to whether it was chosen.

    Raises:
        SettingsError: As for `describe`.
    """
    predictions = {
        label_text(label): {
            label_text(is_true): {
                label_text(is_chosen): int(((actual[:, i] == is_true) & (predicted[:, i] == is_chosen)).sum())
                for is_chosen in (True, False)
            }
            for is_true in (True, False)
        }
        for i, label in enumerate(labels)
    }
    return _describe(
        actual,
        probabilities,
        predicted,
        labels,
        predictions,
        population_rates=_checked(population_rates, labels),
        threshold_digits=threshold_digits,
    )


def at_choice(
    labels: Sequence[Label],
    confusions: Mapping[str, tuple[int, int, int, int]],
    population_rates: Mapping[Label, float],
) -> dict[str, Any]:
    """Compute the metrics of the labels that a model chose.

    Args:
        labels: Of the model.
        confusions: By label: hits, false alarms, rows of the label, rows of others.
        population_rates: By label; empty takes the sample for the population.

    Returns:
        Every one of ``METRICS`` with its averages.
    """
    scaled = {}
    for label in labels:
        hits, false_alarms, positives, negatives = confusions[label_text(label)]
        scaled[label_text(label)] = Confusion.of_sample(
            np.array([hits], dtype=np.float64),
            np.array([false_alarms], dtype=np.float64),
            positives,
            negatives,
            population_rates.get(label),
        )
    weights = {text: float(confusion.positives[0]) for text, confusion in scaled.items()}
    return {
        name: averaged({text: number(one.metric(name)[0]) for text, one in scaled.items()}, weights)
        for name in METRICS
    }


def areas(tables: Mapping[str, ThresholdTable]) -> dict[str, Any]:
    """Compute ``roc_auc`` and ``pr_auc`` with their averages; empty without tables."""
    if not tables:
        return {}
    thresholds = {text: table.read() for text, table in tables.items()}
    weights = {text: one.weight for text, one in thresholds.items()}
    return {
        "roc_auc": averaged({text: one.roc_auc() for text, one in thresholds.items()}, weights),
        "pr_auc": averaged({text: one.pr_auc() for text, one in thresholds.items()}, weights),
    }


def _describe(
    sought: Booleans,
    probabilities: Floats,
    chosen: Booleans,
    labels: Sequence[Label],
    predictions: Mapping[str, Any],
    *,
    population_rates: Mapping[Label, float],
    threshold_digits: int | None,
) -> dict[str, Any]:
    texts, rows = [label_text(label) for label in labels], len(sought)
    positives = dict(zip(texts, sought.sum(axis=0).tolist(), strict=True))
    hits = (sought & chosen).sum(axis=0).tolist()
    false_alarms = (~sought & chosen).sum(axis=0).tolist()
    confusions = {
        text: (hits[i], false_alarms[i], positives[text], rows - positives[text])
        for i, text in enumerate(texts)
    }
    tables = {
        label_text(label): ThresholdTable.of_scores(
            probabilities[:, i], sought[:, i], population_rates.get(label), threshold_digits
        )
        for i, label in enumerate(labels)
    }
    rates = {"sample": {text: positives[text] / rows if rows else None for text in texts}}
    if population_rates:
        rates["population"] = {label_text(label): population_rates[label] for label in labels}
    return StatisticsDocument(
        labels=tuple(labels),
        entries={
            "counts": {"n": rows, "labels": positives, "predictions": predictions},
            "rates": rates,
            **at_choice(labels, confusions, population_rates),
            **areas(tables),
        },
        tables=tables,
    ).write()


def _checked(rates: Mapping[Label, float] | None, labels: Sequence[Label]) -> Mapping[Label, float]:
    for label in labels if rates else ():
        rate = rates.get(label) if rates else None
        if rate is None or not 0 < rate < 1:
            raise SettingsError(
                f"the population rate of label {label_text(label)!r} is {rate}, but every label needs one "
                "above 0 and below 1; correct it or give none at all",
                label=label_text(label),
            )
    return rates or {}
