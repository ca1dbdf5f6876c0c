"""Write the skops files beside this script, with scikit-learn's own answers for them.

Run it where skops is installed: ``pip install skops scikit-learn==<the locked release>``, in an environment
of its own, since no skops that runs with that release admits NumPy 1.24.
"""

import json
import warnings
import zipfile
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import (
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, RobustScaler
from sklearn.svm import LinearSVC

HERE = Path(__file__).parent
SKOPS: Any = import_module("skops")
SKOPS_IO: Any = import_module("skops.io")


def main() -> None:
    rng = np.random.default_rng(7)
    rows = rng.normal(size=(60, 3)).round(3)
    two = rows[:, 0] + rows[:, 1] ** 2 > 0.5
    three = np.array(["a", "b", "c"])[two.astype(int) + (rows[:, 2] > 0)]
    boosting: dict[str, Any] = {"n_estimators": 2, "max_depth": 2, "random_state": 1}
    models = {
        "logistic": (LogisticRegression(), two),
        "logistic_of_three": (LogisticRegression(), three),
        "pipeline": (make_pipeline(RobustScaler(), GaussianNB()), two),
        "gradient_boosting": (GradientBoostingClassifier(**boosting), two),
        "gradient_boosting_of_three": (GradientBoostingClassifier(**boosting), three),
        "histogram_boosting": (
            HistGradientBoostingClassifier(max_iter=2, max_depth=2, min_samples_leaf=5, max_bins=8),
            two,
        ),
        "forest": (RandomForestClassifier(**boosting), three),
        "calibrated": (CalibratedClassifierCV(LinearSVC(), cv=2), two),
        "refused_neighbours": (KNeighborsClassifier(), two),
        "refused_function": (make_pipeline(FunctionTransformer(np.abs), LogisticRegression()), two),
    }
    answers = {}
    for name, (model, wanted) in models.items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model.fit(rows, wanted)
        data = SKOPS_IO.dumps(model, compression=zipfile.ZIP_DEFLATED, compresslevel=9)
        (HERE / f"{name}.skops").write_bytes(data)
        labels = [str(label).lower() if wanted is two else str(label) for label in model.classes_]
        answers[name] = {"labels": labels, "probabilities": model.predict_proba(rows[:8]).tolist()}
    document = {"skops": SKOPS.__version__, "rows": rows[:8].tolist(), "answers": answers}
    (HERE / "answers.json").write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
