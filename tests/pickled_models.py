"""Model files made by hand, in the shape of any release: classes are named in them, and never exist."""

import pickle
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from msgspec import Struct

from models.pickles import Global, Instance

FEATURE = "revscoring.features.feature"
MODELS = "revscoring.scoring.models"
STOPWORDS = "revscoring.languages.features.stopwords.stopwords"


class Whole(Struct, frozen=True):
    """Plain values pickled in one piece, so that what they share stays shared."""

    value: Any


def pickled(value: Any) -> bytes:
    """Return a pickle of plain values, arrays and inert objects."""
    return pickle.PROTO + b"\x03" + b"".join(_opcodes(value)) + pickle.STOP


def _opcodes(value: Any) -> Iterator[bytes]:
    match value:
        case Global():
            yield pickle.GLOBAL + f"{value.module}\n{value.name}\n".encode()
        case Instance():
            yield from _opcodes(value.kind)
            yield from _opcodes(value.args)
            yield pickle.REDUCE
            if value.state is not None:
                yield from _opcodes(value.state)
                yield pickle.BUILD
        case Whole():
            yield from _fragment(value.value)
        case tuple():
            yield from (pickle.MARK, *_joined(value), pickle.TUPLE)
        case list():
            yield from (pickle.EMPTY_LIST, pickle.MARK, *_joined(value), pickle.APPENDS)
        case dict():
            pairs = (one for pair in value.items() for one in pair)
            yield from (pickle.EMPTY_DICT, pickle.MARK, *_joined(pairs), pickle.SETITEMS)
        case _:
            yield from _fragment(value)


def _fragment(value: Any) -> Iterator[bytes]:
    # Without the opcodes that begin and end a pickle.
    yield pickle.dumps(value, protocol=3)[2:-1]


def _joined(values: Iterable[Any]) -> Iterator[bytes]:
    for value in values:
        yield from _opcodes(value)


def inert(module: str, kind: str, /, **state: Any) -> Instance:
    return Instance(Global(module, kind), state=state)


def datasource(name: str, *needs: Any, **state: Any) -> Instance:
    return inert(
        "revscoring.datasources.datasource", "Datasource", name=name, dependencies=list(needs), **state
    )


def feature(
    name: str, *needs: Any, returns: str = "float", kind: str = "Feature", module: str = FEATURE, **state: Any
) -> Instance:
    return inert(
        module, kind, name=name, dependencies=list(needs), returns=Global("builtins", returns), **state
    )


def constant(value: float) -> Instance:
    return feature(str(value), returns=type(value).__name__, kind="Constant", value=value)


def naive_bayes(classes: Sequence[Any], columns: int) -> Instance:
    return inert(
        "sklearn.naive_bayes",
        "GaussianNB",
        classes_=np.array(classes),
        class_prior_=np.full(len(classes), 1 / len(classes)),
        theta_=np.arange(len(classes) * columns, dtype=np.float64).reshape(len(classes), columns),
        sigma_=np.ones((len(classes), columns)),
        _sklearn_version="0.22.1",
    )


def logistic(columns: int, weight: float) -> Instance:
    return inert(
        "sklearn.linear_model.logistic",
        "LogisticRegression",
        classes_=np.array([0, 1]),
        coef_=np.full((1, columns), weight),
        intercept_=np.array([0.5]),
        multi_class="ovr",
        solver="liblinear",
    )


def model(features: Sequence[Any] | None = None, **changes: Any) -> Instance:
    """Return a small binary model as revscoring 2 saves it."""
    features = (
        [feature("revision.a"), feature("revision.b", returns="bool")] if features is None else features
    )
    state: dict[str, Any] = {
        "features": tuple(features),
        "labels": [True, False],
        "multilabel": False,
        "population_rates": {True: 0.25, False: 0.75},
        "label_weights": {True: 10},
        "params": {"scale": True, "label_weights": {True: 10}, "cost": float("nan")},
        "version": "1.2.3",
        "trained": 1_533_592_149.6,
        "scaler": None,
        "estimator": naive_bayes([False, True], len(features)),
        "info": inert(
            "revscoring.scoring.model_info",
            "ModelInfo",
            _data={
                "environment": inert(
                    "revscoring.scoring.environment",
                    "Environment",
                    _data={"revscoring_version": "2.2.5", "python_version": "3.5.3", "machine": "x86_64"},
                )
            },
        ),
    }
    return inert(f"{MODELS}.naive_bayes", "GaussianNB", **(state | changes))


def save(folder: Path, value: Any, name: str = "enwiki.damaging.gaussian_nb.model") -> Path:
    path = folder / name
    path.write_bytes(pickled(value))
    return path
