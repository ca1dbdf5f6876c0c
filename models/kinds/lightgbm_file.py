"""Gradient boosting in LightGBM's text format, run by LightGBM."""

from typing import Any, Final

import numpy as np

from models.artefact import Artefact
from models.kinds.estimator import EstimatorSpec, Floats, both_labels, corrupt
from models.kinds.lightgbm_text import read_lightgbm
from models.kinds.packages import require


class LightGbmEstimator:
    """A LightGBM booster.

    Args:
        file: Path in the artefact, for messages.
        text: Of the file.

    Raises:
        ModelCorrupt: The file is not what LightGBM writes.
        ModelIncompatible: It holds what is not read here, or answers no probabilities.
        ResourceMissing: LightGBM is not installed.
    """

    # Trees are summed one after the other, whatever stands beside a row.
    is_batch_exact: Final = True

    def __init__(self, file: str, text: str) -> None:
        lightgbm = require("lightgbm", "lightgbm")
        model = read_lightgbm(file, text)
        self.features_count: int | None = model.features
        self._classes = model.classes
        lightgbm.register_logger(_Silence(), info_method_name="hear", warning_method_name="hear")
        try:
            self._booster: Any = lightgbm.Booster(model_str=model.text)
        except (lightgbm.basic.LightGBMError, ValueError, TypeError) as error:
            raise corrupt(file, f"LightGBM says: {error}") from error

    def probabilities(self, rows: Floats) -> Floats:
        """Return probabilities, see ``models.kinds.estimator.RowEstimator``."""
        found = np.asarray(self._booster.predict(rows, num_threads=1), dtype=np.float64)
        return both_labels(found) if self._classes == 1 else found


class _Silence:
    """Takes the lines that LightGBM would print; what matters comes as an error."""

    def hear(self, line: str) -> None:
        """Take a line."""


def read_estimator(artefact: Artefact, spec: EstimatorSpec) -> LightGbmEstimator:
    """Read the file that the spec names."""
    try:
        text = artefact.file(spec.file).decode()
    except UnicodeDecodeError as error:
        raise corrupt(spec.file, "it is no text") from error
    return LightGbmEstimator(spec.file, text)
