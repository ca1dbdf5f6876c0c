"""What is decided about every kind of page change, and that README.md says so."""

import re
from datetime import datetime

import pytest
from msgspec.structs import replace

from agents.decide import (
    Known,
    Restore,
    Scope,
    ScoreWith,
    Skip,
    SkipReason,
    Withdraw,
    decide,
    same_text_rev_id,
)
from schemas.decode import decode_event
from schemas.page_change import PageChange
from schemas.prediction import ScoreFailure, Withdrawal
from tests.conftest import ROOT
from tests.decisions import ALL, CASES, CATALOGUE, MODELS, WIKI, Case, change, held
from tests.rows import stored

LATER = datetime.fromisoformat("2026-12-01T00:00:00Z")
EARLIER = datetime.fromisoformat("2026-10-01T00:00:00Z")


def decoded(value: bytes) -> PageChange:
    event = decode_event(value)
    assert isinstance(event, PageChange)
    return event


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.change)
def test_every_row_of_the_table_is_decided_as_it_says(case: Case) -> None:
    assert decide(decode_event(case.value), case.catalogue, case.known) == case.decided


def test_the_table_in_the_readme_is_the_table_of_the_tests() -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    table = text.split("<!-- decisions -->")[1].split("<!-- end of decisions -->")[0]
    rows = re.findall(r"^\| (.+?) \| (.+?) \|$", table, re.MULTILINE)
    assert rows[2:] == [(case.change, case.decision) for case in CASES]


def test_every_reason_to_skip_and_every_decision_is_in_the_table() -> None:
    decided = [case.decided for case in CASES]
    # Rules come on top of the table.
    assert {each.reason for each in decided if isinstance(each, Skip)} == set(SkipReason) - {
        SkipReason.NO_RULE
    }
    assert {type(each) for each in decided} == {Skip, ScoreWith, Withdraw, Restore}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.change)
def test_nothing_is_scored_or_hidden_on_a_wiki_without_models(case: Case) -> None:
    event = decode_event(case.value)
    if isinstance(event, PageChange):
        decision = decide(replace(event, wiki_id="fernwiki"), CATALOGUE)
        if event.is_suppression:
            assert isinstance(decision, Withdraw)
        else:
            assert decision == Skip(SkipReason.WIKI_UNKNOWN)


def test_what_a_wiki_keeps_from_the_time_it_had_models_is_withdrawn_all_the_same() -> None:
    deleted = decoded(change("delete", wiki_id="fernwiki"))
    assert decide(deleted, CATALOGUE, Known(page=held())) == Withdraw(Scope.PAGE)


@pytest.mark.parametrize("known", [Known(page=held(hidden_at=LATER)), Known(revision=held(hidden_at=LATER))])
def test_an_edit_that_comes_late_does_not_bring_back_what_was_withdrawn_since(known: Known) -> None:
    assert decide(decoded(change("edit")), CATALOGUE, known) == Skip(SkipReason.WITHDRAWN)


def test_an_edit_that_comes_late_and_tells_what_was_suppressed_is_erased_itself() -> None:
    erased = held(scores=(), withdrawal=Withdrawal(True, LATER, 0, erased_dt=LATER))
    expected = Skip(SkipReason.WITHDRAWN, is_erased=True)
    assert decide(decoded(change("edit")), CATALOGUE, Known(revision=erased)) == expected


def test_a_suppression_that_was_undone_since_does_not_keep_a_late_edit_from_being_scored() -> None:
    shown = held(scores=(), withdrawal=Withdrawal(False, LATER, 0, erased_dt=EARLIER))
    assert decide(decoded(change("edit")), CATALOGUE, Known(page=shown)) == ALL


def test_an_undeletion_leaves_a_revision_hidden_that_was_hidden_by_itself() -> None:
    known = Known(
        page=held(hidden_at=EARLIER), revision=held(scores=(), withdrawal=Withdrawal(True, EARLIER, 0))
    )
    assert decide(decoded(change("undelete")), CATALOGUE, known) == Restore(Scope.PAGE)


@pytest.mark.parametrize(
    "same_text",
    [
        None,
        held(5001, scores=()),
        held(5001, hidden_at=EARLIER),
        held(5001, scores=(stored("articlequality", ScoreFailure("feature_error", "why")),)),
        held(
            5001,
            scores=(replace(held().scores[0], model=replace(held().scores[0].model, model_version="2")),),
        ),
    ],
    ids=["unknown", "erased", "hidden", "failed", "of another version"],
)
def test_only_a_visible_score_of_the_very_model_is_carried(same_text: object) -> None:
    sha1 = "0aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
    prior = {"revision": {"rev_id": 5001, "rev_dt": "2026-10-31T09:00:00Z", "rev_sha1": sha1}}
    moved = decoded(change("move", prior_state=prior))
    assert same_text_rev_id(moved) == 5001
    assert decide(moved, CATALOGUE, Known(same_text=same_text)) == ALL  # type: ignore[arg-type]  # rows, or None


@pytest.mark.parametrize(
    ("kind", "revision", "prior", "expected"),
    [
        ("edit", {}, {"rev_id": 5001, "rev_sha1": "0bbb"}, None),
        ("move", {}, {"rev_id": 5001, "rev_sha1": "0bbb"}, None),
        ("edit", {}, {"rev_id": 5001}, None),
        ("edit", {"rev_sha1": None}, {"rev_id": 5001}, None),
        ("edit", {"revert": {"is_exact": False, "rev_original_id": 4990}}, {"rev_id": 5001}, None),
        ("edit", {"revert": {"is_exact": True, "rev_original_id": 4990}}, {"rev_id": 5001}, 4990),
        ("delete", {"revert": {"is_exact": True, "rev_original_id": 4990}}, {"rev_id": 5001}, None),
    ],
)
def test_a_text_is_the_same_only_where_the_event_says_so(
    kind: str, revision: dict[str, object], prior: dict[str, object], expected: int | None
) -> None:
    value = change(kind, revision=revision, prior_state={"revision": prior})
    assert same_text_rev_id(decoded(value)) == expected


def test_a_content_model_that_only_some_models_read_costs_the_others_nothing() -> None:
    reads_items = replace(MODELS["damaging"], content_models=("wikibase-item",))
    catalogue = replace(CATALOGUE, wikis={WIKI: {**MODELS, "damaging": reads_items}})
    items = {"content_slots": {"main": {"content_model": "wikibase-item"}}}
    decision = decide(decoded(change("edit", revision=items)), catalogue)
    assert isinstance(decision, ScoreWith)
    assert decision.refused == {"articlequality"}


def test_a_null_edit_that_changes_the_content_model_carries_nothing_to_models_that_do_not_read_it() -> None:
    sha1 = "0aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
    prior = {"revision": {"rev_id": 5001, "rev_dt": "2026-10-31T09:00:00Z", "rev_sha1": sha1}}
    now = {"rev_sha1": sha1, "content_slots": {"main": {"content_model": "javascript"}}}
    changed = decoded(change("edit", revision=now, prior_state=prior))
    assert same_text_rev_id(changed) == 5001
    decision = decide(changed, CATALOGUE, Known(same_text=held(5001)))
    assert decision == ScoreWith(MODELS, refused=frozenset(MODELS))


def test_a_hidden_editor_or_comment_does_not_keep_the_text_of_a_new_revision_from_being_scored() -> None:
    hidden = {"is_editor_visible": False, "is_comment_visible": False}
    assert decide(decoded(change("edit", revision=hidden)), CATALOGUE) == ALL
