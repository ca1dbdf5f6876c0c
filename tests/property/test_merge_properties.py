"""The merge rules are joins: order and number of arrivals leave no trace."""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import reduce

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.prediction import PredictionRow, Score
from tables.codec import encode_row
from tables.merge import merge_page, merge_revision
from tests.any_rows import few_rows

Merge = Callable[[PredictionRow | None, PredictionRow], PredictionRow]
revision_rows = few_rows(rev_ids=st.just(5), page_ids=st.sampled_from((1, 2)))
page_rows = few_rows(rev_ids=st.sampled_from((5, 6, 7)), page_ids=st.just(1))
both = pytest.mark.parametrize(
    ("merge", "rows"), [(merge_revision, revision_rows), (merge_page, page_rows)], ids=["revision", "page"]
)


def erased(row: PredictionRow) -> datetime:
    return (row.withdrawal and row.withdrawal.erased_dt) or datetime.min.replace(tzinfo=UTC)


def place(row: PredictionRow) -> tuple[datetime, datetime, int]:
    return erased(row), row.rev_dt, row.rev_id


def draw(data: st.DataObject, rows: st.SearchStrategy[PredictionRow], count: int) -> list[PredictionRow]:
    return [data.draw(rows) for _ in range(count)]


@both
@given(data=st.data())
def test_merging_a_row_with_itself_changes_nothing(
    data: st.DataObject, merge: Merge, rows: st.SearchStrategy[PredictionRow]
) -> None:
    (row,) = draw(data, rows, 1)
    assert merge(row, row) == row
    assert merge(None, row) == row


@both
@given(data=st.data())
def test_merging_does_not_depend_on_who_came_first(
    data: st.DataObject, merge: Merge, rows: st.SearchStrategy[PredictionRow]
) -> None:
    one, other = draw(data, rows, 2)
    assert merge(one, other) == merge(other, one)
    assert encode_row(merge(one, other)) == encode_row(merge(other, one))


@both
@given(data=st.data())
def test_merging_does_not_depend_on_grouping(
    data: st.DataObject, merge: Merge, rows: st.SearchStrategy[PredictionRow]
) -> None:
    one, two, three = draw(data, rows, 3)
    assert merge(merge(one, two), three) == merge(one, merge(two, three))


@both
@given(data=st.data())
def test_a_table_never_goes_backwards(
    data: st.DataObject, merge: Merge, rows: st.SearchStrategy[PredictionRow]
) -> None:
    old, new = draw(data, rows, 2)
    merged = merge(old, new)
    # What is held takes in both: neither of them changes it again.
    assert merge(merged, old) == merged
    assert merge(merged, new) == merged
    assert place(merged) >= place(old)


@both
@given(data=st.data())
def test_any_order_with_any_repeats_ends_in_one_row(
    data: st.DataObject, merge: Merge, rows: st.SearchStrategy[PredictionRow]
) -> None:
    arrived = draw(data, rows, data.draw(st.integers(1, 5)))
    again = data.draw(st.lists(st.sampled_from(arrived), max_size=5))
    shuffled = data.draw(st.permutations(arrived + again))

    def fold(sequence: list[PredictionRow]) -> PredictionRow:
        first, *rest = sequence
        return reduce(merge, rest, merge(None, first))

    assert fold(shuffled) == fold(arrived)


@given(revision_rows, revision_rows)
def test_no_model_that_scored_since_the_last_erasure_is_lost(
    one: PredictionRow, other: PredictionRow
) -> None:
    merged = merge_revision(one, other)
    last = max(erased(one), erased(other))
    arrived = [score for row in (one, other) if erased(row) == last for score in row.scores]
    keys = {(each.model.model_name, each.model.model_version) for each in arrived}
    assert [(each.model.model_name, each.model.model_version) for each in merged.scores] == sorted(keys)
    for each in merged.scores:
        assert each in arrived
        rivals = [
            rival
            for rival in arrived
            if (rival.model.model_name, rival.model.model_version)
            == (each.model.model_name, each.model.model_version)
        ]
        if any(isinstance(rival.outcome, Score) for rival in rivals):
            assert isinstance(each.outcome, Score)


@given(page_rows, page_rows)
def test_a_page_shows_its_latest_revision(one: PredictionRow, other: PredictionRow) -> None:
    assert place(merge_page(one, other)) == max(place(one), place(other))


@both
@given(data=st.data())
def test_the_last_act_decides_whether_a_row_is_hidden_and_what_is_erased_stays_so(
    data: st.DataObject, merge: Merge, rows: st.SearchStrategy[PredictionRow]
) -> None:
    arrived = draw(data, rows, 3)
    merged = reduce(merge, arrived[1:], merge(None, arrived[0]))
    assert erased(merged) == max(map(erased, arrived))
    acts = [row.withdrawal for row in arrived if row.withdrawal is not None]
    if not acts:
        assert merged.withdrawal is None
        return
    assert merged.withdrawal is not None
    last = max((act.acted_dt, act.source_offset) for act in acts)
    hidden = [act.is_hidden for act in acts if (act.acted_dt, act.source_offset) == last]
    assert (merged.withdrawal.acted_dt, merged.withdrawal.source_offset) == last
    # Of two acts of one moment the one that hides counts.
    assert merged.withdrawal.is_hidden is any(hidden)
