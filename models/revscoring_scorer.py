"""The scorer of models that read revscoring's features, trained here or imported."""

import itertools
from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from models.artefact import Artefact
from models.attribution import attribution_of
from models.columns import Column, check_columns, fill, named
from models.estimators import Answers, Scaler, load_estimator, load_scaler, of_part
from models.estimators.contributions import contributions
from models.estimators.scaling import CenterScale
from models.features.feature_set import FeatureSet, features_of
from models.scoring import FeatureCache, require_content_model
from models.trial import trial_revision
from schemas.attribution import Attribution, AttributionReference
from schemas.catalogue import ModelInfo
from schemas.errors import (
    ContentError,
    ModelCorrupt,
    ModelIncompatible,
    ScoringError,
)
from schemas.prediction import FeatureValue, Score
from schemas.revision import Revision

Floats = NDArray[np.float64]


class ScalerSpec(Struct, frozen=True):
    """What is done to a row before the estimator, see ``models.estimators.scaling``."""

    kind: str
    parameters: Mapping[str, Any] = {}


class EstimatorSpec(Struct, frozen=True):
    """What a manifest says of the estimator.

    Attributes:
        kind: See ``models.estimators.loading``.
        columns: What it is asked, made of the features; their number where it is asked just these.
        parameters: Plain JSON.
        scaler: None without one.
    """

    kind: str
    columns: tuple[Column, ...] | int
    parameters: Mapping[str, Any] = {}
    scaler: ScalerSpec | None = None


