"""Histograms of durations as plain numbers: counting one takes well under a microsecond."""

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from prometheus_client.metrics_core import HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from models.trail import PHASES, Phase, Trail

# From a look into the tables to a wiki that hardly answers.
PHASE_BOUNDS_SECONDS: Final = (
    *(0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05),
    *(0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0),
)


class Durations:
    """Durations of one kind. For one thread.

    Args:
        bounds_seconds: Upper bounds of the buckets, ascending.

    Attributes:
        cells: How many each bucket has, and last the sum.
    """

    __slots__ = ("_bounds", "cells")

    def __init__(self, bounds_seconds: Sequence[float]) -> None:
        self._bounds = tuple(bounds_seconds)
        self.cells = [0.0] * (len(self._bounds) + 2)

    def observe(self, seconds: float) -> None:
        """Count one."""
        cells = self.cells
        cells[bisect_left(self._bounds, seconds)] += 1
        cells[-1] += seconds

    @property
    def count(self) -> int:
        """How many were counted."""
        return int(sum(self.cells[:-1]))

    def add_to(self, family: HistogramMetricFamily, labels: Sequence[str] = ()) -> None:
        """Add what was counted to a family of metrics."""
        total, buckets = 0.0, []
        for bound, number in zip((*map(str, self._bounds), "+Inf"), self.cells[:-1], strict=True):
            total += number
            buckets.append((bound, total))
        family.add_metric(labels, buckets, self.cells[-1])


class DurationMetrics(Collector):
    """Shows one kind of durations to Prometheus.

    Args:
        name: Of the metric.
        meaning: Of the metric.
        bounds_seconds: As of `Durations`.

    Attributes:
        observe: Counts one.
    """

    def __init__(self, name: str, meaning: str, bounds_seconds: Sequence[float]) -> None:
        self._name = name
        self._meaning = meaning
        self._durations = Durations(bounds_seconds)
        self.observe = self._durations.observe

    def collect(self) -> Iterable[Metric]:
        """Yield the metric."""
        family = HistogramMetricFamily(self._name, self._meaning)
        self._durations.add_to(family)
        yield family


class PhaseMetrics(Collector):
    """Shows how long phases take to Prometheus.

    Args:
        name: Of the metric.
        meaning: Of the metric.
    """

    def __init__(self, name: str, meaning: str) -> None:
        self._name = name
        self._meaning = meaning
        self._phases: Mapping[Phase, Durations] = {phase: Durations(PHASE_BOUNDS_SECONDS) for phase in PHASES}
        self._cells = {phase: durations.cells for phase, durations in self._phases.items()}

    def observe(self, trail: Trail) -> None:
        """Count the phases of one event or request."""
        # As `Durations.observe` does, without eight calls of it for each event.
        phases, find = self._cells, bisect_left
        for phase, began, ended in trail.phases:
            cells = phases[phase]
            seconds = ended - began
            cells[find(PHASE_BOUNDS_SECONDS, seconds)] += 1
            cells[-1] += seconds

    def collect(self) -> Iterable[Metric]:
        """Yield the metric, of the phases that have been seen."""
        family = HistogramMetricFamily(self._name, self._meaning, labels=("phase",))
        for phase, durations in self._phases.items():
            if durations.count:
                durations.add_to(family, (phase,))
        yield family
