"""Rows read by their forms say what the codec reads in them."""

from datetime import UTC, datetime, timedelta
from struct import Struct as Layout

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from app.api.batch_lines import LineWriter
from app.api.documents import compact, row_document
from schemas.prediction import PredictionRow, Score, ScoreKind, Withdrawal
from tables import row_binary
from tables.codec import decode_row, encode_row, is_never_withdrawn
from tables.row_forms import Form, Forms, Groups
from tests.any_rows import longs, rows, times, withdrawals
from tests.rows import binary, row, stored

DOUBLE = Layout("<d")
EPOCH, MICROSECOND = datetime(1970, 1, 1, tzinfo=UTC), timedelta(microseconds=1)


def said(form: Form, groups: Groups) -> object:
    """Return all that a form tells of a row."""
    return (
        int(row_binary.longs_of([groups[0]])[0]),
        EPOCH + int(row_binary.longs_of([groups[1]])[0]) * MICROSECOND,
        [
            (
                score.model,
                score.kind,
                row_binary.texts_of(groups[score.chosen]),
                {
                    label: DOUBLE.unpack(groups[score.chosen + 1 + at])[0]
                    for at, label in enumerate(score.labels)
                },
            )
            for score in form.scores
        ],
    )


def held(one: PredictionRow) -> object:
    """Return the same of a row, as the codec reads it."""
    scores = [(each.model, each.outcome) for each in one.scores]
    return (
        one.page_id,
        one.rev_dt,
        [
            (model, score.kind, score.prediction, score.probability)
            for model, score in scores
            if isinstance(score, Score)
        ],
    )


@given(st.lists(rows, max_size=6), st.lists(st.integers(0, 5), max_size=12))
def test_any_rows_in_any_order_are_read_as_the_codec_reads_them(
    some: list[PredictionRow], order: list[int]
) -> None:
    forms = Forms()
    for number in order:
        if number < len(some):
            data = encode_row(some[number])
            found = forms.read("enwiki", data) if number % 2 else forms.read(some[number].wiki_id, data)
            if found is not None:
                assert said(*found) == held(decode_row(data))


@given(st.lists(st.tuples(st.integers(0, 2**63 - 1), st.floats(0, 1)), max_size=8))
def test_rows_that_differ_in_numbers_and_choices_have_one_form(numbers: list[tuple[int, float]]) -> None:
    several = Score(ScoreKind.MULTICLASS, ("B",), {"A": 0.25, "B": 0.75})
    form = Form(row(stored("damaging", binary(0.25)), stored("quality", several)))
    for number, probability in numbers:
        score = Score(ScoreKind.MULTICLASS, ("A",), {"A": probability, "B": 1 - probability})
        scores = stored("damaging", binary(probability)), stored("quality", score)
        one = row(*scores, page_id=number, rev_id=2**63 - 1 - number)
        groups = form.match(encode_row(one))
        assert groups is not None
        assert said(form, groups) == held(one)


@given(rows, st.data())
def test_damaged_rows_are_left_to_the_codec_or_read_as_it_reads_them(
    one: PredictionRow, data: st.DataObject
) -> None:
    forms = Forms()
    encoded = encode_row(one)
    forms.read(one.wiki_id, encoded)
    cut = data.draw(st.integers(0, len(encoded) - 1))
    damaged = encoded[:cut] + encoded[cut + 1 :]
    found = forms.read(one.wiki_id, damaged)
    if found is not None:
        assert said(*found) == held(decode_row(damaged))
    assert forms.read(one.wiki_id, encoded + b"\0") is None


@given(rows, withdrawals)
def test_what_was_ever_withdrawn_has_no_form(one: PredictionRow, withdrawal: Withdrawal) -> None:
    forms = Forms()
    forms.read(one.wiki_id, encode_row(replace(one, withdrawal=None)))
    assert forms.read(one.wiki_id, encode_row(replace(one, withdrawal=withdrawal))) is None


@given(rows, withdrawals)
def test_a_glance_at_a_row_never_takes_what_was_withdrawn_for_what_was_not(
    one: PredictionRow, withdrawal: Withdrawal
) -> None:
    assert not is_never_withdrawn(encode_row(replace(one, withdrawal=withdrawal)))


@given(times, st.booleans(), st.none() | times, st.integers(0, 1))
def test_nor_where_the_act_was_the_first_event_of_a_log(
    acted_dt: datetime, is_hidden: bool, erased_dt: datetime | None, source_offset: int
) -> None:
    acted = Withdrawal(is_hidden, acted_dt, source_offset, erased_dt)
    assert not is_never_withdrawn(encode_row(replace(row(stored("damaging", binary(0.5))), withdrawal=acted)))
    assert not is_never_withdrawn(encode_row(replace(row(), withdrawal=acted)))


def test_a_glance_at_a_usual_row_is_enough() -> None:
    plain = stored("damaging", binary(0.5))
    assert is_never_withdrawn(encode_row(row(plain)))
    told = replace(plain.provenance, namespace_id=2900, is_bot=True)
    assert is_never_withdrawn(encode_row(row(replace(plain, provenance=told))))


@given(st.lists(longs))
def test_numbers_are_read_as_they_are_written(numbers: list[int]) -> None:
    assert row_binary.longs_of([row_binary.long_bytes(number) for number in numbers]).tolist() == numbers
    for number in numbers:
        assert row_binary.longs_of([row_binary.long_bytes(number)]).tolist() == [number]


@given(st.lists(st.tuples(times, st.floats(0, 1)), min_size=1, max_size=5))
def test_lines_show_times_and_numbers_as_documents_do(values: list[tuple[datetime, float]]) -> None:
    rows_of = [
        row(stored("damaging", binary(one)), page_id=number, rev_id=number, rev_dt=moment)
        for number, (moment, one) in enumerate(values)
    ]
    form = Form(rows_of[0])
    (score,) = form.scores
    plain = [one for one in rows_of if form.match(encode_row(one)) is not None]
    matched = [form.match(encode_row(one)) for one in plain]
    numbers = [one.rev_id for one in plain]
    if plain:
        writer = LineWriter(form, [("damaging", score)])
        lines = writer.write(numbers, np.array(numbers, np.int64), [one for one in matched if one])
        assert lines == [compact(row_document(one, {})) + b"\n" for one in plain]


@given(st.lists(st.none() | rows, max_size=6), st.lists(st.integers(0, 5), max_size=12))
def test_rows_read_together_are_those_read_one_by_one(
    some: list[PredictionRow | None], order: list[int]
) -> None:
    chosen = [some[number] for number in order if number < len(some)]
    encoded = [None if one is None else encode_row(replace(one, wiki_id="enwiki")) for one in chosen]
    together = {
        at: (form, groups)
        for form, found in Forms().read_all("enwiki", encoded).items()
        for at, groups in zip(*found, strict=True)
    }
    alone = Forms()
    for at, data in enumerate(encoded):
        one = None if data is None else alone.read("enwiki", data)
        assert (one is None) is (at not in together)
        if one is not None:
            assert said(*one) == said(*together[at])
