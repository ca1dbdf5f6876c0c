"""Scoring that is slower than what comes: memory stays bounded, and no stream stops another."""

import asyncio
from pathlib import Path
from typing import Any, cast

from agents.rules.rule import Retry
from schemas.errors import ContentUnavailable
from tests.pipelines import RunningPipeline, Timing, edit, pipeline
from tests.until import until

EVENTS = 3_000


def waiting(given: RunningPipeline) -> int:
    """Return how many events wait between the log and the windows."""
    return sum(channel.queue.qsize() for channel in cast(Any, given.app.topics)._topics)


async def test_events_that_nobody_takes_stay_in_the_log(tmp_path: Path) -> None:
    async with pipeline(tmp_path) as given:
        gate = asyncio.Event()
        given.content.gates = dict.fromkeys(range(1, EVENTS + 1), gate)
        given.give(*(edit(rev_id, page_id=rev_id) for rev_id in range(1, EVENTS + 1)))
        await until(lambda: len(given.content.asked) == 8, 20)
        # Longer than a stream that lost events is waited for.
        for _ in range(40):
            await asyncio.sleep(0.1)
            # Four fifths of a buffer, and a round of fetching.
            assert waiting(given) <= 512 * 4 // 5 + 500
        assert len(given.content.asked) == 8
        gate.set()


async def test_a_flood_of_events_that_wait_for_their_time_stops_no_fresh_one(tmp_path: Path) -> None:
    timing = Timing(
        retry=Retry(limit=2, delay_seconds=3600.0),
        give_up_seconds=86_400.0,
        hold_seconds=60.0,
        failures=1_000_000,
    )
    async with pipeline(tmp_path, timing=timing) as given:
        for rev_id in range(1, 1_001):
            given.content.failures[rev_id] = [ContentUnavailable("no answer")]
        given.give(*(edit(rev_id, page_id=rev_id) for rev_id in range(1, 1_001)))
        await until(lambda: given.put_off == 1_000, 60)
        given.give(edit(5_000, page_id=5_000))
        await until(lambda: given.row(5_000) is not None, 20)
        assert given.put_off == 1_000
