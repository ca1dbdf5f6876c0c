"""The merge rules are joins: order and number of arrivals leave no trace."""

from collections.abc import Callable
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
    assert (merged.rev_dt, merged.rev_id) >= (old.rev_dt, old.rev_id)


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
def test_no_model_that_scored_is_lost(one: PredictionRow, other: PredictionRow) -> None:
    merged = merge_revision(one, other)
    arrived = [*one.scores, *other.scores]
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
    merged = merge_page(one, other)
    assert (merged.rev_dt, merged.rev_id) == max((one.rev_dt, one.rev_id), (other.rev_dt, other.rev_id))
