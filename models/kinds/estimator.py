"""What turns rows of numbers into probabilities, and where each kind of it is read."""

from collections.abc import Mapping
from importlib import import_module
from typing import Any, Protocol, runtime_checkable

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from models.artefact import ARRAYS, Artefact
from models.estimators.contributions import Contributions
from schemas.errors import ModelCorrupt, ModelIncompatible

Floats = NDArray[np.float64]

ESTIMATORS: Mapping[str, str] = {
    "linear": "models.kinds.linear",
    "skops": "models.kinds.skops_file",
    "lightgbm": "models.kinds.lightgbm_file",
    "xgboost": "models.kinds.xgboost_file",
    "onnx": "models.kinds.onnx_file",
}
"""Module by the kind that a manifest names. Each has ``read_estimator(artefact, spec) -> RowEstimator``."""


class RowEstimator(Protocol):
    """A fitted estimator. It keeps nothing of a row, and computes on one thread."""

    @property
    def features_count(self) -> int | None:
        """Columns that it reads; None where it does not tell."""
        ...

    @property
    def is_batch_exact(self) -> bool:
        """Whether a row among others gets the very same bits as alone; where not, rows come one by one."""
        ...

    def probabilities(self, rows: Floats) -> Floats:
        """Return probabilities.

        Args:
            rows: float64[rows, features], finite.

        Returns:
            float64[rows, labels]; of a single probability, that of the second of two labels, two columns.
        """
        ...


@runtime_checkable
class Sums(Protocol):
    """A fitted estimator whose scores are sums over its columns."""

    def contributions(self, row: Floats) -> Contributions:
        """Return what the columns of a row add, float64[features]."""
        ...


class EstimatorSpec(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The ``estimator`` of a tabular model's manifest.

    Attributes:
        kind: Of ``ESTIMATORS``.
        file: Path in the artefact; empty for a kind that keeps its numbers in the arrays.
        contract: By which the features are computed, see ``models.kinds.features``.
        threshold: From which probability on a binary model is true, and a multilabel one gives a label.
        output: Name of the output that holds the probabilities, where a format has several.
        algorithm: In words, for readers.
        parameters: For readers.
    """

    kind: str
    contract: str
    file: str = ""
    threshold: float = 0.5
    output: str = ""
    algorithm: str = ""
    parameters: Mapping[str, Any] = {}


def read_estimator(artefact: Artefact, spec: EstimatorSpec, columns: int) -> RowEstimator:
    """Read the estimator of a tabular model.

    Args:
        artefact: Verified.
        spec: Its ``estimator``.
        columns: Length of a row.

    Raises:
        ModelIncompatible: Its kind is not known here, or holds what that kind may not hold.
        ModelCorrupt: It cannot be read.
        ResourceMissing: The package that runs it is not installed.
    """
    module = ESTIMATORS.get(spec.kind)
    if module is None:
        raise ModelIncompatible(
            f"artefact {artefact.manifest.name!r} asks for an estimator of kind {spec.kind!r}, but this "
            f"revstream has {', '.join(ESTIMATORS)}; install the revstream that wrote it",
            path=artefact.manifest.name,
        )
    estimator: RowEstimator = import_module(module).read_estimator(artefact, spec)
    if estimator.features_count not in {None, columns}:
        raise corrupt(
            spec.file or ARRAYS,
            f"it reads {estimator.features_count} columns, but the features of the manifest fill {columns}",
        )
    return estimator


def both_labels(second: NDArray[Any]) -> Floats:
    """Return the probabilities of two labels.

    Args:
        second: Of the second label, float[rows].
    """
    probability = np.asarray(second, dtype=np.float64)
    return np.stack((1.0 - probability, probability), axis=1)


def corrupt(file: str, what: str) -> ModelCorrupt:
    """Return the error for an estimator file that does not hold what it should."""
    return ModelCorrupt(
        f"{file} of the artefact cannot be used although its sha512 is right: {what}; it was written broken "
        "or made to harm: refuse its source, or train the model anew",
        path=file,
    )


def unread(file: str, what: str) -> ModelIncompatible:
    """Return the error for a sound estimator file that holds what its kind does not read here."""
    return ModelIncompatible(f"{file} of the artefact {what}", path=file)
