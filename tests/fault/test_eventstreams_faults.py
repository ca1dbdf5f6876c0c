import asyncio
import contextlib
import json
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial

import pytest

from agents.backoff import Backoff
from agents.eventstreams import EventStreams, EventStreamsLimits
from agents.intake import SourceEvent
from schemas.errors import SettingsError, SourceError, StoreFull
from tests.eventstreams_server import (
    TOPICS,
    Connection,
    EventStreamsServer,
    Logged,
    never,
    page_change,
    status,
)
from tests.mediawiki_api import USER_AGENT
from tests.memory_intake import MemoryIntake
from tests.until import until

FAST = EventStreamsLimits(batch_seconds=0.005, idle_timeout_seconds=0.15, connect_timeout_seconds=0.5)
FIRST_MOMENT = 1_790_525_832_000


class Rig:
    """A source over a stand-in server; waits are written down and cut short."""

    def __init__(self, server: EventStreamsServer) -> None:
        self.server = server
        self.intake = MemoryIntake()
        self.waits: list[float] = []
        self.observed: list[str] = []

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        await asyncio.sleep(0)

    def source(self, limits: EventStreamsLimits = FAST) -> EventStreams:
        return EventStreams(
            lambda value: b"key of " + value[:4],
            user_agent=USER_AGENT,
            url=f"{self.server.url}?since={FIRST_MOMENT - 100}",
            limits=limits,
            backoff=Backoff(first_seconds=0.01, most_seconds=0.02),
            observe=self.observed.append,
            sleep=self.sleep,
        )

    def has_taken(self, count: int) -> bool:
        return len(self.intake.values) >= count

    async def run_until(self, count: int, limits: EventStreamsLimits = FAST) -> None:
        """Run until so many events are taken, and a little longer, in which no more may come."""
        task = asyncio.create_task(self.source(limits).run(self.intake))
        try:
            await until(lambda: len(self.intake.values) >= count or task.done())
            if not task.done():
                await asyncio.sleep(0.03)
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    def expect_all(self) -> None:
        assert [value.decode() for value in self.intake.values] == [event.data for event in self.server.log]


@asynccontextmanager
async def rig_over(log: Sequence[Logged], *script: object) -> AsyncIterator[Rig]:
    server = EventStreamsServer(log=list(log))
    server.script.extend(script)  # type: ignore[arg-type]  # connections and answers, as the tests write them
    async with server.serving():
        yield Rig(server)


def events(count: int) -> list[Logged]:
    return [page_change(number) for number in range(count)]


async def test_events_are_taken_in_batches_with_their_keys() -> None:
    async with rig_over(events(250)) as rig:
        await rig.run_until(250)
        rig.expect_all()
        assert max(map(len, rig.intake.batches)) <= 100
        assert len(rig.intake.batches) < 60
        assert rig.intake.batches[0][0].key == b'key of {"nu'
        assert rig.server.user_agents == [USER_AGENT]
        assert rig.observed == ["connected"]


async def test_a_slow_stream_is_taken_within_a_moment_and_not_when_a_batch_is_full() -> None:
    async with rig_over(events(1)) as rig:
        task = asyncio.create_task(rig.source().run(rig.intake))
        for number in range(1, 4):
            await until(lambda: len(rig.intake.values) >= len(rig.server.log), 3.0)
            rig.server.append(page_change(number))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


@pytest.mark.parametrize("end", ["close", "cut", "error", "hang"])
async def test_a_connection_that_ends_is_followed_by_another_from_the_same_place(end: str) -> None:
    script = [Connection(count, end) for count in (3, 1, 4, 1, 5, 9, 2, 6)]
    async with rig_over(events(60), *script) as rig:
        await rig.run_until(60)
        rig.expect_all()
        assert len(rig.server.resumed_from) == len(script) + 1
        assert rig.server.resumed_from[0] is None
        assert None not in rig.server.resumed_from[1:]
        # What was sent before the break was taken before the way back, so a good connection never waits long.
        assert max(rig.waits) <= 0.02


