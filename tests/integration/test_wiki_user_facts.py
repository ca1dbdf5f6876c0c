"""Facts on accounts out of a wiki, asked in few queries."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from threading import Event, Thread

import pytest
from msgspec.structs import replace

from agents.mediawiki import MediaWikiSettings
from agents.mediawiki_client import ClientLimits
from app.user_facts import wiki_user_source
from batch.backfill.backfill import begin
from batch.backfill.planning import Wish
from batch.backfill.users import WIKI, open_users, users_file
from batch.dump_inputs import list_inputs, split_input
from batch.snapshot_draft import SnapshotDraft
from batch.user_asking import ask_about_editors
from batch.user_facts import UserFacts
from batch.user_facts_file import build_user_facts
from schemas.errors import ContentUnavailable
from schemas.revision import RevisionUser
from tests.backfill_runs import MODELS, write_dump
from tests.dump_documents import document, page
from tests.mediawiki_api import USER_AGENT, MediaWikiApi, WikiUser


@contextmanager
def served(api: MediaWikiApi) -> Iterator[MediaWikiSettings]:
    """Serve a wiki from a thread of its own, since whoever asks here does not give up its thread."""
    is_up, is_done = Event(), Event()

    async def serve() -> None:
        async with api.serving():
            is_up.set()
            await asyncio.to_thread(is_done.wait)

    thread = Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    try:
        assert is_up.wait(20)
        yield MediaWikiSettings(
            user_agent=USER_AGENT,
            url_template=api.url,
            domains={"enwiki": "en.example.org"},
            limits=ClientLimits(max_attempts=1),
        )
    finally:
        is_done.set()
        thread.join(20)


def test_what_no_table_tells_is_asked_fifty_at_a_time_and_kept(tmp_path: Path) -> None:
    known = [WikiUser(number, f"User {number}", ("*", "bot"), None) for number in range(1, 121)]
    api = MediaWikiApi(users=[*known, WikiUser(121, "Hidden", is_hidden=True)])
    editors = [(number, f"User {number}") for number in range(1, 121)]
    path = tmp_path / "facts.sqlite"
    build_user_facts(path, [])
    with served(api) as settings, wiki_user_source(settings, "enwiki") as wiki:
        facts = UserFacts(path, source=wiki)
        facts.prepare([*editors, (121, "Hidden"), (122, "Gone"), (None, "192.0.2.1")])
        facts.prepare(editors)
        facts.close()
    assert len(api.requests) == 3
    again = UserFacts(path)
    assert [again.user(*editor) for editor in editors] == [
        RevisionUser(number, name, ("*", "bot")) for number, name in editors
    ]
    assert not again.user(121, "Hidden").is_known
    assert not again.user(122, "Gone").is_known
    again.close()


def test_the_editors_of_a_dump_are_asked_about_before_it_is_scored(tmp_path: Path) -> None:
    path, dump = tmp_path / "facts.sqlite", tmp_path / "dump.xml"
    build_user_facts(path, [])
    # It breaks off: what is there counts, and whoever scores it says so.
    dump.write_text(document([page(1, ["a", "b"])]).removesuffix("</mediawiki>"))
    with (
        served(MediaWikiApi(users=[WikiUser(3, "Ann", ("bot",))])) as settings,
        wiki_user_source(settings, "enwiki") as wiki,
    ):
        (one,) = list_inputs([str(dump)])
        ask_about_editors(path, wiki, split_input(one, 1 << 20))
    facts = UserFacts(path)
    assert facts.user(3, "Ann").groups == ("bot",)
    facts.close()


def test_a_backfill_asks_the_wiki_where_it_is_named_among_the_sources(tmp_path: Path) -> None:
    api = MediaWikiApi(users=[WikiUser(3, "Ann", ("bot",))])
    wish = Wish(snapshot="one", sources=(str(write_dump(tmp_path, [["a"], ["b"]])),), users=(WIKI,))
    with served(api) as settings:
        reached = replace(settings, domains={"testwiki": "test.example.org"})
        for _ in range(2):
            # What was asked before a run broke off is not asked again.
            with SnapshotDraft(tmp_path, "one") as draft:
                plan = begin(draft, wish, MODELS, partial(wiki_user_source, reached))
                known = open_users(users_file(plan, draft.path))(3, "Ann")
    assert known == RevisionUser(3, "Ann", ("bot",), datetime(2010, 1, 1, tzinfo=UTC))
    assert len(api.requests) == 1


def test_a_date_of_registration_is_taken_over(tmp_path: Path) -> None:
    path = tmp_path / "facts.sqlite"
    build_user_facts(path, [])
    with served(MediaWikiApi(users=[WikiUser(7)])) as settings, wiki_user_source(settings, "enwiki") as wiki:
        facts = UserFacts(path, source=wiki)
        facts.prepare([(7, "Editor")])
        assert facts.user(7, "Editor").registration_dt == datetime(2010, 1, 1, tzinfo=UTC)
        facts.close()


def test_a_wiki_that_does_not_answer_is_an_error_and_nothing_is_taken_for_known(tmp_path: Path) -> None:
    path = tmp_path / "facts.sqlite"
    build_user_facts(path, [])
    api = MediaWikiApi()
    with served(api) as settings:
        pass
    with wiki_user_source(settings, "enwiki") as wiki:
        facts = UserFacts(path, source=wiki)
        with pytest.raises(ContentUnavailable):
            facts.prepare([(7, "Editor")])
        assert not facts.user(7, "Editor").is_known
        facts.close()
