"""Identity reverts, by the rules and by their definition."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from models.reverts import PageRevision, RevertRules, ToldRevert, revert_outcomes

START = datetime(2020, 1, 1, tzinfo=UTC)
HOUR = 3600.0


def history(*rows: tuple[str | None, str | None], hours: Sequence[float] | None = None) -> list[PageRevision]:
    """Return a page from text and editor of each revision, an hour apart unless told."""
    times = hours if hours is not None else range(len(rows))
    return [
        PageRevision(number, START + timedelta(hours=hour), sha1, editor)
        for number, ((sha1, editor), hour) in enumerate(zip(rows, times, strict=True), start=1)
    ]


def reverted(revisions: Sequence[PageRevision], rules: RevertRules | None = None) -> dict[int, int]:
    """Return reverting revision by reverted one."""
    return {
        outcome.revision.rev_id: outcome.reverting.rev_id
        for outcome in revert_outcomes(revisions, rules)
        if outcome.revision.rev_id and outcome.reverting and outcome.reverting.rev_id
    }


def test_an_edit_whose_text_somebody_else_undid_is_reverted() -> None:
    page = history(("a", "ann"), ("b", "bob"), ("a", "ann"), ("c", "cem"))
    assert reverted(page) == {2: 3}


def test_all_edits_between_are_undone_at_once() -> None:
    page = history(("a", "ann"), ("b", "bob"), ("c", "cem"), ("d", "bob"), ("a", "dora"))
    assert reverted(page) == {2: 5, 3: 5, 4: 5}


def test_an_edit_that_changes_nothing_reverts_nothing() -> None:
    assert reverted(history(("a", "ann"), ("a", "bob"), ("a", "cem"))) == {}


def test_a_revert_goes_back_to_the_last_revision_of_that_text() -> None:
    page = history(("a", "ann"), ("b", "bob"), ("a", "ann"), ("c", "cem"), ("a", "ann"))
    assert reverted(page) == {2: 3, 4: 5}


def test_an_edit_that_its_own_editor_undid_counts_only_where_asked() -> None:
    page = history(("a", "ann"), ("b", "bob"), ("a", "bob"))
    assert reverted(page) == {}
    assert reverted(page, RevertRules(counts_self_reverts=True)) == {2: 3}


def test_an_edit_that_somebody_else_brought_back_counts_only_where_asked() -> None:
    page = history(("a", "ann"), ("b", "bob"), ("a", "vandal"), ("b", "cem"))
    assert reverted(page) == {3: 4}
    assert reverted(page, RevertRules(counts_restored=True)) == {2: 3, 3: 4}


def test_an_edit_that_its_own_editor_brought_back_stays_reverted() -> None:
    page = history(("a", "ann"), ("b", "bob"), ("a", "ann"), ("b", "bob"), ("c", "cem"))
    assert reverted(page) == {2: 3, 3: 4}


def test_a_restoration_after_the_window_changes_nothing() -> None:
    rows = (("a", "ann"), ("b", "bob"), ("a", "vandal"), ("b", "cem"))
    assert reverted(history(*rows, hours=[0, 1, 2, 49])) == {3: 4}
    assert reverted(history(*rows, hours=[0, 1, 2, 49.1])) == {2: 3, 3: 4}


def test_the_window_ends_with_its_last_second() -> None:
    rows = (("a", "ann"), ("b", "bob"), ("a", "ann"))
    assert reverted(history(*rows, hours=[0, 1, 49])) == {2: 3}
    late = history(*rows, hours=[0, 1, 49 + 1 / 3600])
    assert reverted(late) == {}
    assert reverted(late, RevertRules(window_seconds=None)) == {2: 3}


def test_a_later_revert_by_others_does_not_stand_in_for_a_first_one_by_the_editor() -> None:
    page = history(("x", "ann"), ("a", "ann"), ("b", "bob"), ("a", "bob"), ("x", "cem"))
    assert reverted(page) == {4: 5}


@pytest.mark.parametrize(("between", "expected"), [(2, {2: 4, 3: 4}), (3, {})])
def test_a_revert_undoes_at_most_as_many_as_the_radius(between: int, expected: dict[int, int]) -> None:
    middle = [(f"m{number}", "bob") for number in range(between)]
    page = history(("a", "ann"), *middle, ("a", "ann"))
    assert reverted(page, RevertRules(radius=2)) == expected


def test_hidden_texts_equal_no_other_but_count_as_steps() -> None:
    assert reverted(history((None, "ann"), ("b", "bob"), (None, "ann"))) == {}
    page = history(("a", "ann"), (None, "bob"), ("b", "bob"), ("a", "ann"))
    assert reverted(page) == {2: 4, 3: 4}
    assert reverted(page, RevertRules(radius=1)) == {}


def test_a_hidden_editor_is_somebody_else() -> None:
    assert reverted(history(("a", "ann"), ("b", None), ("a", None))) == {2: 3}


def test_the_word_of_the_wiki_counts_where_the_text_cannot_tell() -> None:
    told = ToldRevert(original_rev_id=1, oldest_rev_id=2, newest_rev_id=3)
    page = history((None, "ann"), ("b", "bob"), ("c", "cem"), ("a", "dora"))
    page[3] = replace(page[3], told=told)
    assert reverted(page) == {2: 4, 3: 4}
    assert reverted(page[1:]) == {2: 4, 3: 4}
    assert reverted(page, RevertRules(radius=1)) == {3: 4}


def test_the_text_is_stronger_than_the_word_of_the_wiki() -> None:
    page = history(("a", "ann"), ("b", "bob"), ("c", "cem"), ("b", "dora"))
    page[3] = replace(page[3], told=ToldRevert(original_rev_id=1, oldest_rev_id=2, newest_rev_id=3))
    assert reverted(page) == {3: 4}


def test_an_edit_that_the_wiki_says_somebody_else_brought_back_is_not_reverted() -> None:
    page = history(("a", "ann"), (None, "bob"), ("a", "vandal"), (None, "cem"))
    page[3] = replace(page[3], told=ToldRevert(original_rev_id=2, oldest_rev_id=3, newest_rev_id=3))
    assert reverted(page) == {3: 4}


@pytest.mark.parametrize("rules", [{"radius": 0}, {"window_seconds": -1.0}])
def test_rules_out_of_range_are_refused(rules: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="radius"):
        RevertRules(**rules)  # type: ignore[arg-type] # out of range on purpose


def test_an_outcome_is_given_as_soon_as_nothing_can_change_it() -> None:
    read = 0

    def endless() -> Iterator[PageRevision]:
        nonlocal read
        while True:
            read += 1
            yield PageRevision(read, START, str(read), "bob")

    outcomes = revert_outcomes(endless(), RevertRules(radius=4))
    for number in range(1, 100):
        assert next(outcomes).revision.rev_id == number
        assert read == number + 5


def by_definition(page: Sequence[PageRevision], rules: RevertRules) -> dict[int, int]:
    """Return what is reverted, by the sentences of the module and without any cleverness."""
    target: dict[int, int] = {}
    for j, one in enumerate(page):
        same = [i for i in range(j) if one.sha1 is not None and page[i].sha1 == one.sha1]
        if same and 1 <= j - max(same) - 1 <= rules.radius:
            target[j] = max(same)

    def in_time(edit: int, later: int) -> bool:
        seconds = (page[later].rev_dt - page[edit].rev_dt).total_seconds()
        return rules.window_seconds is None or seconds <= rules.window_seconds

    def is_self(edit: int, later: int) -> bool:
        return page[edit].editor is not None and page[edit].editor == page[later].editor

    found = {}
    for k, edit in enumerate(page):
        undoing = [j for j, i in target.items() if i < k < j]
        restoring = [
            j
            for j, i in target.items()
            if i == k and j - k <= rules.radius and in_time(k, j) and not is_self(k, j)
        ]
        if (
            undoing
            and in_time(k, min(undoing))
            and (rules.counts_self_reverts or not is_self(k, min(undoing)))
            and (rules.counts_restored or not restoring)
        ):
            found[edit.rev_id or 0] = page[min(undoing)].rev_id or 0
    return found


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["a", "b", "c", None]),
            st.sampled_from(["ann", "bob", "cem", None]),
            st.sampled_from([0.0, 0.5, 1.0, 5.0]),
        ),
        max_size=16,
    ),
    st.integers(1, 5),
    st.sampled_from([None, 0.0, 1.0, 6.0]),
    st.booleans(),
    st.booleans(),
)
def test_outcomes_are_those_of_the_definition(
    rows: list[tuple[str | None, str | None, float]],
    radius: int,
    window_hours: float | None,
    counts_self_reverts: bool,
    counts_restored: bool,
) -> None:
    hours, total = [], 0.0
    for _sha1, _editor, gap in rows:
        total += gap
        hours.append(total)
    page = history(*((sha1, editor) for sha1, editor, _gap in rows), hours=hours)
    rules = RevertRules(
        radius=radius,
        window_seconds=None if window_hours is None else window_hours * HOUR,
        counts_self_reverts=counts_self_reverts,
        counts_restored=counts_restored,
    )
    assert reverted(page, rules) == by_definition(page, rules)
    assert [outcome.revision for outcome in revert_outcomes(page, rules)] == page
