"""What the queue of the scoring pool promises, whatever comes and goes."""

import asyncio
from collections import deque
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from models.pool_call import PoolCall
from models.pool_queue import PoolQueue
from models.priority import Priority
from tests.pool_work import model, revision

_steps = st.lists(
    st.tuples(st.just("come"), st.sampled_from(Priority))
    | st.tuples(st.just("hand out"), st.booleans())
    | st.tuples(st.just("go away"), st.integers(0, 40)),
    max_size=60,
)


@given(_steps, st.integers(1, 3))
def test_no_call_starts_while_one_of_a_class_before_its_own_waits(
    steps: Sequence[tuple[str, int]], processes: int
) -> None:
    asyncio.run(_follow(steps, processes))


async def _follow(steps: Sequence[tuple[str, int]], processes: int) -> None:
    """Compare the queue with what it stands for: a line for each class."""
    queue: PoolQueue[str] = PoolQueue(processes)
    lines: dict[Priority, deque[PoolCall]] = {priority: deque() for priority in Priority}
    started: list[PoolCall] = []
    came = 0
    for step, number in steps:
        waiting = [call for line in lines.values() for call in line]
        if step == "come":
            call = PoolCall(
                replace(revision("x"), page_id=came % 7),
                [model()],
                with_features=False,
                priority=Priority(number),
            )
            came += 1
            queue.append(call)
            lines[call.priority].append(call)
        elif step == "go away" and waiting:
            gone = waiting[number % len(waiting)]
            queue.discard(gone)
            lines[gone.priority].remove(gone)
        elif step == "hand out" and waiting:
            _, calls = queue.hand_out(["a", "b"])
            first = next(line for line in lines.values() if line)
            assert calls == [first.popleft() for _ in calls]
            if number and len(calls) > 1:
                # A process died behind its first call.
                queue.put_back(calls[1:])
                lines[calls[0].priority].extendleft(reversed(calls[1:]))
                del calls[1:]
            started += calls
        assert queue.waiting() == {priority: len(line) for priority, line in lines.items()}
    # Nothing is lost: with nobody new, all get their turn.
    while queue:
        started += queue.hand_out(["a"])[1]
    assert {id(call) for call in started} >= {id(call) for line in lines.values() for call in line}
