"""Queries to wikis, shown to Prometheus."""

from collections.abc import Iterable
from typing import Final

from prometheus_client.metrics_core import HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from app.durations import Durations

_BOUNDS_SECONDS: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0)


class WikiMetrics(Collector):
    """Counts queries by what came of them, see `agents.mediawiki_client.MediaWikiClient`."""

    def __init__(self) -> None:
        self._outcomes: dict[str, Durations] = {}

    def observe(self, outcome: str, seconds: float) -> None:
        """Count one query. An `agents.mediawiki_client.Observe`."""
        durations = self._outcomes.get(outcome)
        if durations is None:
            durations = self._outcomes[outcome] = Durations(_BOUNDS_SECONDS)
        durations.observe(seconds)

    def collect(self) -> Iterable[Metric]:
        """Yield the metric."""
        family = HistogramMetricFamily(
            "revstream_wiki_query_seconds",
            "Queries to wikis, by outcome: `ok`, or what was wrong with the answer.",
            labels=("outcome",),
        )
        for outcome, durations in sorted(self._outcomes.items()):
            durations.add_to(family, (outcome,))
        yield family
