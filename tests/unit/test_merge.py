"""Which of two entries stays. That the order of arrival does not matter is in property."""

from datetime import timedelta

import pytest

from schemas.prediction import PredictionRow, ScoreFailure
from tables.merge import merge_page, merge_revision
from tests.rows import REV_DT, binary, row, stored

FAILURE = ScoreFailure("content_unavailable", "the wiki did not answer")


def after(seconds: float) -> timedelta:
    return timedelta(seconds=seconds)


def test_scores_of_different_models_and_versions_stand_side_by_side() -> None:
    old = row(stored("reverted", binary(0.9), model_version="1.0.0"))
    new = row(stored("reverted", binary(0.8), model_version="1.1.0"), stored("damaging", binary(0.1)))
    merged = merge_revision(old, new)
    assert [(each.model.model_name, each.model.model_version) for each in merged.scores] == [
        ("damaging", "1.0.0"),
        ("reverted", "1.0.0"),
        ("reverted", "1.1.0"),
    ]


def test_a_score_beats_a_later_failure() -> None:
    scored = row(stored("reverted", binary(0.9)))
    failed = row(stored("reverted", FAILURE, scored_after=after(99)))
    assert merge_revision(scored, failed) == scored
    assert merge_revision(failed, scored) == scored


@pytest.mark.parametrize("outcomes", [(binary(0.9), binary(0.1)), (FAILURE, ScoreFailure("other", "why"))])
def test_of_two_alike_the_later_stays(outcomes: tuple[ScoreFailure, ScoreFailure]) -> None:
    early = row(stored("reverted", outcomes[0], scored_after=after(1)))
    late = row(stored("reverted", outcomes[1], scored_after=after(2)))
    assert merge_revision(early, late) == late
    assert merge_revision(late, early) == late


def test_two_of_one_moment_are_decided_the_same_way_both_times() -> None:
    one = row(stored("reverted", binary(0.9)))
    other = row(stored("reverted", binary(0.8)))
    assert one != other
    assert merge_revision(one, other) == merge_revision(other, one)


def test_the_first_row_is_put_in_order() -> None:
    arrived = row(
        stored("reverted", FAILURE), stored("damaging", binary(0.2)), stored("reverted", binary(0.9))
    )
    expected = row(stored("damaging", binary(0.2)), stored("reverted", binary(0.9)))
    assert merge_revision(None, arrived) == expected
    assert merge_page(None, arrived) == expected


def test_a_revision_that_moved_to_another_page_takes_the_greater_place() -> None:
    here, there = row(page_id=7), row(page_id=8)
    assert merge_revision(there, here).page_id == merge_revision(here, there).page_id == 8


def test_a_page_goes_to_its_later_revision_and_not_back() -> None:
    old = row(stored("reverted", binary(0.9)), rev_id=11)
    new = row(stored("damaging", binary(0.1)), rev_id=12, rev_dt=REV_DT + after(1))
    assert merge_page(old, new) == new
    assert merge_page(new, old) == new


def test_of_two_revisions_of_one_second_the_greater_id_is_later() -> None:
    assert merge_page(row(rev_id=12), row(rev_id=11)).rev_id == 12
    assert merge_page(row(rev_id=11), row(rev_id=12)).rev_id == 12


def test_an_imported_revision_with_a_greater_id_and_an_older_time_is_not_later() -> None:
    imported = row(rev_id=99, rev_dt=REV_DT - timedelta(days=900))
    assert merge_page(row(rev_id=11), imported).rev_id == 11


def test_scores_of_the_pages_latest_revision_are_merged() -> None:
    merged = merge_page(row(stored("reverted", binary(0.9))), row(stored("damaging", binary(0.1))))
    assert [each.model.model_name for each in merged.scores] == ["damaging", "reverted"]


@pytest.mark.parametrize("other", [row(wiki_id="frwiki"), row(rev_id=1)])
def test_rows_of_different_revisions_are_never_merged(other: PredictionRow) -> None:
    with pytest.raises(ValueError, match="no one row"):
        merge_revision(row(), other)


@pytest.mark.parametrize("other", [row(wiki_id="frwiki"), row(page_id=1)])
def test_rows_of_different_pages_are_never_merged(other: PredictionRow) -> None:
    with pytest.raises(ValueError, match="no one row"):
        merge_page(row(), other)
