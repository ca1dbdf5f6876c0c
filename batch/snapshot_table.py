"""Rows of snapshots as Arrow tables and back: columns are made of flat lists, a third of the cost."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import accumulate, chain
from typing import Any, Final

import pyarrow as pa
from msgspec import Struct

from batch.snapshot_schema import arrow_schema
from schemas.prediction import FeatureValue, ModelId, Outcome, Score, ScoreFailure, ScoreKind
from schemas.snapshot_columns import ERROR_COLUMNS, FEATURE_PREFIX, SCORE_COLUMNS, Column
from schemas.snapshot_row import SnapshotRow

FEATURE_TYPES: Final = {
    "boolean": pa.bool_(),
    "long": pa.int64(),
    "double": pa.float64(),
    "string": pa.string(),
}
"""From the narrowest to the widest: where rows differ, the wider holds both."""

_TYPE_NAMES: Final = tuple(FEATURE_TYPES)
_PYTHON_TYPES: Final = ((bool, "boolean"), (int, "long"), (float, "double"))
_KINDS: Final = {str(kind): kind for kind in ScoreKind}


def _nullable(column: Column) -> Column:
    return Column(column.name, column.type, column.meaning, is_nullable=True)


_SCORES_ALONE: Final = [column for column in SCORE_COLUMNS if column not in ERROR_COLUMNS]
_ERRORS_ALONE: Final = [column for column in ERROR_COLUMNS if column not in SCORE_COLUMNS]
MIXED_COLUMNS: Final = (
    *(column for column in SCORE_COLUMNS if column in ERROR_COLUMNS),
    *map(_nullable, (*_SCORES_ALONE, *_ERRORS_ALONE)),
)
"""Of a table that holds scores and failures together."""

_ALONE: Final = frozenset(column.name for column in (*_SCORES_ALONE, *_ERRORS_ALONE))
MIXED_SCHEMA: Final = arrow_schema(MIXED_COLUMNS)


class FeatureColumn(Struct, frozen=True):
    """One feature as a column.

    Attributes:
        feature: As the feature is printed.
        type: A key of `FEATURE_TYPES`.
    """

    feature: str
    type: str

    @property
    def name(self) -> str:
        """The column's name in files: what is printed begins as other columns do not, or is made to."""
        return self.feature if self.feature.startswith(FEATURE_PREFIX) else FEATURE_PREFIX + self.feature


def wider(one: str, other: str) -> str:
    """Return the narrowest type of a feature that holds the values of two."""
    return max(one, other, key=_TYPE_NAMES.index)


def merged_features(
    ones: Sequence[FeatureColumn], others: Sequence[FeatureColumn]
) -> tuple[FeatureColumn, ...]:
    """Return the features of two tables, in the order of the first, with types that hold both."""
    types = {one.feature: one.type for one in ones}
    for other in others:
        types[other.feature] = wider(types.get(other.feature, other.type), other.type)
    return tuple(FeatureColumn(feature, kind) for feature, kind in types.items())


# To Arrow


def mixed_table(rows: Sequence[SnapshotRow]) -> Any:
    """Return scores and failures as a table of `MIXED_SCHEMA`."""
    outcomes = [row.outcome for row in rows]
    made = [outcome if isinstance(outcome, Score) else None for outcome in outcomes]
    failed = [outcome if isinstance(outcome, ScoreFailure) else None for outcome in outcomes]
    columns: dict[str, Any] = {
        "page_id": [row.page_id for row in rows],
        "rev_id": [row.rev_id for row in rows],
        "rev_parent_id": [row.rev_parent_id for row in rows],
        "rev_dt": [row.rev_dt for row in rows],
        "namespace_id": [row.namespace_id for row in rows],
        "is_bot": [row.is_bot for row in rows],
        "model_version": [row.model.model_version for row in rows],
        "model_sha512": [row.model.model_sha512 for row in rows],
        "kind": [None if one is None else one.kind for one in made],
        "features_missing": [row.features_missing for row in rows],
        "scored_dt": [row.scored_dt for row in rows],
        "event_id": [row.event_id for row in rows],
        "source_topic": [row.source_topic for row in rows],
        "source_partition": [row.source_partition for row in rows],
        "source_offset": [row.source_offset for row in rows],
        "event_dt": [row.event_dt for row in rows],
        "error_code": [None if one is None else one.code for one in failed],
        "error_message": [None if one is None else one.message for one in failed],
        "prediction": [None if one is None else one.prediction for one in made],
    }
    arrays = [
        _probabilities(made, field.type)
        if field.name == "probability"
        else _array(columns[field.name], field.type)
        for field in MIXED_SCHEMA
    ]
    return pa.Table.from_arrays(arrays, schema=MIXED_SCHEMA)


