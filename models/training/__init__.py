"""Train models from labelled edits, and test them."""

from models.training.evaluation import Evaluation, evaluate, evaluate_revisions
from models.training.extraction import RevisionSource
from models.training.preparing import (
    LabelledSource,
    Prepared,
    TrainingOptions,
    prepare_revisions,
    prepare_table,
)
from models.training.training import train

__all__ = [
    "Evaluation",
    "LabelledSource",
    "Prepared",
    "RevisionSource",
    "TrainingOptions",
    "evaluate",
    "evaluate_revisions",
    "prepare_revisions",
    "prepare_table",
    "train",
]
