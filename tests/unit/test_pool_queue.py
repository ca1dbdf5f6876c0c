"""Who gets what of the calls that wait for a scoring process."""

from collections.abc import Sequence

import pytest
from msgspec.structs import replace

from models import pool_queue
from models.pool_call import PoolCall
from models.pool_queue import PoolQueue
from tests.pool_work import model, revision


def _call(text: str = "x", page_id: int = 3) -> PoolCall:
    return PoolCall(replace(revision(text), page_id=page_id), [model()], with_features=False)


def _filled(processes: int, calls: Sequence[PoolCall]) -> PoolQueue[str]:
    queue: PoolQueue[str] = PoolQueue(processes)
    for call in calls:
        queue.append(call)
    return queue


async def test_few_calls_are_handed_out_singly_in_their_order_to_the_process_that_was_busy_last() -> None:
    calls = [_call(page_id=n) for n in range(3)]
    queue = _filled(2, calls)
    idle = ["a", "b"]
    assert queue.hand_out(idle) == ("b", calls[:1])
    assert queue.hand_out(idle) == ("a", calls[1:2])
    assert idle == []
    assert len(queue) == 1


async def test_while_many_small_calls_wait_a_process_gets_half_its_share() -> None:
    calls = [_call(page_id=n) for n in range(40)]
    queue = _filled(2, calls)
    sizes = []
    while queue:
        process, given = queue.hand_out(["a"])
        assert process == "a"
        assert given == calls[: len(given)]
        del calls[: len(given)]
        sizes.append(len(given))
    assert sizes[:2] == [10, 7]
    assert sizes[-3:] == [1, 1, 1]
    assert sum(sizes) == 40


async def test_no_batch_holds_more_than_16_calls_or_32_k_characters() -> None:
    assert len(_filled(1, [_call(page_id=n) for n in range(200)]).hand_out(["a"])[1]) == 16
    assert len(_filled(1, [_call("x" * 8_192, n) for n in range(200)]).hand_out(["a"])[1]) == 4
    assert len(_filled(1, [_call("x" * 40_000, n) for n in range(200)]).hand_out(["a"])[1]) == 1
    before_a_large_one = [_call(page_id=1), _call("x" * 40_000, 2), *(_call(page_id=n) for n in range(3, 99))]
    assert len(_filled(1, before_a_large_one).hand_out(["a"])[1]) == 1


async def test_a_page_goes_to_the_idle_process_that_had_it_and_waits_for_none() -> None:
    queue = _filled(2, [_call(page_id=1)])
    assert queue.hand_out(["a", "b"])[0] == "b"
    queue.append(_call(page_id=1))
    assert queue.hand_out(["b", "a"])[0] == "b"
    queue.append(_call(page_id=1))
    assert queue.hand_out(["a"])[0] == "a"
    queue.append(_call(page_id=1))
    assert queue.hand_out(["a", "b"])[0] == "a"


async def test_a_call_whose_process_is_busy_lets_others_go_first_and_is_not_overtaken_for_good() -> None:
    queue = _filled(40, [_call(page_id=1)])
    assert queue.hand_out(["a"])[0] == "a"
    behind = [_call(page_id=n) for n in range(2, 40)]
    waits = _call(page_id=1)
    for call in (waits, *behind):
        queue.append(call)
    given: list[PoolCall] = []
    while waits not in given:
        process, calls = queue.hand_out(["b"])
        assert process == "b"
        given += calls
    assert given == [*behind[:16], waits]
    # Where nothing else waits, it goes to whoever is idle.
    alone = _filled(1, [_call(page_id=1)])
    alone.hand_out(["a"])
    alone.append(_call(page_id=1))
    assert alone.hand_out(["b"])[0] == "b"


async def test_of_one_page_the_earlier_call_goes_first() -> None:
    queue = _filled(1, [_call(page_id=1), _call(page_id=2)])
    queue.hand_out(["a"])
    queue.hand_out(["b"])
    calls = [_call(page_id=1), _call(page_id=2), _call(page_id=1), _call(page_id=2)]
    for call in calls:
        queue.append(call)
    assert [queue.hand_out([name])[1] for name in "bbaa"] == [[calls[1]], [calls[3]], [calls[0]], [calls[2]]]


async def test_a_page_that_another_idle_process_had_does_not_go_along_in_a_batch() -> None:
    queue = _filled(1, [_call(page_id=1)])
    assert queue.hand_out(["a"])[0] == "a"
    for call in (_call(page_id=2), _call(page_id=1), *(_call(page_id=n) for n in range(3, 20))):
        queue.append(call)
    process, given = queue.hand_out(["a", "b"])
    assert (process, len(given)) == ("b", 1)
    assert queue.hand_out(["a"])[0] == "a"


async def test_what_is_put_back_goes_first_and_alone_unless_it_is_answered() -> None:
    back = [_call(page_id=n) for n in range(3)]
    back[1].refuse("answered meanwhile", None)
    queue = _filled(1, [_call(page_id=n) for n in range(10, 40)])
    queue.put_back(back)
    assert queue.hand_out(["a"]) == ("a", [back[0]])
    assert queue.hand_out(["a"]) == ("a", [back[2]])
    assert len(queue.hand_out(["a"])[1]) == 15
    assert isinstance(back[1].future.exception(), Exception)


async def test_a_process_that_ended_has_no_pages() -> None:
    queue = _filled(1, [_call(page_id=1)])
    queue.hand_out(["a"])
    queue.forget("a")
    queue.append(_call(page_id=1))
    assert queue.hand_out(["a", "b"])[0] == "b"


async def test_the_pages_remembered_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool_queue, "_PAGES_KEPT", 4)
    queue = _filled(1, [_call(page_id=n) for n in range(1, 6)])
    while queue:
        queue.hand_out(["a"])
    queue.append(_call(page_id=1))
    assert queue.hand_out(["a", "b"])[0] == "b"
    queue.append(_call(page_id=5))
    assert queue.hand_out(["a", "b"])[0] == "a"
