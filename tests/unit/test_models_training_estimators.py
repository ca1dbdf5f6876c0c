"""Estimators that are trained here, and the figures by which they are compared."""

from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace

from models.columns import Column
from models.estimators import Answers
from models.recipes import Metric, Recipe
from models.training.estimator_kinds import ESTIMATORS, SCALERS
from models.training.fitting import answer, complete, fit
from models.training.testing import measure
from tests.training_data import CLASSES

ROWS = 200


def recipe(estimator: str, labels: int, scaler: str | None = None, **parameters: Any) -> Recipe:
    return replace(
        CLASSES,
        labels=tuple(map(str, range(labels))),
        columns=tuple(Column("feature", position) for position in range(4)),
        estimator=estimator,
        scaler=scaler,
        parameters=parameters,
    )


def rows(labels: int) -> tuple[np.ndarray[Any, np.dtype[np.float64]], np.ndarray[Any, np.dtype[np.intp]]]:
    random = np.random.default_rng(labels)
    features = random.gamma(2.0, 3.0, size=(ROWS, 4))
    actual = np.minimum((features[:, 0] / 4 + random.random(ROWS)).astype(np.intp), labels - 1)
    return features, actual


@pytest.mark.parametrize("labels", [2, 3])
@pytest.mark.parametrize("estimator", sorted(ESTIMATORS))
def test_every_estimator_learns_and_answers_as_scikit_learn_does(estimator: str, labels: int) -> None:
    features, actual = rows(labels)
    few = {"n_estimators": 8} if "n_estimators" in _parameters(estimator) else {}
    one = recipe(estimator, labels, "MinMaxScaler" if estimator == "LogisticRegression" else None, **few)
    # Fitting holds the probabilities of the arrays against scikit-learn's own.
    fitted = fit(one, one.parameters, features, actual)
    answers = answer(one, fitted, features)
    assert answers.probabilities.shape == (ROWS, labels)
    assert answers.chosen.sum(axis=1).tolist() == [1] * ROWS
    # These two ask whether a column is above 0, and for shares: nothing that tells the labels apart.
    assert measure("roc_auc", actual, answers) > 0.8 or estimator in {"BernoulliNB", "MultinomialNB"}


@pytest.mark.parametrize("scaler", sorted(SCALERS))
def test_every_scaler_acts_before_the_estimator(scaler: str) -> None:
    features, actual = rows(2)
    one = recipe("LogisticRegression", 2, scaler, C=0.01)
    scaled = answer(one, fit(one, one.parameters, features, actual), features)
    plain = replace(one, scaler=None)
    assert not np.allclose(
        scaled.probabilities,
        answer(plain, fit(plain, plain.parameters, features, actual), features).probabilities,
    )


def test_an_estimator_that_draws_lots_is_seeded_unless_told() -> None:
    features, actual = rows(2)
    forest = recipe("RandomForestClassifier", 2, n_estimators=3)
    one, other = (fit(forest, forest.parameters, features, actual).arrays for _ in range(2))
    assert all(one[name].tobytes() == other[name].tobytes() for name in one)
    assert complete(forest, {"random_state": 7}) == {"random_state": 7}
    assert complete(forest, {"n_estimators": 3}) == {"random_state": 0, "n_estimators": 3}
    assert complete(recipe("GaussianNB", 2), {}) == {}


@pytest.mark.parametrize(
    "metric", ["roc_auc", "average_precision", "accuracy", "balanced_accuracy", "log_loss"]
)
@pytest.mark.parametrize("labels", [2, 3])
def test_figures_are_those_of_scikit_learn(metric: Metric, labels: int) -> None:
    import sklearn.metrics as judge

    random = np.random.default_rng(1)
    _, actual = rows(labels)
    probabilities = random.dirichlet(np.ones(labels), ROWS)
    likeliest = probabilities.argmax(axis=1)
    answers = Answers(probabilities, likeliest[:, None] == np.arange(labels))
    one_hot = actual[:, None] == np.arange(labels)
    areas = [1] if labels == 2 else range(labels)
    expected = {
        "roc_auc": lambda: np.mean([judge.roc_auc_score(one_hot[:, i], probabilities[:, i]) for i in areas]),
        "average_precision": lambda: np.mean(
            [judge.average_precision_score(one_hot[:, i], probabilities[:, i]) for i in areas]
        ),
        "accuracy": lambda: judge.accuracy_score(actual, likeliest),
        "balanced_accuracy": lambda: judge.balanced_accuracy_score(actual, likeliest),
        "log_loss": lambda: judge.log_loss(actual, probabilities),
    }[metric]()
    assert measure(metric, actual, answers) == pytest.approx(float(expected))


def _parameters(estimator: str) -> dict[str, Any]:
    from importlib import import_module

    kind = getattr(import_module(ESTIMATORS[estimator]), estimator)
    parameters: dict[str, Any] = kind().get_params()
    return parameters
