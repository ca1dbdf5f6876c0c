"""Answers to ORES's parameter ``model_info``.

Paths lead into a tree with the sections of `ModelInfoDocument`. What a path says below a value that is not a
tree to ORES (a parameter, a metric) is disregarded, as ORES does.
"""

from collections.abc import Mapping
from typing import Any

from models.statistics.confusion import METRICS
from models.statistics.document import THRESHOLDS, StatisticsDocument, averaged
from models.statistics.errors import unknown
from models.statistics.formula import is_formula, parse_formula
from models.statistics.labels import find_label
from models.statistics.paths import Tree, parse_paths
from models.statistics.rounding import cut
from schemas.catalogue import ModelInfoDocument

# How far ORES descends; it shows all that is below.
_DEPTHS: Mapping[str, int] = {**dict.fromkeys((*METRICS, "roc_auc", "pr_auc"), 0), "rates": 1}
_WITHOUT_END = 100


def model_info(document: ModelInfoDocument, paths: str = "") -> dict[str, Any]:
    """Answer paths of model information of one model.

    Args:
        document: What there is to know of the model.
        paths: Separated by ``|``, as the parameter holds them. Empty gives every section, with the default
            fields of the statistics.

    Returns:
        A tree with the segments of the paths as keys, ready for JSON. Metrics are cut to three digits; the
        threshold that a formula finds is not. ``statistics.thresholds.<label>.<formula>`` gives one entry
        per formula in a list, in order of asking, None where the bound cannot be met.

    Raises:
        InfoPathUnknown: A path names what the model does not have; ORES answers 400.
        InfoPathMalformed: A path or a formula cannot be read; ORES answers 500.
        ModelCorrupt: The statistics of the model cannot be read.
    """
    tree, sections = parse_paths(paths), document.sections()
    answer: dict[str, Any] = {}
    for key in tree or sections:
        if key not in sections:
            raise unknown(key)
        below = tree.get(key, {})
        if key == "statistics":
            answer[key] = _statistics(StatisticsDocument.read(document.statistics), below)
        else:
            answer[key] = _pick(sections[key], below, 1 if key == "environment" else 0)
    return answer


def thresholds(
    document: ModelInfoDocument, label: str | None = None, formula: str | None = None
) -> dict[str, Any]:
    """Return thresholds of one model by label, as ``statistics.thresholds`` does for paths.

    Args:
        document: What there is to know of the model.
        label: The only one that is wanted; None for all.
        formula: Such as ``maximum recall @ precision >= 0.9``: what it finds is given, None where the bound
            cannot be met. Without one, all thresholds are listed with their metrics.

    Raises:
        InfoPathUnknown: The model has no such label, or the formula names an unknown metric.
        InfoPathMalformed: The formula is none.
        ModelCorrupt: The statistics of the model cannot be read.
    """
    statistics = StatisticsDocument.read(document.statistics)
    wanted = None if formula is None else parse_formula(formula)
    names = statistics.tables if label is None else (find_label(label, statistics.labels),)
    answer: dict[str, Any] = {}
    for name in names:
        if name not in statistics.tables:
            raise unknown(name)
        read = statistics.tables[name].read()
        answer[name] = read.rows() if wanted is None else read.optimum(wanted, ())
    return answer


def _statistics(statistics: StatisticsDocument, tree: Tree) -> dict[str, Any]:
    answer: dict[str, Any] = {}
    for field in tree or [name for name in statistics.default_fields if name in statistics.entries]:
        below = tree.get(field, {})
        if field == THRESHOLDS and statistics.tables:
            answer[field] = _thresholds(statistics, below)
        elif field in statistics.entries:
            answer[field] = _rounded(
                _pick(statistics.entries[field], below, _DEPTHS.get(field, _WITHOUT_END))
            )
        elif statistics.tables and is_formula(field):
            answer[field] = _rounded(_over_labels(statistics, field))
        else:
            raise unknown(field)
    return answer


def _thresholds(statistics: StatisticsDocument, tree: Tree) -> dict[str, Any]:
    answer: dict[str, Any] = {}
    for key in tree or statistics.tables:
        label = find_label(key, statistics.labels)
        if label not in statistics.tables:
            raise unknown(key)
        thresholds = statistics.tables[label].read()
        formulas = tree.get(key, {})
        if formulas:
            answer[key] = [
                thresholds.optimum(parse_formula(text), list(fields)) for text, fields in formulas.items()
            ]
        else:
            answer[key] = thresholds.rows()
    return answer


def _over_labels(statistics: StatisticsDocument, text: str) -> dict[str, Any]:
    """Return the threshold of each label that a formula asks for, with averages."""
    formula = parse_formula(text)
    thresholds = {label: table.read() for label, table in statistics.tables.items()}
    return averaged(
        {label: one.threshold(formula) for label, one in thresholds.items()},
        {label: one.weight for label, one in thresholds.items()},
    )


def _pick(value: Any, tree: Tree, depth: int) -> Any:
    if not tree or not depth:
        return value
    if not isinstance(value, Mapping):
        raise unknown(next(iter(tree)))
    picked = {}
    for key, below in tree.items():
        if key not in value:
            raise unknown(key)
        picked[key] = _pick(value[key], below, depth - 1)
    return picked


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return cut(value)
    if isinstance(value, Mapping):
        return {key: _rounded(below) for key, below in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(below) for below in value]
    return value
