"""When a process that ended is started again."""

from app.processes.supervisor import Restarts


def test_a_process_that_ran_for_long_is_started_again_at_once() -> None:
    restarts = Restarts()
    assert [restarts.wait_seconds(60.0) for _ in range(5)] == [0.0] * 5


def test_a_process_that_ends_early_again_and_again_waits_longer_and_longer() -> None:
    restarts = Restarts()
    waits = [restarts.wait_seconds(0.1) for _ in range(40)]
    assert waits[:5] == [0.0, 0.1, 0.2, 0.4, 0.8]
    assert waits[-1] == 10.0
    assert waits == sorted(waits)


def test_a_long_run_forgives_the_early_ends_before_it() -> None:
    restarts = Restarts()
    for _ in range(5):
        restarts.wait_seconds(0.1)
    assert restarts.wait_seconds(60.0) == 0.0
    assert restarts.wait_seconds(0.1) == 0.1
