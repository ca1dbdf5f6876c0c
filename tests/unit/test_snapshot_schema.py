"""The published schema of snapshots: files below ``schemas``, made from one definition."""

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import fastavro
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from batch.snapshot import open_snapshot
from batch.snapshot_schema import DATASETS, arrow_document, arrow_schema, avro_schema, described
from schemas.snapshot_columns import ERROR_COLUMNS, SCORE_COLUMNS, ColumnType
from tests.snapshots import FAILURE, snapshot_row, write_snapshot

FOLDER = Path(__file__).parents[2] / "schemas"
HINT = "run: python -m batch.snapshot_schema"


@pytest.mark.parametrize("name", DATASETS)
def test_files_of_the_schema_are_what_the_definition_makes(name: str) -> None:
    assert json.loads((FOLDER / "arrow" / f"{name}.json").read_text()) == arrow_document(name), HINT
    assert json.loads((FOLDER / "avro" / f"{name}.avsc").read_text()) == avro_schema(name), HINT
    with pa.ipc.open_file(FOLDER / "arrow" / f"{name}.arrow") as file:
        assert file.schema.equals(described(DATASETS[name]), check_metadata=True), HINT
        assert file.num_record_batches == 0


@pytest.mark.parametrize("name", DATASETS)
def test_arrow_and_avro_have_the_same_fields_of_the_same_types(name: str) -> None:
    avro = json.loads((FOLDER / "avro" / f"{name}.avsc").read_text())["fields"]
    arrow = json.loads((FOLDER / "arrow" / f"{name}.json").read_text())["schema"]["fields"]
    assert [field["name"] for field in avro] == [field["name"] for field in arrow]
    for one, other in zip(avro, arrow, strict=True):
        assert isinstance(one["type"], list) == other["nullable"]
        assert one["doc"] == other["metadata"][0]["value"]
        kind = one["type"][1] if other["nullable"] else one["type"]
        assert _in_avro(other) == kind


def _in_avro(field: dict[str, Any]) -> Any:
    """Return what Avro calls the type of an Arrow field in JSON."""
    kind = field["type"]
    match kind["name"]:
        case "int":
            return {32: "int", 64: "long"}[kind["bitWidth"]]
        case "timestamp":
            assert kind == {"name": "timestamp", "unit": "MICROSECOND", "timezone": "UTC"}
            return {"type": "long", "logicalType": "timestamp-micros"}
        case "list":
            return {"type": "array", "items": _in_avro(field["children"][0])}
        case "map":
            (entry,) = field["children"]
            key, value = entry["children"]
            assert _in_avro(key) == "string"
            return {"type": "map", "values": _in_avro(value)}
        case "floatingpoint":
            return {"DOUBLE": "double"}[kind["precision"]]
    return {"utf8": "string", "bool": "boolean"}[kind["name"]]


def test_every_type_of_column_is_used_and_every_column_says_what_it_means() -> None:
    assert {column.type for column in (*SCORE_COLUMNS, *ERROR_COLUMNS)} == set(ColumnType)
    assert all(column.meaning.endswith(".") for column in (*SCORE_COLUMNS, *ERROR_COLUMNS))


@pytest.mark.parametrize(("name", "is_errors"), [("snapshot_score", False), ("snapshot_error", True)])
def test_rows_of_a_snapshot_meet_both_schemas(tmp_path: Path, name: str, is_errors: bool) -> None:
    path = write_snapshot(tmp_path, [snapshot_row(1, features={"words": 3}), snapshot_row(2, FAILURE)])
    (file,) = open_snapshot(path).files(is_errors=is_errors)
    table = pq.ParquetFile(path / file.path).read().select([column.name for column in DATASETS[name]])
    assert table.schema.equals(arrow_schema(DATASETS[name]))
    (record,) = table.to_pylist()
    for field, value in record.items():
        assert not isinstance(value, datetime) or value.utcoffset() is not None, field
    if not is_errors:
        record["probability"] = dict(record["probability"])
    schema = fastavro.schema.load_schema(str(FOLDER / "avro" / f"{name}.avsc"))
    fastavro.validate(record, schema, strict=True)
