"""The scorer of models that read revscoring's features and answer by gradient boosting."""

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from models import features, inputs, resources
from models.artefact import Artefact
from models.columns import Column, check_columns, fill
from models.features import BoundFeature, FeatureBinder
from models.manifest import FeatureSpec
from models.scoring import FeatureCache, require_content_model
from models.trees import TreeEnsemble
from schemas.catalogue import ModelInfo
from schemas.errors import (
    ContentError,
    FeatureError,
    ModelCorrupt,
    ModelIncompatible,
    RevstreamError,
    ScoringError,
)
from schemas.prediction import FeatureValue, Score, ScoreKind
from schemas.revision import Revision, RevisionUser

Floats = NDArray[np.float64]

_TYPES: Mapping[str, type[bool] | type[int] | type[float]] = {"bool": bool, "int": int, "float": float}
# Its words are in no dictionary and no word list, so that looking them up reaches every one of them.
_TRIAL = Revision(
    wiki_id="trial",
    page_id=1,
    page_title="Trial",
    namespace_id=0,
    rev_id=2,
    rev_parent_id=1,
    rev_dt=datetime(2020, 1, 2, tzinfo=UTC),
    content_model="wikitext",
    text="Qzxwvk [[jxqzpv]] wkzqxj.",
    parent_text="Qzxwvk vqjzkx.",
    comment="",
    user=RevisionUser(1, "Trial", (), datetime(2019, 1, 1, tzinfo=UTC)),
    parent_dt=datetime(2020, 1, 1, tzinfo=UTC),
)


class RevscoringScorer:
    """A model over revscoring's features.

    Args:
        artefact: Verified. ``estimator.columns`` says what the trees are asked.

    Raises:
        ModelIncompatible: A feature cannot be bound, or revscoring's patterns differ from those that the
            model was trained with.
        ModelCorrupt: The arrays do not describe an ensemble for these columns and labels.
        ResourceMissing: A feature reads a dictionary or package that is not installed.
    """

    def __init__(self, artefact: Artefact) -> None:
        manifest = artefact.manifest
        self.info: ModelInfo = manifest.info()
        self._content_models = manifest.content_models
        self._specs = manifest.features
        _check_patterns(manifest.name, manifest.pattern_lists)
        binder = FeatureBinder(artefact.words)
        self._bound = tuple(_bind(binder, spec, manifest.name) for spec in manifest.features)
        self._roots = _datasources(self._bound)
        self._columns = _columns(manifest.estimator, len(self._bound))
        self._trees = TreeEnsemble(artefact.arrays(), len(self._columns))
        _check_labels(self.info, self.predict(np.zeros((1, len(self._bound)))))
        self._try_out()

    def score(self, revision: Revision, cache: FeatureCache) -> tuple[Score, dict[str, FeatureValue]]:
        """Score one revision, see ``models.scoring.Scorer``."""
        require_content_model(self._content_models, revision)
        values = self.feature_values(revision, cache)
        row = np.array([[float(value) for value in values.values()]], dtype=np.float64)
        return self._score(self.predict(row)[0].tolist()), values

    def feature_values(self, revision: Revision, cache: FeatureCache) -> dict[str, FeatureValue]:
        """Compute the features of one revision, in the model's order, by printed name.

        Raises:
            FeatureError: One cannot be computed, is not of its declared type, or is not finite.
            ContentError: The revision lacks what a feature reads.
        """
        user = revision.user
        is_unknown = user is not None and not user.is_known and inputs.has_account(user)
        values: dict[str, FeatureValue] = {}
        computed = [
            bound
            for bound, spec in zip(self._bound, self._specs, strict=True)
            if not (is_unknown and spec.unknown_user_value is not None)
        ]
        roots = frozenset[str]().union(*(bound.roots for bound in computed))
        for root, value in inputs.values(revision, roots).items():
            cache.values[self._roots[root]] = value
        for bound, spec in zip(self._bound, self._specs, strict=True):
            if is_unknown and spec.unknown_user_value is not None:
                values[spec.name] = spec.unknown_user_value
            else:
                values[spec.name] = _solved(bound, revision, cache)
        return values

    def predict(self, rows: Floats) -> Floats:
        """Return probabilities for rows of feature values, without any text.

        Args:
            rows: float64[rows, features], in the order of the manifest; booleans are 0 and 1.

        Returns:
            float64[rows, labels].
        """
        return self._trees.probabilities(fill(self._columns, rows))

    def _score(self, probabilities: list[float]) -> Score:
        labels = self.info.labels
        if self.info.kind is ScoreKind.BINARY:
            chosen = labels[int(probabilities[1] >= 0.5)]
        else:
            chosen = labels[int(np.argmax(probabilities))]
        return Score(self.info.kind, (chosen,), dict(zip(labels, probabilities, strict=True)))

    def _try_out(self) -> None:
        trial = msgspec.structs.replace(_TRIAL, content_model=self._content_models[0])
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


