import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest
from msgspec.structs import replace

from agents.content import RevisionSource
from agents.mediawiki import MediaWikiSettings, MediaWikiSource
from schemas.errors import (
    ContentError,
    ContentTooLarge,
    ContentUnavailable,
    ParentNotFound,
    RevisionDeleted,
    RevisionNotFound,
    RevisionSuppressed,
    SettingsError,
)
from schemas.revision import Revision, RevisionRequest, RevisionUser
from tests.mediawiki_api import USER_AGENT, MediaWikiApi, WikiRevision, WikiUser
from tests.until import until

Ask = Callable[..., Awaitable[object]]


def request_for(rev_id: int, parent_id: int | None = None, domain: str = "en.example.org") -> RevisionRequest:
    return RevisionRequest("enwiki", rev_id, parent_id, domain)


@asynccontextmanager
async def source_over(api: MediaWikiApi, **settings: object) -> AsyncIterator[MediaWikiSource]:
    async with api.serving():
        source = MediaWikiSource(
            MediaWikiSettings(user_agent=USER_AGENT, url_template=api.url, **settings)  # type: ignore[arg-type]  # any of its fields
        )
        try:
            yield source
        finally:
            await source.close()


def asked_rev_ids(request: dict[str, str]) -> list[int]:
    return sorted(int(number) for number in request.get("revids", "").split("|") if number)


async def test_a_revision_comes_with_its_parent_and_its_editor() -> None:
    api = MediaWikiApi(
        [
            WikiRevision(10, "before", timestamp="2026-01-01T00:00:00Z"),
            WikiRevision(
                11,
                "after",
                parent_id=10,
                page_id=5,
                title="Talk:Some page",
                namespace_id=1,
                timestamp="2026-01-02T03:04:05Z",
                comment="why",
            ),
        ],
        [WikiUser(7, groups=("user", "*", "sysop"))],
    )
    async with source_over(api) as source:
        typed: RevisionSource = source
        revision = await typed.get(request_for(11, 10))
    assert (revision.wiki_id, revision.page_id, revision.page_title) == ("enwiki", 5, "Talk:Some page")
    assert (revision.namespace_id, revision.rev_id, revision.rev_parent_id) == (1, 11, 10)
    assert (revision.text, revision.parent_text, revision.comment) == ("after", "before", "why")
    assert revision.rev_dt == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert revision.parent_dt == datetime(2026, 1, 1, tzinfo=UTC)
    assert revision.content_model == "wikitext"
    assert revision.user == RevisionUser(
        7, "Editor", ("*", "sysop", "user"), datetime(2010, 1, 1, tzinfo=UTC)
    )


async def test_twenty_five_revisions_and_their_parents_are_one_query() -> None:
    api = MediaWikiApi(
        [WikiRevision(n, f"text {n}", parent_id=n - 100 if n > 100 else 0) for n in range(1, 200)]
    )
    async with source_over(api) as source:
        revisions = await asyncio.gather(*(source.get(request_for(n, n - 100)) for n in range(101, 126)))
    assert [revision.parent_text for revision in revisions] == [f"text {n}" for n in range(1, 26)]
    with_revisions = [request for request in api.requests if "revids" in request]
    assert len(with_revisions) == 1
    assert asked_rev_ids(with_revisions[0]) == [*range(1, 26), *range(101, 126)]
    # The editor, the same for all, is asked for once.
    assert [request["ususerids"] for request in api.requests if "ususerids" in request] == ["7"]
    assert len(api.requests) == 2


async def test_more_than_fifty_ids_are_spread_over_full_queries() -> None:
    api = MediaWikiApi([WikiRevision(n) for n in range(1, 121)])
    async with source_over(api) as source:
        await asyncio.gather(*(source.get(request_for(n)) for n in range(1, 121)))
    sizes = sorted(len(asked_rev_ids(request)) for request in api.requests if "revids" in request)
    assert sum(sizes) == 120
    assert max(sizes) == 50
    assert len(sizes) <= 4


async def test_a_revision_wanted_twice_is_asked_for_once() -> None:
    api = MediaWikiApi([WikiRevision(1), WikiRevision(2, parent_id=1)])
    async with source_over(api) as source:
        first, second, third = await asyncio.gather(
            source.get(request_for(2, 1)), source.get(request_for(2, 1)), source.get(request_for(1))
        )
    assert first == second
    assert third.rev_id == 1
    assert [asked_rev_ids(request) for request in api.requests if "revids" in request] == [[1, 2]]


