"""Rows as bytes: Avro single-object encoding, readable long after its schema has changed.

A row is the marker C3 01, the CRC-64-AVRO fingerprint of its writer's schema in eight bytes, little-endian,
and the row in Avro binary. Every schema that ever wrote rows lies in ``schemas/avro``; a row of an older one
is resolved to the current one by Avro's rules.
"""

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from io import BytesIO
from typing import Any, NamedTuple

import fastavro
from fastavro.schema import fingerprint, to_parsing_canonical_form

from schemas.errors import StoreFormatUnsupported
from schemas.prediction import (
    ModelId,
    PredictionRow,
    Provenance,
    Score,
    ScoreFailure,
    ScoreKind,
    StoredScore,
    Withdrawal,
)
from tables import row_binary

MARKER = b"\xc3\x01"

_HEADER_BYTES = len(MARKER) + 8
HEADER = MARKER + row_binary.FINGERPRINT
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
# What fastavro and the structs raise on bytes that are no row.
_DAMAGE = (ValueError, TypeError, KeyError, LookupError, EOFError, OverflowError, AttributeError, MemoryError)


class RowReader:
    """Reads rows of several schemas into the current one.

    Args:
        current: The schema to resolve to, as JSON.
        older: Other schemas that rows may have been written by.
    """

    def __init__(self, current: Mapping[str, Any], older: Iterable[Mapping[str, Any]] = ()) -> None:
        self._current = fastavro.parse_schema(dict(current))
        self._writers = {schema_fingerprint(schema): fastavro.parse_schema(dict(schema)) for schema in older}
        self._writers[schema_fingerprint(current)] = self._current

    def read(self, data: bytes) -> PredictionRow:
        """Return the row that some bytes hold.

        Raises:
            StoreFormatUnsupported: The bytes are no row, are damaged, or name a schema that is not here.
        """
        if not data.startswith(MARKER) or len(data) < _HEADER_BYTES:
            raise StoreFormatUnsupported(
                f"{len(data)} bytes that begin with {data[:10].hex() or 'nothing'} are no row of revstream; "
                "operator action: point data_dir at a directory that revstream made, or empty the tables "
                "and let them recover from their changelog"
            )
        name = data[len(MARKER) : _HEADER_BYTES]
        writer = self._writers.get(name)
        if writer is None:
            raise StoreFormatUnsupported(
                f"a row was written by schema {name.hex()}, which this version does not know; a later "
                "version wrote it; operator action: run that version again, or empty the tables and let this "
                "one score their source anew",
                fingerprint=name.hex(),
            )
        stream = BytesIO(data)
        stream.seek(_HEADER_BYTES)
        try:
            record = fastavro.schemaless_reader(
                stream, writer, None if writer is self._current else self._current
            )
            row = _row(record)  # type: ignore[arg-type]  # a record schema gives a dict
        except _DAMAGE as error:
            raise _damaged(name, f"{type(error).__name__}: {error}") from error
        if stream.tell() != len(data):
            raise _damaged(name, f"{len(data) - stream.tell()} bytes are left over")
        return row


def schema_fingerprint(schema: Mapping[str, Any]) -> bytes:
    """Return the CRC-64-AVRO fingerprint of a schema's parsing canonical form, eight bytes, little-endian."""
    return bytes.fromhex(fingerprint(to_parsing_canonical_form(dict(schema)), "CRC-64-AVRO"))


def encode_row(row: PredictionRow) -> bytes:
    """Return a row as bytes. Equal rows give equal bytes.

    Raises:
        ValueError: A number, time or hash in the row has no place in its schema.
    """
    return HEADER + row_binary.encode(row)


