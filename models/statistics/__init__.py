"""Test statistics of classifiers, and ORES's questions about them.

`convert_statistics` is imported when it is first asked for: it reads what comes out of pickles, and no
serving process should hold code for that.
"""

from typing import TYPE_CHECKING, Any

from models.statistics.answer import model_info, thresholds
from models.statistics.confusion import METRICS
from models.statistics.curves import average_precision, roc_auc
from models.statistics.document import DEFAULT_FIELDS, StatisticsDocument
from models.statistics.info import describe_model, score_schema
from models.statistics.sample import describe, describe_multilabel

if TYPE_CHECKING:
    from models.statistics.conversion import convert_statistics

__all__ = [
    "DEFAULT_FIELDS",
    "METRICS",
    "StatisticsDocument",
    "average_precision",
    "convert_statistics",
    "describe",
    "describe_model",
    "describe_multilabel",
    "model_info",
    "roc_auc",
    "score_schema",
    "thresholds",
]


def __getattr__(name: str) -> Any:
    if name == "convert_statistics":
        from models.statistics.conversion import convert_statistics  # noqa: PLC0415 - see above

        return convert_statistics
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
