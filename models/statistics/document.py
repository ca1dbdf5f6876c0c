"""The statistics of a classifier as a manifest keeps them: plain JSON that answers every question of ORES's.

::

    {
      "labels": [true, false],              as the model knows them, in its order
      "counts": {"n", "labels", "predictions"},
      "rates": {"sample", "population"},
      "recall": {"micro", "macro", "labels": {"true": 0.5, …}},   and every other metric, not rounded
      "roc_auc": …, "pr_auc": …,
      "thresholds": {"true": a ThresholdTable, …},
      "default_fields": [...],              what to show unasked, where that is not `DEFAULT_FIELDS`
      …                                     whatever else is known, under its own name
    }

Keys that stand for a label are written as JSON writes it: ``"true"``, ``"3"``, ``"Stub"``.
"""

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct

from models.statistics.labels import Label, label_text
from models.statistics.thresholds import ThresholdTable
from schemas.errors import ModelCorrupt

DEFAULT_FIELDS = (
    "counts",
    "rates",
    "match_rate",
    "filter_rate",
    "recall",
    "!recall",
    "precision",
    "!precision",
    "f1",
    "!f1",
    "accuracy",
    "fpr",
    "roc_auc",
    "pr_auc",
)
"""What ORES shows of statistics unasked."""

LABELS, THRESHOLDS, FIELDS = "labels", "thresholds", "default_fields"
_OWN = frozenset({LABELS, THRESHOLDS, FIELDS})


class StatisticsDocument(Struct, frozen=True):
    """Statistics with their tables.

    Attributes:
        labels: As the model knows them, in its order.
        entries: What is not a table, by field.
        tables: By label as JSON writes it, in the order of the labels.
        default_fields: What to show unasked.
    """

    labels: tuple[Label, ...] = ()
    entries: Mapping[str, Any] = {}
    tables: Mapping[str, ThresholdTable] = {}
    default_fields: tuple[str, ...] = DEFAULT_FIELDS

    @classmethod
    def read(cls, document: Mapping[str, Any]) -> "StatisticsDocument":
        """Read what `write` wrote, once through JSON or not.

        Raises:
            ModelCorrupt: It has another shape.
        """
        if LABELS not in document:
            return cls(
                entries=document, default_fields=tuple(name for name in document if name != THRESHOLDS)
            )
        try:
            labels = msgspec.convert(document[LABELS], tuple[Label, ...])
            found = msgspec.convert(document.get(THRESHOLDS, {}), dict[str, ThresholdTable])
            fields = msgspec.convert(document.get(FIELDS, DEFAULT_FIELDS), tuple[str, ...])
        except msgspec.ValidationError as error:
            raise ModelCorrupt(
                f"the statistics of a model cannot be read ({error}); import or train the model anew"
            ) from error
        order = [text for text in map(label_text, labels) if text in found]
        return cls(
            labels=labels,
            entries={name: value for name, value in document.items() if name not in _OWN},
            tables={text: found[text] for text in order},
            default_fields=fields,
        )

    def write(self) -> dict[str, Any]:
        """Return plain JSON."""
        document: dict[str, Any] = {LABELS: list(self.labels), **self.entries}
        if self.tables:
            document[THRESHOLDS] = {text: msgspec.to_builtins(table) for text, table in self.tables.items()}
        if self.default_fields != DEFAULT_FIELDS:
            document[FIELDS] = list(self.default_fields)
        return document


def averaged(values: Mapping[str, float | None], weights: Mapping[str, float]) -> dict[str, Any]:
    """Return a metric of all labels with its averages.

    Args:
        values: By label.
        weights: How frequent each label is, by label.

    Returns:
        ``micro``, the mean weighted by frequency; ``macro``, the plain mean; and ``labels``. Both means are
        None where the metric of any label is.
    """
    known = {label: value for label, value in values.items() if value is not None}
    micro = macro = None
    if values and len(known) == len(values):
        weight = sum(weights[label] for label in known)
        if weight:
            micro = sum(value * weights[label] for label, value in known.items()) / weight
        macro = sum(known.values()) / len(known)
    return {"micro": micro, "macro": macro, "labels": dict(values)}
