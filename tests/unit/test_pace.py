import pytest

from agents.pace import Pace
from schemas.errors import SettingsError


def test_a_pace_keeps_its_mean_and_catches_up_for_one_second_at_most() -> None:
    now = 100.0
    pace = Pace(20, monotonic=lambda: now)
    sent = []
    for _ in range(40):
        sent.append(pace.allowance())
        pace.spend(sent[-1])
        now += pace.wait_seconds()
    assert sent == [1] * 40
    assert now == pytest.approx(102.0, abs=0.06)
    now += 3600
    assert pace.allowance() == 20
    pace.spend(20)
    assert pace.allowance() == 0
    assert pace.wait_seconds() == pytest.approx(0.05)


def test_a_slow_pace_waits_for_its_event_and_a_fast_one_goes_in_small_groups() -> None:
    now = 0.0
    slow, fast = Pace(0.5, monotonic=lambda: now), Pace(1000, monotonic=lambda: now)
    slow.spend(slow.allowance())
    fast.spend(fast.allowance())
    assert slow.wait_seconds() == pytest.approx(2.0)
    assert fast.wait_seconds() == pytest.approx(0.05)
    now = 0.05
    assert slow.allowance() == 0
    assert fast.allowance() == 50


@pytest.mark.parametrize("pace", [0, -1, float("nan")])
def test_a_pace_that_never_sends_is_refused(pace: float) -> None:
    with pytest.raises(SettingsError, match="never"):
        Pace(pace)