def _array(values: Sequence[Any], kind: Any) -> Any:
    """Return values as an array. Half of all columns have one value for all rows, which is looked at once."""
    if values and values.count(values[0]) == len(values):
        return pa.repeat(pa.scalar(values[0], kind), len(values))
    return pa.array(values, kind)


def _probabilities(made: Sequence[Score | None], kind: Any) -> Any:
    """Return the map column; entries are sorted by label, so that equal rows give equal bytes."""
    entries = [() if one is None else sorted(one.probability.items()) for one in made]
    flat = list(chain.from_iterable(entries))
    return pa.MapArray.from_arrays(
        pa.array(accumulate(map(len, entries), initial=0), pa.int32()),
        pa.array([label for label, _ in flat], kind.key_type),
        pa.array([probability for _, probability in flat], kind.item_type),
        kind,
        mask=pa.array([one is None for one in made]),
    )


def feature_arrays(rows: Sequence[SnapshotRow]) -> tuple[list[FeatureColumn], list[Any]]:
    """Return the features of rows of one model as columns, each of the narrowest type that holds all."""
    found = [row.features for row in rows]
    first = next(filter(None, found), None)
    if first is None:
        return [], []
    names = list(first)
    if all(list(each) == names for each in found if each):
        nothing = dict.fromkeys(names)
        values: Iterable[Any] = zip(*((each or nothing).values() for each in found), strict=True)
    else:
        names = list(dict.fromkeys(chain.from_iterable(filter(None, found))))
        values = ([None if each is None else each.get(name) for each in found] for name in names)
    columns, arrays = [], []
    for name, column in zip(names, values, strict=True):
        kind, array = _feature_array(column)
        columns.append(FeatureColumn(name, kind))
        arrays.append(array)
    return columns, arrays


def _feature_array(values: Sequence[FeatureValue | None]) -> tuple[str, Any]:
    kinds = set(map(type, values)) - {type(None)}
    found = "boolean"
    for kind in kinds:
        found = wider(
            found, next((name for type_, name in _PYTHON_TYPES if issubclass(kind, type_)), "string")
        )
    try:
        return found, pa.array(values, FEATURE_TYPES[found])
    except OverflowError:  # More than 64 bits.
        return "double", pa.array([None if value is None else float(value) for value in values])
    except (pa.ArrowInvalid, pa.ArrowTypeError):  # Of several types.
        whole: Any = {"long": int, "double": float, "string": str}[found]
        return found, pa.array(
            [None if value is None else whole(value) for value in values], FEATURE_TYPES[found]
        )


# From Arrow


def rows_of(
    wiki_id: str, model_name: str, batch: Any, features: Sequence[FeatureColumn] = ()
) -> Iterator[SnapshotRow]:
    """Yield the rows of a record batch or table that may lack columns.

    Args:
        wiki_id: Of all rows.
        model_name: Of all rows.
        batch: With columns of scores, of errors, or both.
        features: Those that the batch has columns for.

    Raises:
        KeyError: A column is missing, or a kind of score is unknown.
    """
    columns = {name: batch.column(name).to_pylist() for name in batch.schema.names}
    nothing = [None] * batch.num_rows
    told = {
        name: columns.get(name, nothing) if name in _ALONE else columns[name] for name in MIXED_SCHEMA.names
    }
    feature_names = [one.feature for one in features]
    values = zip(*(columns[one.name] for one in features), strict=True) if features else nothing
    models: dict[tuple[str, str], ModelId] = {}
    for row, found in zip(zip(*told.values(), strict=True), values, strict=True):
        one = dict(zip(told, row, strict=True))
        version, sha512 = one["model_version"], one["model_sha512"]
        model = models.get((version, sha512))
        if model is None:
            model = models[version, sha512] = ModelId(model_name, version, sha512)
        missing = one["features_missing"]
        yield SnapshotRow(
            wiki_id,
            one["page_id"],
            one["rev_id"],
            one["rev_parent_id"],
            one["rev_dt"],
            one["namespace_id"],
            one["is_bot"],
            model,
            _outcome(one),
            None if missing is None else tuple(missing),
            _features(feature_names, found),
            one["scored_dt"],
            one["event_id"],
            one["source_topic"],
            one["source_partition"],
            one["source_offset"],
            one["event_dt"],
        )


def _features(names: Sequence[str], values: Sequence[Any] | None) -> dict[str, FeatureValue] | None:
    if values is None:
        return None
    # A feature that one row lacks and another has is absent there, not null: no feature is.
    return {name: value for name, value in zip(names, values, strict=True) if value is not None} or None


def _outcome(one: Mapping[str, Any]) -> Outcome:
    if one["kind"] is None:
        return ScoreFailure(one["error_code"], one["error_message"])
    return Score(_KINDS[one["kind"]], tuple(one["prediction"]), dict(one["probability"]))