@pytest.mark.parametrize("seed", range(6))
async def test_breaks_and_restarts_at_random_moments_lose_nothing_and_repeat_nothing(seed: int) -> None:
    """Two topics, events that share a millisecond, and some that reach the log out of order."""
    rng = random.Random(seed)
    log, moment = [], FIRST_MOMENT
    for number in range(400):
        moment += rng.choice([0, 0, 0, 1, 5, 900])
        topic = TOPICS[rng.random() < 0.1]
        log.append(
            page_change(number, topic, moment - rng.choice([0, 0, 0, 30]), with_meta=rng.random() < 0.9)
        )
    async with rig_over(log) as rig, asyncio.timeout(60):
        while len(rig.intake.values) < len(log):
            for _ in range(4):
                end = rng.choice(["close", "cut", "error"])
                size = rng.choice([None, 1, 7, 100])
                rig.server.script.append(Connection(rng.randrange(40), end, chunk_bytes=size))
            goal = min(len(log), len(rig.intake.values) + rng.randrange(1, 80))
            task = asyncio.create_task(rig.source().run(rig.intake))
            await until(partial(rig.has_taken, goal))
            await asyncio.sleep(rng.random() * 0.003)
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            rig.server.script.clear()
        taken = [value.decode() for value in rig.intake.values]
        assert sorted(taken) == sorted(event.data for event in log)
        for topic in TOPICS:
            numbers = {event.data: number for number, event in enumerate(log) if event.topic == topic}
            order = [numbers[value] for value in taken if value in numbers]
            assert order == sorted(order)


async def test_a_topic_that_was_silent_so_far_loses_nothing_of_what_it_gets_while_we_are_away() -> None:
    server = EventStreamsServer()
    async with server.serving():
        rig = Rig(server)
        source = EventStreams(
            lambda _: b"", user_agent=USER_AGENT, url=server.url, limits=FAST, sleep=rig.sleep
        )
        task = asyncio.create_task(source.run(rig.intake))
        await until(lambda: bool(server.resumed_from))
        await asyncio.sleep(0.02)
        server.append(page_change(1, TOPICS[0]))
        await until(lambda: bool(rig.intake.values))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        server.append(page_change(2, TOPICS[1]))
        server.append(page_change(3, TOPICS[0]))
        await rig_go_on(rig, source, 3)
        rig.expect_all()


async def rig_go_on(rig: Rig, source: EventStreams, count: int) -> None:
    task = asyncio.create_task(source.run(rig.intake))
    await until(lambda: len(rig.intake.values) >= count)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
async def test_pieces_of_any_size_and_any_line_end_make_the_same_events(newline: str) -> None:
    async with rig_over(
        events(5), Connection(5, chunk_bytes=1, preamble="\ufeff:ok\n\nretry: 20\n\n")
    ) as rig:
        rig.server.newline = newline
        await rig.run_until(5)
        rig.expect_all()


async def test_refusals_that_pass_are_waited_out_and_the_stream_goes_on() -> None:
    refusals = [status(503), status(500), status(429), status(408), never]
    async with rig_over(events(3), *refusals) as rig:
        await rig.run_until(3)
        rig.expect_all()
        assert rig.observed == ["http_error"] * 4 + ["timeout", "connected"]


async def test_the_pause_of_retry_after_is_kept_within_bounds() -> None:
    refusals = [status(503, headers={"Retry-After": "17"}), status(429, headers={"Retry-After": "86400"})]
    async with rig_over(events(1), *refusals) as rig:
        await rig.run_until(1)
        assert rig.waits == [17, 300]


async def test_the_wait_that_the_stream_itself_asks_for_is_kept() -> None:
    script = [Connection(1, preamble="retry: 2500\n\n"), Connection(1)]
    async with rig_over(events(3), *script) as rig:
        await rig.run_until(3)
        assert rig.waits == [2.5, 2.5]


async def test_waits_grow_while_nothing_comes_and_start_anew_after_an_event() -> None:
    attempts: list[int] = []

    class Counting(Backoff):
        def seconds(self, attempt: int) -> float:
            attempts.append(attempt)
            return 0.0

    async with rig_over(events(4), *[status(503)] * 3, Connection(2), status(503)) as rig:
        source = EventStreams(
            lambda _: b"",
            user_agent=USER_AGENT,
            url=f"{rig.server.url}?since={FIRST_MOMENT}",
            limits=FAST,
            backoff=Counting(),
            sleep=rig.sleep,
        )
        await rig_go_on(rig, source, 4)
    assert attempts == [1, 2, 3, 1, 2]


