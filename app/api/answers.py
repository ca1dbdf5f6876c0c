"""One revision and some models in, an answer about each out: stored, scored now, or the reason why not."""

from collections.abc import Callable, Mapping, Sequence

from msgspec import Struct

from agents.rules.book import RuleBook
from app.api.age import note_age
from app.api.on_demand import DirectScoring, OnDemand, ScoreRequest
from app.cluster.finder import Finder, LocalFinder
from app.cluster.peering import Peering
from app.dead_letters import DeadLetters
from app.metrics import FaceCounters, Metrics, Outcome
from app.model_monitor import ModelHealth
from app.pages.wiki_links import NO_LINKS, WikiLinks
from schemas.catalogue import Catalogue, ModelInfo
from schemas.errors import (
    ContentError,
    ModelError,
    NotReady,
    PredictionNotFound,
    PredictionWithdrawn,
    RevisionDeleted,
    RevisionNotFound,
    ScoringError,
)
from schemas.prediction import Injected, ModelId, PredictionRow, Score, ScoredModel, ScoreFailure, StoredScore
from tables.reader import Freshness, PredictionReader, Progress


class Resources(Struct, frozen=True):
    """What handlers work with.

    Attributes:
        reader: Stored predictions that are here.
        catalogue: Models by wiki.
        on_demand: Scores what is not stored; None on replicas.
        readiness: Names of what the process waits for beyond the reader; empty when it is ready.
        metrics: Counters.
        direct: Scores what requests bring along; None on replicas.
        cluster: Finds what is not here; None where all is.
        peering: What is done for other processes of the cluster; None on replicas.
        progress: What is recovering.
        rules: Which events are scored with which models; None without, where the stream scores all.
        cache_seconds: How long caches may keep answers of our own face.
        wiki_links: Lead to the wikis.
        dead_letters: Knows the events that were set aside; None where nobody here does.
        health: Returns how a model does now on a wiki; None where nobody here watches.
    """

    reader: PredictionReader
    catalogue: Catalogue
    on_demand: OnDemand | None
    readiness: Callable[[], Sequence[str]]
    metrics: Metrics
    direct: DirectScoring | None = None
    cluster: Finder | None = None
    peering: Peering | None = None
    progress: Callable[[], Sequence[Progress]] = tuple
    rules: RuleBook | None = None
    cache_seconds: int = 10
    wiki_links: WikiLinks = NO_LINKS
    dead_letters: DeadLetters | None = None
    health: Callable[[str, str], ModelHealth] | None = None

    @property
    def finder(self) -> Finder:
        """What finds rows, wherever they lie."""
        return LocalFinder(self.reader) if self.cluster is None else self.cluster


def of_version(row: PredictionRow, model_name: str, model_version: str) -> StoredScore | None:
    """Return the score of one model in one version; None where the row has none."""
    for score in row.scores:
        if score.model.model_name == model_name and score.model.model_version == model_version:
            return score
    return None


async def answer(
    resources: Resources,
    counters: FaceCounters,
    wiki_id: str,
    rev_id: int,
    models: Mapping[str, ModelInfo],
    *,
    with_features: bool = False,
    injected: Injected | None = None,
    with_attribution: bool = False,
) -> dict[str, ScoredModel]:
    """Return an answer of each model about one revision, in the order of the models.

    A stored answer counts only in the version that the catalogue serves. Features are not stored, so
    asking for them means scoring, and so does injecting. What was withdrawn is neither shown nor scored.

    Args:
        resources: What to ask.
        counters: Of the face that asks.
        wiki_id: Of the catalogue.
        rev_id: In [0, 2**63).
        models: Name to model, of that wiki.
        with_features: Whether the features are wanted as well.
        injected: What is read in the place of what is computed; needs scoring on demand.
        with_attribution: Whether the features and what moved the scores are wanted; likewise.

    Raises:
        NotReady: Nothing is known of the revision, and the tables are not complete or the scorers full;
            in a cluster Recovering or OwnerUnavailable where the row may lie with a worker that cannot tell.
    """
    found: dict[str, ScoredModel] = {}
    try:
        stored_row = await resources.finder.revision(wiki_id, rev_id)
    except PredictionWithdrawn as error:
        counters.answers[Outcome.ABSENT] += len(models)
        failure = _as_the_wiki_says(error)
        return {name: ScoredModel(info.id, failure) for name, info in models.items()}
    row = stored_row.row
    if row is not None and not (with_features or with_attribution or injected):
        for name, info in models.items():
            stored = of_version(row, info.id.model_name, info.id.model_version)
            if stored is not None:
                found[name] = ScoredModel(stored.model, stored.outcome)
    counters.answers[Outcome.STORED] += len(found)
    if found:
        note_age(stored_row.freshness)
    missing = {name: info for name, info in models.items() if name not in found}
    if missing:
        # A model asked for under two names is scored once.
        distinct = {info.id: _reference(resources, wiki_id, info) for info in missing.values()}
        scored = await _score(
            resources,
            counters,
            distinct,
            ScoreRequest(
                wiki_id, rev_id, tuple(distinct.values()), with_features, injected, with_attribution
            ),
            freshness=stored_row.freshness,
        )
        by_model = {(answer.model.model_name, answer.model.model_version): answer for answer in scored}
        for name, info in missing.items():
            found[name] = by_model[info.id.model_name, info.id.model_version]
    return {name: found[name] for name in models}


def _reference(resources: Resources, wiki_id: str, info: ModelInfo) -> str:
    """Return the name by which the catalogue finds a model: with its version unless it answers by default."""
    name = info.id.model_name
    default = resources.catalogue.models(wiki_id).get(name)
    return name if default is not None and default.id == info.id else f"{name}@{info.id.model_version}"


def _as_the_wiki_says(error: PredictionWithdrawn) -> ScoreFailure:
    """Return what scoring the revision anew would give, in the codes for which clients have words."""
    is_page = error.fields["withdrawn"] == "page"
    return ScoreFailure(RevisionNotFound.code if is_page else RevisionDeleted.code, error.message)


async def _score(
    resources: Resources,
    counters: FaceCounters,
    models: Mapping[ModelId, str],
    asked: ScoreRequest,
    *,
    freshness: Freshness,
) -> list[ScoredModel]:
    wiki_id, rev_id = asked.wiki_id, asked.rev_id
    if not freshness.is_ready:
        raise NotReady(
            f"The tables are not complete yet ({', '.join(freshness.reasons)}), so what is not in them may "
            "still come. Ask again in a few seconds.",
            wiki_id=wiki_id,
            rev_id=rev_id,
        )
    if resources.on_demand is None:
        note_age(freshness)
        counters.answers[Outcome.ABSENT] += len(models)
        absent = ScoreFailure(
            PredictionNotFound.code,
            f"No score of revision {rev_id} of {wiki_id} is stored, and this server does not score on "
            "demand.",
        )
        return [ScoredModel(model, absent) for model in models]
    try:
        scored = await resources.on_demand.score(asked)
    except PredictionWithdrawn as error:
        counters.answers[Outcome.ABSENT] += len(models)
        return [ScoredModel(model, _as_the_wiki_says(error)) for model in models]
    except (ContentError, ScoringError, ModelError) as error:
        counters.answers[Outcome.FAILED] += len(models)
        failure = ScoreFailure(error.code, error.message)
        return [ScoredModel(model, failure) for model in models]
    good = sum(isinstance(answer.outcome, Score) for answer in scored)
    counters.answers[Outcome.SCORED] += good
    counters.answers[Outcome.FAILED] += len(scored) - good
    return scored
