"""Estimators from plain arrays: what scikit-learn's would answer, without scikit-learn.

``convert_estimator`` takes an estimator out of an inert pickle, ``load_estimator`` makes one that answers;
between the two lies nothing but arrays and plain JSON, which an artefact carries.
"""

from models.estimators.checks import as_part, of_part
from models.estimators.conversion import convert_estimator, convert_multilabel
from models.estimators.convert_scalers import convert_scaler
from models.estimators.estimator import Answers, ConvertedEstimator, ConvertedScaler, Estimator
from models.estimators.loading import load_estimator
from models.estimators.scaling import Scaler, load_scaler, scaled

__all__ = [
    "Answers",
    "ConvertedEstimator",
    "ConvertedScaler",
    "Estimator",
    "Scaler",
    "as_part",
    "convert_estimator",
    "convert_multilabel",
    "convert_scaler",
    "load_estimator",
    "load_scaler",
    "of_part",
    "scaled",
]
