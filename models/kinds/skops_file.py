"""Estimators of scikit-learn in the skops format, run by scikit-learn."""

import warnings
from importlib.metadata import version
from typing import Any, Final

import numpy as np

from models.artefact import Artefact
from models.kinds.estimator import EstimatorSpec, Floats, corrupt, unread
from models.kinds.skops_archive import read_skops
from models.kinds.skops_trees import check_estimator
from schemas.prediction import ScoreKind


class SkopsEstimator:
    """An estimator of scikit-learn.

    Args:
        file: Path in the artefact, for messages.
        data: The file.
        labels: Of the manifest, which the estimator's classes must be.
        is_multilabel: Whether labels do not exclude each other.

    Raises:
        ModelRefused: The file asks for what is not in the closed list.
        ModelCorrupt: It is not of the skops format, or does not fit together.
        ModelIncompatible: It was saved by another scikit-learn, or answers no probabilities.
    """

    # Its matrix products associate otherwise in a batch than for one row.
    is_batch_exact: Final = False

    def __init__(self, file: str, data: bytes, labels: tuple[str, ...], *, is_multilabel: bool) -> None:
        self._file = file
        self._estimator: Any = read_skops(file, data)
        try:
            self.features_count = check_estimator(file, self._estimator)
        except (AttributeError, TypeError, ValueError, IndexError) as error:
            raise corrupt(file, f"a part of the estimator is missing or of another kind ({error})") from error
        _check_release(file, self._estimator)
        if not hasattr(self._estimator, "predict_proba"):
            raise unread(
                file, f"holds a {type(self._estimator).__name__}, which gives no probabilities; calibrate it"
            )
        classes = getattr(self._estimator, "classes_", None)
        found = () if classes is None else tuple(_label(label) for label in np.asarray(classes).tolist())
        if found != labels and not (is_multilabel and len(found) == len(labels)):
            raise corrupt(
                file, f"it answers for {', '.join(found)[:200]}, but the manifest lists other labels"
            )

    def probabilities(self, rows: Floats) -> Floats:
        """Return probabilities, see ``models.kinds.estimator.RowEstimator``."""
        try:
            with warnings.catch_warnings():
                # What it warns of (names of columns, a division of empty counts) was the trainer's to hear.
                warnings.simplefilter("ignore")
                return np.asarray(self._estimator.predict_proba(rows), dtype=np.float64)
        except (AttributeError, TypeError, ValueError, IndexError) as error:
            raise corrupt(self._file, f"scikit-learn cannot run it ({error})") from error


def read_estimator(artefact: Artefact, spec: EstimatorSpec) -> SkopsEstimator:
    """Read the file that the spec names."""
    manifest = artefact.manifest
    return SkopsEstimator(
        spec.file,
        artefact.file(spec.file),
        manifest.labels,
        is_multilabel=manifest.kind is ScoreKind.MULTILABEL,
    )


def _label(label: object) -> str:
    return str(label).lower() if isinstance(label, bool) else str(label)


def _check_release(file: str, estimator: Any) -> None:
    saved, installed = str(getattr(estimator, "_sklearn_version", "")), version("scikit-learn")
    if saved.split(".")[:2] != installed.split(".")[:2]:
        raise unread(
            file,
            f"was saved by scikit-learn {saved[:20] or '(not stated)'}, but {installed} is installed, which "
            "may give other numbers; train and save it anew with that",
        )
