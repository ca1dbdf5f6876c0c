"""From the statistics inside a pickled model of any release of revscoring to our document.

==============  ==========================================================================================
releases        what the model holds
==============  ==========================================================================================
0.1 to 0.4      nothing
0.5 to 0.7      ``stats``: a table of counts, the accuracy, areas under ROC curves
1.0 to 1.3      ``test_stats``: what was asked for, by statistic; see `models.statistics.legacy`
1.3.13 to 2.11  ``info["statistics"]``: a ``Classification`` with all of today's metrics and thresholds
==============  ==========================================================================================
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.pickles import Instance
from models.statistics.confusion import Confusion
from models.statistics.document import DEFAULT_FIELDS, THRESHOLDS, StatisticsDocument
from models.statistics.labels import label_text
from models.statistics.legacy import convert_legacy
from models.statistics.plain import contents, corrupt, label_of, plain, require_few
from models.statistics.thresholds import ThresholdTable

_CELLS = ("tp", "fp", "tn", "fn")
_LAYERS = 3
"""A model, its info, its statistics."""
_MOST_THRESHOLDS = 1_000_000


def convert_statistics(found: Instance | Mapping[Any, Any] | None) -> dict[str, Any]:
    """Convert pickled statistics, given inert.

    Args:
        found: The model, its ``info``, or the statistics of either kind; None for none.

    Returns:
        Plain JSON, see `StatisticsDocument`; empty where the model was never tested. Figures are those of the
        file, to the last bit. Statistics of 0.x and 1.x that today's shape has no place for stand under their
        own names, in ``stats`` or ``test_stats``.

    Raises:
        ModelCorrupt: They have a shape that no release writes.
    """
    try:
        return _convert(found)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError, IndexError) as error:
        raise corrupt(f"they have a shape that no release writes ({error!r})") from error


def _convert(found: Any) -> dict[str, Any]:
    for _ in range(_LAYERS):
        state = found.state if isinstance(found, Instance) else None
        if isinstance(state, dict) and "_data" in state and "statistics" not in contents(found):
            return _classification(state)
        held = contents(found)
        below = next((held[key] for key in ("info", "statistics") if held.get(key) is not None), None)
        if below is None:
            return _legacy(found, held)
        found = below
    raise corrupt("they hold themselves")


def _legacy(found: Any, held: Mapping[Any, Any]) -> dict[str, Any]:
    for name in ("test_stats", "stats"):
        if isinstance(held.get(name), Mapping):
            return convert_legacy(held[name], name)
    if isinstance(found, Mapping) and found:
        is_of_1 = any(isinstance(key, Instance) for key in found)
        return convert_legacy(found, "test_stats" if is_of_1 else "stats")
    return {}


def _classification(state: Mapping[str, Any]) -> dict[str, Any]:
    data = contents(state["_data"])
    if "counts" not in data:
        return {}
    counts = contents(data["counts"])
    by_label = {label_of(label): int(count) for label, count in contents(counts.get("labels")).items()}
    labels = tuple(map(label_of, state.get("labels") or by_label))
    if set(labels) != set(by_label):
        raise corrupt("their counts are of other labels than their own")
    require_few(labels)
    rows = int(counts["n"])
    listed = contents(state.get("label_thresholds", data.get(THRESHOLDS)))
    if sum(len(table.items) for table in listed.values()) > _MOST_THRESHOLDS:
        raise corrupt("their tables are longer than any that were published")
    tables = {
        label_of(label): _table(table, by_label[label_of(label)], rows) for label, table in listed.items()
    }
    return StatisticsDocument(
        labels=labels,
        entries=plain({name: value for name, value in data.items() if name != THRESHOLDS}),
        tables={label_text(label): tables[label] for label in labels if label in tables},
        default_fields=_default_fields(state.get("_default_fields"), data),
    ).write()


def _default_fields(stated: Any, data: Mapping[Any, Any]) -> tuple[str, ...]:
    if not isinstance(stated, set | frozenset | list | tuple):
        return DEFAULT_FIELDS
    fields = tuple(str(name) for name in data if name in stated)
    return DEFAULT_FIELDS if set(fields) <= set(DEFAULT_FIELDS) else fields


def _table(table: Any, positives: int, rows: int) -> ThresholdTable:
    """Convert a table, taking back the scaling to the population where that can be done without loss."""
    if not isinstance(table, Instance) or not table.items:
        raise corrupt("a label has no thresholds")
    values = np.array([float(value) for value, _ in table.items])
    cells = [_attributes(matrix) for _, matrix in table.items]
    scaled = Confusion(*(np.array([cell[name] for cell in cells], dtype=np.float64) for name in _CELLS))
    rate, weight = cells[0]["population_rate"], contents(table).get("trues")
    rate, weight = (None if one is None else float(one) for one in (rate, weight))
    negatives = rows - positives
    if (counts := _counts(scaled, positives, negatives, rate)) is not None:
        return ThresholdTable.of_counts(
            values,
            *counts,
            positives=positives,
            negatives=negatives,
            population_rate=rate,
            weight=weight,
        )
    return ThresholdTable.of_counts(
        values,
        scaled.hits,
        scaled.false_alarms,
        positives=float(scaled.positives[0]),
        negatives=float(scaled.false_alarms[0] + scaled.rejections[0]),
        population_rate=None,
        weight=weight,
    )


def _counts(
    scaled: Confusion, positives: int, negatives: int, rate: float | None
) -> tuple[NDArray[np.int64], NDArray[np.int64]] | None:
    """Return hits and false alarms of the sample, if scaling them gives back the same bits."""
    hits, false_alarms = scaled.hits, scaled.false_alarms
    with np.errstate(all="ignore"):
        if rate is not None:
            observed = np.float64(positives) / (positives + negatives)
            hits = np.rint(hits * (observed / rate))
            false_alarms = np.rint(false_alarms * ((1 - observed) / (np.float64(1) - rate)))
        again = Confusion.of_sample(hits, false_alarms, positives, negatives, rate)
    cells = ("hits", "false_alarms", "rejections", "misses")
    if not all(np.array_equal(getattr(again, cell), getattr(scaled, cell)) for cell in cells):
        return None
    return hits.astype(np.int64), false_alarms.astype(np.int64)


def _attributes(matrix: Any) -> Mapping[str, Any]:
    """Return the attributes of a confusion matrix: slots since 2.0.1, a plain object before."""
    state = matrix.state if isinstance(matrix, Instance) else None
    if isinstance(state, tuple) and len(state) == 2:
        state = state[1]
    return state if isinstance(state, Mapping) else {}
