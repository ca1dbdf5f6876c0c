"""Test any model on labelled edits."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from models.estimators import Answers
from models.manifest import Manifest
from models.scoring import Scorer, score_revision
from models.store import ModelStore
from models.training.extraction import RevisionSource, fetched, nothing_left
from models.training.label_values import require_labels
from models.training.labelled_revisions import read_labelled_revisions
from models.training.table import read_table
from models.training.testing import describe
from schemas.errors import ModelIncompatible
from schemas.prediction import ModelId, ScoreFailure, ScoreKind

Floats = NDArray[np.float64]
Tell = Callable[[str], None]

_TELL_EVERY = 1_000


class Evaluation(Struct, frozen=True):
    """How a model does on a labelled set.

    Attributes:
        model: Which model.
        file: Name of the file.
        sha512: Of the file.
        statistics: In the shape of ORES's model_info.
        left_out: Revisions that could not be scored, by code of the error.
    """

    model: ModelId
    file: str
    sha512: str
    statistics: Mapping[str, Any]
    left_out: Mapping[str, int] = {}


@runtime_checkable
class _Predicts(Protocol):
    def predict(self, rows: Floats) -> Floats: ...


@runtime_checkable
class _AnswersRows(Protocol):
    def answers(self, rows: Floats) -> Answers: ...


def evaluate(store: ModelStore, artefact: str, data: Path, *, label_column: str | None = None) -> Evaluation:
    """Test a model on a labelled table of its features.

    Args:
        store: Where the model is.
        artefact: Its name, or ``name@version``.
        data: As ``models.training.table`` reads it, with the columns that the model was trained on; of an
            imported model, with the printed names of its features (``name[0]``, ``name[1]`` … of a vector).
            Further columns are ignored.
        label_column: Holds the label; None for the one that the model was trained on, or else its name.

    Raises:
        SourceError: The table cannot be read.
        ModelIncompatible: The model reads no features, or gives an edit several labels.
        ModelError: The model cannot be loaded.
    """
    manifest = store.open(artefact).manifest
    scorer = store.load(artefact)
    if not isinstance(scorer, _Predicts) or not manifest.features:
        raise ModelIncompatible(
            f"artefact {artefact!r} reads no features, so it cannot be tested on a table of them; give "
            "labelled revisions and where their texts are, or name another artefact",
            model_name=artefact,
        )
    _require_one_label(manifest, artefact)
    table = read_table(
        data,
        columns=_columns(manifest),
        label_column=label_column or _label_column(manifest),
        labels=manifest.labels,
    )
    answers = _answers(scorer, table.features)
    statistics = describe(manifest.labels, answers, table.actual, _population_rates(manifest))
    return Evaluation(scorer.info.id, data.name, table.sha512, statistics)


async def evaluate_revisions(
    store: ModelStore,
    artefact: str,
    labels: Path,
    source: RevisionSource,
    *,
    label_column: str | None = None,
    wiki_id: str | None = None,
    tell: Tell = lambda _line: None,
) -> Evaluation:
    """Test a model of any kind on labelled revisions, by scoring each as a worker would.

    Revisions that cannot be had or scored are left out and counted.

    Args:
        store: Where the model is.
        artefact: Its name, or ``name@version``.
        labels: As ``models.training.labelled_revisions`` reads them.
        source: Where their texts come from.
        label_column: As for ``evaluate``.
        wiki_id: Of rows that name none.
        tell: Takes a line of progress.

    Raises:
        SourceError: The labels cannot be read, or none of their revisions can be scored.
        ContentError: The source does not answer.
        ModelIncompatible: The model gives an edit several labels.
        ModelError: The model cannot be loaded.
    """
    manifest = store.open(artefact).manifest
    _require_one_label(manifest, artefact)
    scorer = store.load(artefact)
    revisions = read_labelled_revisions(
        labels,
        label_column=label_column or _label_column(manifest),
        wiki_id=wiki_id,
        labels=manifest.labels,
    )
    failures: Counter[str] = Counter()
    kept, answers = await _scores(scorer, revisions.keys, source, failures, tell)
    if not kept:
        raise nothing_left(labels, failures)
    actual = revisions.actual[kept]
    require_labels(actual, manifest.labels, labels, least=0)
    statistics = describe(manifest.labels, answers, actual, _population_rates(manifest))
    return Evaluation(
        scorer.info.id, labels.name, revisions.sha512, statistics, dict(sorted(failures.items()))
    )


async def _scores(
    scorer: Scorer,
    keys: Sequence[tuple[str, int]],
    source: RevisionSource,
    failures: Counter[str],
    tell: Tell,
) -> tuple[list[int], Answers]:
    kept: list[int] = []
    probabilities: list[list[float]] = []
    chosen: list[list[bool]] = []
    labels = scorer.info.labels
    async for position, revision in fetched(keys, source, failures):
        [scored] = score_revision([scorer], revision)
        score = scored.outcome
        if isinstance(score, ScoreFailure):
            failures[score.code] += 1
            continue
        kept.append(position)
        probabilities.append([score.probability[label] for label in labels])
        chosen.append([label in score.prediction for label in labels])
        if len(kept) % _TELL_EVERY == 0:
            tell(f"scored {len(kept)} revisions, {failures.total()} left out")
    return kept, Answers(np.array(probabilities), np.array(chosen))


def _answers(scorer: _Predicts, rows: Floats) -> Answers:
    """Return what a scorer says of rows; without its own word, the likeliest label is the one it chooses."""
    if isinstance(scorer, _AnswersRows):
        return scorer.answers(rows)
    probabilities = scorer.predict(rows)
    likeliest = probabilities.argmax(axis=1)
    return Answers(probabilities, likeliest[:, None] == np.arange(probabilities.shape[1]))


def _columns(manifest: Manifest) -> tuple[str, ...]:
    trained = {} if manifest.training is None else manifest.training.columns
    names: list[str] = []
    for feature in manifest.features:
        if feature.columns > 1:
            names += [f"{feature.name}[{index}]" for index in range(feature.columns)]
        else:
            names.append(trained.get(feature.name, feature.name))
    return tuple(names)


def _label_column(manifest: Manifest) -> str:
    return manifest.model_name if manifest.training is None else manifest.training.label_column


def _population_rates(manifest: Manifest) -> Mapping[str, float] | None:
    """Return the rates that the model's own statistics were scaled to; None where they were not."""
    rates = manifest.statistics.get("rates", {})
    found = rates.get("population") if isinstance(rates, Mapping) else None
    if not isinstance(found, Mapping) or set(found) != set(manifest.labels):
        return None
    return found if all(isinstance(rate, float) and 0 < rate < 1 for rate in found.values()) else None


def _require_one_label(manifest: Manifest, artefact: str) -> None:
    if manifest.kind is ScoreKind.MULTILABEL:
        raise ModelIncompatible(
            f"artefact {artefact!r} gives an edit any number of labels, and labelled sets hold one; "
            "it cannot be tested on them",
            model_name=artefact,
        )
