"""What becomes of a row does not depend on the order in which acts and scores come, nor on how often."""

from datetime import datetime, timedelta
from functools import reduce

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from schemas.prediction import PredictionRow
from tables.merge import merge_revision
from tables.withdrawal import Act, acted_on, admitted, emptied, is_hidden
from tests.any_rows import START, few_rows

_SAVED = START - timedelta(days=1)
acts = st.builds(
    Act,
    wiki_id=st.just("mosswiki"),
    page_id=st.just(1),
    rev_id=st.just(5),
    rev_dt=st.just(_SAVED),
    acted_dt=st.integers(0, 3).map(lambda seconds: START + timedelta(seconds=seconds)),
    source_offset=st.integers(0, 2),
    is_hidden=st.booleans(),
    is_erasure=st.just(False),
) | st.builds(
    Act,
    wiki_id=st.just("mosswiki"),
    page_id=st.just(1),
    rev_id=st.just(5),
    rev_dt=st.just(_SAVED),
    acted_dt=st.integers(0, 3).map(lambda seconds: START + timedelta(seconds=seconds)),
    source_offset=st.integers(0, 2),
    is_hidden=st.just(True),
    is_erasure=st.just(True),
)
scored = few_rows(rev_ids=st.just(5), page_ids=st.just(1)).map(
    lambda row: replace(row, rev_dt=_SAVED, withdrawal=None)
)


def fold(row: PredictionRow | None, sequence: list[Act]) -> PredictionRow | None:
    return reduce(acted_on, sequence, row)


@given(st.none() | scored, st.lists(acts, min_size=1, max_size=5), st.data())
def test_acts_end_in_one_row_in_any_order_and_with_any_repeats(
    row: PredictionRow | None, arrived: list[Act], data: st.DataObject
) -> None:
    again = data.draw(st.lists(st.sampled_from(arrived), max_size=4))
    assert fold(row, data.draw(st.permutations(arrived + again))) == fold(row, arrived)


@given(st.none() | scored, st.lists(acts, min_size=1, max_size=5))
def test_the_latest_act_decides_and_an_erasure_takes_all_scores_from_before_it(
    row: PredictionRow | None, arrived: list[Act]
) -> None:
    held = fold(row, arrived)
    assert held is not None
    last = max((act.acted_dt, act.source_offset) for act in arrived)
    assert is_hidden(held) is any(
        act.is_hidden for act in arrived if (act.acted_dt, act.source_offset) == last
    )
    erased = max((act.acted_dt for act in arrived if act.is_erasure), default=None)
    assert held.withdrawal is not None
    assert held.withdrawal.erased_dt == erased
    kept = () if row is None else row.scores
    assert held.scores == tuple(
        score for score in kept if erased is None or score.provenance.event_dt > erased
    )


@given(scored, st.lists(acts, min_size=1, max_size=4), scored)
def test_scores_of_events_before_an_erasure_never_come_back_while_it_is_hidden(
    row: PredictionRow, arrived: list[Act], late: PredictionRow
) -> None:
    held = fold(row, arrived)
    assert held is not None
    merged = merge_revision(held, admitted(late, held.withdrawal))
    assert merged.withdrawal == held.withdrawal
    erased = None if held.withdrawal is None else held.withdrawal.erased_dt
    if is_hidden(held) and erased is not None:
        assert all(score.provenance.event_dt > erased for score in merged.scores)
    # Again changes nothing, and nobody is shown what was not shown before.
    assert merge_revision(merged, admitted(late, merged.withdrawal)) == merged
    assert is_hidden(merged) is is_hidden(held)


@given(scored, st.lists(acts, min_size=1, max_size=4))
def test_a_row_that_missed_an_erasure_adds_nothing_to_one_that_had_it(
    row: PredictionRow, arrived: list[Act]
) -> None:
    held = fold(row, arrived)
    assert held is not None
    merged = merge_revision(held, row)
    assert merged == merge_revision(row, held)
    if any(act.is_erasure for act in arrived):
        assert merged.scores == held.scores


@given(st.none() | scored, acts)
def test_emptying_a_row_does_not_say_that_it_is_hidden(row: PredictionRow | None, act: Act) -> None:
    empty = emptied(row, act)
    assert not is_hidden(empty)
    later = replace(act, acted_dt=_moment(act) + timedelta(seconds=9), is_hidden=True, is_erasure=False)
    # Whatever is done to the revision itself decides, even from before the erasure of its page.
    assert is_hidden(acted_on(empty, later))
    assert is_hidden(acted_on(empty, replace(later, acted_dt=START)))


def _moment(act: Act) -> datetime:
    return act.acted_dt
