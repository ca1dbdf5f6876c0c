"""The scorer of tabular kinds: features of a revision in, a row of numbers, probabilities out."""

import msgspec
import numpy as np

from models.artefact import Artefact
from models.attribution import attribution_of
from models.kinds.estimator import EstimatorSpec, Floats, Sums, corrupt, read_estimator
from models.kinds.features import Features, bind_features
from models.scoring import FeatureCache, require_content_model
from schemas.attribution import Attribution
from schemas.catalogue import ModelInfo
from schemas.errors import FeatureError, ModelCorrupt
from schemas.prediction import FeatureValue, Score, ScoreKind
from schemas.revision import Revision

# Formats of single precision miss 1 by some 1e-7 in a sum of labels.
SUM_TOLERANCE = 1e-5


class TabularScorer:
    """A model over features by name, of whatever kind its estimator is.

    Args:
        artefact: Verified; its ``estimator`` is an ``EstimatorSpec``.

    Raises:
        ModelIncompatible: A feature, a contract or a kind is not known here.
        ModelCorrupt: The estimator cannot be read, or does not answer for the labels of the manifest.
        ResourceMissing: A package that the estimator or a feature needs is not installed.
    """

    def __init__(self, artefact: Artefact) -> None:
        manifest = artefact.manifest
        self.info: ModelInfo = manifest.info()
        spec = _spec(artefact)
        self._threshold = spec.threshold
        self._content_models = manifest.content_models
        self._features = bind_features(artefact, spec.contract)
        self._estimator = read_estimator(artefact, spec, self._features.columns)
        self._check(spec, self._features.columns)

    def score(self, revision: Revision, cache: FeatureCache) -> tuple[Score, dict[str, FeatureValue]]:
        """Score one revision, see ``models.scoring.Scorer``."""
        require_content_model(self._content_models, revision)
        values = self._features.compute(revision, cache)
        [probabilities] = self.predict(self._features.row(values)).tolist()
        if not all(0 <= probability <= 1 for probability in probabilities):
            raise FeatureError(
                f"model {self.info.artefact!r} gave {probabilities}, which are no probabilities, for "
                f"revision {revision.rev_id} of {revision.wiki_id}; its estimator does not fit its features",
                wiki_id=revision.wiki_id,
                rev_id=revision.rev_id,
            )
        return self._score(probabilities), self._features.by_name(values) if cache.wants_features else {}

    def features_of(self, revision: Revision) -> Features | None:
        """Return the features that the engine may compute for the score of a revision; None without any."""
        is_read = self._features.is_planned and revision.content_model in self._content_models
        return self._features if is_read else None

    def missing_of(self, revision: Revision) -> tuple[str, ...]:
        """Return the names of the features that read what is not known of the editor's account."""
        return self._features.missing(revision)

    def attribution(self, artefact: Artefact, revision: Revision, cache: FeatureCache) -> Attribution | None:
        """Return what moved the score of a revision, see ``models.attribution.Attributes``."""
        del artefact
        if not isinstance(self._estimator, Sums):
            return None
        values = self._features.compute(revision, cache)
        [row] = self._features.row(values)
        found, told = self._estimator.contributions(row), self._features.by_name(values)
        return attribution_of(found, self.info.labels, list(told), list(told.values()), np.arange(len(row)))

    def predict(self, rows: Floats) -> Floats:
        """Return probabilities for rows of feature values, the same bits as for each row alone.

        Args:
            rows: float64[rows, features], in the order of the manifest; booleans are 0 and 1.

        Returns:
            float64[rows, labels].
        """
        if len(rows) == 1 or self._estimator.is_batch_exact:
            return self._estimator.probabilities(rows)
        alone = [self._estimator.probabilities(rows[index : index + 1]) for index in range(len(rows))]
        return np.concatenate(alone) if alone else np.empty((0, len(self.info.labels)))

    def _score(self, probabilities: list[float]) -> Score:
        labels, kind = self.info.labels, self.info.kind
        if kind is ScoreKind.BINARY:
            chosen: tuple[str, ...] = (labels[int(probabilities[1] >= self._threshold)],)
        elif kind is ScoreKind.MULTICLASS:
            chosen = (labels[int(np.argmax(probabilities))],)
        else:
            chosen = tuple(
                label
                for label, probability in zip(labels, probabilities, strict=True)
                if probability >= self._threshold
            )
        return Score(kind, chosen, dict(zip(labels, probabilities, strict=True)))

    def _check(self, spec: EstimatorSpec, features: int) -> None:
        labels = self.info.labels
        if self.info.kind is ScoreKind.BINARY and labels != ("false", "true"):
            raise ModelCorrupt(
                f"artefact {self.info.artefact!r} is binary, but its labels are {', '.join(labels)} and "
                "not false, true; save it anew",
                path=self.info.artefact,
            )
        found = self.predict(np.zeros((1, features)))
        if found.shape != (1, len(labels)) or not np.isfinite(found).all():
            raise corrupt(
                spec.file or "arrays.npz",
                f"it answers a row of zeros with {found.size} numbers, but the manifest lists {len(labels)} "
                "labels",
            )
        is_exclusive = self.info.kind is not ScoreKind.MULTILABEL
        if ((found < 0) | (found > 1)).any() or (is_exclusive and abs(found.sum() - 1) > SUM_TOLERANCE):
            raise corrupt(spec.file or "arrays.npz", f"it answers {found[0].tolist()}, no probabilities")


def load(artefact: Artefact) -> TabularScorer:
    """Make the scorer of a verified artefact."""
    return TabularScorer(artefact)


def _spec(artefact: Artefact) -> EstimatorSpec:
    try:
        spec = msgspec.convert(artefact.manifest.estimator, EstimatorSpec)
    except msgspec.ValidationError as error:
        raise ModelCorrupt(
            f"the estimator in the manifest of artefact {artefact.manifest.name!r} cannot be read: {error}; "
            "save it anew",
            path=artefact.manifest.name,
        ) from error
    if not 0 <= spec.threshold <= 1:
        raise ModelCorrupt(
            f"artefact {artefact.manifest.name!r} states the threshold {spec.threshold}, no probability; "
            "save it anew",
            path=artefact.manifest.name,
        )
    return spec