def decode_row(data: bytes) -> PredictionRow:
    """Return the row that some bytes hold, whichever known schema wrote it.

    Raises:
        StoreFormatUnsupported: The bytes are no row, are damaged, or name an unknown schema.
    """
    if data.startswith(HEADER):
        try:
            return row_binary.decode(data, _HEADER_BYTES)
        except (ValueError, IndexError, OverflowError):
            # fastavro has the last word: it reads all that Avro allows, and says what is wrong.
            return _READER.read(data)
    return _READER.read(data)


class RowHead(NamedTuple):
    """What a row begins with.

    Attributes:
        page_id: Page of the revision.
        rev_dt_us: When it was saved, in microseconds since 1970.
        has_scores: Whether there is any score.
    """

    page_id: int
    rev_dt_us: int
    has_scores: bool


def row_head(data: bytes) -> RowHead:
    """Return what the row in some bytes begins with. Takes a tenth of `decode_row`.

    Raises:
        StoreFormatUnsupported: The bytes are no row, or name an unknown schema.
    """
    if data[:_HEADER_BYTES] in _SAME_HEADS:
        try:
            return RowHead(*row_binary.head_of(data, _HEADER_BYTES))
        except (ValueError, IndexError, OverflowError):
            pass
    row = decode_row(data)
    return RowHead(row.page_id, microseconds(row.rev_dt), bool(row.scores))


def microseconds(dt: datetime) -> int:
    """Return the whole microseconds from 1970 to a time."""
    return (dt - _EPOCH) // _MICROSECOND


def is_never_withdrawn(data: bytes) -> bool:
    """Tell whether a glance at a row proves that nothing was withdrawn; False proves nothing.

    Takes a hundredth of `decode_row`.
    """
    return data.startswith(HEADER) and row_binary.is_never_withdrawn(data)


def _damaged(name: bytes, what: str) -> StoreFormatUnsupported:
    return StoreFormatUnsupported(
        f"a row of schema {name.hex()} is damaged ({what}); the disk or a copy of it is at fault; operator "
        "action: check the disk, empty the tables and let them recover from their changelog",
        fingerprint=name.hex(),
    )


def _row(record: Mapping[str, Any]) -> PredictionRow:
    return PredictionRow(
        record["wiki_id"],
        record["page_id"],
        record["rev_id"],
        record["rev_dt"],
        tuple(
            StoredScore(_model(each["model"]), _outcome(each["outcome"]), _provenance(each["provenance"]))
            for each in record["scores"]
        ),
        _withdrawal(record["withdrawal"]),
    )


def _withdrawal(record: Mapping[str, Any] | None) -> Withdrawal | None:
    if record is None:
        return None
    return Withdrawal(record["is_hidden"], record["acted_dt"], record["source_offset"], record["erased_dt"])


def _model(record: Mapping[str, Any]) -> ModelId:
    return ModelId(record["model_name"], record["model_version"], record["model_sha512"].hex())


def _outcome(record: Mapping[str, Any]) -> Score | ScoreFailure:
    if "kind" in record:
        return Score(ScoreKind(record["kind"]), tuple(record["prediction"]), record["probability"])
    return ScoreFailure(record["code"], record["message"])


def _provenance(record: Mapping[str, Any]) -> Provenance:
    return Provenance(
        record["event_id"],
        record["source_topic"],
        record["source_partition"],
        record["source_offset"],
        record["event_dt"],
        record["scored_dt"],
        record["namespace_id"],
        record["is_bot"],
    )


def _load_schemas() -> dict[str, Any]:
    return {
        entry.name: json.loads(entry.read_text("utf-8"))
        for entry in files("schemas").joinpath("avro").iterdir()
        if entry.name.startswith("prediction_row.") and entry.name.endswith(".avsc")
    }


_SCHEMAS = _load_schemas()
# All schemas so far begin with the same fields; a test holds them to it.
_SAME_HEADS = frozenset(MARKER + schema_fingerprint(schema) for schema in _SCHEMAS.values())
_READER = RowReader(_SCHEMAS.pop("prediction_row.avsc"), _SCHEMAS.values())
