"""What every estimator is: arrays in, probabilities out."""

import functools
from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Arrays = Mapping[str, NDArray[Any]]
Label = bool | int | float | str


class Answers(Struct, frozen=True):
    """What an estimator says of some rows.

    Attributes:
        probabilities: float64[rows, labels].
        chosen: bool[rows, labels]; the labels that the original library's ``predict`` gives: one per row, or
            any number where the labels do not exclude each other.
    """

    probabilities: Floats
    chosen: NDArray[np.bool_]


class Estimator(Protocol):
    """A loaded estimator. It keeps nothing of a row, and can be pickled.

    Attributes:
        labels_count: Number of labels.
        is_multilabel: True where labels do not exclude each other; probabilities need not add up to 1 then.
    """

    labels_count: int
    is_multilabel: bool

    def probabilities(self, rows: Floats) -> Floats:
        """Return the probability of each label.

        Args:
            rows: float64[rows, columns], finite.

        Returns:
            float64[rows, labels]. A row's answer does not depend on the other rows, to the last bit.
        """
        ...

    def answers(self, rows: Floats) -> Answers:
        """Return the probabilities, and the labels that the original's ``predict`` gives."""
        ...

    def decisions(self, rows: Floats) -> Floats | None:
        """Return the original's ``decision_function``, float64[rows, 1] for two labels, else one per label.

        None for kinds without one. Calibration and one-versus-rest read it.
        """
        ...


class OfProbabilities:
    """The part that estimators share which choose the label of the greatest probability."""

    labels_count: int
    is_multilabel: bool = False

    def probabilities(self, rows: Floats) -> Floats:
        """Return the probability of each label, see ``Estimator``."""
        raise NotImplementedError

    def answers(self, rows: Floats) -> Answers:
        """Return probabilities and labels; of equal probabilities the first counts."""
        probabilities = self.probabilities(rows)
        return Answers(probabilities, one_hot(probabilities.argmax(axis=1), self.labels_count))

    def decisions(self, rows: Floats) -> Floats | None:
        """Return None: no decision function."""
        return None


class ConvertedEstimator(Struct, frozen=True):
    """An estimator as an artefact carries it.

    Attributes:
        kind: Which code runs it, see ``models.estimators.loading``.
        parameters: Plain JSON.
        arrays: By name.
        labels: In the order of the probabilities.
        columns: Number of columns of its rows; None where the original does not say (a constant answer).
    """

    kind: str
    parameters: Mapping[str, Any]
    arrays: dict[str, NDArray[Any]]
    labels: list[Label]
    columns: int | None = None


class ConvertedScaler(Struct, frozen=True):
    """A scaler as an artefact carries it, see ``models.estimators.scaling``.

    Attributes:
        kind: ``center_scale`` or ``min_max``.
        parameters: Plain JSON.
        arrays: By name.
    """

    kind: str
    parameters: Mapping[str, Any]
    arrays: dict[str, NDArray[Any]]


def one_hot(columns: NDArray[np.intp], count: int) -> NDArray[np.bool_]:
    """Return bool[rows, count], true in the given column of each row."""
    return _identity(count)[columns]


@functools.cache
def _identity(count: int) -> NDArray[np.bool_]:
    return np.eye(count, dtype=np.bool_)
