import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from agents.backoff import Backoff
from agents.mediawiki import MediaWikiSettings, MediaWikiSource
from agents.mediawiki_client import ClientLimits
from schemas.errors import ContentTooLarge, ContentUnavailable
from schemas.revision import RevisionRequest
from tests.mediawiki_api import (
    USER_AGENT,
    Fault,
    MediaWikiApi,
    WikiRevision,
    WikiUser,
    answer_with,
    api_error,
    cut,
    drop,
    hang,
    refuse_with,
)


class Rig:
    """A source over a stand-in wiki, with the waits written down instead of waited for."""

    def __init__(self, api: MediaWikiApi) -> None:
        self.api = api
        self.waits: list[float] = []
        self.observed: list[str] = []
        self.source: MediaWikiSource | None = None

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        await asyncio.sleep(0)

    async def text(self, rev_id: int = 1, domain: str = "en.example.org") -> str:
        assert self.source is not None
        return (await self.source.get(RevisionRequest("enwiki", rev_id, None, domain))).text


@asynccontextmanager
async def rig_over(
    api: MediaWikiApi, *, timeout_seconds: float = 5.0, max_answer_bytes: int = 64 << 20, attempts: int = 4
) -> AsyncIterator[Rig]:
    rig = Rig(api)
    async with api.serving():
        rig.source = MediaWikiSource(
            MediaWikiSettings(
                user_agent=USER_AGENT,
                url_template=api.url,
                request_timeout_seconds=timeout_seconds,
                limits=ClientLimits(
                    max_attempts=attempts, max_answer_bytes=max_answer_bytes, max_wait_seconds=100
                ),
            ),
            backoff=Backoff(first_seconds=0.01, most_seconds=0.02, rng=random.Random(1)),
            observe=lambda outcome, seconds: rig.observed.append(outcome),
            sleep=rig.sleep,
        )
        try:
            yield rig
        finally:
            await rig.source.close()


def one_wiki(*faults: Fault) -> MediaWikiApi:
    api = MediaWikiApi([WikiRevision(n, f"text {n}", user_id=0) for n in range(1, 51)])
    api.faults.extend(faults)
    return api


TRANSIENT: list[tuple[Fault, str]] = [
    (answer_with(503, "busy"), "http_error"),
    (answer_with(500, "<html>oops</html>"), "http_error"),
    (answer_with(502), "http_error"),
    (answer_with(408), "http_error"),
    (answer_with(429, "slow down"), "rate_limited"),
    (answer_with(200, "<html>not the API</html>"), "invalid_answer"),
    (answer_with(200, '{"batchcomplete": true, "query": {"pages": ['), "invalid_answer"),
    (answer_with(200, '{"query": {"pages": {"1": {"pageid": 1}}}}'), "invalid_answer"),
    (api_error("maxlag", lag=7.5), "maxlag"),
    (api_error("readonly"), "api_error"),
    (api_error("ratelimited"), "rate_limited"),
    (api_error("internal_api_error_DBQueryError"), "api_error"),
    (api_error("something-new"), "api_error"),
    (cut(), "connection_error"),
]


@pytest.mark.parametrize(("fault", "outcome"), TRANSIENT)
async def test_a_passing_fault_is_survived_by_asking_again(fault: Fault, outcome: str) -> None:
    async with rig_over(one_wiki(fault, fault)) as rig:
        assert await rig.text() == "text 1"
        assert rig.observed == [outcome, outcome, "ok"]


@pytest.mark.parametrize(("fault", "outcome"), TRANSIENT)
async def test_a_fault_that_stays_ends_as_a_retryable_error_after_the_last_attempt(
    fault: Fault, outcome: str
) -> None:
    async with rig_over(one_wiki(*[fault] * 10)) as rig:
        with pytest.raises(ContentUnavailable, match=r"api\.php") as caught:
            await rig.text()
        assert caught.value.retryable
        assert len(rig.api.requests) == 4
        assert rig.observed == [outcome] * 4


async def test_a_wiki_that_closes_connections_without_a_word_is_a_retryable_error() -> None:
    async with rig_over(one_wiki(*[drop()] * 20)) as rig:
        with pytest.raises(ContentUnavailable, match="connection"):
            await rig.text()
        # The HTTP client itself repeats a request once whose connection was closed before the answer.
        assert 4 <= len(rig.api.requests) <= 8
        rig.api.faults.clear()
        assert await rig.text() == "text 1"


async def test_a_wiki_that_hangs_is_given_up_after_the_timeout_and_asked_again() -> None:
    async with rig_over(one_wiki(hang()), timeout_seconds=0.1) as rig:
        assert await rig.text() == "text 1"
        assert rig.observed == ["timeout", "ok"]


async def test_a_wiki_that_is_not_there_is_a_retryable_error() -> None:
    api = one_wiki()
    async with rig_over(api) as rig:
        pass
    source = MediaWikiSource(MediaWikiSettings(user_agent=USER_AGENT, url_template=api.url), sleep=rig.sleep)
    try:
        with pytest.raises(ContentUnavailable, match="connection"):
            await source.get(RevisionRequest("enwiki", 1, None, "en.example.org"))
    finally:
        await source.close()


