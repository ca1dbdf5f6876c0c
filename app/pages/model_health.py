"""The part of a model's page that tells how it does on the stream, beside its test and a snapshot."""

from collections.abc import Iterable
from typing import Final

from app.api.html import Html, element, table
from app.model_monitor import ModelHealth, SnapshotDrift, reverted_label
from app.pages.parts import facts, iso
from models.statistics.live import BINS
from schemas.catalogue import ModelInfo
from schemas.prediction import ScoreKind

# By custom.
_STEADY: Final = 0.1
_SHIFTED: Final = 0.25


def on_the_stream(info: ModelInfo, health: ModelHealth) -> Iterable[Html]:
    """Yield how a model does now."""
    yield element("h2", "On the stream")
    yield facts(
        [
            ("Watched since", iso(health.since_dt)),
            ("Scores of 24 hours", str(health.scores)),
            *((f"Drift of {label}", _drift(value)) for label, value in sorted(health.drift.items())),
            *_against_snapshot(health.snapshot),
            ("Edits of 14 days", f"{health.reverted} reverted by others, {health.kept} kept"),
            ("ROC AUC against reverts", "too few yet" if health.roc_auc is None else f"{health.roc_auc:.3f}"),
        ]
    )
    label = reverted_label(info.id.model_name) if info.kind is ScoreKind.BINARY else info.labels[0]
    if label not in health.shares:
        return
    expected = health.expected_shares.get(label, ())
    stored = health.snapshot.shares.get(label, ()) if health.snapshot else ()
    rows = [
        (
            f"{number / BINS:.2f}",
            f"{share:.1%}",
            f"{expected[number]:.1%}" if expected else "",
            *([f"{stored[number]:.1%}"] if stored else []),
            str(health.calibration[number].count or ""),
            _share(health.calibration[number].share),
        )
        for number, share in enumerate(health.shares[label])
    ]
    before = ["In the snapshot"] if stored else []
    heads = ("From", "Scores now", "In the test", *before, "Edits settled", "Of them reverted")
    yield table(f"Probability of {label}", heads, rows)


def _against_snapshot(told: SnapshotDrift | None) -> Iterable[tuple[str, str]]:
    if told is None:
        return
    yield "Snapshot", f"{told.name}, of {iso(told.created_dt)}, with {told.scores:,} scores"
    for label, value in sorted(told.drift.items()):
        yield f"Drift of {label} against the snapshot", _drift(value)


def _drift(value: float) -> str:
    said = "steady" if value <= _STEADY else "has shifted" if value > _SHIFTED else "a little"
    return f"{value:.3f}, {said}"


def _share(share: float | None) -> str:
    return "" if share is None else f"{share:.0%}"
