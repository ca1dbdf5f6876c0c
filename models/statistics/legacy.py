"""Test statistics of revscoring 0.5 to 1.3.

All that the model holds stands under its own name, in ``stats`` or ``test_stats``; of it, what has an equal
in today's shape is there as well:

* the table of counts gives ``counts``, ``rates`` and every metric of the labels chosen;
* areas give ``roc_auc`` and ``pr_auc``, exact where today's are read at 50 points. Before 1.1 a model of two
  labels gave one area only; the ROC curve of the other label is its mirror image, so its area is equal;
* curves with thresholds (1.0) give the tables of their labels.

Curves, which ORES never showed, are apart in ``curves``.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from models.statistics.document import DEFAULT_FIELDS, StatisticsDocument, averaged
from models.statistics.labels import Label, label_text
from models.statistics.plain import contents, corrupt, key_text, label_of, plain, require_few
from models.statistics.sample import at_choice
from models.statistics.thresholds import ThresholdTable

Counts = Mapping[Label, Mapping[Label, int]]

CURVES = "curves"
_ROC = ("roc",)
_PRECISION_RECALL = ("precision_recall", "pr")
_POINTS = frozenset({"fprs", "tprs", "precisions", "recalls", "thresholds", "fpr", "tpr"})


def convert_legacy(found: Mapping[Any, Any], name: str) -> dict[str, Any]:
    """Convert statistics of 0.5 to 1.3.

    Args:
        found: By name (0.x) or by inert test statistic (1.x).
        name: ``stats`` or ``test_stats``.

    Returns:
        Plain JSON, see `StatisticsDocument`.

    Raises:
        ModelCorrupt: A statistic has a shape that no release gives it.
    """
    own, curves = _apart(plain({key: value for key, value in found.items() if key_text(key) != "table"}))
    statistics = {key_text(key): value for key, value in found.items()}
    counts = _counts(statistics.get("table"))
    labels = tuple(counts) or _labels_of_areas(statistics)
    if counts:
        own["table"] = {
            label_text(one): {label_text(other): n for other, n in row.items()} for one, row in counts.items()
        }
    positives = {label_text(label): sum(counts[label].values()) for label in counts}
    entries = {
        **(_of_counts(counts, positives) if counts else {}),
        **_areas(statistics, labels, positives),
        name: own,
        **({CURVES: curves} if curves else {}),
    }
    return StatisticsDocument(
        labels=labels,
        entries=entries,
        tables=_tables(statistics, labels, positives),
        default_fields=(*DEFAULT_FIELDS, name),
    ).write()


def _counts(table: Any) -> Counts:
    """Return rows by true and by chosen label: 0.x keyed them by pairs, 1.x in two levels."""
    rows: dict[Label, dict[Label, int]] = {}
    for key, value in contents(table).items():
        if isinstance(key, tuple) and len(key) == 2:
            rows.setdefault(label_of(key[0]), {})[label_of(key[1])] = _count(value)
        else:
            row = rows.setdefault(label_of(key), {})
            row.update((label_of(chosen), _count(count)) for chosen, count in contents(value).items())
    labels = sorted({*rows, *(chosen for row in rows.values() for chosen in row)}, key=_order)
    require_few(labels)
    return {one: {other: rows.get(one, {}).get(other, 0) for other in labels} for one in labels}


def _order(label: Label) -> tuple[bool, str]:
    # True before False, as the trainers of later releases list them; texts by alphabet.
    return label is not True, label_text(label)


def _count(value: Any) -> int:
    value = plain(value)
    if not isinstance(value, int) or value < 0:
        raise corrupt(f"{value!r} is no number of rows")
    return value


def _of_counts(counts: Counts, positives: Mapping[str, int]) -> dict[str, Any]:
    rows = sum(positives.values())
    confusions = {}
    for label in counts:
        hits, text = counts[label][label], label_text(label)
        told = sum(row[label] for row in counts.values())
        confusions[text] = (hits, told - hits, positives[text], rows - positives[text])
    return {
        "counts": {
            "n": rows,
            "labels": dict(positives),
            "predictions": {
                label_text(one): {label_text(other): n for other, n in row.items()}
                for one, row in counts.items()
            },
        },
        "rates": {"sample": {text: count / rows if rows else None for text, count in positives.items()}},
        **at_choice(tuple(counts), confusions, {}),
    }


def _named(statistics: Mapping[str, Any], names: Sequence[str]) -> Mapping[Any, Any]:
    return next((contents(statistics[name]) for name in names if name in statistics), {})


def _labels_of_areas(statistics: Mapping[str, Any]) -> tuple[Label, ...]:
    areas = _named(statistics, _ROC) or _named(statistics, _PRECISION_RECALL)
    if "auc" in areas:
        return (True, False)
    return tuple(sorted((label_of(label) for label in areas), key=_order))


def _areas(
    statistics: Mapping[str, Any], labels: Sequence[Label], positives: Mapping[str, int]
) -> dict[str, Any]:
    found = {}
    for name, sources, is_symmetric in (("roc_auc", _ROC, True), ("pr_auc", _PRECISION_RECALL, False)):
        areas: dict[str, float | None] = {}
        statistic = _named(statistics, sources)
        if "auc" in statistic and len(labels) == 2:
            area = plain(statistic["auc"])
            areas = {
                label_text(label): area if is_symmetric or label == max(labels) else None for label in labels
            }
        else:
            areas = {
                label_text(label_of(label)): plain(contents(one).get("auc"))
                for label, one in statistic.items()
            }
        if areas and all(text in areas for text in map(label_text, labels)):
            weights = positives or dict.fromkeys(areas, 0)
            found[name] = averaged({text: areas[text] for text in map(label_text, labels)}, weights)
    return found


def _apart(statistic: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Tell figures from curves, at any depth."""
    figures: dict[str, Any] = {}
    curves: dict[str, Any] = {}
    for name, value in statistic.items():
        if name in _POINTS and isinstance(value, list):
            curves[name] = value
        elif isinstance(value, dict):
            figures[name], below = _apart(value)
            curves.update({name: below} if below else {})
        else:
            figures[name] = value
    return figures, curves


