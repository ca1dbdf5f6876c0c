"""How the models of a worker do now, by the events that it handled."""

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from time import monotonic
from typing import Final

from msgspec import Struct
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from agents.outcomes import Outcomes
from agents.pipeline import EventReport, Observer
from models.statistics.document import StatisticsDocument
from models.statistics.live import (
    CalibrationBin,
    SlidingCounts,
    bin_of,
    binned_roc_auc,
    calibration,
    expected_shares,
    shares,
)
from models.statistics.stability import stability_index
from schemas.catalogue import Catalogue
from schemas.errors import ModelCorrupt
from schemas.prediction import Score, ScoreKind
from schemas.score_shares import ScoreShares

SCORES_SECONDS: Final = 24 * 3600.0
OUTCOMES_SECONDS: Final = 14 * 24 * 3600.0
# Fewer say more of chance than of the model.
_DRIFT_SCORES: Final = 200
_AUC_OUTCOMES: Final = 20
# Whose probability of true is that of an edit that is kept.
_KEPT_MODELS: Final = frozenset({"goodfaith"})


def reverted_label(model_name: str) -> str:
    """Return the label of a binary model whose probability is that of an edit to be reverted."""
    return "false" if model_name in _KEPT_MODELS else "true"


class SnapshotDrift(Struct, frozen=True):
    """How live scores compare with those of a snapshot.

    Attributes:
        name: Of the snapshot.
        created_dt: When it was finished.
        scores: How many it has of the model.
        shares: As of `ModelHealth`, in the snapshot.
        drift: Population stability index of both by label; empty below 200 scores.
    """

    name: str
    created_dt: datetime
    scores: int
    shares: dict[str, list[float]]
    drift: dict[str, float]


class ModelHealth(Struct, frozen=True):
    """How one model does.

    Attributes:
        since_dt: From when on this process has watched.
        scores: Scores of the last 24 hours.
        shares: Of them by label: what part lies in each of 20 bins of equal width.
        expected_shares: The same as a test of the model found; empty where it came without one.
        drift: Population stability index of both by label; empty below 200 scores.
        reverted: Edits of the last 14 days that were undone by others within 48 hours.
        kept: Edits that were not.
        roc_auc: Of these; None below 20 of either.
        calibration: How often scores came true, by bin.
        snapshot: The same comparison with the newest snapshot that has its scores; None without any.
    """

    since_dt: datetime
    scores: int
    shares: dict[str, list[float]]
    expected_shares: dict[str, list[float]]
    drift: dict[str, float]
    reverted: int
    kept: int
    roc_auc: float | None
    calibration: list[CalibrationBin]
    snapshot: SnapshotDrift | None = None


class _Watched:
    def __init__(self) -> None:
        self.labels: dict[str, SlidingCounts] = {}
        self.reverted = SlidingCounts(OUTCOMES_SECONDS)
        self.kept = SlidingCounts(OUTCOMES_SECONDS)
        self.outcomes = {"reverted": 0, "kept": 0}


