"""What differs between two snapshots, as text for a terminal; and how figures are written."""

from collections.abc import Iterator, Sequence
from typing import Final

from batch.snapshot_difference import Difference, LabelShift, ModelDifference
from batch.snapshot_plots import most_shifted

_MOST_LABELS: Final = 10
_MOST_CHANGES: Final = 10


def as_lines(difference: Difference) -> Iterator[str]:
    """Yield a difference as lines, the most telling figures of each model; the JSON has all of them."""
    yield f"A  {difference.first}"
    yield f"B  {difference.second}"
    for text, places in (("A", difference.only_first), ("B", difference.only_second)):
        for place in places:
            yield f"only in {text}: {place.model_name} of {place.wiki_id}"
    for model in difference.models:
        yield ""
        yield from _model(model)


def count(rows: int) -> str:
    """Return a number of rows, with commas between thousands."""
    return f"{rows:,}"


def percent(share: float) -> str:
    """Return a share as percents; one that is neither 0 nor 1 is never shown as if it were."""
    if 0 < share < 0.0001:
        return "<0.01 %"
    if 0.9999 < share < 1:
        return ">99.99 %"
    return f"{share * 100:.2f} %".replace(".00 %", " %")


def signed(number: float) -> str:
    """Return a difference of probabilities."""
    return f"{number:+.4f}"


def figure(number: float | None) -> str:
    """Return a figure between 0 and some, or a hyphen for none."""
    return "-" if number is None else f"{number:.4f}"


def prediction(labels: Sequence[str]) -> str:
    """Return the labels of a prediction in one text."""
    return " + ".join(labels) or "none"


def versions(model: ModelDifference) -> str:
    """Return which versions of a model are compared."""
    first, second = model.first, model.second
    if first.model_version != second.model_version:
        return f"{first.model_version} → {second.model_version}"
    return first.model_version if first == second else f"{first.model_version}, another build"


def _model(model: ModelDifference) -> Iterator[str]:
    yield f"{model.model_name} of {model.wiki_id}, {versions(model)}"
    yield (
        f"  revisions    {count(model.rows_both)} in both, {count(model.rows_first)} in A alone, "
        f"{count(model.rows_second)} in B alone"
    )
    if model.is_empty:
        yield "  no difference"
        return
    changed = [one for one in model.outcomes if one.first != one.second]
    for place, one in enumerate(changed):
        yield f"  {'' if place else 'outcomes':12} {one.first} → {one.second}: {count(one.rows)}"
    if not model.scored_both:
        return
    yield (
        f"  scored both  {count(model.scored_both)}: same prediction "
        f"{percent(model.same_prediction / model.scored_both)}, same to the last bit "
        f"{percent(model.same_score / model.scored_both)}"
    )
    flips = [flip for flip in model.flips if flip.first != flip.second][:_MOST_CHANGES]
    for place, flip in enumerate(flips):
        yield (
            f"  {'' if place else 'flips':12} {prediction(flip.first)} → {prediction(flip.second)}: "
            f"{count(flip.rows)}, {percent(flip.share_of_first)} of {prediction(flip.first)}"
        )
    yield from _shifts(most_shifted(model.labels, _MOST_LABELS))
    changes = model.largest[:_MOST_CHANGES]
    if changes:
        yield "  largest changes"
        head = ("revision", "page", "label", "A", "B")
        rows = [
            (str(one.rev_id), str(one.page_id), one.label, figure(one.first), figure(one.second))
            for one in changes
        ]
        yield from _table([head, *rows], left=(2,))


def _shifts(labels: Sequence[LabelShift]) -> Iterator[str]:
    if not labels:
        return
    thresholds = list(labels[0].first.above) if labels[0].first else []
    head = ["label", "mean A", "mean B", "shift", "PSI", "KS"]
    head += [f">{threshold:g} {side}" for threshold in thresholds for side in "AB"]
    rows = [tuple(head)]
    for label in labels:
        if label.first is None or label.second is None or label.mean_shift is None:
            continue
        means = (figure(label.first.mean), figure(label.second.mean), signed(label.mean_shift))
        above = [
            percent(side.above[threshold]) for threshold in thresholds for side in (label.first, label.second)
        ]
        rows.append((label.label, *means, figure(label.stability_index), figure(label.distance), *above))
    yield from _table(rows, left=(0,))


def _table(rows: Sequence[Sequence[str]], *, left: Sequence[int]) -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (
            cell.ljust(width) if place in left else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        yield f"    {'  '.join(cells)}".rstrip()