def _tables(
    statistics: Mapping[str, Any], labels: Sequence[Label], positives: Mapping[str, int]
) -> dict[str, ThresholdTable]:
    roc, precision_recall = _named(statistics, _ROC), _named(statistics, _PRECISION_RECALL)
    rows, tables = sum(positives.values()), {}
    for label in labels:
        text = label_text(label)
        one_roc, one_pr = (
            contents(held.get(label)) if "auc" not in held else held if label == max(labels) else {}
            for held in (roc, precision_recall)
        )
        if not positives.get(text):
            continue
        points = {
            **_points_of_precision_recall(one_pr, positives[text]),
            **_points_of_roc(one_roc, positives[text], rows - positives[text]),
        }
        if points:
            values = sorted(points)
            tables[text] = ThresholdTable.of_counts(
                np.array(values),
                np.array([points[value][0] for value in values]),
                np.array([points[value][1] for value in values]),
                positives=positives[text],
                negatives=rows - positives[text],
                population_rate=None,
            )
    return tables


def _points_of_roc(curve: Mapping[Any, Any], positives: int, negatives: int) -> dict[float, tuple[int, int]]:
    thresholds, recalls, fprs = (plain(curve.get(name)) or [] for name in ("thresholds", "tprs", "fprs"))
    return {
        threshold: (round(recall * positives), round(fpr * negatives))
        for threshold, recall, fpr in zip(thresholds, recalls, fprs, strict=False)
        # The curve starts from a threshold above all probabilities, which matches nothing.
        if threshold is not None and (recall or fpr)
    }


def _points_of_precision_recall(curve: Mapping[Any, Any], positives: int) -> dict[float, tuple[int, int]]:
    """Return what a ROC curve leaves out: it drops thresholds that lie on a line with their neighbours."""
    thresholds, recalls, precisions = (
        plain(curve.get(name)) or [] for name in ("thresholds", "recalls", "precisions")
    )
    points = {}
    for threshold, recall, precision in zip(thresholds, recalls, precisions, strict=False):
        if recall and precision:
            hits = round(recall * positives)
            points[threshold] = (hits, round(hits / precision) - hits)
    return points
