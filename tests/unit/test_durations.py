"""Histograms of durations, as Prometheus reads them."""

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import generate_latest

from app.durations import DurationMetrics, PhaseMetrics
from app.wiki_metrics import WikiMetrics
from models.trail import Trail

NAME = "revstream_event_phase_seconds"


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


def test_a_duration_is_in_the_bucket_of_its_bound_and_in_all_above(registry: CollectorRegistry) -> None:
    times = DurationMetrics("revstream_some_seconds", "Some.", (0.1, 0.5, 2))
    registry.register(times)
    for seconds in (0.0, 0.1, 0.4, 7.0):
        times.observe(seconds)

    def up_to(bound: str) -> float | None:
        return registry.get_sample_value("revstream_some_seconds_bucket", {"le": bound})

    assert [up_to(bound) for bound in ("0.1", "0.5", "2", "+Inf")] == [2, 3, 3, 4]
    assert registry.get_sample_value("revstream_some_seconds_count") == 4
    assert registry.get_sample_value("revstream_some_seconds_sum") == 7.5


def test_phases_are_counted_apart_and_those_never_seen_are_not_told(registry: CollectorRegistry) -> None:
    phases = PhaseMetrics(NAME, "Phases.")
    registry.register(phases)
    for seconds in (0.0002, 20.0):
        trail = Trail()
        trail.phases += [("fetch", 1.0, 1.0 + seconds), ("features", 3.0, 3.5)]
        phases.observe(trail)
    assert registry.get_sample_value(f"{NAME}_count", {"phase": "fetch"}) == 2
    assert registry.get_sample_value(f"{NAME}_bucket", {"phase": "fetch", "le": "0.00025"}) == 1
    assert registry.get_sample_value(f"{NAME}_sum", {"phase": "features"}) == 1.0
    assert b'phase="predict"' not in generate_latest(registry)


def test_queries_to_wikis_are_counted_by_what_came_of_them(registry: CollectorRegistry) -> None:
    queries = WikiMetrics()
    registry.register(queries)
    for outcome, seconds in (("ok", 0.03), ("maxlag", 0.2), ("ok", 0.01)):
        queries.observe(outcome, seconds)
    name = "revstream_wiki_query_seconds"
    assert registry.get_sample_value(f"{name}_count", {"outcome": "ok"}) == 2
    assert registry.get_sample_value(f"{name}_bucket", {"outcome": "ok", "le": "0.01"}) == 1
    assert registry.get_sample_value(f"{name}_sum", {"outcome": "maxlag"}) == 0.2


def test_a_phase_begins_where_the_one_before_ended() -> None:
    trail = Trail()
    decoded = trail.end("decode", trail.began)
    trail.end("decide", decoded)
    (_, began, ended), (_, next_began, next_ended) = trail.phases
    assert trail.began == began <= ended == next_began <= next_ended