async def test_a_connection_is_kept_alive_by_comments_though_no_event_comes() -> None:
    async with rig_over(events(2), Connection(1, "ping")) as rig:
        await rig.run_until(2)
        rig.expect_all()
        assert rig.observed == ["connected", "closed", "connected"]


async def test_a_silent_connection_is_given_up() -> None:
    async with rig_over(events(2), Connection(1, "hang")) as rig:
        await rig.run_until(2)
        rig.expect_all()
        assert rig.observed[:3] == ["connected", "idle", "connected"]


@pytest.mark.parametrize("code", [400, 401, 403, 404, 301])
async def test_a_refusal_for_good_is_an_error_that_quotes_the_server(code: int) -> None:
    refusal = status(code, "no such stream", {"Location": "http://elsewhere.example.org/"})
    async with rig_over(events(1), refusal) as rig:
        with pytest.raises(SourceError, match="no such stream") as caught:
            await rig.run_until(1)
        assert caught.value.fields["status"] == code
        assert len(rig.server.resumed_from) == 1


async def test_an_answer_that_is_no_event_stream_is_an_error() -> None:
    async with rig_over(events(1), status(200, "<html>welcome</html>")) as rig:
        with pytest.raises(SourceError, match="no event stream"):
            await rig.run_until(1)


async def test_a_server_that_wants_no_more_clients_ends_the_source() -> None:
    async with rig_over(events(5), Connection(2), status(204)) as rig:
        await asyncio.wait_for(rig.source().run(rig.intake), 5)
        assert len(rig.intake.values) == 2


async def test_a_server_that_is_not_there_is_tried_again_until_it_is() -> None:
    async with rig_over(events(1)) as rig:
        pass
    task = asyncio.create_task(rig.source().run(rig.intake))
    await until(lambda: len(rig.observed) >= 3)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert set(rig.observed) == {"connection_error"}


async def test_an_event_over_the_limit_is_replaced_by_a_record_that_says_so() -> None:
    log = [page_change(0), Logged(TOPICS[0], FIRST_MOMENT + 1, "x" * 50_000), page_change(2)]
    limits = EventStreamsLimits(batch_seconds=0.005, idle_timeout_seconds=0.15, max_event_bytes=1000)
    async with rig_over(log) as rig:
        await rig.run_until(3, limits)
        first, refused, last = rig.intake.values
        assert [first.decode(), last.decode()] == [log[0].data, log[2].data]
        assert json.loads(refused)["revstream_refused"]["size_bytes"] == 50_000


async def test_a_store_that_takes_nothing_ends_the_source_and_the_events_come_again() -> None:
    room = iter([True, False])

    def refuse_second(_: Sequence[SourceEvent]) -> None:
        if not next(room, True):
            raise StoreFull("no space left")

    limits = EventStreamsLimits(batch_seconds=0.005, idle_timeout_seconds=0.15, max_batch_events=10)
    async with rig_over(events(50)) as rig:
        rig.intake = MemoryIntake(refuse_second)
        with pytest.raises(StoreFull):
            await rig.run_until(50, limits)
        assert len(rig.intake.values) == 10
        await rig.run_until(50, limits)
        rig.expect_all()


def test_a_stream_is_not_asked_without_a_contact() -> None:
    with pytest.raises(SettingsError, match="contact"):
        EventStreams(lambda _: b"", user_agent="revstream/1.0")


async def test_a_stream_is_not_read_on_while_too_much_of_it_is_not_done() -> None:
    # More than the connection's buffers hold, or all would be in the first piece.
    async with rig_over(events(5_000)) as rig:
        rig.intake.full = asyncio.Event()
        task = asyncio.create_task(rig.source().run(rig.intake))
        await asyncio.sleep(0.5)
        assert len(rig.intake.values) < 1_000
        rig.intake.full.set()
        await until(lambda: len(rig.intake.values) == 5_000, 30.0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        rig.expect_all()
