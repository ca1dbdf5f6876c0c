"""Rows of every schema stay readable: by this version, and by the versions that follow it."""

import copy
import json
from datetime import UTC, datetime, timedelta, timezone
from io import BytesIO
from typing import Any

import fastavro
import pytest
from msgspec.structs import replace

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
from tables.codec import MARKER, RowReader, decode_row, encode_row, schema_fingerprint
from tests.conftest import ROOT
from tests.rows import binary, row, stored

SCHEMA: dict[str, Any] = json.loads((ROOT / "schemas/avro/prediction_row.avsc").read_bytes())

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
EVENT_DT = datetime(2026, 11, 1, 10, 0, 2, 500_000, tzinfo=UTC)
ORIGIN = Provenance(
    event_id="3b1b3a52-6d0e-4a07-9a55-0c6f2b9f1e01",
    source_topic="mediawiki.page_change.v1",
    source_partition=3,
    source_offset=1234567,
    event_dt=EVENT_DT,
    scored_dt=datetime(2026, 11, 1, 10, 0, 2, 750_001, tzinfo=UTC),
)
GOLDEN_ROW = PredictionRow(
    wiki_id="mosswiki",
    page_id=31,
    rev_id=5002,
    rev_dt=datetime(2026, 11, 1, 10, 0, tzinfo=UTC),
    scores=(
        StoredScore(
            ModelId("articletopic", "1.3.0", "0f" * 64),
            Score(ScoreKind.MULTILABEL, ("A", "Bé"), {"A": 0.875, "Bé": 0.5, "C": 0.0}),
            ORIGIN,
        ),
        StoredScore(
            ModelId("damaging", "0.5.1", "e1" * 64), ScoreFailure("parent_not_found", "gone"), ORIGIN
        ),
        StoredScore(
            ModelId("reverted", "1.0.0", "ab" * 64),
            Score(ScoreKind.BINARY, ("false",), {"false": 0.9375, "true": 0.0625}),
            ORIGIN,
        ),
    ),
)
# Written by version 1 of the schema. These bytes lie on disks: they never change, whatever the schema does.
FIRST_BYTES = bytes.fromhex(
    """
    c301a1087eaaff7e28af106d6f737377696b693e944e80a0b5fa82cdaf06061861727469636c65746f7069630a312e33
    2e300f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f
    0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f00040402410642c3a900060241000000000000ec3f0642c3a90000000000
    00e03f02430000000000000000004833623162336135322d366430652d346130372d396135352d306336663262396631
    653031306d6564696177696b692e706167655f6368616e67652e7631068eda9601c0b6e6fc82cdaf06e2f884fd82cdaf
    061064616d6167696e670a302e352e31e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1
    e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e10220706172656e745f6e6f745f666f75
    6e6408676f6e654833623162336135322d366430652d346130372d396135352d306336663262396631653031306d6564
    696177696b692e706167655f6368616e67652e7631068eda9601c0b6e6fc82cdaf06e2f884fd82cdaf06107265766572
    7465640a312e302e30ababababababababababababababababababababababababababababababababababababababab
    ababababababababababababababababababababababababab0000020a66616c736500040a66616c7365000000000000
    ee3f0874727565000000000000b03f004833623162336135322d366430652d346130372d396135352d30633666326239
    6631653031306d6564696177696b692e706167655f6368616e67652e7631068eda9601c0b6e6fc82cdaf06e2f884fd82
    cdaf0600
    """
)


FIRST_SCHEMA: dict[str, Any] = json.loads((ROOT / "schemas/avro/prediction_row.1.avsc").read_bytes())
HIDDEN_ROW = replace(
    GOLDEN_ROW, withdrawal=Withdrawal(is_hidden=True, acted_dt=EVENT_DT, source_offset=77, erased_dt=EVENT_DT)
)
SECOND_SCHEMA: dict[str, Any] = json.loads((ROOT / "schemas/avro/prediction_row.2.avsc").read_bytes())
# As version 2 wrote them: the fingerprint is another, and one byte says that nothing was withdrawn, or what.
_SECOND_HEAD = bytes.fromhex("c301cb82e57eab94493b")
_WITHDRAWN = bytes.fromhex("0201c0b6e6fc82cdaf069a0102c0b6e6fc82cdaf06")
SECOND_BYTES = _SECOND_HEAD + FIRST_BYTES[10:] + b"\0"
SECOND_HIDDEN_BYTES = _SECOND_HEAD + FIRST_BYTES[10:] + _WITHDRAWN
# As version 3 writes them: each score tells namespace and bot, or that nothing told them, behind its times.
_SCORED = bytes.fromhex("e2f884fd82cdaf06")
_BODY = bytes.fromhex("c3010254f36dfa1d472c") + FIRST_BYTES[10:].replace(_SCORED, _SCORED + b"\0\0")
GOLDEN_BYTES = _BODY + b"\0"
HIDDEN_BYTES = _BODY + _WITHDRAWN
TOLD_ROW = replace(
    GOLDEN_ROW,
    scores=tuple(
        replace(score, provenance=replace(ORIGIN, namespace_id=-1, is_bot=True))
        for score in GOLDEN_ROW.scores
    ),
)
TOLD_BYTES = GOLDEN_BYTES.replace(_SCORED + b"\0\0", _SCORED + bytes.fromhex("02010201"))


