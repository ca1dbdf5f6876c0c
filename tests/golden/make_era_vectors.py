"""Train small estimators of every kind with some release of scikit-learn, and write down what they answer.

The published files cover a few kinds and two or three releases; these cover the rest. Run it under the
interpreter and release to be recorded, in an environment of its own; it loads nothing. ::

    python3.6 -m venv era && era/bin/pip install numpy==1.15.4 scipy==1.1.0 scikit-learn==0.20.4
    era/bin/python tests/golden/make_era_vectors.py tests/golden/eras

It writes ``scikit-learn-<release>.json``: one pickle of the list of all estimators (xz, base64); for each its
labels, some rows, what it answers for them one at a time, and the label that it predicts. Run again, the same
release gives the same numbers.
"""

import argparse
import base64
import json
import lzma
import pickle
import platform
import sys
from pathlib import Path
from typing import Any

import numpy as np
import scipy
import sklearn
from sklearn import (
    calibration,
    dummy,
    ensemble,
    linear_model,
    multiclass,
    naive_bayes,
    preprocessing,
    svm,
    tree,
)
from sklearn.pipeline import Pipeline

COLUMNS = 5
_ROWS = 6
_SEED = 7


def data(labels: int) -> "tuple[Any, Any]":
    """Return rows of counts and measures, and a label of each that hangs on them."""
    random = np.random.RandomState(labels)
    rows = np.round(random.standard_normal((150, COLUMNS)) * [1, 2, 5, 1, 10], 1)
    scores = rows[:, 0] + rows[:, 1] * rows[:, 3] + random.standard_normal(150) / 2
    found = np.digitize(scores, np.percentile(scores, np.linspace(0, 100, labels + 1)[1:-1]))
    return rows, (found == 1 if labels == 2 else np.array(list("ABCDE"))[found])


def many(rows: "Any") -> "Any":
    """Return three labels that do not exclude each other."""
    return np.stack([rows[:, 0] > 0, rows[:, 1] > rows[:, 2], rows[:, 4] > 3], axis=1).astype(int)


def estimators() -> "list[tuple[str, int, Any]]":
    """Return name, number of labels (0 for several at once) and estimator."""
    found = []
    for labels in (2, 3):
        found += [
            ("boosting", labels, _boosting()),
            ("boosting-zero", labels, _boosting(init="zero")),
            ("forest", labels, ensemble.RandomForestClassifier(5, max_depth=5, random_state=1)),
            ("extra-trees", labels, ensemble.ExtraTreesClassifier(3, max_depth=5, random_state=1)),
            ("tree", labels, tree.DecisionTreeClassifier(max_depth=4, random_state=1)),
            ("svc-linear", labels, _svc(kernel="linear")),
            ("svc-rbf", labels, _svc(kernel="rbf", gamma="auto")),
            ("svc-poly", labels, _svc(kernel="poly", degree=2, coef0=1.0, gamma="auto")),
            ("gaussian", labels, naive_bayes.GaussianNB()),
            ("bernoulli", labels, naive_bayes.BernoulliNB(binarize=0.5)),
            ("multinomial", labels, _after(preprocessing.MinMaxScaler(), naive_bayes.MultinomialNB())),
            ("logistic", labels, linear_model.LogisticRegression(solver="lbfgs", multi_class="ovr")),
            ("softmax", labels, linear_model.LogisticRegression(solver="lbfgs", multi_class="multinomial")),
            ("sigmoid-svc", labels, calibration.CalibratedClassifierCV(svm.LinearSVC(random_state=1), cv=2)),
            ("isotonic", labels, calibration.CalibratedClassifierCV(_forest(), cv=2, method="isotonic")),
            ("sigmoid-boosting", labels, calibration.CalibratedClassifierCV(_boosting(), cv=2)),
            ("one-vs-rest", labels, multiclass.OneVsRestClassifier(_boosting())),
            ("one-vs-rest-nb", labels, multiclass.OneVsRestClassifier(naive_bayes.GaussianNB())),
            ("robust-boosting", labels, _after(_robust(), _boosting())),
            ("standard-logistic", labels, _after(preprocessing.StandardScaler(), _logistic())),
            ("prior", labels, dummy.DummyClassifier(strategy="prior")),
        ]
        if hasattr(naive_bayes, "ComplementNB"):
            complement = _after(preprocessing.MinMaxScaler(), naive_bayes.ComplementNB())
            found.append(("complement", labels, complement))
    found += [
        ("boosting-exponential", 2, _boosting(loss="exponential")),
        ("svc-calibrated", 2, calibration.CalibratedClassifierCV(svm.SVC(gamma="auto"), cv=2)),
        ("svc-rbf", 5, _svc(kernel="rbf", gamma="auto")),
        ("multilabel-boosting", 0, multiclass.OneVsRestClassifier(_boosting())),
        ("multilabel-logistic", 0, multiclass.OneVsRestClassifier(_logistic())),
    ]
    return found


def _boosting(**options: "Any") -> "Any":
    return ensemble.GradientBoostingClassifier(n_estimators=6, max_depth=3, random_state=1, **options)


def _forest() -> "Any":
    return ensemble.RandomForestClassifier(3, max_depth=3, random_state=1)


def _logistic() -> "Any":
    return linear_model.LogisticRegression(solver="lbfgs")


def _svc(**options: "Any") -> "Any":
    return svm.SVC(probability=True, random_state=1, **options)


def _robust() -> "Any":
    return preprocessing.RobustScaler()


def _after(scaler: "Any", estimator: "Any") -> "Any":
    return Pipeline([("scaler", scaler), ("estimator", estimator)])


def judged(name: str, labels: int, estimator: "Any") -> "dict[str, Any]":
    """Train one estimator and ask it."""
    rows, sought = data(labels or 2)
    estimator.fit(rows, many(rows) if labels == 0 else sought)
    random = np.random.RandomState(_SEED)
    asked = np.round(random.standard_normal((_ROWS, COLUMNS)) * [1, 2, 5, 1, 10], 2)
    asked[-1] *= 30
    # Not all of the multilabel answers are of one type: 0 and 1, or truth values.
    predicted = np.concatenate([estimator.predict(row[None]) for row in asked]).tolist()
    return {
        "name": name,
        "labels": estimator.classes_.tolist(),
        "is_multilabel": labels == 0,
        "rows": asked.tolist(),
        "probabilities": np.concatenate([estimator.predict_proba(row[None]) for row in asked]).tolist(),
        "predicted": predicted,
    }


def main() -> None:
    """Write one file for the release that runs this."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("into", type=Path, help="folder to write to")
    into = parser.parse_args().into
    trained = estimators()
    answers = [judged(*one) for one in trained]
    pickled = pickle.dumps([estimator for _, _, estimator in trained], protocol=2)
    document = {
        "judge": {
            "python": platform.python_version(),
            "numpy": np.__version__,
            "scipy": scipy.__version__,
            "scikit-learn": sklearn.__version__,
        },
        "columns": COLUMNS,
        "estimators": answers,
        "pickle": base64.b64encode(lzma.compress(pickled)).decode(),
    }
    text = json.dumps(document, separators=(",", ":"), sort_keys=True).replace('},{"', '},\n{"')
    target = into / f"scikit-learn-{sklearn.__version__}.json"
    target.write_text(text + "\n")
    sys.stdout.write(f"{target.name}: {len(answers)} estimators\n")


if __name__ == "__main__":
    main()
