"""What differs between two snapshots, as one page that needs nothing beside it."""

import base64
import hashlib
from collections.abc import Iterator, Sequence
from typing import Final

from app import diff_charts
from app.api.html import STYLE, Html, element, table
from app.diff_text import count, figure, percent, prediction, signed, versions
from batch.snapshot_difference import Difference, LabelShift, ModelDifference
from batch.snapshot_plots import MOST_CLASSES, flip_classes, most_shifted
from batch.snapshot_shift import BORDERS
from models.statistics.stability import LEAST_SHARE

_MOST_CHARTS: Final = 6
_SHADES: Final = 5
_STYLE: Final = (
    STYLE
    + """
:root { --a: #3366cc; --b: #c2410c; --shade: #3366cc; }
@media (prefers-color-scheme: dark) { :root { --a: #7aa5ff; --b: #ff9a5c; --shade: #7aa5ff; } }
nav li { margin: .3rem 0; }
td { white-space: nowrap; }
td { font-variant-numeric: tabular-nums; }
.figures td, .figures thead th { text-align: right; }
.charts { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fit, minmax(min(100%, 22rem), 1fr)); }
figure { margin: 0; }
figcaption { font-weight: 600; }
"""
    + "".join(
        f".shade-{shade} {{ background: color-mix(in srgb, var(--shade) {shade * 11}%, var(--ground)); }}\n"
        for shade in range(1, _SHADES + 1)
    )
    + diff_charts.STYLE
)
_STYLE_HASH: Final = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()


def diff_page(difference: Difference) -> str:
    """Return a difference as an HTML page: light and dark, on paper and on a phone, without scripts."""
    title = f"{difference.first} and {difference.second}"
    head = element(
        "head",
        element("meta", charset="utf-8"),
        # Nothing is loaded and nothing runs, whatever a name in a snapshot may hold.
        element(
            "meta",
            http_equiv="Content-Security-Policy",
            content=f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'",
        ),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("title", f"{title} - revstream"),
        element("style", Html(_STYLE)),
    )
    body = element(
        "body",
        element(
            "main",
            element("h1", "Scores of two snapshots"),
            element("p", f"A is {difference.first}, B is {difference.second}."),
            *_overview(difference),
            *(_model(place, model) for place, model in enumerate(difference.models)),
            _reading(),
        ),
    )
    return f"<!doctype html>\n{element('html', head, body, lang='en')}\n"


def _overview(difference: Difference) -> Iterator[Html]:
    if difference.is_empty:
        yield element("p", "Both hold the same scores of the same revisions.")
    rows = [
        (
            element("a", f"{model.model_name} of {model.wiki_id}", href=f"#model-{place}"),
            versions(model),
            count(model.rows_both),
            count(model.rows_first),
            count(model.rows_second),
            percent(model.same_prediction / model.scored_both) if model.scored_both else "-",
            figure(max((label.stability_index or 0 for label in model.labels), default=None)),
        )
        for place, model in enumerate(difference.models)
    ]
    heads = (
        "model",
        "version",
        "revisions in both",
        "in A alone",
        "in B alone",
        "same prediction",
        "greatest PSI",
    )
    yield element("nav", table("Models in both", heads, rows), aria_label="Models")
    alone = [
        (f"{place.model_name} of {place.wiki_id}", side)
        for side, places in (("A", difference.only_first), ("B", difference.only_second))
        for place in places
    ]
    if alone:
        yield table("Models in one snapshot alone", ("model", "in"), alone)


def _model(place: int, model: ModelDifference) -> Html:
    name = f"model-{place}"
    return element(
        "section",
        element("h2", f"{model.model_name} of {model.wiki_id}, {versions(model)}", id=name),
        *_parts(name, model),
        aria_labelledby=name,
    )


def _parts(name: str, model: ModelDifference) -> Iterator[Html]:
    if model.is_empty:
        yield element("p", f"No difference in {count(model.rows_both)} revisions.")
        return
    outcomes = [(one.first, one.second, count(one.rows)) for one in model.outcomes]
    yield table("What became of revisions", ("in A", "in B", "revisions"), outcomes)
    if model.scored_both:
        yield element(
            "p",
            f"Of {count(model.scored_both)} revisions that are scored in both, "
            f"{percent(model.same_prediction / model.scored_both)} have the same prediction, and "
            f"{percent(model.same_score / model.scored_both)} the same probabilities to the last bit.",
        )
        yield _flips(model)
    if model.labels:
        yield _shifts(model.labels)
        charts = most_shifted(model.labels, _MOST_CHARTS)
        yield element(
            "div",
            *(
                element(
                    "figure",
                    element("figcaption", f"Probabilities of {label.label}"),
                    diff_charts.histogram(label, f"{name}-chart-{number}"),
                )
                for number, label in enumerate(charts)
            ),
            class_="charts",
        )
        yield element("details", element("summary", "Quantiles"), _quantiles(model.labels))
    if model.largest:
        yield table(
            "Largest changes",
            ("revision", "page", "label", "A", "B", "change", "prediction in A", "in B"),
            [
                (
                    str(one.rev_id),
                    str(one.page_id),
                    one.label,
                    figure(one.first),
                    figure(one.second),
                    signed(one.second - one.first),
                    prediction(one.first_prediction),
                    prediction(one.second_prediction),
                )
                for one in model.largest
            ],
        )


