"""Ask the scikit-learn of the day what published models answer, and write it down as small JSON files.

Run it under an old interpreter, in an environment of its own, never in the project's: it loads real pickles.
It loads only files whose sha512 is in SHA512SUMS beside them, and of these only objects of scikit-learn and
numpy; everything else (revscoring's features, statistics) becomes an empty stand-in. ::

    python3.7 -m venv judge22 && judge22/bin/pip install numpy==1.18.5 scipy==1.4.1 scikit-learn==0.22.1
    python3.6 -m venv judge19 && judge19/bin/pip install numpy==1.15.4 scipy==1.1.0 scikit-learn==0.19.1
    python3.6 -m venv judge18 && judge18/bin/pip install numpy==1.13.3 scipy==1.0.0 scikit-learn==0.18.2
    for judge in judge22 judge19 judge18; do
        $judge/bin/python tests/golden/make_estimator_vectors.py MODELS tests/golden/estimators
    done

Each judge answers for the files that its release of scikit-learn wrote; 0.18 answers for those of 2015 and
2016, which name no release (no wheel of an older one runs on a Python that reads them).

What is written, ``<file>.json``: ``rows`` as revscoring would give them, ``probabilities`` after scaler and
estimator; ``scaled_rows``, on thresholds and next to them, and what the estimator alone says of these; and
for both the column of the label that ``predict`` names. Numbers are in Python's shortest exact notation.
"""

import argparse
import bz2
import hashlib
import json
import pickle
import platform
import sys
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

ROWS = 8
_SEED = 20150615
_OLDEST_JUDGE = "0.18"
_PLAIN = {"builtins": {"set", "frozenset", "object", "bytes", "int", "float", "bool", "str", "list", "dict"}}
_PLAIN["_codecs"] = {"encode"}
_PLAIN["copyreg"] = {"_reconstructor"}
_PLAIN["collections"] = {"OrderedDict"}


class StandIn:
    """Takes the place of every object that is not scikit-learn's or numpy's."""

    def __new__(cls, *args: "Any", **kwargs: "Any") -> "StandIn":
        del args, kwargs
        return super().__new__(cls)

    def __init__(self, *args: "Any", **kwargs: "Any") -> None:
        pass

    def __setstate__(self, state: "Any") -> None:
        self.__dict__.update(state if isinstance(state, dict) else {})

    def __call__(self, *args: "Any", **kwargs: "Any") -> "StandIn":
        return StandIn()

    def __setitem__(self, key: "Any", value: "Any") -> None:
        pass

    def append(self, item: "Any") -> None:
        pass

    def extend(self, items: "Any") -> None:
        pass


class Reader(pickle.Unpickler):
    """Makes objects of numpy and, if asked to, of scikit-learn, and stand-ins for all others."""

    def __init__(self, file: "BinaryIO", *packages: str) -> None:
        super().__init__(file)
        self._packages = packages

    def find_class(self, module: str, name: str) -> "Any":
        if (module, name) == ("sklearn.tree._tree", "Tree") and "sklearn" in self._packages:
            return _tree_class(super().find_class(module, name))
        # States of random numbers are read by training alone.
        is_wanted = module.split(".", maxsplit=1)[0] in self._packages and "random" not in module
        if is_wanted or name in _PLAIN.get(module, ()):
            return super().find_class(module, name)
        return StandIn


def _tree_class(tree: "Any") -> "Any":
    """Return a class of trees that also reads those of 0.15 to 0.17, which did not keep their depth."""

    class AnyTree(tree):  # type: ignore[misc] # known only when it runs
        def __setstate__(self, state: "dict[str, Any]") -> None:
            # Nothing that predicts reads the depth.
            super().__setstate__(dict({"max_depth": 0}, **state))

    return AnyTree


class _Model:
    """Scaler and estimator of a model file."""

    def __init__(self, state: "dict[str, Any]") -> None:
        self.estimator = state.get("estimator") or state["classifier_model"]
        self.scaler = state.get("scaler")
        self.pairs = state.get("feature_stats")
        if type(self.estimator).__name__ == "SVC" and not hasattr(self.estimator, "_dual_coef_"):
            # 0.15 kept libsvm's coefficients under the public name.
            self.estimator._dual_coef_ = self.estimator.dual_coef_
        self.thresholds = _thresholds(self.estimator)
        self.columns = _columns(self.estimator)

    def scaled(self, rows: "Any") -> "Any":
        if self.pairs is not None:
            # revscoring's own scaling of 2015, term by term in plain Python.
            return np.array(
                [
                    [
                        (value - mean) / max(deviation, 0.01)
                        for value, (mean, deviation) in zip(row, self.pairs)  # noqa: B905 - Python 3.6 has no strict
                    ]
                    for row in rows.tolist()
                ]
            )
        return rows if self.scaler is None else self.scaler.transform(rows)

    def spread(self) -> "tuple[Any, Any]":
        """Return where the values of each column lie, and how far apart."""
        if self.pairs is not None:
            table = np.array(self.pairs, dtype=float)
            return table[:, 0], np.maximum(table[:, 1], 0.01)
        if self.scaler is not None:
            return self.scaler.center_, self.scaler.scale_
        if self.thresholds is not None:
            middle = [np.median(found) if len(found) else 0.0 for found in self.thresholds]
            return np.array(middle), 1 + np.abs(middle)
        if hasattr(self.estimator, "theta_"):
            return self.estimator.theta_.mean(axis=0), np.sqrt(self.estimator.sigma_.mean(axis=0))
        return np.zeros(self.columns), np.ones(self.columns)