def _bind(binder: FeatureBinder, spec: FeatureSpec, artefact_name: str) -> BoundFeature:
    bound = binder.bind(spec.name)
    if bound.returns != spec.returns:
        raise ModelIncompatible(
            f"artefact {artefact_name!r} takes {spec.name!r} for {spec.returns}, but the installed "
            f"revscoring gives {bound.returns}; install the version that the artefact's environment names",
            feature=spec.name,
        )
    return bound


def _datasources(bound: tuple[BoundFeature, ...]) -> dict[str, Any]:
    datasource = resources.module("datasources").Datasource
    names = {name for feature in bound for name in feature.roots}
    return {name: datasource(name.removeprefix("datasource.")) for name in names}


def _columns(estimator: Mapping[str, Any], count: int) -> tuple[Column, ...]:
    try:
        columns = msgspec.convert(estimator.get("columns"), tuple[Column, ...])
    except msgspec.ValidationError as error:
        raise ModelCorrupt(f"the columns of the model cannot be read: {error}; train it anew") from error
    check_columns(columns, count)
    return columns


def _check_patterns(artefact_name: str, pattern_lists: Mapping[str, str]) -> None:
    for collection, sha512 in pattern_lists.items():
        if features.pattern_list_sha512(collection) != sha512:
            raise ModelIncompatible(
                f"artefact {artefact_name!r} was trained with other patterns of {collection} than the "
                "installed revscoring has, so its numbers would differ; install the revscoring that its "
                "environment names, or train it anew",
                feature=collection,
            )


def _check_labels(info: ModelInfo, probabilities: Floats) -> None:
    if probabilities.shape[1] != len(info.labels):
        raise ModelCorrupt(
            f"artefact {info.artefact!r} states {len(info.labels)} labels, but its trees answer for "
            f"{probabilities.shape[1]}; train it anew",
            path=info.artefact,
        )


def _solved(bound: BoundFeature, revision: Revision, cache: FeatureCache) -> FeatureValue:
    dependencies = resources.module("dependencies")
    errors = resources.module("errors")
    try:
        value: Any = dependencies.solve(bound.feature, cache=cache.values)
    except errors.CaughtDependencyError as error:
        if isinstance(error.exception, RevstreamError):
            raise error.exception from error
        raise _feature_error(
            bound, revision, f"{type(error.exception).__name__}: {error.exception}"
        ) from error
    except errors.DependencyError as error:
        raise _feature_error(bound, revision, f"{type(error).__name__}: {error}") from error
    expected = _TYPES[bound.returns]
    if not isinstance(value, expected) or not math.isfinite(value):
        raise _feature_error(bound, revision, f"it gave {value!r}, which is no finite {bound.returns}")
    return expected(value)


def _feature_error(bound: BoundFeature, revision: Revision, cause: str) -> FeatureError:
    return FeatureError(
        f"feature {bound.name!r} could not be computed from revision {revision.rev_id} of "
        f"{revision.wiki_id}: {cause}",
        wiki_id=revision.wiki_id,
        rev_id=revision.rev_id,
        feature=bound.name,
    )
