"""What becomes of edits, learned from the changes that follow them."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from agents.outcomes import Outcome, Outcomes
from schemas.decode import decode_event
from schemas.page_change import PageChange
from tests.input_events import encoded, page_change, user

START = datetime(2026, 11, 1, tzinfo=UTC)


def edit(
    rev_id: int,
    sha1: str,
    *,
    by: str = "Ann",
    hours: float = 0,
    page_id: int = 7,
    kind: str = "edit",
    **more: Any,
) -> PageChange:
    """Return a change of a page, so long after the first."""
    when = (START + timedelta(hours=hours)).isoformat().replace("+00:00", "Z")
    event = page_change(page_change_kind=kind, dt=when)
    editor = user() | {"user_text": by, "user_id": 1 + sum(map(ord, by))}
    event["revision"] |= {"rev_id": rev_id, "rev_sha1": sha1, "rev_dt": when, "editor": editor} | more
    event["page"] |= {"page_id": page_id}
    decoded = decode_event(encoded(event))
    assert isinstance(decoded, PageChange)
    return decoded


LATER = edit(99, "x", page_id=99, hours=60)


def follow(outcomes: Outcomes, *changes: PageChange) -> list[tuple[float, bool]]:
    """Take in changes, each scored by its revision's number, and return what was settled."""
    found: list[Outcome] = []
    for change in changes:
        found += outcomes.follow(change, {"damaging": change.revision.rev_id / 100})
    return [(one.probability, one.was_reverted) for one in found]


def test_an_edit_is_reverted_by_another_who_brings_back_what_was_before() -> None:
    outcomes = Outcomes()
    changes = [edit(1, "a"), edit(2, "b", by="Vic"), edit(3, "c", by="Vic"), edit(4, "a")]
    assert follow(outcomes, *changes) == []
    assert follow(outcomes, LATER) == [(0.01, False), (0.02, True), (0.03, True), (0.04, False)]


def test_who_undoes_their_own_edit_reverts_nothing() -> None:
    changes = [edit(1, "a"), edit(2, "b", by="Vic"), edit(3, "a", by="Vic"), LATER]
    assert follow(Outcomes(), *changes) == [(0.01, False), (0.02, False), (0.03, False)]


def test_a_null_edit_reverts_nothing() -> None:
    changes = [edit(1, "a"), edit(2, "b", by="Vic"), edit(3, "b"), LATER]
    assert follow(Outcomes(), *changes) == [(0.01, False), (0.02, False), (0.03, False)]


def test_an_edit_is_kept_after_two_days_by_the_time_of_events_whatever_page_they_are_of() -> None:
    outcomes = Outcomes()
    assert follow(outcomes, edit(1, "a"), edit(2, "b", hours=1)) == []
    assert follow(outcomes, edit(3, "x", page_id=8, hours=48)) == [(0.01, False)]
    assert follow(outcomes, edit(4, "y", page_id=8, hours=49)) == [(0.02, False)]
    # A revert after that changes nothing any more.
    assert follow(outcomes, edit(5, "a", by="Bea", hours=50)) == []


def test_an_edit_that_comes_twice_counts_once() -> None:
    outcomes = Outcomes()
    changes = [edit(1, "a"), edit(2, "b", by="Vic"), edit(2, "b", by="Vic"), edit(3, "a"), edit(3, "a")]
    assert follow(outcomes, *changes, LATER) == [(0.01, False), (0.02, True), (0.03, False)]


def test_of_a_page_that_is_deleted_nothing_is_kept_and_nothing_told() -> None:
    outcomes = Outcomes()
    gone = edit(2, "b", hours=1, kind="delete")
    assert follow(outcomes, edit(1, "a"), gone, edit(3, "x", page_id=8, hours=60)) == []


def test_a_clock_that_is_ahead_settles_nothing() -> None:
    ahead = (datetime.now(UTC) - START) / timedelta(hours=1) + 1000
    outcomes = Outcomes(settled_after=timedelta(days=36_500))
    assert follow(outcomes, edit(1, "a"), edit(2, "x", page_id=8, hours=ahead)) == []


def test_fewer_pages_are_followed_where_there_are_too_many_and_the_shares_stay_right() -> None:
    outcomes = Outcomes(pages_most=50)
    pages = range(1, 2001)

    def changes() -> Iterable[PageChange]:
        for page_id in pages:
            yield edit(10 * page_id, "a", page_id=page_id)
            yield edit(10 * page_id + 1, "b", by="Vic", page_id=page_id)
            if page_id % 4 == 0:
                yield edit(10 * page_id + 2, "a", page_id=page_id)
        yield edit(99_999, "x", page_id=5_000, hours=60)

    found: list[Outcome] = []
    for change in changes():
        found += outcomes.follow(change, {"m": 0.5 if change.revision.rev_id % 10 == 1 else 0.1})
    # Half are let go again and again: what is left is a sample of all, in which a quarter is reverted.
    assert outcomes.one_in >= 32
    assert outcomes.waiting <= 300
    told = [one.was_reverted for one in found if one.probability == 0.5]
    assert len(told) > 20
    assert 0.1 < sum(told) / len(told) < 0.4
