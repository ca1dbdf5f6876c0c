"""From pickled support vector machines and linear models to arrays."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.estimators.estimator import ConvertedEstimator
from models.estimators.inert import (
    attribute,
    floats,
    labels_of,
    name_of,
    option,
    unreadable,
    unsupported,
    version_of,
)
from models.estimators.support_vectors import KERNELS


def convert_svc(model: Any) -> ConvertedEstimator:
    """Convert an ``SVC`` or ``NuSVC``; trained without probabilities, it can only stand in a calibration.

    Raises:
        ModelCorrupt: It is not one.
        ModelIncompatible: It was trained on sparse rows, or with a kernel of its own.
    """
    labels = labels_of(attribute(model, "classes_"))
    kernel = option(model, "kernel")
    if kernel not in KERNELS or option(model, "_sparse", False):
        raise unsupported(f"a support vector classifier with the kernel {kernel!r} or sparse rows")
    slopes = floats(attribute(model, "_probA", "probA_"), "the sigmoids of a classifier").reshape(-1)
    offsets = floats(attribute(model, "_probB", "probB_"), "the sigmoids of a classifier").reshape(-1)
    vectors = floats(attribute(model, "support_vectors_"), "support vectors")
    # scikit-learn turns the signs of the public attributes for two labels; the private ones are libsvm's.
    # Until 0.15 it kept no private coefficients, and did not turn the public ones.
    coefficients = floats(attribute(model, "_dual_coef_", "dual_coef_"), "the coefficients of a classifier")
    counts = np.asarray(attribute(model, "_n_support", "n_support_")).astype(np.int32)
    if (
        vectors.ndim != 2
        or coefficients.shape != (len(labels) - 1, len(vectors))
        or len(counts) != len(labels)
    ):
        raise unreadable("a support vector classifier whose vectors and coefficients do not fit each other")
    arrays: dict[str, NDArray[Any]] = {
        "vectors": np.ascontiguousarray(vectors.T),
        "counts": counts,
        "coefficients": coefficients,
        "intercepts": floats(attribute(model, "_intercept_"), "the intercepts of a classifier").reshape(-1),
    }
    if len(slopes):
        arrays |= {"slopes": slopes, "offsets": offsets}
    parameters = {
        "link": "coupled_sigmoids" if len(slopes) else "none",
        "kernel": kernel,
        # "auto" and "scale" were resolved when the classifier was trained.
        "gamma": float(attribute(model, "_gamma", "gamma")),
        "coef0": float(attribute(model, "coef0")),
        "degree": int(attribute(model, "degree")),
    }
    return ConvertedEstimator("support_vectors", parameters, arrays, labels, vectors.shape[1])


def convert_linear(model: Any) -> ConvertedEstimator:
    """Convert a ``LogisticRegression``, or a linear model that only decides (``LinearSVC``).

    Raises:
        ModelCorrupt: It is not one.
        ModelIncompatible: Its loss gives probabilities in another way.
    """
    labels = labels_of(attribute(model, "classes_"))
    weights = floats(attribute(model, "coef_"), "the weights of a linear model")
    intercepts = floats(attribute(model, "intercept_"), "the intercepts of a linear model").reshape(-1)
    count = 1 if len(labels) == 2 else len(labels)
    if weights.ndim != 2 or len(weights) != count:
        raise unreadable(f"a linear model of {len(labels)} labels with weights of shape {weights.shape}")
    if len(intercepts) == 1:
        intercepts = np.repeat(intercepts, count)
    link = _link(model, len(labels))
    arrays = {"weights": weights, "intercepts": intercepts}
    return ConvertedEstimator("linear", {"link": link}, arrays, labels, weights.shape[1])


def _link(model: Any, labels: int) -> str:
    name = name_of(model)
    if name == "SGDClassifier" and option(model, "loss") in {"log", "log_loss"}:
        return "one_vs_rest"
    if not name.startswith("LogisticRegression"):
        return "none"
    way = option(model, "multi_class", "deprecated")
    if way in {"ovr", "warn"}:
        return "one_vs_rest"
    if way == "multinomial":
        # Until 0.20, two labels were answered for as if they did not exclude each other.
        return "one_vs_rest" if labels == 2 and version_of(model) < (0, 20) else "softmax"
    # "auto", and later the only way: several labels exclude each other but where the solver cannot say so.
    return "one_vs_rest" if labels == 2 or option(model, "solver") == "liblinear" else "softmax"
