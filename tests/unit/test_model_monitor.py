"""How models do now: against their tests, and against what became of the edits."""

import random

import numpy as np
import pytest
from prometheus_client import CollectorRegistry
from scipy.stats import rankdata

from agents.pipeline import EventReport
from app.model_monitor import ModelMonitor
from models.statistics.live import (
    BINS,
    SlidingCounts,
    bin_of,
    binned_roc_auc,
    calibration,
    expected_shares,
    shares,
)
from models.statistics.stability import stability_index
from models.statistics.thresholds import ThresholdTable
from models.trail import Trail
from schemas.page_change import PageChange
from schemas.prediction import ScoredModel, ScoreFailure
from tests.rows import binary, catalogue, model_id
from tests.unit.test_outcomes import edit

WIKI = "mosswiki"


def report(change: PageChange, *probabilities: float, names: tuple[str, ...] = ("damaging",)) -> EventReport:
    scored = [
        ScoredModel(model_id(name), binary(value)) for name, value in zip(names, probabilities, strict=True)
    ]
    return EventReport("scored", Trail(), change=change, scored=scored)


def test_counts_slide_with_time() -> None:
    counts = SlidingCounts(24.0, bins=2)
    for second in range(48):
        counts.add(second % 2, float(second))
    assert counts.total(47.0) == [12, 12]
    assert counts.total(70.5) == [0, 1]
    assert counts.total(1000.0) == [0, 0]


def test_every_probability_has_a_bin() -> None:
    assert [bin_of(value) for value in (0.0, 0.049, 0.05, 0.95, 1.0)] == [0, 0, 1, 19, 19]
    assert shares([]) == []
    assert shares([1, 3]) == [0.25, 0.75]


def test_the_area_is_that_of_ranks_with_ties() -> None:
    chosen = random.Random(1)
    positives = [chosen.randrange(9) for _ in range(BINS)]
    negatives = [chosen.randrange(9) for _ in range(BINS)]
    values = [place for place in range(BINS) for _ in range(positives[place])]
    others = [place for place in range(BINS) for _ in range(negatives[place])]
    ranks = rankdata(values + others)[: len(values)].sum()
    expected = (ranks - len(values) * (len(values) + 1) / 2) / (len(values) * len(others))
    assert binned_roc_auc(positives, negatives) == pytest.approx(expected)
    assert binned_roc_auc([0, 0], [1, 2]) is None


def test_the_stability_index_is_nothing_for_equals_and_grows_with_the_shift() -> None:
    even = [0.25] * 4
    assert stability_index(even, even) == 0
    small, large = stability_index(even, [0.3, 0.25, 0.25, 0.2]), stability_index(even, [0.7, 0.1, 0.1, 0.1])
    assert 0 < small < 0.1
    assert large > 0.25
    assert stability_index(even, [1.0, 0, 0, 0]) == pytest.approx(stability_index([1.0, 0, 0, 0], even))


def test_what_a_test_expects_is_the_distribution_of_its_scores() -> None:
    scores = np.random.default_rng(1).beta(2, 5, 20_000)
    sought = np.random.default_rng(2).random(20_000) < scores
    found = expected_shares(ThresholdTable.of_scores(scores, sought, None, 4).read())
    counted, _ = np.histogram(scores, bins=BINS, range=(0, 1))
    assert found == pytest.approx(counted / 20_000, abs=0.002)
    assert sum(found) == pytest.approx(1.0)


def test_calibration_says_how_often_scores_came_true() -> None:
    positives, negatives = [0] * BINS, [0] * BINS
    positives[10], negatives[10] = 3, 1
    bins = calibration(positives, negatives)
    assert (bins[10].low, bins[10].count, bins[10].share) == (0.5, 4, 0.75)
    assert bins[0].share is None


def test_health_tells_scores_and_what_became_of_edits() -> None:
    monitor = ModelMonitor(catalogue({WIKI: ("damaging", "goodfaith")}))
    names = ("damaging", "goodfaith")
    for page_id in range(1, 31):
        is_bad = page_id <= 25
        value = 0.9 if is_bad else 0.1
        monitor.event_handled(report(edit(10 * page_id, "a", page_id=page_id), 0.1, 0.9, names=names))
        monitor.event_handled(
            report(edit(10 * page_id + 1, "b", by="Vic", page_id=page_id), value, 1 - value, names=names)
        )
        if is_bad:
            monitor.event_handled(report(edit(10 * page_id + 2, "a", page_id=page_id), 0.1, 0.9, names=names))
    monitor.event_handled(report(edit(999, "x", page_id=999, hours=60), 0.1, 0.9, names=names))
    for name in names:
        health = monitor.health(WIKI, name)
        assert (health.scores, health.reverted, health.kept) == (86, 25, 60)
        # Whoever is likely to be of good faith is unlikely to be reverted.
        assert health.roc_auc == 1.0
        assert sum(health.shares["true"]) == pytest.approx(1.0)
        assert health.drift == {}
    assert monitor.health("otherwiki", "damaging").scores == 0


def test_failures_and_what_is_put_off_tell_nothing() -> None:
    monitor = ModelMonitor(catalogue({WIKI: ("damaging",)}))
    failed = ScoredModel(model_id("damaging"), ScoreFailure("content_too_large", "too large"))
    monitor.event_handled(EventReport("failed", Trail(), change=edit(1, "a"), scored=[failed]))
    monitor.event_handled(EventReport("put_off", Trail(), change=edit(2, "b")))
    monitor.event_handled(EventReport("dead_letter", Trail()))
    assert monitor.health(WIKI, "damaging").scores == 0


def test_metrics_come_with_enough_to_tell() -> None:
    monitor = ModelMonitor(catalogue({WIKI: ("damaging",)}))
    registry = CollectorRegistry()
    registry.register(monitor)
    labels = {"wiki_id": WIKI, "model_name": "damaging"}
    monitor.event_handled(report(edit(1, "a"), 0.2))
    monitor.event_handled(report(edit(2, "b", by="Vic"), 0.9))
    monitor.event_handled(report(edit(3, "a", hours=1), 0.2))
    monitor.event_handled(report(edit(4, "x", page_id=8, hours=48), 0.2))

    def told(name: str, **more: str) -> float | None:
        return registry.get_sample_value(name, labels | more)

    assert told("revstream_model_outcomes_total", outcome="reverted") == 1
    assert told("revstream_model_outcomes_total", outcome="kept") == 1
    assert told("revstream_model_roc_auc") is None
    assert told("revstream_model_drift", label="true") is None