async def test_wikis_are_asked_at_their_own_hosts() -> None:
    api = MediaWikiApi([WikiRevision(1)])
    async with source_over(api, domains={"dewiki": "de.example.org"}) as source:
        await asyncio.gather(
            source.get(request_for(1)), source.get(RevisionRequest("dewiki", 1)), source.get(request_for(1))
        )
    assert sorted(set(api.paths)) == ["/de.example.org/w/api.php", "/en.example.org/w/api.php"]


async def test_a_parent_that_only_the_revision_names_is_fetched_in_a_second_query() -> None:
    api = MediaWikiApi([WikiRevision(1, "old"), WikiRevision(2, "new", parent_id=1)])
    async with source_over(api) as source:
        revision = await source.get(request_for(2))
    assert (revision.rev_parent_id, revision.parent_text) == (1, "old")
    assert [asked_rev_ids(request) for request in api.requests] == [[2], [1]]
    # The editor shares the second query.
    assert api.requests[1]["ususerids"] == "7"


async def test_an_editor_whom_the_event_names_shares_the_query_of_the_revision() -> None:
    api = MediaWikiApi(
        [WikiRevision(1), WikiRevision(2, parent_id=1)], [WikiUser(7, groups=("sysop",)), WikiUser(8)]
    )
    async with source_over(api) as source:
        named, other = [await source.get(replace(request_for(2, 1), user_id=user_id)) for user_id in (7, 8)]
    assert named == other, "the wiki is believed about who saved it, and not the event"
    assert named.user is not None
    assert named.user.groups == ("sysop",)
    assert [request.get("ususerids") for request in api.requests] == ["7", "8", "7"]
    assert [asked_rev_ids(request) for request in api.requests] == [[1, 2], [1, 2], []]


async def test_an_editor_whom_the_wiki_hides_is_not_told_though_the_event_names_one() -> None:
    api = MediaWikiApi([WikiRevision(1, is_user_hidden=True)], [WikiUser(7)])
    async with source_over(api) as source:
        assert (await source.get(replace(request_for(1), user_id=7))).user is None


async def test_the_wiki_is_believed_about_the_parent_and_not_the_event() -> None:
    api = MediaWikiApi([WikiRevision(1, "wrong"), WikiRevision(2, "right"), WikiRevision(3, parent_id=2)])
    async with source_over(api) as source:
        revision = await source.get(request_for(3, 1))
    assert (revision.rev_parent_id, revision.parent_text) == (2, "right")


async def test_a_first_revision_has_no_parent_even_if_the_event_names_one() -> None:
    api = MediaWikiApi([WikiRevision(3, parent_id=0)])
    async with source_over(api) as source:
        revision = await source.get(request_for(3, 2))
    assert (revision.rev_parent_id, revision.parent_text, revision.parent_dt) == (None, None, None)


async def test_an_answer_in_several_parts_is_put_together() -> None:
    api = MediaWikiApi([WikiRevision(n, "x" * 1000) for n in range(1, 21)], most_text_bytes=3000)
    async with source_over(api) as source:
        revisions = await asyncio.gather(*(source.get(request_for(n)) for n in range(1, 21)))
    assert [revision.rev_id for revision in revisions] == list(range(1, 21))
    continued = [request["rvcontinue"] for request in api.requests if "rvcontinue" in request]
    assert continued == ["4", "7", "10", "13", "16", "19"]


@pytest.mark.parametrize(
    ("row", "kind"),
    [
        (None, RevisionNotFound),
        (WikiRevision(2, is_text_hidden=True), RevisionDeleted),
        (WikiRevision(2, is_text_hidden=True, is_suppressed=True), RevisionSuppressed),
        (WikiRevision(2, parent_id=1), ParentNotFound),
        (WikiRevision(2, is_text_lost=True), ContentUnavailable),
        (WikiRevision(2, "ä" * 600), ContentTooLarge),
    ],
)
async def test_each_reason_for_no_content_has_its_own_error_and_spoils_no_other_revision(
    row: WikiRevision | None, kind: type[ContentError]
) -> None:
    rows = [WikiRevision(3, "fine"), *([row] if row else [])]
    async with source_over(MediaWikiApi(rows), max_text_bytes=1000) as source:
        bad, fine = await asyncio.gather(
            source.get(request_for(2)), source.get(request_for(3)), return_exceptions=True
        )
    assert type(bad) is kind
    assert bad.fields["wiki_id"] == "enwiki"
    assert bad.fields["rev_id"] == 2
    assert bad.retryable is (kind is ContentUnavailable)
    assert not isinstance(fine, BaseException)
    assert fine.text == "fine"


