"""The schema of snapshots, as Arrow and as Avro: both made from ``schemas.snapshot_columns``.

``python -m batch.snapshot_schema`` writes the files below ``schemas/arrow`` and ``schemas/avro``; a test
fails where they are behind.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from schemas.snapshot_columns import ERROR_COLUMNS, SCHEMA_VERSION, SCORE_COLUMNS, Column, ColumnType

TIME: Final = pa.timestamp("us", tz="UTC")
_STRINGS: Final = pa.list_(pa.field("element", pa.string(), nullable=False))
_PROBABILITIES: Final = pa.map_(pa.string(), pa.field("value", pa.float64(), nullable=False))
_ARROW_TYPES: Final = {
    ColumnType.LONG: pa.int64(),
    ColumnType.INT: pa.int32(),
    ColumnType.BOOLEAN: pa.bool_(),
    ColumnType.STRING: pa.string(),
    ColumnType.TIMESTAMP: TIME,
    ColumnType.STRINGS: _STRINGS,
    ColumnType.PROBABILITIES: _PROBABILITIES,
}
_AVRO_TYPES: Final[Mapping[ColumnType, Any]] = {
    ColumnType.LONG: "long",
    ColumnType.INT: "int",
    ColumnType.BOOLEAN: "boolean",
    ColumnType.STRING: "string",
    ColumnType.TIMESTAMP: {"type": "long", "logicalType": "timestamp-micros"},
    ColumnType.STRINGS: {"type": "array", "items": "string"},
    ColumnType.PROBABILITIES: {"type": "map", "values": "double"},
}
DATASETS: Final[Mapping[str, Sequence[Column]]] = {
    "snapshot_score": SCORE_COLUMNS,
    "snapshot_error": ERROR_COLUMNS,
}
"""Name of a schema to its columns."""


def arrow_schema(columns: Sequence[Column]) -> Any:
    """Return columns as an Arrow schema, without metadata."""
    return pa.schema([arrow_field(column) for column in columns])


def arrow_field(column: Column) -> Any:
    """Return one column as an Arrow field."""
    return pa.field(column.name, _ARROW_TYPES[column.type], nullable=column.is_nullable)


def avro_schema(name: str) -> dict[str, Any]:
    """Return a schema as Avro has it.

    Args:
        name: A key of `DATASETS`.
    """
    return {
        "type": "record",
        "name": "".join(map(str.capitalize, name.split("_"))),
        "namespace": "revstream",
        "doc": f"A row of a snapshot, version {SCHEMA_VERSION} of its columns, without those of features.",
        "fields": [_avro_field(column) for column in DATASETS[name]],
    }


def arrow_document(name: str) -> dict[str, Any]:
    """Return a schema in the JSON form that Arrow's own integration tests exchange.

    Args:
        name: A key of `DATASETS`.
    """
    fields = [_json_field(field) for field in arrow_schema(DATASETS[name])]
    for field, column in zip(fields, DATASETS[name], strict=True):
        field["metadata"] = [{"key": "meaning", "value": column.meaning}]
    return {"schema": {"fields": fields, "metadata": [{"key": "version", "value": str(SCHEMA_VERSION)}]}}


def write_schema_files(folder: Path) -> None:
    """Write all schema files: JSON and an empty IPC file for Arrow, JSON for Avro.

    Args:
        folder: That holds ``arrow`` and ``avro``.
    """
    for name, columns in DATASETS.items():
        _write_json(folder / "arrow" / f"{name}.json", arrow_document(name))
        _write_json(folder / "avro" / f"{name}.avsc", avro_schema(name))
        with pa.ipc.new_file(folder / "arrow" / f"{name}.arrow", described(columns)):
            pass


def described(columns: Sequence[Column]) -> Any:
    """Return columns as an Arrow schema whose fields say what they mean."""
    fields = [arrow_field(column).with_metadata({"meaning": column.meaning}) for column in columns]
    return pa.schema(fields, {"version": str(SCHEMA_VERSION)})


def _avro_field(column: Column) -> dict[str, Any]:
    field = {"name": column.name, "type": _AVRO_TYPES[column.type], "doc": column.meaning}
    if column.is_nullable:
        field |= {"type": ["null", field["type"]], "default": None}
    return field


def _json_field(field: Any) -> dict[str, Any]:
    kind = field.type
    children: list[Any] = []
    if pa.types.is_map(kind):
        # An entry is a struct, which has no field object of its own.
        entry = pa.field("entries", pa.struct([kind.key_field, kind.item_field]), nullable=False)
        told, children = {"name": "map", "keysSorted": False}, [entry]
    elif pa.types.is_list(kind):
        told, children = {"name": "list"}, [kind.value_field]
    elif pa.types.is_struct(kind):
        told, children = {"name": "struct"}, list(kind)
    elif pa.types.is_timestamp(kind):
        told = {"name": "timestamp", "unit": "MICROSECOND", "timezone": kind.tz}
    elif pa.types.is_integer(kind):
        told = {"name": "int", "bitWidth": kind.bit_width, "isSigned": True}
    else:
        told = _JSON_TYPES[kind]
    return {
        "name": field.name,
        "type": told,
        "nullable": field.nullable,
        "children": [_json_field(child) for child in children],
    }


_JSON_TYPES: Final[Mapping[Any, dict[str, Any]]] = {
    pa.string(): {"name": "utf8"},
    pa.bool_(): {"name": "bool"},
    pa.float64(): {"name": "floatingpoint", "precision": "DOUBLE"},
}


def _write_json(path: Path, document: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    write_schema_files(Path(__file__).resolve().parent.parent / "schemas")