def _thresholds(estimator: "Any") -> "Any":
    """Return the thresholds of each column, or None without trees."""
    if not hasattr(estimator, "estimators_"):
        return None
    trees = [member.tree_ for member in np.ravel(estimator.estimators_)]
    columns = np.concatenate([tree.feature for tree in trees])
    values = np.concatenate([tree.threshold for tree in trees])
    return [np.unique(values[columns == column]) for column in range(trees[0].n_features)]


def _columns(estimator: "Any") -> int:
    for name in ("support_vectors_", "theta_", "feature_log_prob_"):
        if hasattr(estimator, name):
            return int(getattr(estimator, name).shape[1])
    return int(estimator.n_features_)


def plausible_rows(model: "_Model", random: "Any") -> "Any":
    """Return rows around the middle of each column, from near to far out."""
    center, scale = model.spread()
    far = np.repeat([0.5, 1.0, 3.0, 30.0], ROWS // 4)[:, None]
    noise = random.standard_normal((ROWS, model.columns)) * far
    rows = np.round(center + scale * noise, 2)
    # Counts and truth values, as most features are, in half of the columns.
    whole = random.random_sample(model.columns) < 0.5
    rows[:, whole] = np.round(np.abs(rows[:, whole]))
    return rows


def edge_rows(model: "_Model", random: "Any") -> "Any":
    """Return rows of values on thresholds, on the float32 below and above, or on support vectors."""
    if model.thresholds is None:
        if hasattr(model.estimator, "support_vectors_"):
            vectors = model.estimator.support_vectors_
            return vectors[random.randint(0, len(vectors), ROWS)]
        return random.choice([-1e3, -1.0, 0.0, 1e-9, 1.0, 1e3], (ROWS, model.columns))
    rows = np.zeros((ROWS, model.columns))
    for column, found in enumerate(model.thresholds):
        if not len(found):
            continue
        for row in range(ROWS):
            value = random.choice(found)
            near = np.float32(value)
            rows[row, column] = (
                value,
                near,
                np.nextafter(near, np.float32(np.inf)),
                np.nextafter(near, np.float32(-np.inf)),
            )[random.randint(4)]
    return rows


def answers(model: "_Model", scaled: "Any") -> "tuple[Any, Any]":
    """Return what the estimator says of rows one by one, as it was asked in its day."""
    probabilities = np.concatenate([model.estimator.predict_proba(row[None]) for row in scaled])
    predicted = np.concatenate([model.estimator.predict(row[None]) for row in scaled])
    labels = model.estimator.classes_.tolist()
    return probabilities.tolist(), [labels.index(label) for label in predicted.tolist()]


def release_of(state: "dict[str, Any]") -> str:
    """Return the release of scikit-learn that is to judge a file, ``0.19``."""
    estimator = state.get("estimator") or state["classifier_model"]
    found = getattr(estimator, "__dict__", {}).get("_sklearn_version", _OLDEST_JUDGE)
    return ".".join(str(found).split(".")[:2])


def opened(path: "Path") -> "BinaryIO":
    """Open a model file, packed or not."""
    return bz2.open(str(path), "rb") if path.suffix == ".bz2" else path.open("rb")  # type: ignore[return-value] # bz2 files read alike


def make(path: "Path", into: "Path") -> str:
    """Judge one file.

    Returns:
        What was done, for a person.
    """
    import scipy
    import sklearn

    with opened(path) as file:
        wanted = release_of(Reader(file, "numpy").load().__dict__)
    if not sklearn.__version__.startswith(wanted + "."):
        return "left to scikit-learn " + wanted
    with opened(path) as file:
        state = Reader(file, "numpy", "sklearn").load().__dict__
    model, random = _Model(state), np.random.RandomState(_SEED)
    rows, edges = plausible_rows(model, random), edge_rows(model, random)
    probabilities, chosen = answers(model, model.scaled(rows))
    edge_probabilities, edge_chosen = answers(model, edges)
    document = {
        "file": path.name,
        "sha512": hashlib.sha512(path.read_bytes()).hexdigest(),
        "judge": {
            "python": platform.python_version(),
            "numpy": np.__version__,
            "scipy": scipy.__version__,
            "scikit-learn": sklearn.__version__,
        },
        "estimator": type(model.estimator).__name__,
        "labels": model.estimator.classes_.tolist(),
        "rows": rows.tolist(),
        "scaled": model.scaled(rows).tolist(),
        "probabilities": probabilities,
        "chosen": chosen,
        "scaled_rows": edges.tolist(),
        "scaled_probabilities": edge_probabilities,
        "scaled_chosen": edge_chosen,
    }
    text = json.dumps(document, separators=(",", ":"), sort_keys=True).replace("],[", "],\n[")
    (into / (path.name + ".json")).write_text(text + "\n")
    return f"{2 * ROWS} rows"


def main() -> None:
    """Judge every known file of a folder that this release of scikit-learn can judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("models", type=Path, help="folder of model files with their SHA512SUMS")
    parser.add_argument("into", type=Path, help="folder to write to")
    given = parser.parse_args()
    for line in (given.models / "SHA512SUMS").read_text().splitlines():
        known, name = line.split()
        path = given.models / name.lstrip("*")
        if hashlib.sha512(path.read_bytes()).hexdigest() != known:
            sys.exit(f"{path} differs from its sha512; it is not loaded")
        sys.stdout.write(f"{path.name}: {make(path, given.into)}\n")


if __name__ == "__main__":
    main()