class ModelMonitor(Collector):
    """An `agents.pipeline.Observer` that remembers what models say, and what became of the edits.

    It watches from its start on: it is a window on the stream, not a store.

    Args:
        catalogue: The models of each wiki.

    Attributes:
        catalogue: As above; others may take its place.
        reference: Returns how the scores of a model on a wiki are spread in a snapshot; None without any.
    """

    def __init__(self, catalogue: Catalogue) -> None:
        self.catalogue = catalogue
        self.reference: Callable[[str, str], ScoreShares | None] = lambda _wiki_id, _model_name: None
        self._outcomes = Outcomes()
        self._watched: dict[tuple[str, str], _Watched] = {}
        self._expected: dict[str, dict[str, list[float]]] = {}
        self._since_dt = datetime.now(UTC)

    def event_handled(self, report: EventReport) -> None:
        """Take in what was scored."""
        change = report.change
        if change is None or report.outcome in {"put_off", "moved"}:
            return
        likely = {}
        for one in report.scored:
            if not isinstance(one.outcome, Score):
                continue
            name = one.model.model_name
            self._scored(change.wiki_id, name, one.outcome)
            if one.outcome.kind is ScoreKind.BINARY:
                likely[name] = one.outcome.probability[reverted_label(name)]
        for outcome in self._outcomes.follow(change, likely):
            watched = self._watch(outcome.wiki_id, outcome.model_name)
            counts = watched.reverted if outcome.was_reverted else watched.kept
            counts.add(bin_of(outcome.probability), monotonic())
            watched.outcomes["reverted" if outcome.was_reverted else "kept"] += 1

    def health(self, wiki_id: str, model_name: str) -> ModelHealth:
        """Return how a model does on a wiki."""
        watched, now = self._watch(wiki_id, model_name), monotonic()
        counted = {label: counts.total(now) for label, counts in watched.labels.items()}
        found = {label: shares(counts) for label, counts in counted.items()}
        expected = self._expected_of(wiki_id, model_name)
        scores = max((sum(counts) for counts in counted.values()), default=0)
        reverted, kept = watched.reverted.total(now), watched.kept.total(now)
        is_enough = min(sum(reverted), sum(kept)) >= _AUC_OUTCOMES
        return ModelHealth(
            since_dt=self._since_dt,
            scores=scores,
            shares=found,
            expected_shares=expected,
            drift=_drift(expected, found, scores),
            reverted=sum(reverted),
            kept=sum(kept),
            roc_auc=binned_roc_auc(reverted, kept) if is_enough else None,
            calibration=calibration(reverted, kept),
            snapshot=self._snapshot(wiki_id, model_name, found, scores),
        )

    def _snapshot(
        self, wiki_id: str, model_name: str, found: Mapping[str, list[float]], scores: int
    ) -> SnapshotDrift | None:
        told = self.reference(wiki_id, model_name)
        if told is None:
            return None
        shown = {label: list(one) for label, one in told.shares.items()}
        return SnapshotDrift(
            told.name, told.created_dt, told.scores, shown, _drift(told.shares, found, scores)
        )

    def collect(self) -> Iterable[Metric]:
        """Yield the metrics."""
        names = ("wiki_id", "model_name")
        drift = GaugeMetricFamily(
            "revstream_model_drift",
            "Population stability index of the scores of 24 hours against a reference, the model's test "
            "(training) or the newest snapshot; from 200 on.",
            labels=(*names, "label", "reference"),
        )
        area = GaugeMetricFamily(
            "revstream_model_roc_auc",
            "Area under the ROC curve of scores against reverts, of 14 days; from 20 of either outcome on.",
            labels=names,
        )
        outcomes = CounterMetricFamily(
            "revstream_model_outcomes",
            "Scored edits by what became of them: reverted by others within 48 hours, or kept.",
            labels=(*names, "outcome"),
        )
        for (wiki_id, model_name), watched in sorted(self._watched.items()):
            health = self.health(wiki_id, model_name)
            for label, value in health.drift.items():
                drift.add_metric((wiki_id, model_name, label, "training"), value)
            for label, value in (health.snapshot.drift if health.snapshot else {}).items():
                drift.add_metric((wiki_id, model_name, label, "snapshot"), value)
            if health.roc_auc is not None:
                area.add_metric((wiki_id, model_name), health.roc_auc)
            for outcome, count in watched.outcomes.items():
                outcomes.add_metric((wiki_id, model_name, outcome), count)
        yield from (drift, area, outcomes)

    def _scored(self, wiki_id: str, model_name: str, score: Score) -> None:
        labels, now = self._watch(wiki_id, model_name).labels, monotonic()
        for label, probability in score.probability.items():
            counts = labels.get(label)
            if counts is None:
                counts = labels[label] = SlidingCounts(SCORES_SECONDS)
            counts.add(bin_of(probability), now)

    def _watch(self, wiki_id: str, model_name: str) -> _Watched:
        key = (wiki_id, model_name)
        watched = self._watched.get(key)
        if watched is None:
            watched = self._watched[key] = _Watched()
        return watched

    def _expected_of(self, wiki_id: str, model_name: str) -> dict[str, list[float]]:
        info = self.catalogue.find(wiki_id, model_name)
        if info is None or not info.document.statistics:
            return {}
        if info.artefact not in self._expected:
            try:
                tables = StatisticsDocument.read(info.document.statistics).tables
                expected = {label: expected_shares(table.read()) for label, table in tables.items()}
            except ModelCorrupt:
                expected = {}
            self._expected[info.artefact] = expected
        return self._expected[info.artefact]


def _drift(
    expected: Mapping[str, list[float]], found: Mapping[str, list[float]], scores: int
) -> dict[str, float]:
    if scores < _DRIFT_SCORES:
        return {}
    return {label: stability_index(expected[label], found[label]) for label in found if label in expected}


class Observers:
    """Several observers as one."""

    def __init__(self, *observers: Observer) -> None:
        self._observers = observers

    def event_handled(self, report: EventReport) -> None:
        """Tell each."""
        for observer in self._observers:
            observer.event_handled(report)
