"""The window under faults at any moment: an acknowledged event and all before it are done."""

import asyncio
import random
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from schemas.errors import EngineError
from tests.windows import WindowHarness, places, settled


@pytest.fixture
async def harness(tmp_path: Path) -> AsyncIterator[WindowHarness]:
    harness = WindowHarness(tmp_path, size=5)
    yield harness
    await harness.close()


def check(harness: WindowHarness, since: int) -> None:
    """Check the acknowledgements since a generation began: a gapless run of events that were handled."""
    for partition in (0, 1):
        offsets = [offset for number, offset in harness.acknowledged[since:] if number == partition]
        assert offsets == list(range(len(offsets)))
        assert set(places(*offsets, partition=partition)) <= set(harness.handled)


@pytest.mark.parametrize("seed", range(30))
async def test_faults_in_any_order_acknowledge_no_unfinished_event(harness: WindowHarness, seed: int) -> None:
    chance = random.Random(seed)
    since = 0
    for _ in range(60):
        if harness.fatal:
            break
        running = sorted(place for place, gate in harness.gates.items() if not gate.done())
        act = chance.choices(
            ["feed", "finish", "generation", "fail", "cancel"], weights=[6, 10 if running else 0, 1, 0.3, 0.3]
        )[0]
        if act == "feed":
            harness.feed(*chance.choices("abcdef", k=3), partition=chance.randrange(2))
        elif act == "generation":
            for place in running:
                await harness.finish(place[1], partition=place[0])
            while any(not gate.done() for gate in harness.gates.values()):
                place = next(iter(harness.gates))
                await harness.finish(place[1], partition=place[0])
            check(harness, since)
            harness.generation += 1
            since = len(harness.acknowledged)
            harness.handled.clear()
            for partition in (0, 1):
                harness.seek(0, partition=partition)
        elif running:
            partition, offset = chance.choice(running)
            if act == "finish":
                await harness.finish(offset, partition=partition)
            elif act == "fail":
                await harness.fail(offset, OSError("the disk is gone"), partition=partition)
            else:
                harness.gates.pop((partition, offset)).cancel()
        await settled()
        check(harness, since)
        assert harness.most_running <= 5
    before = list(harness.acknowledged)
    failed = bool(harness.fatal)
    await harness.window.close(drain_seconds=0)
    assert harness.window.in_flight == 0
    assert harness.acknowledged == before
    assert len(harness.fatal) == int(failed)


async def test_a_failure_while_the_window_is_full_ends_at_close(harness: WindowHarness) -> None:
    harness.feed(*"abcdefgh")
    await settled()
    await harness.fail(2, OSError("the disk is gone"))
    await harness.finish(0, 1, 3, 4)
    assert harness.acknowledged == []
    await asyncio.wait_for(harness.window.close(drain_seconds=60), 5)
    assert harness.started == places(0, 1, 2, 3, 4)


async def test_close_does_not_wait_for_others_once_one_has_failed(harness: WindowHarness) -> None:
    harness.feed(*"abc")
    await settled()
    await harness.fail(0, OSError("the disk is gone"))
    await asyncio.wait_for(harness.window.close(drain_seconds=60), 5)
    assert harness.handled == []
    assert harness.window.in_flight == 0


async def test_a_failure_while_close_drains_acknowledges_nothing_more(harness: WindowHarness) -> None:
    harness.feed(*"abc")
    await settled()
    closing = asyncio.create_task(harness.window.close(drain_seconds=60))
    await settled()
    await harness.fail(0, OSError("the disk is gone"))
    await harness.finish(1, 2)
    await asyncio.wait_for(closing, 5)
    assert harness.acknowledged == []
    assert len(harness.fatal) == 1


async def test_a_failure_of_an_earlier_generation_still_stops_the_worker(harness: WindowHarness) -> None:
    """What the handler raises, no later event would escape either."""
    harness.feed("a")
    await settled()
    harness.generation = 2
    await harness.fail(0, OSError("the disk is gone"))
    assert len(harness.fatal) == 1


async def test_a_cancellation_from_within_is_told_as_an_error_of_the_engine(harness: WindowHarness) -> None:
    harness.feed("a")
    await settled()
    harness.gates[0, 0].cancel()
    await settled()
    assert isinstance(harness.fatal[0], EngineError)
    assert "cancelled from within" in str(harness.fatal[0])


async def test_a_handler_that_cleans_up_slowly_is_waited_for(harness: WindowHarness) -> None:
    harness.feed("a")
    await settled()
    ended = []
    wait = harness.gates[0, 0]

    async def clean_up() -> None:
        try:
            await wait
        except asyncio.CancelledError:
            await asyncio.sleep(0.05)
            ended.append(True)
            raise

    harness.gates[0, 1] = asyncio.ensure_future(clean_up())
    harness.feed("b")
    await settled()
    await harness.window.close(drain_seconds=0)
    assert ended == [True]


@pytest.mark.parametrize("raised", [KeyboardInterrupt, SystemExit, MemoryError])
async def test_whatever_is_raised_acknowledges_nothing(
    harness: WindowHarness, raised: type[BaseException]
) -> None:
    harness.feed("a")
    await settled()
    await harness.fail(0, raised())
    assert [type(error) for error in harness.fatal] == [raised]
    assert harness.acknowledged == []
