"""Page changes out of the history in a dump."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from batch.compression import open_unpacked
from batch.dump import read_dump
from batch.dump_events import dump_events
from batch.dump_revision import DumpRevision, DumpSite, sha1_base36
from batch.sample_wiki import BUNDLED
from schemas.decode import decode_event
from schemas.errors import SourceError
from schemas.page_change import PageChange, PageChangeKind
from schemas.revision import RevisionUser
from tests.edge_wiki import WIKI, write_edge_wiki


class _Users:
    """Knows that everybody with an account is a bot."""

    def user(self, user_id: int | None, user_text: str) -> RevisionUser:
        return RevisionUser(user_id, user_text, ("bot",) if user_id else ())


class _Nobody:
    """Knows nobody."""

    def user(self, user_id: int | None, user_text: str) -> RevisionUser:
        return RevisionUser(user_id, user_text, is_known=not user_id)


@pytest.fixture
def revisions(tmp_path: Path) -> list[DumpRevision]:
    dump, _ = write_edge_wiki(tmp_path)
    return list(read_dump(dump))


def _changes(events: Iterator[bytes]) -> dict[int, PageChange]:
    changes = [change for change in map(decode_event, events) if isinstance(change, PageChange)]
    assert len({change.event_id for change in changes}) == len(changes)
    return {change.revision.rev_id: change for change in changes}


def test_every_revision_has_an_event_in_the_order_of_ids(revisions: list[DumpRevision]) -> None:
    changes = _changes(dump_events(revisions, _Users()))
    assert list(changes) == sorted(revision.rev_id or 0 for revision in revisions)
    sent = [change.meta_dt for change in changes.values() if change.meta_dt is not None]
    assert len(sent) == len(changes)
    assert sent == sorted(sent)
    # An import is told of when it happens, and bears the time that it bears.
    assert changes[51].meta_dt == changes[40].dt
    assert changes[51].dt.year == 2004
    assert {change.wiki_id for change in changes.values()} == {WIKI}
    assert changes[95].page.page_title == "Río_👋"


def test_an_edit_tells_of_its_parent_and_of_what_it_brings_back(revisions: list[DumpRevision]) -> None:
    changes = _changes(dump_events(revisions, _Users()))
    assert changes[10].page_change_kind is PageChangeKind.CREATE
    assert changes[10].prior_state is None
    assert changes[11].page_change_kind is PageChangeKind.EDIT
    assert {rev_id: change.revision.rev_parent_id for rev_id, change in changes.items()} == {
        revision.rev_id: revision.rev_parent_id for revision in revisions
    }
    null_edit = changes[17]
    assert null_edit.prior_state is not None
    assert (null_edit.prior_state.rev_id, null_edit.prior_state.rev_sha1) == (16, null_edit.revision.rev_sha1)
    restoring = {rev_id: change.revision.restored_rev_id for rev_id, change in changes.items()}
    assert {rev_id: found for rev_id, found in restoring.items() if found} == {19: 17, 23: 18}


def test_the_sha1_is_that_of_the_text_whatever_the_dump_says(revisions: list[DumpRevision]) -> None:
    changes = _changes(dump_events(revisions, _Users()))
    texts = {revision.rev_id: revision.text for revision in revisions}
    for rev_id, change in changes.items():
        text = texts[rev_id]
        assert change.revision.rev_sha1 == (None if text is None else sha1_base36(text.encode()))


def test_what_is_hidden_now_was_shown_when_it_was_saved_as_far_as_the_dump_has_it(
    revisions: list[DumpRevision],
) -> None:
    changes = _changes(dump_events(revisions, _Users(), with_text=True))
    hidden_text, hidden_editor, hidden_comment = (
        changes[14].revision,
        changes[12].revision,
        changes[13].revision,
    )
    assert hidden_text.is_content_visible
    assert hidden_text.text is None
    assert not hidden_editor.is_editor_visible
    assert hidden_editor.editor is None
    assert not hidden_comment.is_comment_visible
    assert hidden_comment.comment is None
    # Nobody is named, and nothing is hidden.
    assert changes[98].revision.is_editor_visible
    assert changes[98].revision.editor is None


def test_events_carry_groups_and_registration_where_they_are_known(revisions: list[DumpRevision]) -> None:
    known = _changes(dump_events(revisions, _Users()))[10]
    assert known.performer == known.revision.editor
    assert known.performer is not None
    assert (known.performer.user_text, known.performer.groups, known.performer.is_bot) == (
        "Ann",
        ("bot",),
        True,
    )
    unknown = _changes(dump_events(revisions, _Nobody()))[10].performer
    assert unknown is not None
    assert (unknown.groups, unknown.registration_dt, unknown.is_bot) == ((), None, None)


def test_texts_are_told_where_they_are_wanted(revisions: list[DumpRevision]) -> None:
    without = _changes(dump_events(revisions, _Users()))
    assert {change.revision.text for change in without.values()} == {None}
    told = _changes(dump_events(revisions, _Users(), with_text=True))
    assert {rev_id: change.revision.text for rev_id, change in told.items()} == {
        revision.rev_id: revision.text for revision in revisions
    }
    assert {change.revision.content_model for change in told.values()} == {
        "wikitext",
        "javascript",
        "json",
        "text",
    }


def test_an_event_that_would_be_too_large_to_read_leaves_its_text_to_the_wiki(
    revisions: list[DumpRevision],
) -> None:
    # JSON takes six bytes for each of these.
    huge = replace(revisions[0], text="\x01" * (3 << 20))
    [event] = dump_events([huge], _Users(), with_text=True)
    change = decode_event(event)
    assert isinstance(change, PageChange)
    assert change.revision.text is None
    assert change.revision.rev_size == 3 << 20


def test_a_dump_from_before_parents_were_told_has_those_above(revisions: list[DumpRevision]) -> None:
    site = DumpSite(wiki_id=WIKI, schema_version="0.3")
    old = [replace(revision, site=site, rev_parent_id=None) for revision in revisions]
    changes = _changes(dump_events(old, _Users()))
    assert [changes[rev_id].revision.rev_parent_id for rev_id in (10, 11, 12, 20, 21)] == [
        None,
        10,
        11,
        None,
        20,
    ]


def test_a_dump_that_does_not_name_its_wiki_is_refused_until_somebody_does(
    revisions: list[DumpRevision],
) -> None:
    nameless = [replace(revision, site=DumpSite()) for revision in revisions]
    with pytest.raises(SourceError, match="does not name its wiki"):
        list(dump_events(nameless, _Users()))
    assert set(_changes(dump_events(nameless, _Users(), wiki_id="mosswiki"))) == {
        revision.rev_id for revision in revisions
    }


def test_the_events_of_the_sample_are_what_its_own_stream_told_of_those_revisions() -> None:
    made = _changes(dump_events(read_dump(BUNDLED.dump), _Nobody()))
    with open_unpacked(BUNDLED.events) as lines:
        recorded = [event for event in map(decode_event, lines) if isinstance(event, PageChange)]
    compared = restored = 0
    for told in recorded:
        change = made.get(told.revision.rev_id)
        if change is None or told.page_change_kind not in (PageChangeKind.CREATE, PageChangeKind.EDIT):
            continue
        compared += 1
        ours, theirs = change.revision, told.revision
        assert (change.wiki_id, change.page.page_id, change.dt) == (told.wiki_id, told.page.page_id, told.dt)
        assert (ours.rev_parent_id, ours.rev_dt, ours.is_minor_edit, ours.content_model) == (
            theirs.rev_parent_id,
            theirs.rev_dt,
            theirs.is_minor_edit,
            theirs.content_model,
        )
        if ours.rev_sha1 is not None:  # It was hidden since.
            assert (ours.rev_sha1, ours.rev_size) == (theirs.rev_sha1, theirs.rev_size)
            if theirs.restored_rev_id is not None:
                restored += 1
                assert ours.restored_rev_id == theirs.restored_rev_id
    assert compared > 1500
    assert restored > 50