def evolved() -> dict[str, Any]:
    """Return what a later schema may be: fields and symbols added, an int grown to a long."""
    schema = copy.deepcopy(SCHEMA)
    schema["fields"].insert(1, {"name": "page_title_hash", "type": ["null", "bytes"], "default": None})
    stored_score = schema["fields"][-2]["type"]["items"]
    stored_score["fields"].append({"name": "is_withdrawn", "type": "boolean", "default": False})
    score = stored_score["fields"][1]["type"][0]
    score["fields"][0]["type"]["symbols"] = ["regression", "binary", "multiclass", "multilabel"]
    stored_score["fields"][2]["type"]["fields"][2]["type"] = "long"
    return schema


def written(schema: dict[str, Any], record: dict[str, Any]) -> bytes:
    stream = BytesIO()
    fastavro.schemaless_writer(stream, fastavro.parse_schema(copy.deepcopy(schema)), record)
    return MARKER + schema_fingerprint(schema) + stream.getvalue()


def test_the_golden_bytes_are_what_this_version_writes() -> None:
    assert encode_row(GOLDEN_ROW) == GOLDEN_BYTES
    assert encode_row(HIDDEN_ROW) == HIDDEN_BYTES
    assert encode_row(TOLD_ROW) == TOLD_BYTES


def test_the_golden_bytes_of_all_versions_are_read() -> None:
    assert decode_row(FIRST_BYTES) == GOLDEN_ROW
    assert decode_row(GOLDEN_BYTES) == GOLDEN_ROW
    assert decode_row(SECOND_BYTES) == GOLDEN_ROW
    assert decode_row(SECOND_HIDDEN_BYTES) == HIDDEN_ROW
    assert decode_row(HIDDEN_BYTES) == HIDDEN_ROW
    assert decode_row(TOLD_BYTES) == TOLD_ROW


def test_earlier_schemas_are_kept_as_they_were() -> None:
    assert schema_fingerprint(FIRST_SCHEMA) == FIRST_BYTES[2:10]
    assert schema_fingerprint(SECOND_SCHEMA) == SECOND_BYTES[2:10]


def test_a_later_schema_reads_the_golden_bytes() -> None:
    later = evolved()
    assert schema_fingerprint(later) != schema_fingerprint(SCHEMA)
    reader = RowReader(later, [SCHEMA, SECOND_SCHEMA, FIRST_SCHEMA])
    assert reader.read(GOLDEN_BYTES) == reader.read(SECOND_BYTES) == reader.read(FIRST_BYTES) == GOLDEN_ROW


def test_a_row_of_a_later_schema_is_read_where_that_schema_is_known() -> None:
    record: dict[str, Any] = {
        "wiki_id": "mosswiki",
        "page_title_hash": b"x",
        "page_id": 31,
        "rev_id": 5002,
        "rev_dt": GOLDEN_ROW.rev_dt,
        "scores": [],
        "withdrawal": None,
    }
    data = written(evolved(), record)
    bare = PredictionRow("mosswiki", 31, 5002, GOLDEN_ROW.rev_dt, ())
    assert RowReader(SCHEMA, [evolved()]).read(data) == bare
    with pytest.raises(StoreFormatUnsupported) as caught:
        decode_row(data)
    assert caught.value.fields["fingerprint"] == schema_fingerprint(evolved()).hex()
    assert "operator action: run that version again" in caught.value.message


