"""Revisions out of their events: what they hold, and what is still asked of the wiki."""

import dataclasses
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from agents.known_texts import KnownTexts
from agents.mediawiki import MediaWikiSettings, MediaWikiSource
from agents.told_content import ToldContent
from agents.told_revision import told_revision
from schemas.decode import decode_event
from schemas.errors import ParentNotFound
from schemas.keys import PAGE_CONTENT_CHANGE_TOPIC
from schemas.page_change import PageChange
from schemas.prediction import ScoreFailure
from schemas.revision import ParentRevision, Revision, RevisionRequest, RevisionUser
from tests.input_events import encoded, page_change, user
from tests.mediawiki_api import USER_AGENT, MediaWikiApi, WikiRevision, WikiUser
from tests.pipelines import WIKI, edit, pipeline, told_edit
from tests.unit.test_withdrawals import act

TEXT = "Moss grows\nslowly."


def content_change(**fields: Any) -> bytes:
    """Return an edit that carries its text; keyword arguments replace fields of the revision."""
    event = page_change()
    event["meta"]["stream"] = PAGE_CONTENT_CHANGE_TOPIC
    event["revision"]["content_slots"]["main"]["content_body"] = TEXT
    event["revision"] |= fields
    return encoded(event)


def told(value: bytes) -> Revision | None:
    change = decode_event(value)
    assert isinstance(change, PageChange)
    return told_revision(change)


PARENT = WikiRevision(5001, "Moss.", page_id=31, title="Talk:Moss", namespace_id=1, user="Fern", user_id=5)
SAVED = WikiRevision(
    5002,
    TEXT,
    parent_id=5001,
    page_id=31,
    title="Talk:Moss",
    namespace_id=1,
    timestamp="2026-11-01T10:00:00Z",
    user="Mossy Stone",
    user_id=4711,
    comment="a word on moss",
)
EDITOR = WikiUser(4711, "Mossy Stone", ("editor", "*", "user"), "2019-05-04T03:02:01Z")
ASKED = RevisionRequest(WIKI, 5002, 5001, "moss.example.org")


@asynccontextmanager
async def content_over(api: MediaWikiApi) -> AsyncIterator[tuple[ToldContent, KnownTexts]]:
    known = KnownTexts(1 << 20)
    async with api.serving():
        wiki = MediaWikiSource(MediaWikiSettings(user_agent=USER_AGENT, url_template=api.url))
        try:
            yield ToldContent(wiki, known), known
        finally:
            await wiki.close()


@pytest.mark.parametrize(
    ("saved", "fields"),
    [
        (SAVED, {}),
        (dataclasses.replace(SAVED, is_comment_hidden=True), {"is_comment_visible": False}),
        (dataclasses.replace(SAVED, is_user_hidden=True), {"is_editor_visible": False}),
        (
            dataclasses.replace(SAVED, user="203.0.113.7", user_id=0),
            {"editor": {"user_text": "203.0.113.7", "groups": ["*"]}},
        ),
    ],
    ids=["all visible", "comment hidden", "editor hidden", "no account"],
)
async def test_an_event_tells_what_the_wiki_would(saved: WikiRevision, fields: dict[str, Any]) -> None:
    api = MediaWikiApi([PARENT, saved], [EDITOR])
    revision = told(content_change(**fields))
    assert revision is not None
    async with content_over(api) as (content, _):
        asked = await content.get(ASKED)
        assert await content.get(replace(ASKED, told=revision)) == asked
        assert [request.get("revids") for request in api.requests if "revids" in request][-1] == "5001"


async def test_a_parent_that_went_by_is_not_asked_for() -> None:
    api = MediaWikiApi([PARENT, SAVED], [EDITOR])
    async with content_over(api) as (content, known):
        kept = ParentRevision(
            "Moss.", datetime(2026, 1, 1, tzinfo=UTC), RevisionUser(5, "Fern", is_known=False)
        )
        known.keep(WIKI, 31, 5001, kept, mark=known.mark())
        revision = await content.get(replace(ASKED, told=told(content_change())))
        assert api.requests == []
        assert revision == await content.get(ASKED)


async def test_a_first_revision_asks_the_wiki_for_nothing() -> None:
    api = MediaWikiApi()
    async with content_over(api) as (content, _):
        revision = await content.get(replace(ASKED, told=told(content_change(rev_parent_id=0))))
        assert (revision.text, revision.parent_text, revision.rev_parent_id) == (TEXT, None, None)
        assert api.requests == []


