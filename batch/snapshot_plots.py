"""What differs between two snapshots, as pictures for papers and slides."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from batch.snapshot_difference import Difference, Flip, LabelShift, ModelDifference
from batch.snapshot_shift import HISTOGRAM_BINS
from models.drawing import new_figure, png

MOST_LABELS: Final = 6
MOST_CLASSES: Final = 12
_MOST_CHARACTERS: Final = 40
_LEAST_SHARE: Final = 1e-6


def model_plots(difference: Difference, model: ModelDifference) -> Iterator[tuple[str, bytes]]:
    """Yield the pictures of one model: an ending for the file's name, and PNG.

    ``distribution``: how its probabilities lie on both sides, of the labels that shifted most. ``flips``:
    which predictions became which, where the model has at most 12 classes. The same difference and the same
    matplotlib give the same bytes.

    Args:
        difference: That the model is of.
        model: Of the difference.
    """
    labels = most_shifted(model.labels, MOST_LABELS)
    if labels:
        yield "distribution", _distribution(difference, model, labels)
    classes = flip_classes(model.flips)
    if 1 < len(classes) <= MOST_CLASSES and not model.flips_left_out:
        yield "flips", _flips(difference, model, classes)


def most_shifted(labels: Sequence[LabelShift], most: int) -> list[LabelShift]:
    """Return the labels that both sides have, the greatest stability index first."""
    known = [label for label in labels if label.stability_index is not None]
    return sorted(known, key=lambda label: (-(label.stability_index or 0), label.label))[:most]


def flip_classes(flips: Sequence[Flip]) -> list[tuple[str, ...]]:
    """Return the predictions of both sides, sorted."""
    return sorted({flip.first for flip in flips} | {flip.second for flip in flips})


def _titles(difference: Difference, model: ModelDifference) -> tuple[str, str]:
    return (
        _shown(f"{difference.first}, {model.first.model_version}"),
        _shown(f"{difference.second}, {model.second.model_version}"),
    )


def _distribution(difference: Difference, model: ModelDifference, labels: Sequence[LabelShift]) -> bytes:
    figure = new_figure(7.0, 0.8 + 2.4 * len(labels))
    borders = [number / HISTOGRAM_BINS for number in range(HISTOGRAM_BINS + 1)]
    titles = _titles(difference, model)
    for place, label in enumerate(labels, 1):
        axes = figure.add_subplot(len(labels), 1, place, xlim=(0, 1), yscale="log")
        for side, title, style in zip(
            (label.first, label.second),
            titles,
            ({"fill": True, "alpha": 0.35}, {"linewidth": 1.5}),
            strict=True,
        ):
            if side is not None:
                shares = [max(rows / side.rows, _LEAST_SHARE) for rows in side.histogram]
                axes.stairs(shares, borders, baseline=_LEAST_SHARE, label=title, **style)
        axes.set_ylim(_LEAST_SHARE, 1)
        axes.set_title(
            f"{_shown(label.label)}: PSI {label.stability_index:.3g}, KS {label.distance:.3g}",
            fontsize="medium",
        )
        axes.set_ylabel("share of revisions")
        axes.grid(visible=True, color="0.9")
        axes.legend(fontsize="small")
    axes.set_xlabel("probability")
    figure.suptitle(_shown(f"{model.model_name} of {model.wiki_id}"))
    figure.tight_layout()
    return png(figure)


def _flips(difference: Difference, model: ModelDifference, classes: Sequence[tuple[str, ...]]) -> bytes:
    side = 2.0 + 0.7 * len(classes)
    figure = new_figure(side + 1.5, side + 0.5)
    first, second = _titles(difference, model)
    names = [_shown(" + ".join(one) or "none") for one in classes]
    ticks = range(len(classes))
    axes: Any = figure.add_subplot(xlabel=second, ylabel=first)
    shares = [[0.0] * len(classes) for _ in classes]
    for flip in model.flips:
        row, column = classes.index(flip.first), classes.index(flip.second)
        shares[row][column] = flip.share_of_first
        axes.text(
            column,
            row,
            f"{flip.rows:,}",
            ha="center",
            va="center",
            fontsize="small",
            color="white" if flip.share_of_first > 0.5 else "black",
        )
    axes.imshow(shares, vmin=0, vmax=1, cmap="Blues")
    axes.set_xticks(ticks, names, rotation=45, ha="right")
    axes.set_yticks(ticks, names)
    axes.set_title(_shown(f"{model.model_name} of {model.wiki_id}"))
    figure.tight_layout()
    return png(figure)


def _shown(text: str) -> str:
    # Short enough for its place; a dollar sign would begin a formula.
    cut = text if len(text) <= _MOST_CHARACTERS else f"{text[: _MOST_CHARACTERS - 1]}…"
    return cut.replace("$", r"\$")
