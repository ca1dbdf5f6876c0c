"""Revision ids whose label is known, for features to be extracted."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from models.training.label_values import BINARY, LabelPositions
from models.training.lines import hashed_lines
from models.training.table import table_rows
from models.training.wikilabels import is_automatic, label_of, revisions_of
from schemas.errors import SourceError

_REVISION, _WIKI = "rev_id", "wiki_id"


class LabelledRevisions(Struct, frozen=True):
    """Revisions whose label is known, each once.

    Attributes:
        keys: Wiki and revision id of each, in the order of the file.
        actual: Position of the label of each, intp[revisions].
        labels: In the order of the positions.
        sha512: Of the file.
        unlabelled: Rows of the file without the label.
    """

    keys: tuple[tuple[str, int], ...]
    actual: NDArray[np.intp]
    labels: tuple[str, ...]
    sha512: str
    unlabelled: int


def read_labelled_revisions(
    path: Path, *, label_column: str, wiki_id: str | None = None, labels: Sequence[str] = BINARY
) -> LabelledRevisions:
    """Read labelled revision ids.

    Args:
        path: Tab-separated with the columns ``rev_id``, the label and perhaps ``wiki_id``, or of two columns
            without a header; JSON lines with these keys; or Wikilabels' export, see
            ``models.training.wikilabels``. Plain, bz2, gzip or zstd.
        label_column: Holds the label. A row without one is passed over.
        wiki_id: Of rows that name none.
        labels: All that there are.

    Raises:
        SourceError: It cannot be read, a row is no labelled revision or names no wiki, a revision has two
            labels of equal standing, or there is none at all.
    """
    positions = LabelPositions(labels)
    found: dict[tuple[str, int], tuple[int, bool, int]] = {}
    unlabelled = 0
    with hashed_lines(path) as lines:
        for number, row in _rows(path, iter(lines), label_column):
            value = label_of(row, label_column)
            if value is None or value == "":
                unlabelled += 1
                continue
            try:
                key = (_wiki(row, wiki_id), _rev_id(row))
                position = positions.position(value)
            except (ValueError, TypeError) as error:
                raise SourceError(
                    f"line {number} of {path} is no labelled revision: {error}", path=str(path), line=number
                ) from error
            automatic = is_automatic(row, label_column)
            before = found.get(key)
            if before is None or (before[1] and not automatic):
                found[key] = (position, automatic, number)
            elif before[0] != position and before[1] == automatic:
                raise SourceError(
                    f"line {number} of {path} gives revision {key[1]} the label {labels[position]!r}, and "
                    f"line {before[2]} {labels[before[0]]!r}; leave one of them out",
                    path=str(path),
                    line=number,
                )
        sha512 = lines.sha512()
    if not found:
        raise SourceError(
            f"{path} holds no row with a {label_column}; name another file, or the column that holds the "
            "label in the recipe",
            path=str(path),
        )
    actual = np.array([position for position, _, _ in found.values()], dtype=np.intp)
    return LabelledRevisions(tuple(found), actual, tuple(labels), sha512, unlabelled)


def _rows(
    path: Path, lines: Iterator[tuple[int, str]], label_column: str
) -> Iterator[tuple[int, Mapping[str, Any]]]:
    first = next(lines, None)
    if first is None:
        return
    cells = first[1].split("\t")
    if len(cells) == 2 and cells[0].strip().isdigit():
        lines = chain(((0, f"{_REVISION}\t{label_column}"), first), lines)
    else:
        lines = chain((first,), lines)
        if not first[1].lstrip().startswith("{") and not {_REVISION, label_column} <= set(cells):
            raise SourceError(
                f"{path} lacks the columns {_REVISION} and {label_column}; its first row names "
                f"{', '.join(cells)}",
                path=str(path),
            )
    for number, row in table_rows(path, lines):
        for revision in revisions_of(row):
            yield number, revision


def _wiki(row: Mapping[str, Any], wiki_id: str | None) -> str:
    found = row.get(_WIKI) or wiki_id
    if found is None:
        raise ValueError("it names no wiki, and neither does the recipe; name it there as wiki_id")
    return str(found)


def _rev_id(row: Mapping[str, Any]) -> int:
    rev_id = int(row[_REVISION]) if _REVISION in row else 0
    if rev_id < 1:
        raise ValueError(f"{row.get(_REVISION)!r} is no revision id")
    return rev_id
