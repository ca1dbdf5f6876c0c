"""What the agent loop promises: order of acknowledgement, order within a page, a bounded window."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from agents.membership import MembershipLost
from tests.until import until
from tests.windows import TOPIC, WindowHarness, places, settled

Open = Callable[[int], WindowHarness]


@pytest.fixture
async def opened(tmp_path: Path) -> AsyncIterator[Open]:
    harnesses: list[WindowHarness] = []

    def open_window(size: int) -> WindowHarness:
        harnesses.append(WindowHarness(tmp_path, size=size))
        return harnesses[-1]

    yield open_window
    for harness in harnesses:
        await harness.close()


async def test_an_event_is_acknowledged_only_when_all_before_it_are_done(opened: Open) -> None:
    harness = opened(8)
    harness.feed("a", "b", "c", "d")
    await settled()
    await harness.finish(2, 1, 3)
    assert harness.acknowledged == []
    await harness.finish(0)
    assert harness.acknowledged == places(0, 1, 2, 3)


async def test_partitions_do_not_wait_for_each_other(opened: Open) -> None:
    harness = opened(8)
    harness.feed("a", partition=0)
    harness.feed("b", partition=1)
    await settled()
    await harness.finish(0, partition=1)
    assert harness.acknowledged == places(0, partition=1)


@pytest.mark.parametrize("seed", range(10))
async def test_any_order_of_ends_acknowledges_in_the_order_of_offsets(opened: Open, seed: int) -> None:
    harness = opened(16)
    chance = random.Random(seed)
    harness.feed(*(chance.choice("abcd") for _ in range(60)))
    harness.feed(*(chance.choice("efgh") for _ in range(60)), partition=1)
    while len(harness.acknowledged) < 120:
        await settled()
        running = [place for place in harness.gates if not harness.gates[place].done()]
        partition, offset = chance.choice(running)
        await harness.finish(offset, partition=partition)
    for partition in (0, 1):
        acknowledged = [place for place in harness.acknowledged if place[0] == partition]
        assert acknowledged == places(*range(60), partition=partition)
    assert harness.most_running <= 16


async def test_events_of_one_page_are_handled_one_after_the_other(opened: Open) -> None:
    harness = opened(8)
    harness.feed("page", "other", "page", "page")
    await settled()
    assert harness.started == places(0, 1)
    await harness.finish(0)
    assert harness.started == places(0, 1, 2)
    await harness.finish(2)
    assert harness.started == places(0, 1, 2, 3)


async def test_the_window_is_full_until_its_oldest_event_is_acknowledged(opened: Open) -> None:
    harness = opened(3)
    harness.feed("a", "b", "c", "d", "e")
    await settled()
    await harness.finish(1, 2)
    assert harness.started == places(0, 1, 2), "done but not acknowledged events count"
    await harness.finish(0)
    assert harness.started == places(0, 1, 2, 3, 4)


async def test_an_exception_acknowledges_nothing_more_and_is_told_once(opened: Open) -> None:
    harness = opened(8)
    harness.feed("a", "b", "c", "d")
    await settled()
    await harness.finish(0)
    error = ValueError("broken")
    await harness.fail(1, error)
    await harness.fail(2, ValueError("broken as well"))
    await harness.finish(3)
    assert harness.fatal == [error]
    assert harness.acknowledged == places(0)


async def test_events_before_the_failed_one_are_not_acknowledged_afterwards(opened: Open) -> None:
    harness = opened(8)
    harness.feed("a", "b")
    await settled()
    await harness.fail(1, ValueError("broken"))
    await harness.finish(0)
    assert harness.acknowledged == []


async def test_nothing_is_taken_after_an_exception(opened: Open) -> None:
    harness = opened(8)
    harness.feed("a")
    await settled()
    await harness.fail(0, ValueError("broken"))
    harness.feed("b", "c")
    await settled()
    assert harness.started == places(0)


async def test_the_next_event_of_a_page_is_not_handled_when_the_one_before_failed(opened: Open) -> None:
    harness = opened(8)
    harness.feed("page", "page")
    await settled()
    await harness.fail(0, ValueError("broken"))
    assert harness.started == places(0)


async def test_a_handler_that_is_cancelled_from_within_stops_the_worker(opened: Open) -> None:
    harness = opened(8)
    harness.feed("a", "b")
    await settled()
    harness.gates[0, 0].cancel()
    await settled()
    await harness.finish(1)
    assert len(harness.fatal) == 1, "else the partition stands still for ever, unnoticed"
    assert harness.acknowledged == []


async def test_an_event_whose_partition_is_lost_is_not_acknowledged_and_stops_nothing(opened: Open) -> None:
    harness = opened(2)
    harness.feed("page", "page")
    await settled()
    await harness.fail(0, MembershipLost())
    assert harness.acknowledged == []
    assert harness.started == places(0), "the next of the page waits for the partition to be given back"
    harness.generation = 2
    harness.seek(0)
    harness.feed("page", "other")
    await until(lambda: len(harness.started) == 3)
    await harness.finish(0, 1)
    assert harness.fatal == []
    assert harness.acknowledged == places(0, 1)


async def test_a_window_closes_while_a_partition_is_lost_and_acknowledges_nothing(opened: Open) -> None:
    harness = opened(2)
    harness.feed("page")
    await settled()
    await harness.fail(0, MembershipLost())
    await harness.window.close(drain_seconds=0)
    assert harness.fatal == []
    assert harness.acknowledged == []


async def test_an_event_of_an_earlier_generation_is_not_handled(opened: Open) -> None:
    harness = opened(8)
    harness.generation = 2
    harness.feed("a", generation=1)
    harness.feed("b", generation=2)
    await settled()
    assert harness.started == places(1)


async def test_an_event_that_ends_after_its_generation_is_not_acknowledged(opened: Open) -> None:
    harness = opened(8)
    harness.feed("a", "b")
    await settled()
    harness.generation = 2
    await harness.finish(0, 1)
    assert harness.acknowledged == []


async def test_a_queued_event_of_an_earlier_generation_is_not_handled_when_its_turn_comes(
    opened: Open,
) -> None:
    harness = opened(8)
    harness.feed("page", "page")
    await settled()
    harness.generation = 2
    await harness.finish(0)
    assert harness.started == places(0)


async def test_a_full_window_of_an_earlier_generation_gives_its_places_back(opened: Open) -> None:
    harness = opened(2)
    harness.feed("a", "b", "c")
    await settled()
    harness.generation = 2
    harness.seek(0)
    harness.feed("a", "b", "c", "d")
    await harness.finish(0, 1)
    assert harness.started == places(0, 1, 0, 1)
    await harness.finish(0, 1)
    await harness.finish(2, 3)
    assert harness.acknowledged == places(0, 1, 2, 3)


async def test_done_events_of_an_earlier_generation_give_their_places_back(opened: Open) -> None:
    harness = opened(3)
    harness.feed("slow", "b", "c")
    await settled()
    await harness.finish(1, 2)
    harness.generation = 2
    harness.seek(0, partition=1)
    harness.feed("d", "e", "f", partition=1)
    await settled()
    assert harness.started == places(0, 1, 2) + places(0, 1, partition=1), "the slow one still takes a place"
    await harness.finish(0)
    assert harness.started[5:] == places(2, partition=1)


async def test_a_window_that_waits_for_a_slow_event_of_an_earlier_generation_can_be_told(
    opened: Open,
) -> None:
    harness = opened(2)
    harness.feed("slow", "b", "held by the loop")
    await settled()
    await harness.finish(1)
    harness.generation = 2
    harness.feed("d", partition=1)
    harness.window.drop_stale()
    await settled()
    assert harness.started == places(0, 1) + places(0, partition=1)


@pytest.mark.parametrize("seed", range(10))
async def test_no_place_is_lost_or_gained_over_many_generations(opened: Open, seed: int) -> None:
    size = 4
    harness = opened(size)
    chance = random.Random(seed)
    for generation in range(2, 12):
        harness.feed(*(chance.choice("abcdef") for _ in range(chance.randrange(10))))
        await settled()
        for place in chance.sample(sorted(harness.gates), chance.randrange(len(harness.gates) + 1)):
            if place in harness.gates:
                await harness.finish(place[1])
        harness.generation = generation
        harness.seek(0)
        # What is left of the old generation ends before the same offsets come again.
        while harness.gates:
            await harness.finish(min(harness.gates)[1])
    harness.acknowledged.clear()
    started = len(harness.started)
    harness.feed(*"uvwxyz", partition=1)
    await settled()
    assert harness.started[started:] == places(*range(size), partition=1)
    while harness.gates:
        await harness.finish(min(harness.gates)[1], partition=1)
    assert harness.acknowledged == places(*range(6), partition=1)
    assert harness.most_running <= size


async def test_what_runs_stays_bounded_across_generations(opened: Open) -> None:
    harness = opened(2)
    harness.feed("a", "b")
    await settled()
    harness.generation = 2
    harness.feed("c", "d", partition=1)
    await settled()
    assert harness.most_running == 2


async def test_close_waits_for_what_is_in_flight_and_acknowledges_it(opened: Open) -> None:
    harness = opened(8)
    harness.feed("page", "page")
    await settled()
    closing = asyncio.create_task(harness.window.close(drain_seconds=5))
    await settled()
    await harness.finish(0)
    await harness.finish(1)
    await closing
    assert harness.acknowledged == places(0, 1)


async def test_close_cancels_what_outlasts_its_limit_and_acknowledges_none_of_it(opened: Open) -> None:
    harness = opened(8)
    harness.feed("a", "page", "page")
    await settled()
    await harness.window.close(drain_seconds=0.05)
    assert harness.window.in_flight == 0
    assert harness.acknowledged == []
    assert harness.handled == []
    assert harness.fatal == [], "a cancellation by close is no fault"


async def test_events_after_close_are_not_taken(opened: Open) -> None:
    harness = opened(8)
    await harness.window.close(drain_seconds=0)
    harness.feed("a", "b")
    await settled()
    assert harness.started == []
    assert harness.run.done(), "the loop does not read on to throw away what it reads"


async def test_an_event_that_waits_for_a_place_is_not_taken_after_close(opened: Open) -> None:
    harness = opened(1)
    harness.feed("a", "b")
    await settled()
    closing = asyncio.create_task(harness.window.close(drain_seconds=5))
    await settled()
    await harness.finish(0)
    await closing
    await settled()
    assert harness.started == places(0)
    assert harness.acknowledged == places(0)


async def test_close_can_be_called_twice(opened: Open) -> None:
    harness = opened(8)
    harness.feed("a")
    await settled()
    await harness.window.close(drain_seconds=0)
    await harness.window.close(drain_seconds=0)
    assert harness.window.in_flight == 0


async def test_faust_cannot_acknowledge_an_event_of_ours(opened: Open) -> None:
    harness = opened(1)
    event = harness.event("a")
    assert event.ack() is False
    async with event:
        pass
    assert harness.acknowledged == []
    event.acknowledge()
    assert harness.acknowledged == places(0)


async def test_a_message_that_faust_skips_in_a_rebalance_is_not_acknowledged(opened: Open) -> None:
    harness = opened(1)
    app = harness.app
    topic = app.topic(TOPIC, key_type=bytes, value_type=bytes)
    app.flow_control.resume()
    app.consumer_generation_id = 2
    stream: Any = topic.stream()
    # The pure Python loop of Faust acknowledges what it skips; its compiled twin happens not to.
    taken = stream._py_aiter()
    reading = asyncio.ensure_future(anext(taken))
    await settled()
    skipped, wanted = harness.event("a", generation=1), harness.event("b", generation=2)
    for event in (skipped, wanted):
        event.message.tracked = True
        stream.channel.queue.put_nowait(event)
    assert await asyncio.wait_for(reading, 5) == b""
    assert harness.acknowledged == []
    await taken.aclose()
    await stream.stop()
