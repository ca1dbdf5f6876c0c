"""Scores, their provenance, and the rows that the tables keep."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any

from msgspec import Struct

from schemas.attribution import Attribution

FeatureValue = bool | int | float | str
Injected = Mapping[str, Any]
"""Plain JSON that a client puts in the place of what is computed, by its printed name: ``feature.…``,
``datasource.…``."""


class ScoreKind(StrEnum):
    """How a model answers."""

    BINARY = "binary"
    MULTICLASS = "multiclass"
    MULTILABEL = "multilabel"


class Score(Struct, frozen=True, tag="score"):
    """One model's answer about one revision.

    Attributes:
        kind: Fixes how ``prediction`` is shown: a boolean, a label, or a list of labels.
        prediction: The labels chosen; exactly one unless multilabel. Booleans are ``"true"``/``"false"``.
        probability: Label to probability in [0, 1]; sums to 1 unless multilabel.
    """

    kind: ScoreKind
    prediction: tuple[str, ...]
    probability: dict[str, float]

    def prediction_value(self) -> bool | str | list[str]:
        """Return the prediction as ORES and Lift Wing show it in JSON."""
        if self.kind is ScoreKind.BINARY:
            return self.prediction[0] == "true"
        if self.kind is ScoreKind.MULTICLASS:
            return self.prediction[0]
        return list(self.prediction)


class ScoreFailure(Struct, frozen=True, tag="failure"):
    """Why one model gave no score for one revision: the code and message of a typed error."""

    code: str
    message: str


Outcome = Score | ScoreFailure


class ModelId(Struct, frozen=True, order=True):
    """Which model spoke.

    Attributes:
        model_name: ``reverted``, ``damaging`` … as clients name it on a wiki.
        model_version: Text, never a number.
        model_sha512: Hash of the whole artefact, 128 hexadecimal digits.
    """

    model_name: str
    model_version: str
    model_sha512: str


class ScoredModel(Struct, frozen=True):
    """What scoring gives back for one model: a score or a failure, and what was asked for beside.

    Attributes:
        model: Which.
        outcome: A score or a failure.
        features: Values by printed name, where they were asked for.
        attribution: What moved the score, where that was asked for and the model can tell.
    """

    model: ModelId
    outcome: Outcome
    features: dict[str, FeatureValue] | None = None
    attribution: Attribution | None = None


class Provenance(Struct, frozen=True):
    """Where a stored score came from.

    Attributes:
        event_id: ``meta.id`` of the page change that caused it.
        source_topic: Topic of that event.
        source_partition: Its partition.
        source_offset: Its offset.
        event_dt: ``meta.dt`` where present, else the time of the change.
        scored_dt: When scoring finished.
        namespace_id: Of the page, as the event tells; None where nothing told it.
        is_bot: Whether a bot saved the revision, as the event tells; None where nothing told it.
    """

    event_id: str
    source_topic: str
    source_partition: int
    source_offset: int
    event_dt: datetime
    scored_dt: datetime
    namespace_id: int | None = None
    is_bot: bool | None = None


class StoredScore(Struct, frozen=True):
    """One model's score or failure as a row keeps it."""

    model: ModelId
    outcome: Outcome
    provenance: Provenance


def stored_scores(
    answers: Iterable[tuple[ModelId, Outcome]], provenance: Provenance
) -> tuple[StoredScore, ...]:
    """Return what a row keeps of the answers that were given at once, in a row's order."""
    ordered = sorted(answers, key=lambda answer: (answer[0].model_name, answer[0].model_version))
    return tuple(StoredScore(model, outcome, provenance) for model, outcome in ordered)


class Withdrawal(Struct, frozen=True):
    """What deletions, suppressions and their undoing have made of predictions.

    Attributes:
        is_hidden: Whether they are withdrawn now.
        acted_dt: When the act that decides this was done: ``meta.dt`` of its event, else the event's time.
        source_offset: Offset of its event, which orders acts of one moment.
        erased_dt: When the latest suppression was done. Scores of events up to then are gone for good; those
            in the row, if any, are of later ones. None where nothing was ever suppressed.
    """

    is_hidden: bool
    acted_dt: datetime
    source_offset: int
    erased_dt: datetime | None = None


class PredictionRow(Struct, frozen=True):
    """All scores of one revision. No title, no user, no text: nothing that can be suppressed.

    Attributes:
        wiki_id: Database name.
        page_id: Page the revision belongs to.
        rev_id: Revision.
        rev_dt: When it was saved.
        scores: One per (model name, model version), sorted by both; empty where all are erased, or where
            nothing was scored before it was withdrawn.
        withdrawal: Of the revision alone in a row of a revision, of the whole page in the row of a page;
            None where it was never withdrawn. A prediction is shown if neither is hidden.
    """

    wiki_id: str
    page_id: int
    rev_id: int
    rev_dt: datetime
    scores: tuple[StoredScore, ...]
    withdrawal: Withdrawal | None = None
