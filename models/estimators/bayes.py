"""Naive Bayes of four kinds: what each label's data say of a row, normalised over the labels.

The arrays over C columns and L labels::

    gaussian               priors float64[L], means float64[L, C], variances float64[L, C]
    bernoulli              log_priors float64[L], log_probabilities float64[L, C]
    multinomial            log_priors float64[L], log_probabilities float64[L, C]
    complement             log_priors float64[L], log_probabilities float64[L, C]
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from models.estimators import exponentials
from models.estimators.checks import array, corrupt, number
from models.estimators.estimator import Answers, Arrays, Floats, OfProbabilities, one_hot
from models.estimators.linear import weighted_sums


class NaiveBayes(OfProbabilities):
    """A naive Bayes classifier; its kinds say how likely a row is under each label."""

    def probabilities(self, rows: Floats) -> Floats:
        """Return the probability of each label, see ``models.estimators.estimator.Estimator``."""
        return exponentials.normalised(self.log_likelihoods(rows))

    def answers(self, rows: Floats) -> Answers:
        """Return probabilities, and the likeliest labels, told apart even where probabilities round."""
        logs = self.log_likelihoods(rows)
        return Answers(exponentials.normalised(logs), one_hot(logs.argmax(axis=1), self.labels_count))

    def log_likelihoods(self, rows: Floats) -> Floats:
        """Return the log of prior times likelihood, up to a constant of the row, float64[rows, L]."""
        raise NotImplementedError


class GaussianBayes(NaiveBayes):
    """Columns are normally distributed.

    Args:
        arrays: As the module describes.
        columns: Number of columns of the rows to come.
        parameters: None are read.

    Raises:
        ModelCorrupt: An array is absent or does not fit.
    """

    def __init__(self, arrays: Arrays, columns: int, parameters: Mapping[str, Any]) -> None:
        del parameters
        priors = array(arrays, "priors", np.float64, (None,))
        self.labels_count = len(priors)
        self._means = array(arrays, "means", np.float64, (len(priors), columns))
        self._variances = array(arrays, "variances", np.float64, (len(priors), columns))
        if priors.min() <= 0 or self._variances.min() <= 0:
            raise corrupt("a prior or a variance is not above 0")
        self._log_priors = exponentials.log(priors)
        self._spreads = np.array(
            [-0.5 * exponentials.log(2.0 * np.pi * line).sum() for line in self._variances]
        )

    def log_likelihoods(self, rows: Floats) -> Floats:
        """Return the log likelihoods, see ``NaiveBayes``."""
        ordered = np.ascontiguousarray(rows)
        distances = [
            spread - 0.5 * ((ordered - mean) ** 2 / variance).sum(axis=1)
            for spread, mean, variance in zip(self._spreads, self._means, self._variances, strict=True)
        ]
        return np.add(np.stack(distances, axis=1), self._log_priors)


class BernoulliBayes(NaiveBayes):
    """Columns are above a threshold or not.

    Args:
        arrays: As the module describes.
        columns: Number of columns of the rows to come.
        parameters: ``threshold``; null for rows of 0 and 1.

    Raises:
        ModelCorrupt: An array or the threshold is absent or does not fit.
    """

    def __init__(self, arrays: Arrays, columns: int, parameters: Mapping[str, Any]) -> None:
        logs = _logs(self, arrays, columns)
        if logs.max() >= 0:
            raise corrupt("a logarithm of a probability is not below 0")
        self._threshold = None if parameters.get("threshold") is None else number(parameters, "threshold")
        # log1p would be more exact, but the library of the day takes the log of the difference.
        not_logs = exponentials.log(1 - exponentials.exp(logs))
        self._weights = logs - not_logs
        self._constants = arrays["log_priors"] + not_logs.sum(axis=1)

    def log_likelihoods(self, rows: Floats) -> Floats:
        """Return the log likelihoods, see ``NaiveBayes``."""
        values = rows if self._threshold is None else (rows > self._threshold).astype(np.float64)
        return np.add(weighted_sums(values, self._weights), self._constants)


class MultinomialBayes(NaiveBayes):
    """Columns count occurrences.

    Args:
        arrays: As the module describes.
        columns: Number of columns of the rows to come.
        parameters: None are read.

    Raises:
        ModelCorrupt: An array is absent or does not fit.
    """

    def __init__(self, arrays: Arrays, columns: int, parameters: Mapping[str, Any]) -> None:
        del parameters
        self._weights = _logs(self, arrays, columns)
        self._constants = arrays["log_priors"]

    def log_likelihoods(self, rows: Floats) -> Floats:
        """Return the log likelihoods, see ``NaiveBayes``."""
        return np.add(weighted_sums(rows, self._weights), self._constants)


class ComplementBayes(MultinomialBayes):
    """Columns count occurrences, and weights come from all other labels; priors count with one label only."""

    def __init__(self, arrays: Arrays, columns: int, parameters: Mapping[str, Any]) -> None:
        super().__init__(arrays, columns, parameters)
        if self.labels_count > 1:
            self._constants = np.zeros(self.labels_count)


def _logs(model: NaiveBayes, arrays: Arrays, columns: int) -> Floats:
    model.labels_count = len(array(arrays, "log_priors", np.float64, (None,)))
    return array(arrays, "log_probabilities", np.float64, (model.labels_count, columns))
