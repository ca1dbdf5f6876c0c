"""Gradient boosting in XGBoost's UBJSON format, run by XGBoost."""

from typing import Any, Final

import numpy as np

from models.artefact import Artefact
from models.kinds.estimator import EstimatorSpec, Floats, both_labels, corrupt
from models.kinds.packages import require
from models.kinds.xgboost_tree import check_xgboost
from schemas.errors import ModelCorrupt


class XgboostEstimator:
    """An XGBoost booster of trees. It computes in single precision.

    Args:
        file: Path in the artefact, for messages.
        data: The file.

    Raises:
        ModelCorrupt: The file is not what XGBoost writes.
        ModelIncompatible: It holds what is not read here, or answers no probabilities.
        ResourceMissing: XGBoost is not installed.
    """

    # Trees are summed one after the other, whatever stands beside a row.
    is_batch_exact: Final = True

    def __init__(self, file: str, data: bytes) -> None:
        xgboost = require("xgboost", "xgboost-cpu")
        self._file = file
        self._error: type[Exception] = xgboost.core.XGBoostError
        header = check_xgboost(file, data)
        self.features_count: int | None = header.features
        self._classes = header.classes
        self._booster: Any = xgboost.Booster({"nthread": 1, "verbosity": 0})
        try:
            self._booster.load_model(bytearray(data))
        except self._error as error:
            raise self._corrupt(error) from error

    def probabilities(self, rows: Floats) -> Floats:
        """Return probabilities, see ``models.kinds.estimator.RowEstimator``."""
        try:
            found = self._booster.inplace_predict(rows, validate_features=False)
        # It looks at some of what it loaded only now.
        except self._error as error:
            raise self._corrupt(error) from error
        probabilities = np.asarray(found, dtype=np.float64)
        return both_labels(probabilities) if self._classes == 1 else probabilities

    def _corrupt(self, error: Exception) -> ModelCorrupt:
        return corrupt(self._file, f"XGBoost says: {str(error).splitlines()[0]}")


def read_estimator(artefact: Artefact, spec: EstimatorSpec) -> XgboostEstimator:
    """Read the file that the spec names."""
    return XgboostEstimator(spec.file, artefact.file(spec.file))
