"""How much on-demand work is let in, and what it is believed to cost."""

import pytest

from app.admission import Admission
from app.costs import Costs
from schemas.errors import Overloaded


def test_work_is_admitted_until_the_last_would_wait_too_long() -> None:
    admission = Admission(processes=2, most_seconds=10.0)
    places = [admission.admit(4.0) for _ in range(5)]
    with pytest.raises(Overloaded) as refused:
        admission.admit(4.0)
    assert refused.value.fields["retry_after_seconds"] == 2
    assert admission.refused == 1
    assert admission.waiting_seconds == 20.0
    places[0].release()
    places[0].release()
    assert admission.waiting_seconds == 16.0
    admission.admit(4.0)


def test_what_costs_more_than_may_wait_is_done_when_nothing_else_is() -> None:
    admission = Admission(processes=1, most_seconds=1.0)
    place = admission.admit(15.0)
    with pytest.raises(Overloaded):
        admission.admit(0.002)
    place.release()
    admission.admit(15.0)


def test_work_that_turns_out_cheap_makes_room() -> None:
    admission = Admission(processes=1, most_seconds=1.0)
    place = admission.admit(0.9)
    with pytest.raises(Overloaded):
        admission.admit(0.2)
    place.correct(0.1)
    admission.admit(0.2)
    place.release()
    place.correct(5.0)
    assert admission.waiting_seconds == pytest.approx(0.2)


def test_work_without_cost_is_bounded_by_number() -> None:
    admission = Admission(processes=1, most_seconds=10.0)
    for _ in range(1000):
        admission.admit(0.0)
    with pytest.raises(Overloaded):
        admission.admit(0.0)


def test_a_machine_that_is_slower_than_believed_takes_less_work_in() -> None:
    now = [0.0]
    admission = Admission(processes=1, most_seconds=10.0, clock=lambda: now[0])
    for _ in range(100):
        places = [admission.admit(1.0), admission.admit(1.0)]
        for place in places:
            now[0] += 4.0
            place.release()
    assert admission.pace == pytest.approx(4.0, abs=0.01)
    places = [admission.admit(1.0), admission.admit(1.0)]
    with pytest.raises(Overloaded):
        admission.admit(1.0)
    # What nobody waited for says nothing of it.
    for place in places:
        place.release()
    pace = admission.pace
    now[0] += 1000.0
    admission.admit(1.0).release()
    assert admission.pace == pace


def test_a_cost_follows_from_the_length_and_what_the_models_took_before() -> None:
    costs = Costs()
    both = ("enwiki-damaging", "enwiki-goodfaith")
    assert costs.estimate("enwiki", both, 100_000) == pytest.approx(0.2)
    assert costs.estimate("enwiki", both[:1], 100_000) == pytest.approx(0.1)
    costs.learn("enwiki", both, 50_000, 0.5)
    assert costs.estimate("enwiki", both[::-1], 100_000) == pytest.approx(1.0)
    assert costs.estimate("enwiki", both[:1], 100_000) == pytest.approx(0.1)
    # Not fetched yet: as long as its wiki's are.
    assert costs.estimate("enwiki", both) == pytest.approx(0.5)
    assert costs.estimate("frwiki", both) == pytest.approx(0.2)


def test_an_empty_text_costs_something_and_teaches_nothing_of_the_rate() -> None:
    costs = Costs()
    costs.learn("enwiki", ("a",), 0, 0.01)
    assert costs.estimate("enwiki", ("a",)) > 0
    assert costs.estimate("enwiki", ("a",), 1_000_000) == pytest.approx(1.0)


def test_one_odd_revision_moves_the_estimate_by_a_tenth() -> None:
    costs = Costs()
    costs.learn("enwiki", ("a",), 1000, 0.001)
    costs.learn("enwiki", ("a",), 1000, 0.101)
    assert costs.estimate("enwiki", ("a",), 1_000_000) == pytest.approx(11.0)
