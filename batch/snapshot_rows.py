"""The small files that scorer processes write rows to, one for each chunk of work.

A chunk file is Parquet, in no order, with the scores and failures of any wikis and models: one row group for
each wiki and model, so that who asks for one of them reads no other. It is written beside its place and
renamed, so that what has its name is whole. Its footer says what is in it.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
from msgspec import Struct

from batch.snapshot_files import appears_whole
from batch.snapshot_table import (
    FEATURE_TYPES,
    MIXED_SCHEMA,
    FeatureColumn,
    feature_arrays,
    merged_features,
    mixed_table,
    rows_of,
)
from schemas.errors import SnapshotUnusable
from schemas.prediction import ModelId, ScoreFailure
from schemas.snapshot_row import SnapshotRow

__all__ = [
    "ChunkSummary",
    "GroupSummary",
    "OutcomeCount",
    "SnapshotRow",
    "chunk_summary",
    "read_chunk",
    "write_chunk",
]

_SUMMARY: Final = b"revstream.chunk"
_PARTITIONS: Final = (
    pa.field("wiki_id", pa.string(), nullable=False),
    pa.field("model_name", pa.string(), nullable=False),
)
# Made to be read once, and soon: by wiki and model, which alone need statistics.
_OPTIONS: Final[dict[str, Any]] = {
    "compression": "lz4",
    "write_statistics": [field.name for field in _PARTITIONS],
    "use_dictionary": [
        *(field.name for field in (*_PARTITIONS, *MIXED_SCHEMA) if field.type == pa.string()),
        "prediction.list.element",
        "probability.key_value.key",
        "features_missing.list.element",
    ],
}


class OutcomeCount(Struct, frozen=True, order=True):
    """How often one model's work on one wiki ended in one way.

    Attributes:
        wiki_id: Database name.
        model: The model.
        error_code: Empty for scores.
        rows: How many.
    """

    wiki_id: str
    model: ModelId
    error_code: str
    rows: int


class GroupSummary(Struct, frozen=True):
    """The rows of one model on one wiki in a chunk file.

    Attributes:
        wiki_id: Database name.
        model_name: Name of the model.
        rows: Scores and failures together, at least 1.
        features: What the scores rest on, in the order of the model; empty where not asked for.
    """

    wiki_id: str
    model_name: str
    rows: int
    features: tuple[FeatureColumn, ...] = ()


class ChunkSummary(Struct, frozen=True):
    """What is in a chunk file.

    Attributes:
        rows: Scores and failures together.
        counts: By wiki, model and outcome, sorted.
        groups: By wiki and model name, in the order of the file.
    """

    rows: int
    counts: tuple[OutcomeCount, ...]
    groups: tuple[GroupSummary, ...]


def write_chunk(path: Path, rows: Sequence[SnapshotRow]) -> ChunkSummary:
    """Write rows to a chunk file, in place of the one that is there. Costs some microseconds a row.

    Args:
        path: Of the file; its folder is there.
        rows: Of any wikis and models, in any order; none give a file without rows.

    Returns:
        What is in it, as `chunk_summary` reads it.

    Raises:
        StoreFull: The disk is full; nothing was written.
    """
    by_model: dict[tuple[str, str], list[SnapshotRow]] = {}
    for row in rows:
        by_model.setdefault((row.wiki_id, row.model.model_name), []).append(row)
    groups: list[GroupSummary] = []
    made: list[tuple[Any, dict[str, Any]]] = []
    known: tuple[FeatureColumn, ...] = ()
    for (wiki_id, model_name), ours in sorted(by_model.items(), key=lambda item: item[0]):
        columns, arrays = feature_arrays(ours)
        groups.append(GroupSummary(wiki_id, model_name, len(ours), tuple(columns)))
        made.append((mixed_table(ours), dict(zip((one.feature for one in columns), arrays, strict=True))))
        known = merged_features(known, columns)
    summary = ChunkSummary(len(rows), _counts(rows), tuple(groups))
    features = [pa.field(one.name, FEATURE_TYPES[one.type]) for one in known]
    schema = pa.schema([*_PARTITIONS, *MIXED_SCHEMA, *features], {_SUMMARY: msgspec.json.encode(summary)})
    with appears_whole(path) as beside, pq.ParquetWriter(beside, schema, **_OPTIONS) as writer:
        for group, (table, by_feature) in zip(groups, made, strict=True):
            names = [pa.repeat(pa.scalar(name), group.rows) for name in (group.wiki_id, group.model_name)]
            values = [_column(by_feature.get(one.feature), one, group.rows) for one in known]
            everything = [*names, *table.columns, *values]
            writer.write_table(pa.Table.from_arrays(everything, schema=schema), row_group_size=group.rows)
    return summary


def _column(array: Any, one: FeatureColumn, rows: int) -> Any:
    kind = FEATURE_TYPES[one.type]
    if array is None:
        return pa.nulls(rows, kind)
    return array if array.type == kind else array.cast(kind)


def _counts(rows: Sequence[SnapshotRow]) -> tuple[OutcomeCount, ...]:
    found = Counter(
        (row.wiki_id, row.model, row.outcome.code if isinstance(row.outcome, ScoreFailure) else "")
        for row in rows
    )
    return tuple(sorted(OutcomeCount(*key, rows=count) for key, count in found.items()))


def chunk_summary(path: Path) -> ChunkSummary:
    """Return what a chunk file says is in it. Reads its end alone.

    Raises:
        SnapshotUnusable: It cannot be read, or is no chunk file.
    """
    try:
        metadata = pq.read_metadata(path).metadata or {}
        return msgspec.json.decode(metadata[_SUMMARY], type=ChunkSummary)
    except (OSError, pa.ArrowException, KeyError, msgspec.DecodeError) as error:
        raise _unreadable(path, error) from error


def read_chunk(path: Path) -> Iterator[SnapshotRow]:
    """Yield the rows of a chunk file, in its order.

    Raises:
        SnapshotUnusable: It cannot be read, or is no chunk file.
    """
    summary = chunk_summary(path)
    try:
        with pq.ParquetFile(path) as file:
            for number, group in enumerate(summary.groups):
                table = file.read_row_group(number)
                yield from rows_of(group.wiki_id, group.model_name, table, group.features)
    except (OSError, pa.ArrowException) as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> SnapshotUnusable:
    return SnapshotUnusable(
        f"The chunk file {path} cannot be read ({error}): it is damaged, or was not written by a backfill. "
        "Delete it and run the backfill again; its chunk alone is scored anew.",
        path=str(path),
    )