def _flips(model: ModelDifference) -> Html:
    classes = flip_classes(model.flips)
    if len(classes) > MOST_CLASSES or model.flips_left_out:
        changed = [flip for flip in model.flips if flip.first != flip.second]
        rest = f", and {count(model.flips_left_out)} more" if model.flips_left_out else ""
        return table(
            f"Predictions that changed{rest}",
            ("in A", "in B", "revisions", "of those so predicted in A"),
            [
                (prediction(one.first), prediction(one.second), count(one.rows), percent(one.share_of_first))
                for one in changed
            ],
        )
    cells = {(flip.first, flip.second): flip for flip in model.flips}
    head = element(
        "tr", element("td", "A, then B"), *(element("th", prediction(one), scope="col") for one in classes)
    )
    rows = []
    for first in classes:
        row = [element("th", prediction(first), scope="row")]
        for second in classes:
            flip = cells.get((first, second))
            share = flip.share_of_first if flip else 0.0
            shade = f"shade-{min(_SHADES, int(share * _SHADES) + 1)}" if share else ""
            text = f"{count(flip.rows)} ({percent(share)})" if flip else "0"
            row.append(element("td", text, **({"class_": shade} if shade else {})))
        rows.append(element("tr", *row))
    caption = "Predictions in A, by row, and in B: revisions, and their share of the row"
    whole = element("table", element("caption", caption), element("thead", head), element("tbody", *rows))
    return _scrolling(caption, whole)


def _shifts(labels: Sequence[LabelShift]) -> Html:
    thresholds = [
        threshold for side in (labels[0].first or labels[0].second,) if side for threshold in side.above
    ]
    heads = (
        "label",
        "mean in A",
        "in B",
        "shift",
        "PSI",
        "KS",
        "mean change",
        "gained",
        "lost",
        *(f"above {threshold:g} in {side}" for threshold in thresholds for side in "AB"),
    )
    rows = []
    for label in labels:
        sides = (label.first, label.second)
        shift, change = label.mean_shift, label.mean_change
        rows.append(
            (
                label.label,
                *(figure(side.mean) if side else "-" for side in sides),
                signed(shift) if shift is not None else "-",
                figure(label.stability_index),
                figure(label.distance),
                signed(change) if change is not None else "-",
                count(label.gained),
                count(label.lost),
                *(percent(side.above[value]) if side else "-" for value in thresholds for side in sides),
            )
        )
    return _figures("Shift of probabilities", heads, rows)


def _quantiles(labels: Sequence[LabelShift]) -> Html:
    rows = [
        (
            f"{label.label} in {letter}",
            *(figure(value) for value in (side.least, *side.quantiles.values(), side.most)),
        )
        for label in labels
        for letter, side in (("A", label.first), ("B", label.second))
        if side is not None
    ]
    ranks = next((side.quantiles for label in labels for side in (label.first, label.second) if side), {})
    heads = ("label", "least", *(f"{rank:.0%}" for rank in ranks), "most")
    return _figures("Probability that a share of the revisions does not exceed", heads, rows)


def _reading() -> Html:
    borders = ", ".join(f"{border:g}" for border in BORDERS)
    return element(
        "section",
        element("h2", "How to read it", id="reading"),
        element(
            "p",
            "Means, PSI, KS and shares are over all revisions of each snapshot; mean change, gained, lost "
            "and predictions over those that are scored in both.",
        ),
        element(
            "p",
            "PSI, the population stability index, is the sum of (B - A) ln(B / A) over the shares of "
            f"revisions in bins with the borders {borders}; an empty bin counts as {LEAST_SHARE:g}. By "
            "custom, below 0.1 is steady, and above 0.25 has shifted.",
        ),
        element(
            "p",
            "KS is the distance of Kolmogorov and Smirnov, the greatest difference between the shares of "
            "revisions at or below any probability.",
        ),
        aria_labelledby="reading",
    )


def _figures(caption: str, heads: tuple[str, ...], rows: Sequence[Sequence[str]]) -> Html:
    return element("div", table(caption, heads, rows), class_="figures")


def _scrolling(caption: str, whole: Html) -> Html:
    return element("div", whole, class_="scroll figures", tabindex="0", role="region", aria_label=caption)
