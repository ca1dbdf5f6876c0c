"""What a page links to, as its wiki tells it."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from agents.backoff import Backoff
from agents.mediawiki import MediaWikiSettings, MediaWikiSource
from agents.mediawiki_client import ClientLimits
from schemas.errors import ContentUnavailable, RevisionDeleted, RevisionNotFound
from schemas.revision import PageRequest
from tests.mediawiki_api import (
    USER_AGENT,
    MediaWikiApi,
    WikiRevision,
    answer_with,
    api_error,
    hang,
)
from tests.mediawiki_pages import WikiPage
from tests.until import until

OAK = WikiPage(1, "Oak", "Q12004", links=("Tree", "Beech family", "Nowhere", "Talk:Oak", "Trees", "Sand"))
FOREST = (
    OAK,
    WikiPage(2, "Tree", "Q10884"),
    WikiPage(3, "Beech family", "Q26107"),
    WikiPage(4, "Trees", redirects_to="Tree"),
    WikiPage(5, "Sand"),
    WikiPage(6, "Talk:Oak", "Q99", namespace_id=1),
    WikiPage(7, "Oaks", redirects_to="Oak"),
    WikiPage(8, "Alone", "Q8"),
)


@asynccontextmanager
async def source_over(api: MediaWikiApi, **settings: object) -> AsyncIterator[MediaWikiSource]:
    async with api.serving():
        source = MediaWikiSource(
            MediaWikiSettings(
                user_agent=USER_AGENT,
                url_template=api.url,
                domains={"enwiki": "en.example.org"},
                limits=ClientLimits(max_attempts=3),
                **settings,  # type: ignore[arg-type]  # any of its fields
            ),
            backoff=Backoff(first_seconds=0.001, most_seconds=0.002, rng=random.Random(1)),
        )
        try:
            yield source
        finally:
            await source.close()


def many(count: int, *, with_item: bool = True) -> tuple[WikiPage, ...]:
    titles = tuple(f"Page {number}" for number in range(1, count + 1))
    linked = [WikiPage(n, title, f"Q{n}" if with_item else None) for n, title in enumerate(titles, start=1)]
    return (*linked, WikiPage(100_000, "List", links=titles))


@pytest.mark.parametrize(
    "asked",
    [
        PageRequest("enwiki", page_title="Oak"),
        PageRequest("enwiki", page_id=1),
        PageRequest("enwiki", page_title="Oaks"),
    ],
    ids=["title", "page id", "redirect"],
)
async def test_the_items_of_linked_articles_are_told_each_once(asked: PageRequest) -> None:
    api = MediaWikiApi(pages=FOREST)
    async with source_over(api) as source:
        assert await source.outlinks(asked) == ("Q10884", "Q26107")
    [request] = api.requests
    assert request["maxlag"] == "5"
    assert api.headers[0]["user-agent"] == USER_AGENT


async def test_the_links_of_a_revision_are_those_of_its_text_and_not_of_the_page() -> None:
    revisions = [WikiRevision(50, page_id=1, title="Oak", links=("Sand", "Alone", "Trees", "Talk:Oak", "X"))]
    api = MediaWikiApi(revisions, pages=FOREST)
    async with source_over(api) as source:
        assert await source.outlinks(PageRequest("enwiki", page_id=1, rev_id=50)) == ("Q8", "Q10884")
    assert [request["action"] for request in api.requests] == ["parse", "query"]


async def test_many_links_come_in_parts() -> None:
    api = MediaWikiApi(pages=many(25), most_links=10)
    async with source_over(api) as source:
        found = await source.outlinks(PageRequest("enwiki", page_title="List"))
    assert found == tuple(f"Q{number}" for number in range(1, 26))
    assert [request.get("gplcontinue") for request in api.requests] == [None, "10|0|x", "20|0|x"]


async def test_no_more_than_a_thousand_links_are_asked_for() -> None:
    api = MediaWikiApi(pages=many(2_300))
    async with source_over(api) as source:
        assert len(await source.outlinks(PageRequest("enwiki", page_title="List"))) == 1_000
    assert len(api.requests) == 2


async def test_pages_without_items_do_not_make_the_reading_endless() -> None:
    api = MediaWikiApi(pages=many(300, with_item=False), most_links=10)
    async with source_over(api) as source:
        assert await source.outlinks(PageRequest("enwiki", page_title="List")) == ()
    # The bound on parts, and the question whether the page exists.
    assert len(api.requests) == 21


async def test_the_titles_of_a_revision_fit_into_addresses_that_servers_take() -> None:
    # 120 bytes a title, of which an address makes 360.
    titles = tuple(f"{'ж' * 58} {number:03d}" for number in range(60)) + tuple(f"T {n}" for n in range(120))
    pages = [WikiPage(n, title, f"Q{n}") for n, title in enumerate(titles, start=1)]
    api = MediaWikiApi([WikiRevision(50, links=titles)], pages=pages)
    async with source_over(api) as source:
        found = await source.outlinks(PageRequest("enwiki", rev_id=50))
    assert found == tuple(f"Q{n}" for n in range(1, 181))
    batches = [request["titles"] for request in api.requests if "titles" in request]
    assert max(len(batch.split("|")) for batch in batches) == 50
    assert max(len(batch.encode()) for batch in batches) <= 2_100


async def test_a_page_without_links_is_told_apart_from_none() -> None:
    async with source_over(MediaWikiApi(pages=FOREST)) as source:
        assert await source.outlinks(PageRequest("enwiki", page_title="Alone")) == ()


@pytest.mark.parametrize(
    ("asked", "kind", "code"),
    [
        (PageRequest("enwiki", page_title="Elm"), RevisionNotFound, "missingtitle"),
        (PageRequest("enwiki", page_id=77), RevisionNotFound, "nosuchpageid"),
        (PageRequest("enwiki", page_title="A___B"), RevisionNotFound, "invalidtitle"),
        (PageRequest("enwiki", rev_id=77), RevisionNotFound, "nosuchrevid"),
        (PageRequest("enwiki", rev_id=51), RevisionDeleted, "permissiondenied"),
    ],
)
async def test_what_the_wiki_does_not_have_is_told_in_its_own_word_and_not_asked_again(
    asked: PageRequest, kind: type[Exception], code: str
) -> None:
    api = MediaWikiApi([WikiRevision(51, is_text_hidden=True)], pages=FOREST)
    async with source_over(api) as source:
        with pytest.raises(kind) as caught:
            await source.outlinks(asked)
    assert isinstance(caught.value, RevisionNotFound | RevisionDeleted)
    assert caught.value.fields["api_code"] == code
    assert len(api.requests) <= 2


@pytest.mark.parametrize(
    "title", ["Oak|Tree", "", "a\x1fb", "[[Oak]]", "{{Oak}}", "x" * 256, "ж" * 128, "\n"]
)
async def test_no_title_can_ask_for_two_pages_or_be_sent_in_vain(title: str) -> None:
    api = MediaWikiApi(pages=FOREST)
    async with source_over(api) as source:
        with pytest.raises(RevisionNotFound) as caught:
            await source.outlinks(PageRequest("enwiki", page_title=title))
    assert caught.value.fields["api_code"] == "invalidtitle"
    assert api.requests == []


async def test_a_passing_fault_is_survived_and_one_that_stays_is_retryable() -> None:
    api = MediaWikiApi(pages=FOREST)
    busy = answer_with(503, "busy")
    async with source_over(api) as source:
        api.faults.extend([busy, api_error("internal_api_error_DBQueryError")])
        assert len(await source.outlinks(PageRequest("enwiki", page_title="Oak"))) == 2
        for fault in (busy, api_error("readonly"), answer_with(200, "<html>"), answer_with(404, "no")):
            api.faults.extend([fault] * 3)
            with pytest.raises(ContentUnavailable, match="page 'Oak'"):
                await source.outlinks(PageRequest("enwiki", page_title="Oak"))
            api.faults.clear()


async def test_a_wiki_that_continues_where_it_was_is_not_followed_for_ever() -> None:
    api = MediaWikiApi(pages=FOREST)
    stuck = answer_with(200, {"continue": {"gplcontinue": "1|0|x", "continue": "gplcontinue||"}})
    api.faults.extend([stuck] * 30)
    async with source_over(api) as source:
        with pytest.raises(ContentUnavailable, match="continues where it was"):
            await source.outlinks(PageRequest("enwiki", page_title="Oak"))
    assert len(api.requests) == 2


async def test_a_wiki_without_a_known_host_is_not_asked() -> None:
    api = MediaWikiApi(pages=FOREST)
    async with source_over(api) as source:
        with pytest.raises(ContentUnavailable, match="name it in the settings"):
            await source.outlinks(PageRequest("frwiki", page_title="Oak"))
    assert api.requests == []


async def test_all_queries_about_one_page_together_have_a_limit() -> None:
    api = MediaWikiApi(pages=FOREST)
    api.faults.append(hang())
    async with source_over(api, max_lookup_seconds=0.1) as source:
        with pytest.raises(ContentUnavailable, match=r"more than 0\.1 s"):
            await source.outlinks(PageRequest("enwiki", page_title="Oak"))


async def test_few_pages_of_a_wiki_are_looked_up_at_a_time() -> None:
    async def slowly(_: object) -> None:
        await asyncio.sleep(0.01)

    api = MediaWikiApi(pages=FOREST)
    api.faults.extend([slowly] * 20)
    async with source_over(api, max_requests_per_wiki=2) as source:
        await asyncio.gather(*(source.outlinks(PageRequest("enwiki", page_id=1)) for _ in range(20)))
    assert api.most_at_once == 2


async def test_closing_ends_look_ups_under_way_and_those_that_wait() -> None:
    api = MediaWikiApi(pages=FOREST)
    api.faults.extend([hang()] * 2)
    async with source_over(api, max_requests_per_wiki=1) as source:
        calls = [asyncio.create_task(source.outlinks(PageRequest("enwiki", page_id=1))) for _ in range(2)]
        await until(lambda: bool(api.requests))
        await source.close()
        for call in calls:
            with pytest.raises(ContentUnavailable, match="closed"):
                await call
        with pytest.raises(ContentUnavailable, match="closed"):
            await source.outlinks(PageRequest("enwiki", page_id=1))
    assert len(api.requests) == 1