async def test_a_parent_that_the_wiki_hides_is_named_as_missing() -> None:
    api = MediaWikiApi([dataclasses.replace(PARENT, is_text_hidden=True), SAVED], [EDITOR])
    async with content_over(api) as (content, _):
        asked = replace(ASKED, told=told(content_change()))
        with pytest.raises(ParentNotFound) as caught:
            await content.get(asked)
        # Told or fetched, those who can do without it get the same.
        for each in (asked, ASKED):
            found = await content.get(replace(each, may_lack_parent=True))
            assert (found.text, found.rev_parent_id, found.parent_text) == (TEXT, asked.rev_parent_id, None)
            assert found.parent_failure == ScoreFailure(ParentNotFound.code, caught.value.message)


@pytest.mark.parametrize(
    "fields",
    [
        {"content_slots": {"main": {"content_model": "wikitext"}}},
        {"content_slots": {"main": {"content_body": TEXT}}},
        {"content_slots": {"mediainfo": {"content_model": "json", "content_body": TEXT}}},
        {"is_content_visible": False},
        {"editor": user(groups=[])},
        {"editor": {"user_id": 4711, "groups": ["*", "user"]}},
    ],
    ids=["no text", "no content model", "another slot", "hidden text", "no groups", "no name"],
)
def test_an_event_that_leaves_something_out_tells_no_revision(fields: dict[str, Any]) -> None:
    assert told(content_change(**fields)) is None


def test_an_editor_left_out_is_the_performer() -> None:
    event = page_change()
    event["revision"]["content_slots"]["main"]["content_body"] = TEXT
    del event["revision"]["editor"]
    revision = told(encoded(event))
    assert revision is not None
    assert revision.user is not None
    assert revision.user.user_text == "Mossy Stone"


async def test_edits_that_carry_their_texts_are_scored_without_asking_for_them(tmp_path: Path) -> None:
    async with pipeline(tmp_path) as given:
        given.give(told_edit(1, "Moss."), told_edit(2, "Moss grows."), told_edit(4, "Moss grows slowly."))
        await given.until_done()
        assert given.outcomes == ["scored"] * 3
        assert given.content.asked == []
        # The parent of 2 went by, that of 4 did not; 1 has none.
        assert given.content.asked_parents == [3]


async def test_a_text_that_no_rule_scores_is_the_parent_of_the_next(tmp_path: Path) -> None:
    rules = "rules: {small: {topics: [/.*/], match: {revision: {rev_id: 3}}}}"
    async with pipeline(tmp_path, rules=rules) as given:
        given.give(told_edit(2, "Moss."), told_edit(3, "Moss grows."))
        await given.until_done()
        assert given.outcomes == ["skipped", "scored"]
        assert given.content.asked_parents == []


@pytest.mark.parametrize(
    "withdrawal",
    [
        act("visibility_change", 2, minute=10, revision={"is_content_visible": False}),
        act("visibility_change", 2, minute=10, is_suppression=True),
        act("delete", 2, minute=10),
        act("delete", 2, minute=10, is_suppression=True),
    ],
    ids=["hidden", "suppressed", "deleted", "page suppressed"],
)
async def test_a_text_that_is_withdrawn_is_forgotten_and_comes_back_by_no_repetition(
    tmp_path: Path, withdrawal: bytes
) -> None:
    async with pipeline(tmp_path) as given:
        given.give(told_edit(2, "Moss."))
        await given.until_done()
        assert given.texts.get(WIKI, 2) is not None
        given.give(withdrawal, told_edit(2, "Moss."))
        await given.until_done()
        assert given.texts.get(WIKI, 2) is None
        assert given.texts.status().size_bytes == 0


async def test_a_text_is_fetched_where_an_event_carries_none_and_kept_once_others_do(tmp_path: Path) -> None:
    async with pipeline(tmp_path) as given:
        given.give(edit(1))
        await given.until_done()
        assert given.texts.status().size_bytes == 0
        given.give(told_edit(2, "Moss."), edit(3), told_edit(4, "Moss grows."))
        await given.until_done()
        assert [request.rev_id for request in given.content.asked] == [1, 3]
        assert given.content.asked_parents == [1]
