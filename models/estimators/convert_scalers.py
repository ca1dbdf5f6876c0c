"""From pickled scalers to arrays."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.estimators.estimator import ConvertedScaler
from models.estimators.inert import attribute, floats, guarded, name_of, unreadable, unsupported

# revscoring divided by no less than this before it took to scikit-learn's scalers.
_LEAST_DEVIATION = 0.01


@guarded
def convert_scaler(scaler: Any) -> ConvertedScaler | None:
    """Convert a scaler of any era.

    Args:
        scaler: As the restricted reader gives it: an instance of a scaler of scikit-learn; None; or the pairs
            of mean and standard deviation that revscoring kept as ``feature_stats`` until 2016.

    Returns:
        None where rows are not scaled.

    Raises:
        ModelCorrupt: It is no scaler.
        ModelIncompatible: It is one of another kind.
    """
    if scaler is None:
        return None
    if isinstance(scaler, list | tuple):
        return _of_pairs(scaler)
    match name_of(scaler):
        case "RobustScaler":
            return _center_scale(
                _where(scaler, "with_centering", "center_"), _where(scaler, "with_scaling", "scale_")
            )
        case "StandardScaler" | "Scaler":
            # Until 0.16 the deviation was called std_.
            return _center_scale(
                _where(scaler, "with_mean", "mean_"), _where(scaler, "with_std", "scale_", "std_")
            )
        case "MaxAbsScaler":
            return _center_scale(None, attribute(scaler, "scale_"))
        case "MinMaxScaler":
            return _min_max(scaler)
        case name:
            raise unsupported(f"the scaler {name}")


def _where(scaler: Any, wanted: str, *names: str) -> Any:
    return attribute(scaler, *names) if attribute(scaler, wanted, default=True) else None


def _of_pairs(pairs: Sequence[Any]) -> ConvertedScaler:
    table = floats(pairs, "means and deviations of features")
    if table.ndim != 2 or table.shape[1] != 2:
        raise unreadable("means and deviations of features that are no pairs")
    return _center_scale(table[:, 0], np.maximum(table[:, 1], _LEAST_DEVIATION))


def _center_scale(center: Any, scale: Any) -> ConvertedScaler:
    arrays: dict[str, NDArray[Any]] = {}
    if center is not None:
        arrays["center"] = floats(center, "the centre of a scaler").reshape(-1)
    if scale is not None:
        arrays["scale"] = floats(scale, "the scale of a scaler").reshape(-1)
    return ConvertedScaler("center_scale", {}, arrays)


def _min_max(scaler: Any) -> ConvertedScaler:
    clips = bool(attribute(scaler, "clip", default=False))
    least, greatest = attribute(scaler, "feature_range")
    arrays: dict[str, NDArray[Any]] = {
        "scale": floats(attribute(scaler, "scale_"), "the scale of a scaler").reshape(-1),
        "offset": floats(attribute(scaler, "min_"), "the offset of a scaler").reshape(-1),
    }
    parameters = {"clip": clips, "least": float(least), "greatest": float(greatest)}
    return ConvertedScaler("min_max", parameters, arrays)
