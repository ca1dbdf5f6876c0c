"""What is scored, and with what."""

import itertools

import pytest

from agents.decide import ScoreWith, Skip, SkipReason, decide
from schemas.decode import decode_event
from schemas.page_change import Canary, PageChange
from tests.input_events import encoded, page_change, revision_create
from tests.rows import catalogue

CATALOGUE = catalogue({"mosswiki": ("reverted", "damaging"), "barewiki": ()})
KINDS = ("create", "edit", "move", "delete", "undelete", "visibility_change", "kind_of_later_times")


def change(**fields: object) -> PageChange:
    decoded = decode_event(encoded(page_change(**fields)))
    assert isinstance(decoded, PageChange)
    return decoded


def hidden(*parts: str) -> dict[str, object]:
    visible = {f"is_{part}_visible": part not in parts for part in ("content", "editor", "comment")}
    return {**page_change()["revision"], **visible}


@pytest.mark.parametrize("kind", ["create", "edit", "move"])
def test_a_saved_revision_is_scored_with_all_models_of_its_wiki(kind: str) -> None:
    decision = decide(change(page_change_kind=kind), CATALOGUE)
    assert isinstance(decision, ScoreWith)
    assert decision.models == CATALOGUE.models("mosswiki")


def test_a_revision_create_event_is_scored_like_an_edit() -> None:
    decoded = decode_event(encoded(revision_create()))
    assert isinstance(decide(decoded, CATALOGUE), ScoreWith)


@pytest.mark.parametrize("kind", ["delete", "undelete", "visibility_change", "kind_of_later_times"])
def test_what_saves_no_revision_is_not_scored(kind: str) -> None:
    assert decide(change(page_change_kind=kind), CATALOGUE) == Skip(SkipReason.KIND_NOT_SCORED)


@pytest.mark.parametrize("wiki_id", ["enwiki", "barewiki"])
def test_a_wiki_without_models_is_skipped_whatever_the_kind(wiki_id: str) -> None:
    for kind in KINDS:
        skipped = decide(change(wiki_id=wiki_id, page_change_kind=kind), CATALOGUE)
        assert skipped == Skip(SkipReason.WIKI_UNKNOWN)


def test_hidden_text_is_not_scored() -> None:
    assert decide(change(revision=hidden("content")), CATALOGUE) == Skip(SkipReason.CONTENT_HIDDEN)


def test_a_hidden_editor_or_comment_does_not_keep_the_text_from_being_scored() -> None:
    assert isinstance(decide(change(revision=hidden("editor", "comment")), CATALOGUE), ScoreWith)


def test_a_canary_is_dropped() -> None:
    canary = decode_event(
        encoded(page_change(meta={"domain": "canary", "stream": "mediawiki.page_change.v1"}))
    )
    assert isinstance(canary, Canary)
    assert decide(canary, CATALOGUE) == Skip(SkipReason.CANARY)


def test_every_reason_to_skip_is_given_by_some_event() -> None:
    events: list[PageChange | Canary] = [
        Canary("any"),
        *(
            change(wiki_id=wiki_id, page_change_kind=kind, revision=hidden(*parts))
            for wiki_id, kind, parts in itertools.product(("mosswiki", "enwiki"), KINDS, ((), ("content",)))
        ),
    ]
    given = {decision.reason for event in events if isinstance(decision := decide(event, CATALOGUE), Skip)}
    assert given == set(SkipReason)
