"""Rows of one partition as a Parquet file: columns for whoever analyses them, and the rows as they are.

One record is one row of a table. Its scores are a list, so that a page with five models is not told five
times; DuckDB's ``unnest(scores)`` and pandas' ``explode`` make one record a model of it. The columns ``key``
and ``row`` hold what the table holds, byte for byte: from them tables are filled again without being decoded.
"""

from collections.abc import Iterable, Iterator, Sequence, Set
from itertools import accumulate, islice
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from schemas.prediction import PredictionRow, Score, ScoreFailure
from tables.codec import decode_row

_GROUP_ROWS: Final = 20_000
_TIME: Final = pa.timestamp("us", tz="UTC")

SCHEMA: Final = pa.schema(
    [
        ("wiki_id", pa.dictionary(pa.int32(), pa.string())),
        ("page_id", pa.int64()),
        ("rev_id", pa.int64()),
        ("rev_dt", _TIME),
        (
            "scores",
            pa.list_(
                pa.struct(
                    [
                        ("model_name", pa.string()),
                        ("model_version", pa.string()),
                        ("model_sha512", pa.string()),
                        ("kind", pa.string()),
                        ("prediction", pa.list_(pa.string())),
                        ("probability", pa.map_(pa.string(), pa.float64())),
                        ("error_code", pa.string()),
                        ("error_message", pa.string()),
                        ("event_id", pa.string()),
                        ("source_topic", pa.string()),
                        ("source_partition", pa.int32()),
                        ("source_offset", pa.int64()),
                        ("event_dt", _TIME),
                        ("scored_dt", _TIME),
                        ("namespace_id", pa.int64()),
                        ("is_bot", pa.bool_()),
                    ]
                )
            ),
        ),
        ("is_hidden", pa.bool_()),
        ("acted_dt", _TIME),
        ("erased_dt", _TIME),
        ("key", pa.binary()),
        ("row", pa.binary()),
    ]
)


Page = tuple[str, int]


def write_rows(path: Path, rows: Iterable[tuple[bytes, bytes]], hidden: Set[Page]) -> tuple[int, set[Page]]:
    """Write keys and rows, in their order, to a new file.

    What is withdrawn has no scores in the columns; ``row`` alone keeps what an undeletion would show again.

    Args:
        path: Of the file.
        rows: Key and row, sorted by key.
        hidden: Wiki and page of what is withdrawn whatever its own row says.

    Returns:
        How many rows there were, and wiki and page of those that are withdrawn by themselves.

    Raises:
        StoreFormatUnsupported: Bytes are no row, or of a later version.
    """
    count = 0
    found: set[Page] = set()
    remaining = iter(rows)
    with pq.ParquetWriter(path, SCHEMA, compression="zstd") as writer:
        while group := list(islice(remaining, _GROUP_ROWS)):
            decoded = [decode_row(row) for _, row in group]
            own = [row.withdrawal is not None and row.withdrawal.is_hidden for row in decoded]
            found.update((row.wiki_id, row.page_id) for row, is_it in zip(decoded, own, strict=True) if is_it)
            is_hidden = [
                is_it or (row.wiki_id, row.page_id) in hidden for row, is_it in zip(decoded, own, strict=True)
            ]
            writer.write_table(_table(group, decoded, is_hidden))
            count += len(group)
    return count, found


def read_rows(path: Path) -> Iterator[tuple[bytes, bytes]]:
    """Yield keys and rows as they were written. Nothing is decoded."""
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(_GROUP_ROWS, columns=["key", "row"]):
            yield from zip(batch.column("key").to_pylist(), batch.column("row").to_pylist(), strict=True)


def _table(
    group: list[tuple[bytes, bytes]], decoded: Sequence[PredictionRow], is_hidden: Sequence[bool]
) -> Any:
    withdrawals = [row.withdrawal for row in decoded]
    return pa.Table.from_arrays(
        [
            pa.array([row.wiki_id for row in decoded]).dictionary_encode(),
            pa.array([row.page_id for row in decoded], pa.int64()),
            pa.array([row.rev_id for row in decoded], pa.int64()),
            pa.array([row.rev_dt for row in decoded], _TIME),
            _scores(decoded, is_hidden),
            pa.array(is_hidden, pa.bool_()),
            pa.array([None if one is None else one.acted_dt for one in withdrawals], _TIME),
            pa.array([None if one is None else one.erased_dt for one in withdrawals], _TIME),
            pa.array([key for key, _ in group], pa.binary()),
            pa.array([row for _, row in group], pa.binary()),
        ],
        schema=SCHEMA,
    )


def _scores(decoded: Sequence[PredictionRow], is_hidden: Sequence[bool]) -> Any:
    """Return the column of scores, made of flat lists: a dict for each would take thrice as long."""
    shown = [() if hidden else row.scores for row, hidden in zip(decoded, is_hidden, strict=True)]
    flat = [score for scores in shown for score in scores]
    outcomes = [score.outcome for score in flat]
    made = [outcome if isinstance(outcome, Score) else None for outcome in outcomes]
    failed = [outcome if isinstance(outcome, ScoreFailure) else None for outcome in outcomes]
    models, origins = [score.model for score in flat], [score.provenance for score in flat]
    fields: dict[str, list[Any]] = {
        "model_name": [model.model_name for model in models],
        "model_version": [model.model_version for model in models],
        "model_sha512": [model.model_sha512 for model in models],
        "kind": [None if one is None else one.kind.value for one in made],
        "prediction": [None if one is None else one.prediction for one in made],
        "probability": [None if one is None else list(one.probability.items()) for one in made],
        "error_code": [None if one is None else one.code for one in failed],
        "error_message": [None if one is None else one.message for one in failed],
        "event_id": [origin.event_id for origin in origins],
        "source_topic": [origin.source_topic for origin in origins],
        "source_partition": [origin.source_partition for origin in origins],
        "source_offset": [origin.source_offset for origin in origins],
        "event_dt": [origin.event_dt for origin in origins],
        "scored_dt": [origin.scored_dt for origin in origins],
        "namespace_id": [origin.namespace_id for origin in origins],
        "is_bot": [origin.is_bot for origin in origins],
    }
    element = SCHEMA.field("scores").type.value_type
    arrays = [pa.array(fields[field.name], field.type) for field in element]
    ends = list(accumulate(map(len, shown), initial=0))
    return pa.ListArray.from_arrays(ends, pa.StructArray.from_arrays(arrays, fields=list(element)))