def test_the_fingerprint_is_that_of_the_avro_specification() -> None:
    # The specification's own table of test vectors gives this for the schema "null".
    from fastavro.schema import fingerprint

    assert int.from_bytes(bytes.fromhex(fingerprint('"null"', "CRC-64-AVRO")), "little") == 0x63DD24E7CC258F8A
    documented = SCHEMA | {"doc": "another word"}
    assert schema_fingerprint(documented) == schema_fingerprint(SCHEMA)


def test_the_fast_codec_is_written_for_the_current_schema() -> None:
    assert schema_fingerprint(SCHEMA) == row_binary.FINGERPRINT


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xc3",
        MARKER,
        MARKER + b"1234567",
        b'{"wiki_id":"mosswiki"}',
        b"\xc3\x02" + GOLDEN_BYTES[2:],
        GOLDEN_BYTES[:-1],
        GOLDEN_BYTES[:300],
        GOLDEN_BYTES + b"\0",
        MARKER + bytes(8) + GOLDEN_BYTES[10:],
        GOLDEN_BYTES[:10] + b"\xff" * 1000,
        GOLDEN_BYTES[:10] + b"\x10mosswik\xff" + GOLDEN_BYTES[19:],
    ],
    ids=lambda data: data[:12].hex() + f"-{len(data)}",
)
def test_what_is_no_row_is_refused_with_what_to_do(data: bytes) -> None:
    with pytest.raises(StoreFormatUnsupported, match="operator action"):
        decode_row(data)


def test_an_array_in_several_blocks_is_read_though_we_write_one() -> None:
    two = row(stored("damaging", binary(0.25)), stored("reverted", binary(0.75)))
    one, other = (encode_row(row(each)) for each in two.scores)
    head = len(encode_row(row())) - 2
    assert one[head] == other[head] == 2
    assert decode_row(one[:-2] + other[head:]) == two


@pytest.mark.parametrize(
    "dt",
    [
        datetime(1, 1, 1, tzinfo=UTC),
        datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
        datetime(1970, 1, 1, tzinfo=UTC),
        datetime(2001, 1, 15, 19, 27, 13, tzinfo=UTC),
        datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
        # Where the number of bytes changes.
        *(EPOCH + timedelta(microseconds=2**bits + step) for bits in (6, 41, 48, 55) for step in (-1, 0)),
    ],
)
def test_times_are_kept_to_the_microsecond(dt: datetime) -> None:
    data = encode_row(row(rev_dt=dt))
    assert decode_row(data).rev_dt == dt
    bare = {
        "wiki_id": "enwiki",
        "page_id": 7,
        "rev_id": 12345,
        "rev_dt": dt,
        "scores": [],
        "withdrawal": None,
    }
    assert data == written(SCHEMA, bare)


def test_times_come_back_in_utc() -> None:
    elsewhere = datetime(2026, 11, 1, 12, tzinfo=timezone(timedelta(hours=2)))
    read = decode_row(encode_row(row(rev_dt=elsewhere))).rev_dt
    assert read == elsewhere
    assert read.tzinfo is UTC


@pytest.mark.parametrize(
    "wrong",
    [
        row(rev_dt=datetime(2026, 11, 1)),  # noqa: DTZ001 - the point of the test
        row(rev_id=2**63),
        row(page_id=-(2**63) - 1),
        PredictionRow(
            "w", 1, 1, EVENT_DT, (StoredScore(ModelId("m", "1", "ab"), ScoreFailure("c", "m"), ORIGIN),)
        ),
        PredictionRow(
            "w", 1, 1, EVENT_DT, (StoredScore(ModelId("m", "1", "AB" * 64), ScoreFailure("c", "m"), ORIGIN),)
        ),
        PredictionRow(
            "w", 1, 1, EVENT_DT, (StoredScore(ModelId("m", "1", "no hex"), ScoreFailure("c", "m"), ORIGIN),)
        ),
    ],
)
def test_what_has_no_place_in_the_schema_is_not_written(wrong: PredictionRow) -> None:
    with pytest.raises(ValueError, match=r"zone|64 bits|hexadecimal"):
        encode_row(wrong)


def test_a_number_of_more_than_64_bits_is_left_to_fastavro() -> None:
    data = encode_row(row(wiki_id="w", page_id=1))
    place = len(MARKER) + 8 + len(b"\x02w")
    overlong = data[:place] + b"\xff" * 9 + b"\x03" + data[place + 1 :]
    assert decode_row(overlong) == RowReader(SCHEMA).read(overlong)
