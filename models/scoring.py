"""The protocol of all models, and how one revision is scored by several of them."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

from schemas.catalogue import ModelInfo
from schemas.errors import ContentModelUnsupported, FeatureError, RevstreamError
from schemas.prediction import FeatureValue, Score, ScoredModel, ScoreFailure
from schemas.revision import Revision


class FeatureCache:
    """Values that the models of one revision share: tokens, parse trees, features.

    A cache belongs to one revision; never use it for a second.

    Args:
        known: What it begins with.
        wants_features: Whether anybody asks for the features that a score rests on.

    Attributes:
        values: Whatever a kind of model keeps there, by keys of its own.
    """

    __slots__ = ("values", "wants_features")

    def __init__(self, known: Mapping[Any, Any] | None = None, *, wants_features: bool = True) -> None:
        self.values: dict[Any, Any] = dict(known or {})
        self.wants_features = wants_features


class Scorer(Protocol):
    """A loaded model. It keeps nothing of a revision after scoring it."""

    info: ModelInfo

    def score(self, revision: Revision, cache: FeatureCache) -> tuple[Score, dict[str, FeatureValue]]:
        """Score one revision.

        Args:
            revision: What to score.
            cache: Of this revision, shared with the other models.

        Returns:
            The score, and the features it rests on by printed name; these may be left out where the cache
            says that nobody wants them.

        Raises:
            ScoringError: A feature cannot be computed from this revision.
            ContentError: The revision holds something that the model does not read, or lacks something
                that it reads.
        """
        ...


@runtime_checkable
class Waits(Protocol):
    """A scorer for which whoever asks may have to wait, though nothing computes."""

    def wait_seconds(self, revision: Revision) -> float:
        """Return how long; 0 for nearly all revisions."""
        ...


class Extraction(Protocol):
    """What computes the features of several models at once, see ``models.engine.extractor``."""

    def extract(self, sets: Sequence[Any], revision: Revision) -> Mapping[Any, Any]:
        """Return values by set of features, or why there are none."""
        ...


def score_revision(
    scorers: Sequence[Scorer],
    revision: Revision,
    extraction: Extraction | None = None,
    *,
    with_features: bool = False,
) -> list[ScoredModel]:
    """Score one revision with several models, which share what they compute of it.

    A model that fails never stops the others: its place holds the failure.

    Args:
        scorers: The models.
        revision: What to score.
        extraction: Computes features; without it revscoring's own solver does.
        with_features: Whether to give the features back as well.

    Returns:
        One answer per model, in the order of the models.
    """
    cache = cache_of(scorers, revision, extraction, with_features=with_features)
    return [scored_by(scorer, revision, cache, with_features=with_features) for scorer in scorers]


def cache_of(
    scorers: Sequence[Scorer], revision: Revision, extraction: Extraction | None, *, with_features: bool
) -> FeatureCache:
    """Return what several models share of a revision, with all features that the extraction computes."""
    known = None
    # What a client injects may stand anywhere between text and features: revscoring's solver alone minds it.
    if extraction is not None and not revision.injected:
        known = extraction.extract(_feature_sets(scorers, revision, with_base=with_features), revision)
    return FeatureCache(known, wants_features=with_features)


def features_missing(scorer: Scorer, revision: Revision) -> tuple[str, ...]:
    """Return which features of a model have no true value for a revision, since its source lacks facts.

    Dumps do not know groups and registration of an editor. The model's declared values stand in, or those of
    an account without groups and registration: such a score is not what a wiki's own facts would have given.

    Returns:
        Printed names as `Scorer.score` gives features, in the order of the model; empty where all is known.
    """
    missing_of = getattr(scorer, "missing_of", None)
    return () if missing_of is None else missing_of(revision)


def require_content_model(content_models: Sequence[str], revision: Revision) -> None:
    """Refuse a revision whose content model is not among those a model reads.

    Raises:
        ContentModelUnsupported: It is not.
    """
    if revision.content_model not in content_models:
        raise ContentModelUnsupported(
            f"revision {revision.rev_id} of {revision.wiki_id} holds {revision.content_model!r}, but the "
            f"model reads {', '.join(content_models)} only; it cannot score this page",
            wiki_id=revision.wiki_id,
            rev_id=revision.rev_id,
        )


def _feature_sets(scorers: Sequence[Scorer], revision: Revision, *, with_base: bool) -> list[Any]:
    asked = (getattr(scorer, "features_of", None) for scorer in scorers)
    found = (features_of(revision) for features_of in asked if features_of is not None)
    sets = [features for features in found if features is not None]
    return [*sets, *(features.base for features in sets)] if with_base else sets


def failure_of(scorer: Scorer, revision: Revision, error: Exception) -> ScoreFailure:
    """Return what is recorded of a model that raised an error about a revision."""
    if isinstance(error, RevstreamError):
        return ScoreFailure(error.code, error.message)
    message = (
        f"model {scorer.info.artefact!r} could not score revision {revision.rev_id} of "
        f"{revision.wiki_id}: {type(error).__name__}: {error}"
    )
    return ScoreFailure(FeatureError.code, message)


def scored_by(scorer: Scorer, revision: Revision, cache: FeatureCache, *, with_features: bool) -> ScoredModel:
    """Score one revision with one model; an error is a failure."""
    try:
        score, features = scorer.score(revision, cache)
    except Exception as error:
        return ScoredModel(scorer.info.id, failure_of(scorer, revision, error))
    return ScoredModel(scorer.info.id, score, features if with_features else None)
