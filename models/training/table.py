"""Tables of feature values of edits whose label is known."""

import math
from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from models.training.label_values import BINARY, LabelPositions, require_labels
from models.training.lines import hashed_lines
from schemas.errors import SourceError

Floats = NDArray[np.float64]
T = TypeVar("T")

_BOOLEANS = {"True": 1.0, "False": 0.0, "true": 1.0, "false": 0.0}
_NESTED = "features"
_decode = msgspec.json.Decoder(dict[str, Any]).decode


class LabelledTable(Struct, frozen=True):
    """Feature values of edits whose label is known.

    Attributes:
        features: float64[rows, features].
        actual: Position of the label of each row, intp[rows].
        labels: In the order of the positions.
        sha512: Of the file.
    """

    features: Floats
    actual: NDArray[np.intp]
    labels: tuple[str, ...]
    sha512: str

    def take(self, rows: NDArray[np.intp]) -> "LabelledTable":
        """Return some of the rows."""
        return LabelledTable(self.features[rows], self.actual[rows], self.labels, self.sha512)


def read_table(
    path: Path, *, columns: Sequence[str], label_column: str, labels: Sequence[str] = BINARY, least: int = 1
) -> LabelledTable:
    """Read a labelled table, line by line.

    Args:
        path: Tab-separated with a header row, or JSON lines (one object a row, features at its top or under
            ``features``); plain, bz2, gzip or zstd.
        columns: To read as features, in this order: numbers, or ``True`` and ``False``.
        label_column: Holds a label.
        labels: All that there are.
        least: Rows that each label needs.

    Raises:
        SourceError: It cannot be read, lacks a column, or holds a row that is no edit or too few of a label;
            the message names row and column.
    """
    positions = LabelPositions(labels)
    numbers, actual = array("d"), array("q")
    with hashed_lines(path) as lines:
        for number, row in _rows(path, iter(lines), (*columns, label_column)):
            for column in columns:
                numbers.append(_read(path, number, column, row, _number))
            actual.append(_read(path, number, label_column, row, positions.position))
        sha512 = lines.sha512()
    if not actual:
        raise SourceError(f"the table {path} holds no rows; name another", path=str(path))
    table = LabelledTable(
        np.frombuffer(numbers, dtype=np.float64).reshape(len(actual), len(columns)),
        np.array(actual, dtype=np.intp),
        tuple(labels),
        sha512,
    )
    require_labels(table.actual, table.labels, path, least=least)
    return table


def table_rows(path: Path, lines: Iterator[tuple[int, str]]) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Read rows by name of column, from tab-separated text with a header row or from JSON lines.

    Yields:
        Number of the line, and value by column: text of cells, or whatever JSON holds.

    Raises:
        SourceError: A line is no object, or has not as many cells as the header.
    """
    first = next(lines, None)
    if first is None:
        return
    if first[1].lstrip().startswith("{"):
        for number, line in chain((first,), lines):
            try:
                yield number, _decode(line)
            except msgspec.DecodeError as error:
                raise SourceError(
                    f"line {number} of {path} is no JSON object ({error}); each line holds one row",
                    path=str(path),
                    line=number,
                ) from error
        return
    header = first[1].split("\t")
    for number, line in lines:
        cells = line.split("\t")
        if len(cells) != len(header):
            raise SourceError(
                f"line {number} of {path} is no labelled edit: it has {len(cells)} cells, and the header "
                f"names {len(header)} columns",
                path=str(path),
                line=number,
            )
        yield number, dict(zip(header, cells, strict=True))


def _rows(
    path: Path, lines: Iterator[tuple[int, str]], columns: Sequence[str]
) -> Iterator[tuple[int, Mapping[str, Any]]]:
    is_first = True
    for number, found in table_rows(path, lines):
        row = found
        if isinstance(nested := row.get(_NESTED), dict) and _NESTED not in columns:
            row = {**nested, **row}
        missing = [name for name in columns if name not in row]
        if missing and is_first:
            raise SourceError(
                f"{path} lacks the columns {', '.join(missing)}; name a tab-separated table whose first row "
                "names them, or JSON lines with these keys",
                path=str(path),
            )
        if missing:
            raise SourceError(
                f"line {number} of {path} is no labelled edit: it lacks {', '.join(missing)}",
                path=str(path),
                line=number,
            )
        is_first = False
        yield number, row


def _read(path: Path, number: int, column: str, row: Mapping[str, Any], read: Callable[[Any], T]) -> T:
    try:
        return read(row[column])
    except (ValueError, TypeError) as error:
        raise SourceError(
            f"line {number} of {path} is no labelled edit, because of column {column}: {error}; features are "
            "finite numbers or True and False",
            path=str(path),
            line=number,
            column=column,
        ) from error


def _number(cell: Any) -> float:
    value = _BOOLEANS[cell] if isinstance(cell, str) and cell in _BOOLEANS else float(cell)
    if not math.isfinite(value):
        raise ValueError(f"{cell} is not finite")
    return value
