"""Scalers: what is done to rows before the estimator.

Two kinds cover all::

    center_scale  center float64[C] is taken off, then the row is divided by scale float64[C]; either may be
                  absent (RobustScaler, StandardScaler, MaxAbsScaler, and revscoring's own)
    min_max       the row is multiplied by scale float64[C], offset float64[C] is added, and with ``clip`` it
                  is cut to ``least`` and ``greatest`` (MinMaxScaler)

revscoring scales in float64, before trees round to float32.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from models.estimators.checks import array, corrupt, flag, number, of_part, parts
from models.estimators.estimator import (
    Answers,
    Arrays,
    ConvertedEstimator,
    ConvertedScaler,
    Estimator,
    Floats,
)


class Scaler(Protocol):
    """A loaded scaler."""

    def transform(self, rows: Floats) -> Floats:
        """Return scaled rows, float64[rows, columns]; those given stay as they are."""
        ...


class CenterScale:
    """Takes a centre off and divides, see the module.

    Raises:
        ModelCorrupt: An array does not fit, or a scale is 0.
    """

    def __init__(self, arrays: Arrays, columns: int, parameters: Mapping[str, Any]) -> None:
        del parameters
        self._center = array(arrays, "center", np.float64, (columns,)) if "center" in arrays else None
        self._scale = array(arrays, "scale", np.float64, (columns,)) if "scale" in arrays else None
        if self._scale is not None and not self._scale.all():
            raise corrupt("its scaler divides by 0")

    @property
    def has_centre(self) -> bool:
        """Whether 0 is the centre of what it read, after it."""
        return self._center is not None

    def transform(self, rows: Floats) -> Floats:
        """Return scaled rows, see ``Scaler``."""
        centered = rows if self._center is None else rows - self._center
        return centered if self._scale is None else np.asarray(centered / self._scale, dtype=np.float64)


class MinMax:
    """Multiplies and adds, see the module.

    Raises:
        ModelCorrupt: An array or parameter is absent or does not fit.
    """

    def __init__(self, arrays: Arrays, columns: int, parameters: Mapping[str, Any]) -> None:
        self._scale = array(arrays, "scale", np.float64, (columns,))
        self._offset = array(arrays, "offset", np.float64, (columns,))
        self._range = (
            (number(parameters, "least"), number(parameters, "greatest"))
            if flag(parameters, "clip")
            else None
        )

    def transform(self, rows: Floats) -> Floats:
        """Return scaled rows, see ``Scaler``."""
        moved: Floats = rows * self._scale + self._offset
        return moved if self._range is None else moved.clip(*self._range)


class Scaled:
    """Scalers before an estimator.

    Args:
        scalers: In the order in which they act.
        estimator: Reads what they give.
    """

    def __init__(self, scalers: Sequence[Scaler], estimator: Estimator) -> None:
        self._scalers = tuple(scalers)
        self._estimator = estimator
        self.labels_count = estimator.labels_count
        self.is_multilabel = estimator.is_multilabel

    def probabilities(self, rows: Floats) -> Floats:
        """Return the probability of each label, see ``models.estimators.estimator.Estimator``."""
        return self._estimator.probabilities(self._scaled(rows))

    def answers(self, rows: Floats) -> Answers:
        """Return the estimator's answers."""
        return self._estimator.answers(self._scaled(rows))

    def decisions(self, rows: Floats) -> Floats | None:
        """Return the estimator's decisions."""
        return self._estimator.decisions(self._scaled(rows))

    def _scaled(self, rows: Floats) -> Floats:
        for scaler in self._scalers:
            rows = scaler.transform(rows)
        return rows


def load_scaler(kind: str, parameters: Mapping[str, Any], arrays: Arrays, columns: int) -> Scaler:
    """Make a scaler of what an artefact carries.

    Args:
        kind: ``center_scale`` or ``min_max``.
        parameters: Of the scaler.
        arrays: Of the scaler.
        columns: Number of columns of the rows to come.

    Raises:
        ModelCorrupt: The kind is unknown, or arrays and parameters do not fit.
    """
    match kind:
        case "center_scale":
            return CenterScale(arrays, columns, parameters)
        case "min_max":
            return MinMax(arrays, columns, parameters)
        case _:
            raise corrupt(f"its scaler is of the unknown kind {kind!r}")


def load_scalers(parameters: Mapping[str, Any], arrays: Arrays, columns: int) -> list[Scaler]:
    """Make the scalers of a pipeline, see ``scaled``.

    Raises:
        ModelCorrupt: One is broken.
    """
    return [
        load_scaler(
            str(part.get("kind")), part.get("parameters") or {}, of_part(arrays, f"scaler{at}"), columns
        )
        for at, part in enumerate(parts(parameters, "scalers"))
    ]


def scaled(scalers: Sequence[ConvertedScaler | None], estimator: ConvertedEstimator) -> ConvertedEstimator:
    """Put scalers before an estimator, as one estimator of the kind ``scaled``.

    Args:
        scalers: In the order in which they act; None is none.
        estimator: Reads what they give. Given back as it is where there is no scaler.
    """
    acting = [scaler for scaler in scalers if scaler is not None]
    if not acting:
        return estimator
    arrays = {f"estimator.{name}": found for name, found in estimator.arrays.items()}
    for at, scaler in enumerate(acting):
        arrays |= {f"scaler{at}.{name}": found for name, found in scaler.arrays.items()}
    parameters = {
        "scalers": [{"kind": scaler.kind, "parameters": scaler.parameters} for scaler in acting],
        "estimator": {"kind": estimator.kind, "parameters": estimator.parameters},
    }
    lengths = {len(found) for scaler in acting for found in scaler.arrays.values()}
    columns = estimator.columns or (lengths.pop() if len(lengths) == 1 else None)
    return ConvertedEstimator("scaled", parameters, arrays, estimator.labels, columns)
