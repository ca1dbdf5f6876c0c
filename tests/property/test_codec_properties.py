"""Rows survive their bytes, and bytes that are no row are refused."""

import json
from datetime import datetime
from io import BytesIO
from typing import Any

import fastavro
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import to_builtins
from msgspec.structs import replace

from schemas.errors import StoreFormatUnsupported
from schemas.prediction import PredictionRow, Score, StoredScore
from tables.codec import MARKER, RowReader, decode_row, encode_row, microseconds, row_head, schema_fingerprint
from tests.any_rows import rows
from tests.conftest import ROOT

SCHEMA = json.loads((ROOT / "schemas/avro/prediction_row.avsc").read_bytes())
FIRST_SCHEMA = json.loads((ROOT / "schemas/avro/prediction_row.1.avsc").read_bytes())
SECOND_SCHEMA = json.loads((ROOT / "schemas/avro/prediction_row.2.avsc").read_bytes())
READER = RowReader(SCHEMA)


def outcome_record(stored: StoredScore) -> tuple[str, dict[str, Any]]:
    outcome = stored.outcome
    if isinstance(outcome, Score):
        return "revstream.Score", {
            "kind": outcome.kind.value,
            "prediction": list(outcome.prediction),
            "probability": dict(sorted(outcome.probability.items())),
        }
    return "revstream.ScoreFailure", {"code": outcome.code, "message": outcome.message}


def record(row: PredictionRow) -> dict[str, Any]:
    """Return a row as fastavro takes it."""
    return {
        "wiki_id": row.wiki_id,
        "page_id": row.page_id,
        "rev_id": row.rev_id,
        "rev_dt": row.rev_dt,
        "scores": [
            {
                "model": {
                    "model_name": each.model.model_name,
                    "model_version": each.model.model_version,
                    "model_sha512": bytes.fromhex(each.model.model_sha512),
                },
                "outcome": outcome_record(each),
                "provenance": {
                    "event_id": each.provenance.event_id,
                    "source_topic": each.provenance.source_topic,
                    "source_partition": each.provenance.source_partition,
                    "source_offset": each.provenance.source_offset,
                    "event_dt": each.provenance.event_dt,
                    "scored_dt": each.provenance.scored_dt,
                    "namespace_id": each.provenance.namespace_id,
                    "is_bot": each.provenance.is_bot,
                },
            }
            for each in row.scores
        ],
        "withdrawal": row.withdrawal and to_builtins(row.withdrawal, builtin_types=(datetime,)),
    }


def by_fastavro(row: PredictionRow, schema: dict[str, Any] = SCHEMA) -> bytes:
    stream = BytesIO()
    fastavro.schemaless_writer(stream, fastavro.parse_schema(dict(schema)), record(row))
    return MARKER + schema_fingerprint(schema) + stream.getvalue()


@given(rows)
def test_a_row_comes_back_as_it_was(row: PredictionRow) -> None:
    assert decode_row(encode_row(row)) == row


@given(rows)
def test_our_bytes_are_those_of_fastavro(row: PredictionRow) -> None:
    assert encode_row(row) == by_fastavro(row)


def of_second_schema(row: PredictionRow) -> PredictionRow:
    """Return a row without what the third schema added."""
    scores = (
        replace(score, provenance=replace(score.provenance, namespace_id=None, is_bot=None))
        for score in row.scores
    )
    return replace(row, scores=tuple(scores))


@given(rows)
def test_a_row_of_the_first_schema_is_read_as_one_that_was_never_withdrawn(row: PredictionRow) -> None:
    assert decode_row(by_fastavro(row, FIRST_SCHEMA)) == replace(of_second_schema(row), withdrawal=None)


@given(rows)
def test_a_row_of_the_second_schema_is_read_as_one_of_unknown_namespace(row: PredictionRow) -> None:
    assert decode_row(by_fastavro(row, SECOND_SCHEMA)) == of_second_schema(row)


@pytest.mark.parametrize("schema", [FIRST_SCHEMA, SECOND_SCHEMA, SCHEMA])
@given(row=rows)
def test_the_head_of_a_row_is_read_without_the_rest(row: PredictionRow, schema: dict[str, Any]) -> None:
    head = (row.page_id, microseconds(row.rev_dt), bool(row.scores))
    assert row_head(by_fastavro(row, schema)) == head


@given(rows)
def test_fastavro_reads_our_bytes_as_we_do(row: PredictionRow) -> None:
    assert READER.read(encode_row(row)) == row


@given(rows)
def test_equal_rows_have_equal_bytes(row: PredictionRow) -> None:
    def turned(stored: StoredScore) -> StoredScore:
        if not isinstance(stored.outcome, Score):
            return stored
        probability = dict(reversed(stored.outcome.probability.items()))
        outcome = Score(stored.outcome.kind, stored.outcome.prediction, probability)
        return StoredScore(stored.model, outcome, stored.provenance)

    other = replace(row, scores=tuple(map(turned, row.scores)))
    assert encode_row(other) == encode_row(row)


def read_or_refuse(data: bytes) -> PredictionRow | None:
    try:
        fast = decode_row(data)
    except StoreFormatUnsupported:
        with pytest.raises(StoreFormatUnsupported):
            READER.read(data)
        return None
    assert repr(READER.read(data)) == repr(fast)
    return fast


@given(st.binary())
def test_any_bytes_are_a_row_or_refused(data: bytes) -> None:
    assert read_or_refuse(data) is None


@given(st.binary())
def test_any_bytes_behind_our_header_are_a_row_or_refused(data: bytes) -> None:
    read_or_refuse(MARKER + schema_fingerprint(SCHEMA) + data)


@given(rows, st.data())
def test_a_row_with_a_byte_changed_is_read_as_fastavro_reads_it(
    row: PredictionRow, data: st.DataObject
) -> None:
    damaged = bytearray(encode_row(row))
    damaged[data.draw(st.integers(10, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    read_or_refuse(bytes(damaged))


@given(rows, st.data())
def test_a_row_cut_short_is_refused(row: PredictionRow, data: st.DataObject) -> None:
    whole = encode_row(row)
    assert read_or_refuse(whole[: data.draw(st.integers(0, len(whole) - 1))]) is None


@given(rows, st.binary(min_size=1))
def test_a_row_with_something_behind_it_is_refused(row: PredictionRow, more: bytes) -> None:
    assert read_or_refuse(encode_row(row) + more) is None