@pytest.mark.parametrize(
    "parent",
    [
        WikiRevision(1, is_text_hidden=True),
        WikiRevision(1, is_text_hidden=True, is_suppressed=True),
        None,
    ],
)
async def test_a_missing_or_hidden_parent_is_told_apart_from_the_revision_itself(
    parent: WikiRevision | None,
) -> None:
    rows = [WikiRevision(2, parent_id=1), *([parent] if parent else [])]
    async with source_over(MediaWikiApi(rows)) as source:
        with pytest.raises(ParentNotFound) as caught:
            await source.get(request_for(2, 1))
    assert caught.value.fields == {"wiki_id": "enwiki", "rev_id": 2, "rev_parent_id": 1}
    assert not caught.value.retryable


async def test_a_text_of_exactly_the_limit_is_taken() -> None:
    text = "ä" * 500
    async with source_over(MediaWikiApi([WikiRevision(1, text)]), max_text_bytes=1000) as source:
        assert (await source.get(request_for(1))).text == text


async def test_a_text_full_of_escapes_is_measured_as_text_and_not_as_json() -> None:
    text = '"\n\\\t' * 250
    async with source_over(MediaWikiApi([WikiRevision(1, text)]), max_text_bytes=1000) as source:
        assert (await source.get(request_for(1))).text == text


async def test_a_hidden_editor_and_a_hidden_comment_leave_the_text_usable() -> None:
    row = WikiRevision(1, "text", is_user_hidden=True, is_comment_hidden=True, is_suppressed=True)
    async with source_over(MediaWikiApi([row])) as source:
        revision = await source.get(request_for(1))
    assert (revision.text, revision.user, revision.comment) == ("text", None, "")


async def test_an_editor_without_account_is_known_and_not_asked_for() -> None:
    api = MediaWikiApi([WikiRevision(1, user="192.0.2.7", user_id=0)])
    async with source_over(api) as source:
        revision = await source.get(request_for(1))
    assert revision.user == RevisionUser(None, "192.0.2.7")
    assert not any("ususerids" in request for request in api.requests)


async def test_an_account_that_the_wiki_no_longer_has_is_marked_as_unknown() -> None:
    async with source_over(MediaWikiApi([WikiRevision(1, user="Gone", user_id=9)], users=())) as source:
        revision = await source.get(request_for(1))
    assert revision.user == RevisionUser(9, "Gone", is_known=False)


async def test_an_account_whose_name_is_suppressed_is_not_shown() -> None:
    api = MediaWikiApi([WikiRevision(1)], [WikiUser(7, is_hidden=True)])
    async with source_over(api) as source:
        assert (await source.get(request_for(1))).user is None


async def test_an_account_older_than_the_log_of_registrations_has_none() -> None:
    api = MediaWikiApi([WikiRevision(1)], [WikiUser(7, registration=None)])
    async with source_over(api) as source:
        revision = await source.get(request_for(1))
    assert revision.user is not None
    assert revision.user.registration_dt is None
    assert revision.user.is_known


@pytest.mark.parametrize("rev_id", [0, -5])
async def test_an_id_that_cannot_exist_is_refused_without_asking(rev_id: int) -> None:
    api = MediaWikiApi([])
    async with source_over(api) as source:
        with pytest.raises(RevisionNotFound, match="positive"):
            await source.get(request_for(rev_id))
    assert api.requests == []


@pytest.mark.parametrize(
    "domain",
    ["evil/../x", "a.example.org:80", "10.0.0.1", "localhost", "a b.org", "", "x.org?y=1#", "a@b.org"],
)
async def test_an_event_cannot_lead_us_to_what_is_no_host_name(domain: str) -> None:
    api = MediaWikiApi([WikiRevision(1)])
    async with source_over(api) as source:
        with pytest.raises(ContentUnavailable):
            await source.get(request_for(1, domain=domain))
    assert api.requests == []


async def test_a_wiki_without_a_known_host_is_reported_with_the_cure() -> None:
    async with source_over(MediaWikiApi([])) as source:
        with pytest.raises(ContentUnavailable, match="name it in the settings"):
            await source.get(RevisionRequest("xywiki", 1))


@pytest.mark.parametrize(
    "user_agent", ["", "  ", "revstream/1.0", "revstream\r\nX: y@example.org", "ü@x.org"]
)
def test_a_user_agent_without_contact_is_refused(user_agent: str) -> None:
    with pytest.raises(SettingsError, match="User-Agent"):
        MediaWikiSource(MediaWikiSettings(user_agent=user_agent))


