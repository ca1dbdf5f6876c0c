"""Deletions, suppressions and their undoing, over a real embedded log with real tables."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from schemas.erasure import decode_erasure
from schemas.errors import PredictionWithdrawn, RevisionNotFound
from schemas.keys import ERASURE_TOPIC
from schemas.prediction import Score, ScoreFailure
from tests.audit import records
from tests.input_events import encoded, page_change
from tests.pipelines import WIKI, RunningPipeline, edit, pipeline
from tests.until import until

HIDDEN = {f"is_{part}_visible": False for part in ("content", "editor", "comment")}


def act(
    kind: str,
    rev_id: int,
    *,
    minute: int,
    page_id: int = 31,
    revision: dict[str, Any] | None = None,
    is_suppression: bool = False,
    wiki_id: str = WIKI,
) -> bytes:
    """Return what was done at a minute of the hour in which the revisions were saved."""
    event = page_change(page_change_kind=kind, dt=f"2026-11-01T10:{minute:02}:00Z", wiki_id=wiki_id)
    event["page"] = event["page"] | {"page_id": page_id}
    event["revision"] = event["revision"] | {"rev_id": rev_id} | (revision or {})
    event["meta"] = event["meta"] | {
        "dt": f"2026-11-01T10:{minute:02}:01Z",
        "id": f"{kind}-{rev_id}-{minute}",
    }
    del event["prior_state"]
    if is_suppression:
        event["revision"] |= HIDDEN
        del event["performer"]
    return encoded(event)


delete = act("delete", 2, minute=10)
undelete = act("undelete", 2, minute=20)
suppress = act("delete", 2, minute=10, is_suppression=True)
hide = act("visibility_change", 1, minute=10, revision={"is_content_visible": False})
show = act("visibility_change", 1, minute=20)
erase = act("visibility_change", 1, minute=10, is_suppression=True)


async def given_two_edits(given: RunningPipeline, *events: bytes) -> None:
    given.give(edit(1), edit(2), *events)
    await given.until_done()


async def test_a_deletion_hides_a_page_with_all_its_revisions_and_keeps_the_scores(tmp_path: Path) -> None:
    async with pipeline(tmp_path) as given:
        given.give(edit(9, page_id=32))
        await given_two_edits(given, delete)
        assert [given.withdrawn(rev_id) for rev_id in (1, 2, 9)] == ["page", "page", None]
        with pytest.raises(PredictionWithdrawn):
            given.reader.page(WIKI, 31)
        row = given.row(1)
        assert row is not None
        assert row.scores
        assert given.outcomes[-1] == "withdrawn"
        assert given.observed.reports[-1].reason == "page_hidden"


async def test_an_undeletion_shows_again_what_the_deletion_hid_and_scores_nothing_anew(
    tmp_path: Path,
) -> None:
    async with pipeline(tmp_path) as given:
        await given_two_edits(given, delete)
        asked = len(given.content.asked)
        given.give(undelete)
        await given.until_done()
        assert [given.withdrawn(rev_id) for rev_id in (1, 2)] == [None, None]
        page = given.reader.page(WIKI, 31)
        assert page is not None
        assert page.rev_id == 2
        assert len(given.content.asked) == asked
        assert given.outcomes[-1] == "restored"


async def test_a_suppressed_page_is_empty_and_is_scored_anew_once_it_is_back(tmp_path: Path) -> None:
    async with pipeline(tmp_path) as given:
        await given_two_edits(given, suppress)
        assert [given.withdrawn(rev_id) for rev_id in (1, 2)] == ["page", "page"]
        for row in (given.row(1), given.row(2), given.page()):
            assert row is not None
            assert row.scores == ()
        given.give(undelete)
        await given.until_done()
        assert given.withdrawn(2) is None
        # Nothing tells that this one is visible again: it is as if it had never been scored.
        assert given.reader.revision(WIKI, 1) is None
        page = given.reader.page(WIKI, 31)
        assert page is not None
        assert page.rev_id == 2
        assert [request.rev_id for request in given.content.asked] == [1, 2, 2]


async def test_hiding_a_revision_leaves_the_others_and_showing_it_again_needs_no_scoring(
    tmp_path: Path,
) -> None:
    async with pipeline(tmp_path) as given:
        await given_two_edits(given, hide)
        assert [given.withdrawn(rev_id) for rev_id in (1, 2)] == ["revision", None]
        given.give(show)
        await given.until_done()
        assert given.withdrawn(1) is None
        assert len(given.content.asked) == 2


async def test_hiding_the_latest_revision_withdraws_the_page_until_it_is_edited(tmp_path: Path) -> None:
    hide_latest = act("visibility_change", 2, minute=10, revision={"is_editor_visible": False})
    async with pipeline(tmp_path) as given:
        await given_two_edits(given, hide_latest)
        with pytest.raises(PredictionWithdrawn) as caught:
            given.reader.page(WIKI, 31)
        assert caught.value.fields["withdrawn"] == "revision"
        given.give(edit(3))
        await given.until_done()
        page = given.reader.page(WIKI, 31)
        assert page is not None
        assert page.rev_id == 3


async def test_a_suppressed_revision_is_empty_in_both_tables_and_scored_anew_once_visible(
    tmp_path: Path,
) -> None:
    async with pipeline(tmp_path) as given:
        given.give(edit(1), erase)
        await given.until_done()
        assert given.withdrawn(1) == "revision"
        for row in (given.row(1), given.page()):
            assert row is not None
            assert row.scores == ()
        given.give(show)
        await given.until_done()
        assert given.withdrawn(1) is None
        page = given.reader.page(WIKI, 31)
        assert page is not None
        assert page.scores
        assert given.outcomes[-1] == "scored"


@pytest.mark.parametrize(
    "withdrawing", [delete, suppress, hide, erase], ids=["delete", "suppress", "hide", "erase"]
)
async def test_a_late_or_repeated_edit_brings_nothing_back(withdrawing: bytes, tmp_path: Path) -> None:
    async with pipeline(tmp_path) as given:
        await given_two_edits(given, withdrawing)
        before = given.withdrawn(1)
        assert before is not None
        asked, rows = len(given.content.asked), [given.row(1), given.row(2)]
        given.give(edit(1))
        await given.until_done()
        assert given.outcomes[-1] == "skipped"
        assert given.observed.reports[-1].reason == "withdrawn"
        assert given.withdrawn(1) == before
        assert (len(given.content.asked), [given.row(1), given.row(2)]) == (asked, rows)


async def test_a_whole_stream_played_again_ends_as_it_ended(tmp_path: Path) -> None:
    stream = (edit(1), edit(2), erase, delete, undelete, show)
    async with pipeline(tmp_path) as given:
        given.give(*stream)
        await given.until_done()
        shown = [given.withdrawn(rev_id) for rev_id in (1, 2)]
        outcomes = [[score.outcome for score in row.scores] for row in (given.row(1), given.row(2)) if row]
        given.give(*stream)
        await given.until_done()
        assert [given.withdrawn(rev_id) for rev_id in (1, 2)] == shown == [None, None]
        again = [[score.outcome for score in row.scores] for row in (given.row(1), given.row(2)) if row]
        assert again == outcomes


async def test_an_act_that_comes_late_changes_nothing_that_a_later_one_decided(tmp_path: Path) -> None:
    async with pipeline(tmp_path) as given:
        await given_two_edits(given, undelete, delete)
        assert given.withdrawn(2) is None


async def test_an_edit_after_a_deletion_whose_undoing_was_missed_shows_the_page(tmp_path: Path) -> None:
    async with pipeline(tmp_path) as given:
        await given_two_edits(given, delete)
        later = page_change()["meta"] | {"dt": "2026-11-01T11:00:00Z"}
        event = edit(3, meta=later)
        given.give(event)
        await given.until_done()
        assert [given.withdrawn(rev_id) for rev_id in (1, 2, 3)] == [None, None, None]


async def test_a_withdrawal_is_seen_while_slower_events_before_it_are_not_committed(tmp_path: Path) -> None:
    async with pipeline(tmp_path) as given:
        await given_two_edits(given)
        gate = given.content.gates[7] = asyncio.Event()
        given.give(edit(7, page_id=33), delete)
        await until(lambda: given.withdrawn(2) == "page", 5)
        assert given.row(7) is None
        gate.set()
        await given.until_done()
        assert given.withdrawn(2) == "page"


async def test_what_was_hidden_before_a_suppression_is_asked_for_once_and_by_ids_alone(
    tmp_path: Path,
) -> None:
    async with pipeline(tmp_path) as given:
        await given_two_edits(given, delete, erase, suppress)
        requests = [decode_erasure(record.value or b"") for _, record in records(given.log, ERASURE_TOPIC)]
        assert [(each.is_whole_page, each.rev_ids) for each in requests] == [(False, (1,)), (True, (1, 2))]
        assert [each.source_offset for each in requests] == [3, 4]


async def test_a_suppression_on_a_wiki_without_models_is_erased_from_the_log_too(tmp_path: Path) -> None:
    async with pipeline(tmp_path) as given:
        given.give(act("delete", 2, minute=10, is_suppression=True, wiki_id="elsewiki"))
        await given.until_done()
        (request,) = (decode_erasure(record.value or b"") for _, record in records(given.log, ERASURE_TOPIC))
        assert (request.wiki_id, request.page_id) == ("elsewiki", 31)


def same_text(rev_id: int, kind: str = "move", **revision: Any) -> bytes:
    event = page_change(page_change_kind=kind, wiki_id="fernwiki")
    sha1 = event["revision"]["rev_sha1"]
    event["revision"] = event["revision"] | {"rev_id": rev_id, "rev_parent_id": rev_id - 1} | revision
    event["meta"] = event["meta"] | {"id": f"{kind}-{rev_id}"}
    if not revision:
        event["prior_state"] = {"revision": {"rev_id": rev_id - 1, "rev_dt": event["dt"], "rev_sha1": sha1}}
    return encoded(event)


@pytest.mark.parametrize(
    "again",
    [
        lambda: same_text(2),
        lambda: same_text(2, "edit"),
        lambda: same_text(2, "edit", revert={"is_exact": True, "rev_original_id": 1}),
    ],
    ids=["move", "null edit", "exact revert"],
)
async def test_the_same_text_is_scored_only_by_models_that_read_more(
    again: Callable[[], bytes], tmp_path: Path
) -> None:
    async with pipeline(tmp_path) as given:
        given.give(edit(1, wiki_id="fernwiki"), again())
        await given.until_done()
        row = given.row(2, wiki_id="fernwiki")
        assert row is not None
        carried = [score.outcome for score in row.scores if score.model.model_name == "fern"]
        first = given.row(1, wiki_id="fernwiki")
        assert first is not None
        assert carried == [score.outcome for score in first.scores if score.model.model_name == "fern"]
        assert isinstance(carried[0], Score)
        assert [request.rev_id for request in given.content.asked] == [1, 2]
        _, output = given.sent("mediawiki.revision_score_fern")
        assert output["rev_id"] == 2
        assert output["scores"]["fern"]["probability"]["true"] == carried[0].probability["true"]
        assert row.scores[0].provenance.event_id.endswith("-2")


async def test_a_score_is_carried_even_where_the_new_revision_cannot_be_fetched(tmp_path: Path) -> None:
    async with pipeline(tmp_path) as given:
        given.content.failures[2] = [RevisionNotFound("It is gone.")]
        given.give(edit(1, wiki_id="fernwiki"), same_text(2))
        await given.until_done()
        row = given.row(2, wiki_id="fernwiki")
        assert row is not None
        outcomes = {score.model.model_name: score.outcome for score in row.scores}
        assert isinstance(outcomes["fern"], Score)
        assert outcomes["moss"] == ScoreFailure("revision_not_found", "It is gone.")
