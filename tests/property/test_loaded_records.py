"""The record that rows of snapshots travel in, for any rows."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import EventUndecodable
from schemas.loaded import (
    FORMAT_VERSION,
    LoadedModel,
    LoadedOrigin,
    LoadedRow,
    LoadedRows,
    LoadedScore,
    decode_loaded,
    encode_loaded,
)
from schemas.prediction import ModelId, ScoreKind
from tables.codec import decode_row, encode_row
from tables.loading import RowEncoding

LONGS = st.integers(-(1 << 63), (1 << 63) - 1)
IDS = st.integers(0, (1 << 63) - 1)
TIMES = st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31), timezones=st.just(UTC)).map(  # noqa: DTZ001 - the zone is added
    lambda dt: (dt - datetime(1970, 1, 1, tzinfo=UTC)) // (datetime.resolution)
)
TEXTS = st.text(st.characters(codec="utf-8"), max_size=12)
ORIGINS = st.builds(LoadedOrigin, TEXTS, TEXTS, LONGS, LONGS, TIMES)


@st.composite
def records(draw: st.DrawFn) -> LoadedRows:
    labels = draw(st.lists(st.lists(TEXTS, unique=True, max_size=4).map(sorted), min_size=1, max_size=3))
    models = tuple(
        LoadedModel(
            ModelId(f"model{number}", draw(TEXTS), f"{number:02x}" * 64),
            draw(st.sampled_from(ScoreKind)),
            tuple(each),
        )
        for number, each in enumerate(labels)
    )
    rows = []
    for _ in range(draw(st.integers(0, 4))):
        spoke = sorted(draw(st.sets(st.integers(0, len(models) - 1), min_size=1)))
        rows.append(
            LoadedRow(
                draw(IDS),
                draw(IDS),
                draw(TIMES),
                draw(st.none() | LONGS),
                draw(st.none() | st.booleans()),
                tuple(_score(draw, number, len(models[number].labels)) for number in spoke),
            )
        )
    wiki_id = draw(st.text("abcxyz_0", min_size=1, max_size=10))
    return LoadedRows(FORMAT_VERSION, wiki_id, draw(TEXTS), models, tuple(rows))


def _score(draw: st.DrawFn, model: int, labels: int) -> LoadedScore:
    scored_us, origin = draw(TIMES), draw(st.none() | ORIGINS)
    if draw(st.booleans()):
        return LoadedScore(model, (), (), scored_us, (draw(TEXTS), draw(TEXTS)), origin)
    chosen = draw(st.lists(st.integers(0, labels - 1), max_size=labels)) if labels else []
    chances = st.lists(st.floats(0, 1), min_size=labels, max_size=labels)
    return LoadedScore(model, tuple(chosen), tuple(draw(chances)), scored_us, None, origin)


@given(records())
def test_a_record_comes_back_as_it_was(rows: LoadedRows) -> None:
    assert decode_loaded(encode_loaded(rows)) == rows


@given(records())
def test_rows_are_written_byte_for_byte_as_all_rows_are(rows: LoadedRows) -> None:
    encoding = RowEncoding(rows, topic="moss.loaded", partition=3)
    for _, loadable in encoding.pages():
        for one in loadable:
            assert one.encoded == encode_row(one.row)
            assert decode_row(one.encoded) == one.row


@given(records(), st.data())
def test_a_record_that_lost_a_byte_or_has_another_is_refused(rows: LoadedRows, data: st.DataObject) -> None:
    record = bytearray(encode_loaded(rows))
    at = data.draw(st.integers(0, len(record) - 1))
    if data.draw(st.booleans()):
        del record[at]
    else:
        record[at] ^= data.draw(st.integers(1, 255))
    try:
        found = decode_loaded(bytes(record))
    except EventUndecodable:
        return
    # Some bits of a frame say nothing.
    assert found == rows


@pytest.mark.parametrize(
    ("score", "what"),
    [
        (LoadedScore(1, (), (0.5, 0.5), 0), "does not fit"),
        (LoadedScore(0, (), (0.5,), 0), "does not fit"),
        (LoadedScore(0, (2,), (0.5, 0.5), 0), "does not fit"),
        (LoadedScore(0, (), (0.5, float("inf")), 0), "does not fit"),
        (LoadedScore(0, (), (0.5, float("nan")), 0), "does not fit"),
        (LoadedScore(0, (), (), 0, None, LoadedOrigin("e", "t", 1 << 63, 0, 0)), "does not fit"),
    ],
)
def test_a_score_that_no_row_can_hold_is_refused(score: LoadedScore, what: str) -> None:
    model = LoadedModel(ModelId("moss", "1", "ab" * 64), ScoreKind.BINARY, ("false", "true"))
    row = LoadedRow(1, 2, 3, None, None, (score,))
    with pytest.raises(EventUndecodable, match=what):
        decode_loaded(encode_loaded(LoadedRows(FORMAT_VERSION, "mosswiki", "s", (model,), (row,))))