def test_an_api_address_that_is_no_http_address_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"api\.php"):
        MediaWikiSource(MediaWikiSettings(user_agent=USER_AGENT, url_template="en.example.org"))


async def test_every_request_says_who_we_are_and_yields_to_lagged_replicas() -> None:
    api = MediaWikiApi([WikiRevision(1)])
    async with source_over(api) as source:
        await source.get(request_for(1))
    for request, headers in zip(api.requests, api.headers, strict=True):
        assert headers["user-agent"] == USER_AGENT
        assert "gzip" in headers["accept-encoding"]
        assert request["maxlag"] == "5"


async def test_requests_to_one_wiki_are_bounded_and_batches_grow_instead() -> None:
    async def slowly(_: object) -> None:
        await asyncio.sleep(0.02)

    api = MediaWikiApi([WikiRevision(n, user_id=0) for n in range(1, 301)])
    api.faults.extend([slowly] * 100)
    async with source_over(api, max_requests_per_wiki=2) as source:

        async def later(n: int) -> None:
            await asyncio.sleep(n * 0.0004)
            await source.get(request_for(n))

        await asyncio.gather(*(later(n) for n in range(1, 301)))
    assert api.most_at_once <= 2
    # 120 ms of arrivals over two lanes of 20 ms are about a dozen queries, not three hundred.
    assert len(api.requests) < 40


async def test_what_clients_wait_for_is_asked_without_a_window_and_together() -> None:
    api = MediaWikiApi([WikiRevision(n, parent_id=n - 100 if n > 100 else 0) for n in range(1, 111)])
    async with source_over(api, batch_window_seconds=3600) as source:
        unhurried = asyncio.create_task(source.get(request_for(103)))
        await asyncio.sleep(0)
        awaited = (RevisionRequest("enwiki", n, None, "en.example.org", is_awaited=True) for n in (101, 102))
        revisions = [*await asyncio.gather(*map(source.get, awaited)), await unhurried]
    assert [revision.rev_id for revision in revisions] == [101, 102, 103]
    assert [asked_rev_ids(request) for request in api.requests] == [[101, 102, 103], [1, 2, 3]]
    assert [request.get("ususerids") for request in api.requests] == [None, "7"]


async def test_a_revision_is_shown_before_its_parent_where_only_it_names_that() -> None:
    api = MediaWikiApi([WikiRevision(1, "before"), WikiRevision(2, "after", parent_id=1)])
    early: list[tuple[Revision, int]] = []
    async with source_over(api) as source:
        whole = await source.get_early(request_for(2), lambda shown: early.append((shown, len(api.requests))))
        assert (
            await source.get_early(request_for(2, 1), lambda _: pytest.fail("its parent was there")) == whole
        )
        first = await source.get_early(request_for(1), lambda _: pytest.fail("it has no parent"))
    [(shown, requests)] = early
    assert requests == 1
    presumed = RevisionUser(7, "Editor", (), shown.rev_dt)
    nothing = {"rev_parent_id": None, "parent_text": None, "parent_dt": None, "parent_user": None}
    assert shown == replace(whole, user=presumed, **nothing)
    assert (whole.parent_text, first.parent_text) == ("before", None)


async def test_giving_up_on_one_revision_leaves_the_others_of_its_batch() -> None:
    api = MediaWikiApi([WikiRevision(1), WikiRevision(2)])
    async with source_over(api, batch_window_seconds=0.02) as source:
        first = asyncio.create_task(source.get(request_for(1)))
        second = asyncio.create_task(source.get(request_for(2)))
        await asyncio.sleep(0)
        first.cancel()
        assert (await second).rev_id == 2
        with pytest.raises(asyncio.CancelledError):
            await first


async def test_closing_ends_calls_under_way_with_a_retryable_error_and_may_be_repeated() -> None:
    async def forever(_: object) -> None:
        await asyncio.sleep(3600)

    api = MediaWikiApi([WikiRevision(1)])
    api.faults.append(forever)
    async with source_over(api) as source:
        call = asyncio.create_task(source.get(request_for(1)))
        await until(lambda: bool(api.requests))
        waiting = asyncio.create_task(source.get(request_for(2)))
        await asyncio.sleep(0)
        await source.close()
        await source.close()
        for task in (call, waiting):
            with pytest.raises(ContentUnavailable, match="closed"):
                await task
        with pytest.raises(ContentUnavailable, match="closed"):
            await source.get(request_for(1))
