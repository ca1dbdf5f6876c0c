"""Workers on a real Kafka broker that are killed again and again lose nothing and double nothing."""

from pathlib import Path

import msgspec
import pytest

from tests.bench.crash_fleet import KafkaCrashPlan
from tests.bench.crash_kafka import crash_kafka

pytestmark = [pytest.mark.kafka, pytest.mark.slow]


async def test_workers_killed_at_random_moments_beside_a_failing_broker_and_wiki_leave_no_fault(
    kafka_jars: None, shared: Path, tmp_path: Path
) -> None:
    plan = KafkaCrashPlan(kills=4, kills_between_broker_restarts=3, events_per_second=4, events_least=100)
    report = await crash_kafka(plan, tmp_path, shared)
    assert report.kills == 4
    assert report.broker_restarts >= 1
    assert report.api_calls_failed > 0
    assert report.found.scored_events > 20
    assert report.faults == 0, msgspec.json.encode(report).decode()
