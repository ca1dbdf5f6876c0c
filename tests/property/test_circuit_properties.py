"""Which wikis are asked, whatever they answer and whenever."""

import asyncio
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from agents.circuits import Circuits

_PAUSE = 10.0
_FAILURES = 3
_steps = st.lists(
    st.sampled_from(("asks", "answers", "fails")) | st.floats(0.1, 30.0).map(lambda seconds: f"{seconds}"),
    max_size=60,
)


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@given(_steps)
def test_a_wiki_that_fails_in_a_row_is_tried_once_a_pause_until_it_answers(steps: Sequence[str]) -> None:
    clock = Clock()
    circuits = Circuits(pause_seconds=_PAUSE, failures=_FAILURES, monotonic=clock)
    in_a_row = 0
    next_try = 0.0
    for step in steps:
        is_open = in_a_row >= _FAILURES
        assert circuits.is_open("moss") is is_open
        assert circuits.open_count == is_open
        if step == "asks":
            may_ask = not is_open or clock.now >= next_try
            assert circuits.admits("moss") is may_ask
            assert circuits.admits("fern")
            if is_open and may_ask:
                next_try = clock.now + _PAUSE
        elif step == "answers":
            circuits.answered("moss")
            in_a_row = 0
        elif step == "fails":
            circuits.failed("moss")
            in_a_row += 1
            if in_a_row >= _FAILURES:
                next_try = clock.now + _PAUSE
        else:
            clock.now += float(step)


async def test_all_that_wait_go_on_as_soon_as_the_wiki_answers_and_one_of_them_tries_it() -> None:
    circuits = Circuits(pause_seconds=0.05, failures=1)
    circuits.failed("moss")
    waiting = [asyncio.create_task(circuits.admitted("moss", within_seconds=20)) for _ in range(20)]
    done, left = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED, timeout=10)
    assert len(done) == 1
    circuits.answered("moss")
    done, left = await asyncio.wait(left, timeout=10)
    assert not left
    assert all(task.result() for task in done)


async def test_nobody_waits_longer_than_told() -> None:
    circuits = Circuits(pause_seconds=60, failures=1)
    circuits.failed("moss")
    assert not await asyncio.wait_for(circuits.admitted("moss", within_seconds=0.05), 10)
    assert await circuits.admitted("fern", within_seconds=0)