class RevscoringScorer:
    """A model over revscoring's features.

    Args:
        artefact: Verified. Of its ``estimator``, ``kind`` and ``parameters`` say which code runs the arrays
            under ``estimator.``; ``scaler`` likewise those under ``scaler.``; ``columns`` what the estimator
            is asked where that is not just the features.

    Raises:
        ModelIncompatible: A feature cannot be bound, or revscoring's patterns differ from those that the
            model was trained with.
        ModelCorrupt: The arrays do not describe an estimator for these columns and labels.
        ResourceMissing: A feature reads a dictionary or package that is not installed.
    """

    def __init__(self, artefact: Artefact) -> None:
        manifest = artefact.manifest
        self.info: ModelInfo = manifest.info()
        self._content_models = manifest.content_models
        self._features = features_of(artefact)
        arrays = artefact.arrays()
        self._spec = spec = _estimator_spec(manifest.estimator)
        width = self._features.columns
        self._columns = spec.columns if isinstance(spec.columns, tuple) else ()
        check_columns(self._columns, width)
        _check_width(manifest.name, spec, width)
        self._scaler: Scaler | None = None
        if spec.scaler is not None:
            self._scaler = load_scaler(
                spec.scaler.kind, spec.scaler.parameters, of_part(arrays, "scaler"), width
            )
        self._estimator = load_estimator(
            spec.kind, spec.parameters, of_part(arrays, "estimator"), len(self._columns) or width
        )
        _check_labels(self.info, self._estimator.labels_count)
        self._try_out()

    def score(self, revision: Revision, cache: FeatureCache) -> tuple[Score, dict[str, FeatureValue]]:
        """Score one revision, see ``models.scoring.Scorer``."""
        row, features = self.row(revision, cache)
        [score] = self.scores(row)
        return score, features

    def row(self, revision: Revision, cache: FeatureCache) -> tuple[Floats, dict[str, FeatureValue]]:
        """Compute what a score rests on, see ``models.batched.Batched``."""
        require_content_model(self._content_models, revision)
        values = self._features.compute(revision, cache)
        features: dict[str, FeatureValue] = {}
        if cache.wants_features:
            base = self._features.base
            features = base.by_name(values if base is self._features else base.compute(revision, cache))
        return self._features.row(values), features

    def scores(self, rows: Floats) -> list[Score]:
        """Return a score for each row, see ``models.batched.Batched``."""
        labels, kind = self.info.labels, self.info.kind
        answers = self.answers(rows)
        told = zip(answers.chosen.tolist(), answers.probabilities.tolist(), strict=True)
        return [
            Score(
                kind, tuple(itertools.compress(labels, chosen)), dict(zip(labels, probabilities, strict=True))
            )
            for chosen, probabilities in told
        ]

    def features_of(self, revision: Revision) -> FeatureSet | None:
        """Return the features that the score of a revision rests on; None where it cannot be scored."""
        return self._features if revision.content_model in self._content_models else None

    def missing_of(self, revision: Revision) -> tuple[str, ...]:
        """Return the printed names of the features that read what is not known of the editor's account."""
        return self._features.base.missing(revision)

    def feature_values(self, revision: Revision, cache: FeatureCache) -> dict[str, FeatureValue]:
        """Compute the features of one revision, in the model's order, by printed name.

        Raises:
            FeatureError: One cannot be computed, is not of its declared type, or is not finite.
            ContentError: The revision lacks what a feature reads.
        """
        return self._features.by_name(self._features.compute(revision, cache))

    def attribution(self, artefact: Artefact, revision: Revision, cache: FeatureCache) -> Attribution | None:
        """Return what moved the score of a revision, see ``models.attribution.Attributes``."""
        values = self._features.compute(revision, cache)
        row = self._features.row(values)
        arrays = of_part(artefact.arrays(), "estimator")
        found = contributions(self._spec.kind, self._spec.parameters, arrays, self._input(row)[0])
        if found is not None and found.reference is AttributionReference.ZERO and self._is_centred:
            found = msgspec.structs.replace(found, reference=AttributionReference.MEAN)
        names, places = [spec.name for spec in self._features.specs], self._features.places
        if self._columns:
            columns = named(self._columns, [names[place] for place in places])
            filled = fill(self._columns, row)[0].tolist()
            return attribution_of(found, self.info.labels, columns, filled, np.arange(len(columns)))
        shown = [f"{len(value)} numbers" if isinstance(value, list) else value for value in values]
        return attribution_of(found, self.info.labels, names, shown, places)

    def predict(self, rows: Floats) -> Floats:
        """Return probabilities for rows of feature values, without any text.

        Args:
            rows: float64[rows, features], in the order of the manifest; booleans are 0 and 1.

        Returns:
            float64[rows, labels].
        """
        return self._estimator.probabilities(self._input(rows))

    def answers(self, rows: Floats) -> Answers:
        """Return probabilities and the labels chosen, for rows as `predict` takes them."""
        return self._estimator.answers(self._input(rows))

    def _input(self, rows: Floats) -> Floats:
        filled = fill(self._columns, rows) if self._columns else rows
        return filled if self._scaler is None else self._scaler.transform(filled)

    @property
    def _is_centred(self) -> bool:
        return isinstance(self._scaler, CenterScale) and self._scaler.has_centre

    def _try_out(self) -> None:
        trial = trial_revision(self._content_models[0])
        try:
            self.feature_values(trial, FeatureCache())
        except (ScoringError, ContentError) as error:
            raise ModelIncompatible(
                f"artefact {self.info.artefact!r} cannot compute its features here: {error.message}. "
                "Install the package versions that its environment names",
                path=self.info.artefact,
            ) from error


def load(artefact: Artefact) -> RevscoringScorer:
    """Make the scorer of a verified artefact."""
    return RevscoringScorer(artefact)


def _estimator_spec(estimator: Mapping[str, Any]) -> EstimatorSpec:
    try:
        return msgspec.convert(estimator, EstimatorSpec)
    except msgspec.ValidationError as error:
        raise ModelCorrupt(
            f"the estimator of the model cannot be read: {error}; train or import it anew"
        ) from error


def _check_width(artefact_name: str, spec: EstimatorSpec, width: int) -> None:
    if spec.columns == () or (isinstance(spec.columns, int) and spec.columns != width):
        raise ModelCorrupt(
            f"artefact {artefact_name!r} asks its estimator {spec.columns or 'no'} columns, but its "
            f"features fill {width} columns; train or import it anew",
            path=artefact_name,
        )


def _check_labels(info: ModelInfo, count: int) -> None:
    if count != len(info.labels):
        raise ModelCorrupt(
            f"artefact {info.artefact!r} states {len(info.labels)} labels, but its estimator answers for "
            f"{count}; train or import it anew",
            path=info.artefact,
        )