@pytest.mark.parametrize(
    ("fault", "pause_seconds"),
    [
        (answer_with(429, headers={"Retry-After": "17"}), 17),
        (answer_with(503, headers={"Retry-After": "17"}), 17),
        (api_error("maxlag", lag=3.5, headers={"Retry-After": "5"}), 5),
        (api_error("maxlag", lag=9.0, headers={"Retry-After": "5"}), 9),
        (answer_with(503, headers={"Retry-After": "86400"}), 100),
    ],
)
async def test_a_pause_that_the_wiki_asks_for_is_kept_within_bounds(
    fault: Fault, pause_seconds: float
) -> None:
    async with rig_over(one_wiki(fault)) as rig:
        assert await rig.text() == "text 1"
        assert max(rig.waits) == pytest.approx(pause_seconds, abs=1)


async def test_a_pause_holds_for_every_request_to_that_wiki_and_for_no_other() -> None:
    async with rig_over(one_wiki(answer_with(429, headers={"Retry-After": "50"}))) as rig:
        await rig.text(1)
        rig.waits.clear()
        await rig.text(2)
        assert rig.waits == [pytest.approx(50, abs=2)]
        rig.waits.clear()
        await rig.text(2, "de.example.org")
        assert rig.waits == []


@pytest.mark.parametrize("status", [301, 400, 403, 404])
async def test_a_refusal_for_good_is_not_hammered(status: int) -> None:
    fault = answer_with(status, "no", {"Location": "http://elsewhere.example.org/"})
    async with rig_over(one_wiki(*[fault] * 3)) as rig:
        with pytest.raises(ContentUnavailable, match=str(status)):
            await rig.text()
        assert rig.observed == ["http_error"]


async def test_a_revision_that_breaks_the_wiki_is_singled_out_and_the_others_are_answered() -> None:
    bad = 13
    api = one_wiki(*[refuse_with(bad)] * 40)
    async with rig_over(api) as rig:
        answers = await asyncio.gather(*(rig.text(n) for n in range(1, 51)), return_exceptions=True)
        assert isinstance(answers[bad - 1], ContentUnavailable)
        del answers[bad - 1]
        assert answers == [f"text {n}" for n in range(1, 51) if n != bad]
        # Halving fifty takes six questions to each side, and only the culprit alone is asked again.
        assert len(api.requests) <= 1 + 2 * 6 + 3


async def test_a_break_in_the_middle_of_a_continued_answer_keeps_what_came_before() -> None:
    async def fine(_: object) -> None:
        return None

    api = one_wiki(fine, *[answer_with(503)] * 4)
    api.most_text_bytes = len("text 1") * 3
    async with rig_over(api) as rig:
        answers = await asyncio.gather(*(rig.text(n) for n in range(1, 6)), return_exceptions=True)
    assert answers[:3] == ["text 1", "text 2", "text 3"]
    assert [type(answer) for answer in answers[3:]] == [ContentUnavailable] * 2


async def test_a_continuation_that_never_ends_is_left() -> None:
    endless = answer_with(200, {"continue": {"rvcontinue": "1", "continue": "||"}, "query": {}})
    async with rig_over(one_wiki(*[endless] * 10)) as rig:
        with pytest.raises(ContentUnavailable, match="continues"):
            await rig.text()
        assert len(rig.api.requests) == 1


async def test_an_answer_that_is_too_large_is_asked_for_in_pieces() -> None:
    api = MediaWikiApi([WikiRevision(n, "x" * 3000, user_id=0) for n in range(1, 9)])
    async with rig_over(api, max_answer_bytes=8000) as rig:
        answers = await asyncio.gather(*(rig.text(n) for n in range(1, 9)))
    assert answers == ["x" * 3000] * 8
    assert rig.observed.count("too_large") == 3


async def test_a_single_revision_that_is_larger_than_any_answer_may_be_is_refused_and_not_retried() -> None:
    api = MediaWikiApi([WikiRevision(1, "x" * 100_000), WikiRevision(2, "small", user_id=0)])
    async with rig_over(api, max_answer_bytes=8000) as rig:
        large, small = await asyncio.gather(rig.text(1), rig.text(2), return_exceptions=True)
    assert isinstance(large, ContentTooLarge)
    assert small == "small"
    assert rig.observed == ["too_large", "too_large", "ok"]


async def test_a_wiki_that_does_not_tell_of_the_editor_gives_no_half_revision() -> None:
    async def fine(_: object) -> None:
        return None

    api = MediaWikiApi([WikiRevision(1)], [WikiUser(7)])
    api.faults.extend([fine, *[answer_with(503)] * 4])
    async with rig_over(api) as rig:
        with pytest.raises(ContentUnavailable, match="editor"):
            await rig.text()


async def test_a_text_that_is_no_text_is_reported_for_that_revision_alone() -> None:
    page = (
        '{"query":{"pages":[{"pageid":1,"ns":0,"title":"T","revisions":['
        '{"revid":1,"parentid":0,"timestamp":"2026-01-01T00:00:00Z","user":"192.0.2.1","userid":0,'
        '"slots":{"main":{"contentmodel":"wikitext","content":5}}},'
        '{"revid":2,"parentid":0,"timestamp":"2026-01-01T00:00:00Z","user":"192.0.2.1","userid":0,'
        '"slots":{"main":{"contentmodel":"wikitext","content":"fine"}}}]}]}}'
    )
    async with rig_over(one_wiki(answer_with(200, page))) as rig:
        bad, fine = await asyncio.gather(rig.text(1), rig.text(2), return_exceptions=True)
    assert isinstance(bad, ContentUnavailable)
    assert "garbled" in bad.message
    assert fine == "fine"
