"""A worker that is killed again and again loses nothing and doubles nothing."""

from pathlib import Path

import pytest

from tests.bench.crash import CrashPlan, crash


@pytest.mark.slow
def test_a_worker_killed_at_random_moments_leaves_no_fault(tmp_path: Path) -> None:
    plan = CrashPlan(kills=4, wipes=2, revisions=400, pace_events_per_second=25, alive_seconds=(2.5, 5.5))
    report = crash(plan, tmp_path)
    assert report.kills >= 3
    assert report.found.scored_events > 300
    assert report.found.faults == 0, report
