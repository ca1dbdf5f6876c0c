"""Tables of feature values of edits whose outcome is known."""

import bz2
import gzip
import hashlib
import math
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from schemas.errors import SourceError

Floats = NDArray[np.float64]

_BOOLEANS = {"True": 1.0, "False": 0.0}


class LabelledTable(Struct, frozen=True):
    """Feature values of edits whose outcome is known.

    Attributes:
        features: float64[rows, features].
        is_true: bool[rows].
        sha512: Of the file.
    """

    features: Floats
    is_true: NDArray[np.bool_]
    sha512: str


def read_table(path: Path, *, columns: tuple[str, ...], label_column: str) -> LabelledTable:
    """Read a labelled table.

    Args:
        path: Tab-separated with a header row; plain, ``.bz2`` or ``.gz``.
        columns: To read as features, in this order: numbers, or ``True`` and ``False``.
        label_column: Holds ``True`` or ``False``.

    Raises:
        SourceError: It cannot be read, lacks a column, or holds a row that is no edit.
    """
    data, lines = _lines(path)
    header = lines[0].split("\t")
    missing = [name for name in (*columns, label_column) if name not in header]
    if missing:
        raise SourceError(
            f"{path} lacks the columns {', '.join(missing)}; name a tab-separated table whose first row "
            "names them",
            path=str(path),
        )
    positions = [header.index(name) for name in columns]
    label = header.index(label_column)
    rows, is_true = [], []
    for number, line in enumerate(lines[1:], start=2):
        cells = line.split("\t")
        try:
            rows.append([_number(cells[position]) for position in positions])
            is_true.append(_BOOLEANS[cells[label]] == 1)
        except (ValueError, KeyError, IndexError) as error:
            raise SourceError(
                f"line {number} of {path} is no labelled edit ({type(error).__name__}: {error}); features "
                f"are finite numbers or True and False, and {label_column} is True or False",
                path=str(path),
                line=number,
            ) from error
    if len(set(is_true)) < 2:
        raise SourceError(
            f"{path} holds {len(rows)} rows of one label only; both are needed to train or test",
            path=str(path),
        )
    return LabelledTable(np.array(rows), np.array(is_true), hashlib.sha512(data).hexdigest())


def _lines(path: Path) -> tuple[bytes, list[str]]:
    openers: Mapping[str, Callable[[bytes], bytes]] = {".bz2": bz2.decompress, ".gz": gzip.decompress}
    try:
        data = path.read_bytes()
        text = openers.get(path.suffix, bytes)(data).decode()
    except (OSError, ValueError, EOFError) as error:
        raise SourceError(
            f"the table {path} cannot be read ({error}); name a tab-separated file in UTF-8, plain, .bz2 "
            "or .gz",
            path=str(path),
        ) from error
    lines = text.splitlines()
    if len(lines) < 2:
        raise SourceError(f"the table {path} holds no rows; name another", path=str(path))
    return data, lines


def _number(cell: str) -> float:
    value = _BOOLEANS[cell] if cell in _BOOLEANS else float(cell)
    if not math.isfinite(value):
        raise ValueError(f"{cell} is not finite")
    return value
