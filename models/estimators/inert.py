"""Reads what the restricted reader of pickles gives: plain values, and instances that were never made."""

import re
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import numpy as np
from numpy.typing import NDArray

from models.estimators.estimator import Floats, Label
from models.pickles import Instance
from schemas.errors import ModelCorrupt, ModelIncompatible

P = ParamSpec("P")
R = TypeVar("R")

_ABSENT = object()


def unreadable(what: str) -> ModelCorrupt:
    """Return the error for a pickled object that is not what its name says.

    Args:
        what: What is wrong with which of them.
    """
    return ModelCorrupt(
        f"the model file holds {what}; it was damaged or made up: fetch it anew from its source"
    )


def unsupported(what: str) -> ModelIncompatible:
    """Return the error for a pickled object whose kind has no evaluation here.

    Args:
        what: The kind or option.
    """
    return ModelIncompatible(
        f"the model file holds {what}, which cannot be evaluated without the library that made it; train the "
        "model anew with a supported kind, see README.md"
    )


def guarded(function: Callable[P, R]) -> Callable[P, R]:
    """Turn the errors that odd values cause while they are converted into ``ModelCorrupt``."""

    @wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return function(*args, **kwargs)
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            raise unreadable(
                f"an estimator that cannot be converted ({type(error).__name__}: {error})"
            ) from error

    return run


def name_of(value: Any) -> str:
    """Return the class name of an instance, without its module, which scikit-learn has moved over the years.

    Raises:
        ModelCorrupt: It is no instance.
    """
    if not isinstance(value, Instance):
        raise unreadable(f"{type(value).__name__} where an object of scikit-learn belongs")
    return value.kind.name


def state_of(instance: Any) -> Mapping[str, Any]:
    """Return the attributes of an instance.

    Raises:
        ModelCorrupt: It has none.
    """
    name = name_of(instance)
    if not isinstance(instance.state, Mapping):
        raise unreadable(f"{name} without attributes")
    return instance.state


def attribute(instance: Any, *names: str, default: Any = _ABSENT) -> Any:
    """Return an attribute by the first of its names, old and new, that is there.

    Args:
        instance: Whose.
        names: In order of preference.
        default: Where none is there.

    Raises:
        ModelCorrupt: None is there and there is no default.
    """
    state = state_of(instance)
    for name in names:
        if name in state:
            return state[name]
    if default is _ABSENT:
        raise unreadable(f"{name_of(instance)} without {names[0]!r}; perhaps it was never trained")
    return default


def option(instance: Any, name: str, default: Any = _ABSENT) -> str | int | float | bool | None:
    """Return an attribute that is one plain value.

    Args:
        instance: Whose.
        name: Of the attribute.
        default: Where it is not there.

    Raises:
        ModelCorrupt: It is not there and there is no default, or it is no plain value.
    """
    found = attribute(instance, name, default=default)
    if isinstance(found, np.generic):
        found = found.item()
    if found is not None and not isinstance(found, str | int | float | bool):
        raise unreadable(f"{name_of(instance)} whose {name!r} is {type(found).__name__}")
    return found


def version_of(instance: Any) -> tuple[int, ...]:
    """Return the release of scikit-learn that made an instance, ``(0, 22)``; ``()`` before 0.18."""
    text = attribute(instance, "_sklearn_version", default="")
    found = re.match(r"(\d+)\.(\d+)", text) if isinstance(text, str) else None
    return () if found is None else tuple(int(part) for part in found.groups())


def floats(value: Any, what: str) -> Floats:
    """Return numbers as a float64 array of any shape.

    Raises:
        ModelCorrupt: They are none.
    """
    found = np.asarray(value)
    if found.dtype.kind not in "biuf":
        raise unreadable(f"{what} of type {found.dtype}, which are no numbers")
    return np.ascontiguousarray(found, dtype=np.float64)


def labels_of(classes: Any) -> list[Label]:
    """Return ``classes_`` as plain values.

    Raises:
        ModelCorrupt: They are no flat list of bool, int, float or text.
    """
    found: NDArray[Any] = np.asarray(classes)
    labels = found.tolist()
    if (
        found.ndim != 1
        or not labels
        or not all(isinstance(label, bool | int | float | str) for label in labels)
    ):
        raise unreadable("labels that are no flat list of truth values, numbers or texts")
    return list(labels)
