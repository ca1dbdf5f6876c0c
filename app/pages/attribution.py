"""The part of a revision's page that tells which features mattered, and all that a model read."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final

from app.api.attributions import by_weight
from app.api.documents import ores_features, stored_document
from app.api.html import Html, element, table
from app.pages.parts import alert, headline, iso
from schemas.attribution import (
    Attribution,
    AttributionMethod,
    AttributionReference,
    AttributionScale,
    LabelAttribution,
)
from schemas.prediction import Score, ScoredModel

_FEATURES_MOST: Final = 15
# A contribution that rounds to nothing moved nothing that anybody sees.
_LEAST: Final = 0.0005
_METHODS: Final = {
    AttributionMethod.TREE_SHAP: "Shapley values of the model's trees (TreeSHAP, exact)",
    AttributionMethod.LINEAR: "coefficients, each times how far the value is from the reference",
}
_SCALES: Final = {
    AttributionScale.LOG_ODDS: "log-odds",
    AttributionScale.RAW_SCORE: "raw score",
    AttributionScale.PROBABILITY: "probability",
}
_REFERENCES: Final = {
    AttributionReference.TRAINING: "of the revisions that it was trained with",
    AttributionReference.LEAVES: "of all leaves of its trees alike, as the model does not tell its training",
    AttributionReference.MEAN: "of mean values of all features",
    AttributionReference.ZERO: "of zeros",
}


def what_mattered(scored: ScoredModel, *, is_stored: bool) -> Iterable[Html]:
    """Yield which features moved a score, and the values of all.

    Args:
        scored: With what was asked for beside.
        is_stored: Whether the page shows stored scores of the revision as well.
    """
    name = scored.model.model_name
    yield element("h2", f"Features that mattered to {name} {scored.model.model_version}")
    if not isinstance(scored.outcome, Score):
        yield alert(scored.outcome.message)
        return
    told, probability = headline(stored_document(scored))
    number = "" if probability is None else f" {probability:.3f}"
    kept = "" if is_stored else " It was scored for this page alone."
    yield element("p", f"Computed {iso(datetime.now(UTC))}: {told or 'true'}{number}.{kept}")
    if scored.attribution is None:
        yield element("p", "This kind of model does not tell what moved its score.")
    else:
        yield from _attributed(scored.attribution, _label(scored.attribution, scored.outcome))
    yield from _values(scored)


def _label(attribution: Attribution, score: Score) -> LabelAttribution:
    """Return the label of most interest: the one that was chosen, else the likeliest."""
    chosen = sorted(
        attribution.labels,
        key=lambda told: (told.label not in score.prediction, -score.probability.get(told.label, 0.0)),
    )
    return chosen[0]


def _attributed(attribution: Attribution, label: LabelAttribution) -> Iterable[Html]:
    scale = _SCALES[attribution.scale]
    ranked = by_weight(attribution, label)
    shown = [row for row in ranked if abs(row[2]) >= _LEAST][:_FEATURES_MOST]
    rest = label.score - label.base - sum(row[2] for row in shown)
    most = max((abs(row[2]) for row in shown), default=1.0)
    rows: list[tuple[str, ...]] = [
        (
            element("code", _plain(feature)),
            _value(value),
            f"{contribution:+.3f} {'for' if contribution > 0 else 'against'}",
            _push(contribution / most),
        )
        for feature, value, contribution in shown
    ]
    if len(ranked) > len(shown):
        rows.append(
            (f"{len(ranked) - len(shown)} others", "", f"{rest:+.3f}", _push(rest / max(most, abs(rest))))
        )
    heads = ("Feature", "Value", f"Moved the {scale} by", "Against | for")
    yield table(f"What spoke for {label.label}, and what against it", heads, rows)
    yield element(
        "p",
        f"From {label.base:+.3f}, the {scale} {_REFERENCES[attribution.reference]}, these lead to "
        f"{label.score:+.3f}. Computed as {_METHODS[attribution.method]}. They tell how the model came to "
        "its score, and not whether it is right.",
        class_="quiet",
    )


def _push(part: float) -> Html:
    """Return a contribution as a bar from the middle: to the right for, to the left against."""
    size = 50 * min(1.0, abs(part))
    return element(
        "svg",
        element(
            "rect",
            class_="for" if part > 0 else "against",
            x=f"{50 if part > 0 else 50 - size:.1f}%",
            width=f"{size:.1f}%",
            height="100%",
        ),
        element("line", class_="middle", x1="50%", x2="50%", y2="100%"),
        class_="bar push",
        aria_hidden="true",
    )


def _values(scored: ScoredModel) -> Iterable[Html]:
    if not scored.features:
        yield element("p", "This model tells no features.")
        return
    rows = [
        (element("code", _plain(name)), _value(value))
        for name, value in ores_features(scored.features).items()
    ]
    name = scored.model.model_name
    yield element(
        "details",
        element("summary", f"All {len(rows)} values"),
        table(f"Values that {name} reads", ("Feature", "Value"), rows),
    )


def _plain(feature: str) -> str:
    return feature.replace("feature.", "")


def _value(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list):
        return f"{len(value)} numbers"
    return str(value).lower() if isinstance(value, bool) else str(value)
