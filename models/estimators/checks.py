"""Checks of the arrays and parameters that an artefact carries."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.estimators.estimator import Arrays
from schemas.errors import ModelCorrupt

_CURE = "import the model anew from its source, or train it anew"


def corrupt(what: str) -> ModelCorrupt:
    """Return the error for arrays or parameters that describe no estimator.

    Args:
        what: What is wrong with which of them.
    """
    return ModelCorrupt(f"the estimator of the model is broken: {what}; {_CURE}")


def array(arrays: Arrays, name: str, dtype: type[np.generic], shape: tuple[int | None, ...]) -> NDArray[Any]:
    """Return an array after checks.

    Args:
        arrays: As stored.
        name: Which one.
        dtype: That it has.
        shape: Its lengths; None for any length above 0.

    Raises:
        ModelCorrupt: It is absent, of another type or shape, or not finite.
    """
    found = arrays.get(name)
    if found is None:
        raise corrupt(f"the array {name!r} is missing")
    if found.dtype != dtype:
        raise corrupt(f"the array {name!r} is of type {found.dtype}, not {np.dtype(dtype)}")
    fits = found.ndim == len(shape) and all(
        length > 0 if wanted is None else length == wanted
        for length, wanted in zip(found.shape, shape, strict=True)
    )
    if not fits:
        expected = ", ".join("any" if wanted is None else str(wanted) for wanted in shape)
        raise corrupt(f"the array {name!r} has shape {found.shape}, not ({expected})")
    if found.dtype.kind == "f" and not np.isfinite(found).all():
        raise corrupt(f"the array {name!r} holds numbers that are not finite")
    return found


def parameter(parameters: Mapping[str, Any], name: str, *choices: str) -> str:
    """Return a parameter that names one of several ways.

    Raises:
        ModelCorrupt: It is absent, or names another.
    """
    value = parameters.get(name)
    if not isinstance(value, str) or value not in choices:
        raise corrupt(f"its parameter {name!r} is {value!r}, not one of {', '.join(choices)}")
    return value


def number(parameters: Mapping[str, Any], name: str) -> float:
    """Return a parameter that is a finite number.

    Raises:
        ModelCorrupt: It is absent, no number, or not finite.
    """
    value = parameters.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not np.isfinite(value):
        raise corrupt(f"its parameter {name!r} is {value!r}, not a finite number")
    return float(value)


def flag(parameters: Mapping[str, Any], name: str) -> bool:
    """Return a parameter that is true or false.

    Raises:
        ModelCorrupt: It is absent, or something else.
    """
    value = parameters.get(name)
    if not isinstance(value, bool):
        raise corrupt(f"its parameter {name!r} is {value!r}, neither true nor false")
    return value


def parts(parameters: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    """Return the descriptions of the estimators or scalers that one is made of; at least one.

    Raises:
        ModelCorrupt: It is no list of descriptions.
    """
    found = parameters.get(name)
    if (
        not isinstance(found, list | tuple)
        or not found
        or not all(isinstance(part, Mapping) for part in found)
    ):
        raise corrupt(f"its parameter {name!r} does not describe its parts")
    return list(found)


def of_part(arrays: Arrays, prefix: str) -> dict[str, NDArray[Any]]:
    """Return the arrays of one part, without the prefix of their names.

    Args:
        arrays: Of the whole.
        prefix: ``part3``, of ``part3.feature``.
    """
    start = f"{prefix}."
    return {name.removeprefix(start): found for name, found in arrays.items() if name.startswith(start)}


def as_part(arrays: Arrays, prefix: str) -> dict[str, NDArray[Any]]:
    """Return the arrays of a part under the names that they have in the whole."""
    return {f"{prefix}.{name}": found for name, found in arrays.items()}
