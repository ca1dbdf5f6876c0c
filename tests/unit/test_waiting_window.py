"""What two windows over the same tables promise, and one whose events wait for their time."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from agents.ordered import Turns, UnacknowledgedEvent
from tests.windows import WindowHarness, places, settled


class Gates:
    """Holds every event until a test lets it go, to be handled or not."""

    def __init__(self) -> None:
        self.gates: dict[int, asyncio.Future[bool]] = {}

    async def __call__(self, event: UnacknowledgedEvent) -> bool:
        gate: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self.gates[event.message.offset] = gate
        return await gate

    async def open(self, offset: int, *, is_handled: bool = True) -> None:
        self.gates.pop(offset).set_result(is_handled)
        await settled()


class Both:
    """A window over sources, and one with gates that shares its turns."""

    def __init__(self, folder: Path) -> None:
        turns = Turns()
        self.gates = Gates()
        self.sources = WindowHarness(folder / "sources", size=4, turns=turns)
        self.late = WindowHarness(folder / "late", size=4, turns=turns, wait=self.gates)


@pytest.fixture
async def both(tmp_path: Path) -> AsyncIterator[Both]:
    both = Both(tmp_path)
    yield both
    await both.sources.close()
    await both.late.close()


async def test_two_events_of_a_page_are_not_handled_at_once_though_they_come_by_two_ways(both: Both) -> None:
    both.late.feed("page")
    await settled()
    both.sources.feed("page", "other")
    await settled()
    assert both.sources.started == places(0, 1), "what waits for its time holds up nobody"
    await both.gates.open(0)
    assert both.late.started == []
    both.sources.feed("page")
    await settled()
    await both.sources.finish(0)
    assert both.late.started == places(0)
    assert both.sources.started == places(0, 1)
    await both.late.finish(0)
    assert both.sources.started == places(0, 1, 2)


async def test_events_are_handled_as_they_come_due_and_acknowledged_in_order(both: Both) -> None:
    both.late.feed("page", "page", "other")
    await settled()
    await both.gates.open(1)
    await both.gates.open(2)
    await both.late.finish(1, 2)
    assert both.late.started == places(1, 2)
    assert both.late.acknowledged == []
    await both.gates.open(0)
    await both.late.finish(0)
    assert both.late.acknowledged == places(0, 1, 2)


async def test_an_event_that_was_put_back_is_done_without_being_handled(both: Both) -> None:
    both.late.feed("a", "b")
    await settled()
    await both.gates.open(0, is_handled=False)
    assert both.late.started == []
    assert both.late.acknowledged == places(0)


async def test_what_waits_when_the_window_closes_is_given_up_at_once_and_not_acknowledged(both: Both) -> None:
    both.late.feed("a", "b")
    await settled()
    await both.gates.open(1)
    closing = asyncio.create_task(both.late.window.close(drain_seconds=60))
    await settled()
    await both.late.finish(1)
    await closing
    assert both.late.handled == places(1)
    assert both.late.acknowledged == []
    assert both.late.fatal == []


async def test_what_waits_when_its_partition_is_given_back_gives_its_place_back(both: Both) -> None:
    both.late.feed("a", "b", "c", "d")
    await settled()
    assert both.late.window.is_full
    both.late.generation = 2
    both.late.seek(0)
    both.late.feed("a", "b", "c", "d")
    both.late.window.drop_stale()
    await settled()
    assert both.late.window.waiting == 4
    for offset in range(4):
        await both.gates.open(offset)
        await both.late.finish(offset)
    assert both.late.acknowledged == places(0, 1, 2, 3)
    assert both.late.fatal == []


async def test_a_wait_that_fails_stops_the_worker_and_acknowledges_nothing(both: Both) -> None:
    both.late.feed("a")
    await settled()
    error = OSError("the log cannot be written")
    both.gates.gates.pop(0).set_exception(error)
    await settled()
    assert both.late.fatal == [error]
    assert both.late.acknowledged == []
