"""Our statistics against those of the installed revscoring, on the same data: equal to the last bit."""

import importlib
import json
import logging
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from models import statistics
from models.statistics import model_info
from schemas.catalogue import ModelInfoDocument

FORMULAS = (
    "maximum recall @ precision >= 0.9",
    "minimum match_rate @ recall >= 0.75",
    "maximum filter_rate @ recall >= 0.9",
    "MAXIMUM !f1 @ !precision <= 0.5",
    "minimum fpr @ accuracy >= 2",
    "maximum f1 @ fpr <= .1 and more",
)
PATHS = (
    "",
    "statistics",
    "statistics.thresholds",
    "version|statistics.counts.n|statistics.counts.predictions",
    "statistics.rates.sample",
    "statistics.recall.labels|statistics.roc_auc.micro.deeper",
    "statistics|statistics.pr_auc",
    *(f'statistics."{formula}"' for formula in FORMULAS),
)
LABELS: tuple[tuple[Any, ...], ...] = ((True, False), ("A", "B", "C"), ("x.y", "z"), (1, 2, 3))

Sample = tuple[NDArray[np.float64], NDArray[Any], NDArray[Any]]


def revscoring(module: str) -> Any:
    with warnings.catch_warnings():
        # It imports pkg_resources, which setuptools deprecates.
        warnings.simplefilter("ignore")
        return importlib.import_module(f"revscoring.{module}")


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Revscoring logs each average that it cannot make."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


def single_label(random: np.random.Generator, rows: int, labels: int) -> Sample:
    probabilities = random.dirichlet(np.ones(labels), rows)
    if rows % 2:
        probabilities = np.round(probabilities, 1)
    actual = np.array([random.choice(labels, p=row / row.sum()) for row in probabilities])
    actual[:labels] = range(labels)
    return probabilities, actual, probabilities.argmax(axis=1)


def multilabel(random: np.random.Generator, rows: int, labels: int) -> Sample:
    probabilities = random.random((rows, labels))
    actual = random.random((rows, labels)) < probabilities
    actual[0], actual[1] = True, False
    return probabilities, actual, probabilities >= 0.5


def theirs(
    labels: tuple[Any, ...],
    sample: Sample,
    rates: dict[Any, float] | None,
    digits: int | None,
    *,
    is_multi: bool,
) -> Any:
    probabilities, actual, predicted = sample

    def told(row: Any) -> Any:
        return [label for label, told in zip(labels, row, strict=True) if told] if is_multi else labels[row]

    classification = revscoring("scoring.statistics").Classification(
        list(labels),
        multilabel=is_multi,
        decision_key="probability",
        threshold_ndigits=digits,
        population_rates=rates,
    )
    classification.fit(
        [
            (
                {"prediction": told(chosen), "probability": dict(zip(labels, row.tolist(), strict=True))},
                told(true),
            )
            for row, true, chosen in zip(probabilities, actual, predicted, strict=True)
        ]
    )
    return revscoring("scoring.model_info").ModelInfo(
        [
            ("type", "Made"),
            ("version", "1.0.0"),
            ("params", {}),
            ("environment", {}),
            ("statistics", classification),
            ("score_schema", {}),
        ]
    )


def through_json(value: Any) -> Any:
    return json.loads(json.dumps(value, sort_keys=True))


@pytest.mark.filterwarnings("ignore:The 'warn' method is deprecated:DeprecationWarning")
@pytest.mark.parametrize("digits", [3, 1, None])
@pytest.mark.parametrize("has_rates", [True, False])
@pytest.mark.parametrize("is_multi", [False, True])
@pytest.mark.parametrize("labels", LABELS)
def test_every_answer_equals_revscorings(
    labels: tuple[Any, ...], is_multi: bool, has_rates: bool, digits: int | None
) -> None:
    random = np.random.default_rng([len(labels), is_multi, has_rates, digits or 0])
    for rows in (7, 90):
        sample = (multilabel if is_multi else single_label)(random, rows, len(labels))
        rates = None
        if has_rates:
            rates = dict(zip(labels, random.dirichlet(np.ones(len(labels))).tolist(), strict=True))
        describe = statistics.describe_multilabel if is_multi else statistics.describe
        probabilities, actual, predicted = sample
        described = through_json(
            describe(
                actual, probabilities, predicted, labels, population_rates=rates, threshold_digits=digits
            )
        )
        info = theirs(labels, sample, rates, digits, is_multi=is_multi)
        for name in (*statistics.METRICS, "roc_auc", "pr_auc"):
            # Unrounded: the same bits.
            assert described[name] == through_json(dict(info["statistics"][name].items())), name
        document = ModelInfoDocument(type="Made", version="1.0.0", statistics=described)
        by_label = "|".join(
            f"statistics.thresholds.'{json.dumps(label).strip(chr(34))}'.\"{formula}\"{field}"
            for label in labels
            for formula in FORMULAS
            for field in ("", ".precision")
        )
        for path in (*PATHS, by_label):
            expected = info.format(path.split("|"), formatting="json")
            assert through_json(model_info(document, path)) == through_json(expected), path
