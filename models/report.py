"""The test report of a model: figures as JSON, a card to read, and curves as PNG where they can be drawn.

Everything comes from the manifest, so that a report can be written for any artefact at any time, and the
artefact itself stays the same whether curves could be drawn or not.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from models.drawing import can_draw, new_figure, png
from models.manifest import Manifest
from models.statistics import StatisticsDocument
from schemas.errors import SourceError
from schemas.prediction import ScoreKind

Floats = NDArray[np.float64]

REPORT, CARD, ROC, PRECISION_RECALL = "report.json", "card.md", "roc.png", "precision_recall.png"
_FIRST = "What"
_MOST_POINTS = 200
_MOST_CURVES = 10
_DIGITS = 6
_INCHES = 6.0
_FIGURES = ("roc_auc", "pr_auc", "recall", "precision", "f1", "accuracy", "fpr")


class Curve(Struct, frozen=True):
    """One curve of a label.

    Attributes:
        label: As JSON writes it.
        across: Rising from left to right, float64[points].
        up: float64[points].
        area: As ORES computes it; None without.
    """

    label: str
    across: tuple[float, ...]
    up: tuple[float, ...]
    area: float | None


class Curves(Struct, frozen=True):
    """The curves of a model.

    Attributes:
        roc: Recall over the rate of false alarms.
        precision_recall: Precision over recall.
    """

    roc: tuple[Curve, ...]
    precision_recall: tuple[Curve, ...]


def curves(manifest: Manifest) -> Curves:
    """Return the curves of the labels of a model, at most 200 points each.

    A model of two labels has those of ``true``, or of its second label.

    Raises:
        ModelCorrupt: Its statistics cannot be read.
    """
    document = StatisticsDocument.read(manifest.statistics)
    tables = dict(document.tables)
    if manifest.kind is ScoreKind.BINARY and manifest.labels[1] in tables:
        tables = {manifest.labels[1]: tables[manifest.labels[1]]}
    roc, precision_recall = [], []
    for label, table in tables.items():
        thresholds = table.read()
        recall, fpr, precision = (
            np.asarray(thresholds.confusion.metric(name), dtype=np.float64)
            for name in ("recall", "fpr", "precision")
        )
        roc.append(_curve(label, fpr, recall, thresholds.roc_auc(), start=(0.0, 0.0)))
        precision_recall.append(_curve(label, recall, precision, thresholds.pr_auc()))
    return Curves(tuple(roc), tuple(precision_recall))


def write_report(manifest: Manifest, folder: Path) -> list[Path]:
    """Write the report of a model. The same manifest and the same matplotlib give the same bytes.

    Args:
        manifest: Of the model.
        folder: Made where absent; files of the same names are replaced.

    Returns:
        The files written; without those of the curves where matplotlib is not installed (`can_draw`).

    Raises:
        ModelCorrupt: The statistics of the model cannot be read.
        SourceError: A file cannot be written.
    """
    drawn = curves(manifest)
    images: dict[str, bytes] = {}
    if can_draw() and drawn.roc:
        images = {
            ROC: _draw(drawn.roc, manifest, "false positive rate", "recall", diagonal=True),
            PRECISION_RECALL: _draw(drawn.precision_recall, manifest, "recall", "precision"),
        }
    contents = {REPORT: _json(manifest, drawn), CARD: _card(manifest, tuple(images)).encode(), **images}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in (ROC, PRECISION_RECALL):
            (folder / name).unlink(missing_ok=True)
        for name, content in contents.items():
            (folder / name).write_bytes(content)
    except OSError as error:
        raise SourceError(
            f"cannot write the report in {folder}: {error.strerror}; check the folder and its permissions",
            path=str(folder),
        ) from error
    return [folder / name for name in contents]


def _curve(
    label: str, across: Floats, up: Floats, area: float | None, *, start: tuple[float, float] | None = None
) -> Curve:
    # Thresholds rise, so that curves come from the right.
    known = np.isfinite(across) & np.isfinite(up)
    across, up = across[known][::-1], up[known][::-1]
    if len(across) > _MOST_POINTS:
        keep = np.unique(np.linspace(0, len(across) - 1, _MOST_POINTS).round().astype(np.intp))
        across, up = across[keep], up[keep]
    points = [
        (round(x, _DIGITS), round(y, _DIGITS)) for x, y in zip(across.tolist(), up.tolist(), strict=True)
    ]
    if start is not None and points[:1] != [start]:
        points.insert(0, start)
    return Curve(label, tuple(x for x, _ in points), tuple(y for _, y in points), area)


def _json(manifest: Manifest, drawn: Curves) -> bytes:
    statistics = manifest.statistics
    document = {
        "name": manifest.name,
        "model_name": manifest.model_name,
        "model_version": manifest.model_version,
        "sha512": manifest.sha512,
        "labels": manifest.labels,
        "training": manifest.training,
        "statistics": {
            name: value
            for name, value in StatisticsDocument.read(statistics).entries.items()
            if name not in {"cross_validation", "held_out", "tuning"}
        },
        **{name: statistics.get(name) for name in ("cross_validation", "held_out", "tuning")},
        "curves": drawn,
    }
    # Sorted, since a manifest that was read and one that was just made hold their keys in different orders.
    return msgspec.json.format(msgspec.json.encode(document, order="sorted"), indent=1) + b"\n"


def _card(manifest: Manifest, images: Sequence[str]) -> str:
    lines = [f"# {manifest.name} {manifest.model_version}", ""]
    for heading, text in sorted(manifest.card.items(), key=lambda item: (item[0] != _FIRST, item)):
        lines += [f"## {heading}", "", text, ""]
    lines += ["## Figures", "", *_figures(manifest.labels, manifest.statistics), ""]
    titles = {ROC: "ROC curve", PRECISION_RECALL: "Precision-recall curve"}
    for image in images:
        lines += [f"![{titles[image]}]({image})", ""]
    lines += [f"Licence: {manifest.licence}. Owner: {manifest.owner}. sha512: `{manifest.sha512}`.", ""]
    return "\n".join(lines)


def _figures(labels: Sequence[str], statistics: Mapping[str, Any]) -> list[str]:
    counts = statistics.get("counts")
    if not isinstance(counts, Mapping):
        return ["None are known."]
    names = [name for name in _FIGURES if isinstance(statistics.get(name), Mapping)]
    rows = ["| label | rows | " + " | ".join(names) + " |", "|---" * (len(names) + 2) + "|"]
    for label in labels:
        cells = (_shown(statistics[name].get("labels", {}).get(label)) for name in names)
        rows.append(f"| {label} | {counts['labels'].get(label, 0)} | " + " | ".join(cells) + " |")
    return rows


def _shown(value: Any) -> str:
    return f"{value:.3f}" if isinstance(value, int | float) else "-"


def _draw(
    drawn: Sequence[Curve], manifest: Manifest, across: str, up: str, *, diagonal: bool = False
) -> bytes:
    figure = new_figure(_INCHES, _INCHES)
    axes = figure.add_subplot(xlim=(0, 1), ylim=(0, 1.01), xlabel=across, ylabel=up)
    if diagonal:
        axes.plot([0, 1], [0, 1], color="0.7", linewidth=1, linestyle="--")
    for curve in drawn[:_MOST_CURVES]:
        area = "" if curve.area is None else f", area {curve.area:.3f}"
        axes.plot(curve.across, curve.up, linewidth=1.5, label=f"{curve.label}{area}")
    axes.set_title(f"{manifest.name} {manifest.model_version}")
    axes.grid(visible=True, color="0.9")
    axes.legend(loc="lower right" if diagonal else "lower left")
    return png(figure)
