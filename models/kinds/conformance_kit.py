"""What every kind of model must hold to, as checks with names.

::

    for check in yield_checks(subject):
        check.run()      # raises ConformanceFailure

A plug-in passes when all checks pass for one of its models. They ask a model for much and assume little:
any scorer of ``models.scoring`` can be their subject.
"""

import asyncio
import math
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Final

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from models.kinds import trial_revisions
from models.pool import PoolLimits, ScoringPool, Work
from models.scoring import FeatureCache, Scorer, score_revision
from schemas.errors import ContentModelUnsupported, RevstreamError, ScorerCrashed
from schemas.prediction import Score, ScoredModel, ScoreFailure, ScoreKind
from schemas.revision import Revision

SUM_TOLERANCE: Final = 1e-5
CPU_LIMIT_SECONDS: Final = 3.0
_WALL_LIMIT_SECONDS: Final = 30.0


class ConformanceFailure(AssertionError):
    """A model does not hold to what its kind must."""


class Subject(Struct, frozen=True):
    """What the checks are run on.

    Attributes:
        load: Loads the model anew.
        make_work: Loads it in a process of a pool, see ``models.pool``; can be pickled.
        artefact: Name by which the work knows it.
        revisions: Revisions that it can score.
        content_models: Those it reads; empty where it reads any.
        feature_names: In the order of the manifest; None where the model names its features by itself.
    """

    load: Callable[[], Scorer]
    make_work: Callable[[], Work]
    artefact: str
    revisions: Sequence[Revision]
    content_models: Sequence[str] = ("wikitext",)
    feature_names: Sequence[str] | None = None


class Check(Struct, frozen=True):
    """One check.

    Attributes:
        name: A sentence in snake case.
        run: Raises ConformanceFailure where the model does not pass.
    """

    name: str
    run: Callable[[], None]


def yield_checks(subject: Subject) -> Iterator[Check]:
    """Give all checks for one model, quick ones first."""
    for check in _CHECKS:
        yield Check(check.__name__.lstrip("_"), _bound(check, subject))


def _bound(check: Callable[[Subject], None], subject: Subject) -> Callable[[], None]:
    return lambda: check(subject)


def _require(holds: object, what: str) -> None:
    if not holds:
        raise ConformanceFailure(what)


def _outcomes(scorer: Scorer, revisions: Sequence[Revision]) -> list[ScoredModel]:
    return [score_revision([scorer], revision, with_features=True)[0] for revision in revisions]


def _it_scores_the_revisions_given(subject: Subject) -> None:
    scorer = subject.load()
    for revision, answer in zip(subject.revisions, _outcomes(scorer, subject.revisions), strict=True):
        outcome = answer.outcome
        told = outcome.message if isinstance(outcome, ScoreFailure) else ""
        _require(isinstance(outcome, Score), f"revision {revision.rev_id} gets no score: {told}")
    _require(len(subject.revisions) >= 2, "give at least two revisions that the model can score")


def _probabilities_are_probabilities(subject: Subject) -> None:
    for score in _scores(subject):
        values = list(score.probability.values())
        _require(all(isinstance(value, float) for value in values), f"{values} are not all floats")
        _require(all(0 <= value <= 1 for value in values), f"{values} leave [0, 1]")
        is_exclusive = score.kind is not ScoreKind.MULTILABEL
        _require(
            not is_exclusive or abs(math.fsum(values) - 1) <= SUM_TOLERANCE, f"{values} do not add up to 1"
        )


def _labels_are_those_of_the_manifest(subject: Subject) -> None:
    info = subject.load().info
    _require(info.labels and len(set(info.labels)) == len(info.labels), "labels are missing or repeated")
    for score in _scores(subject):
        _require(score.kind is info.kind, f"a score is {score.kind}, its model {info.kind}")
        _require(set(score.probability) <= set(info.labels), "a score has a label that the model has not")
        _require(set(score.prediction) <= set(score.probability), "a label is predicted without probability")
        is_one = len(score.prediction) == 1
        _require(is_one or score.kind is ScoreKind.MULTILABEL, f"{score.prediction} is not one label")


def _features_are_those_of_the_manifest(subject: Subject) -> None:
    for answer in _outcomes(subject.load(), subject.revisions):
        features = answer.features or {}
        if subject.feature_names is not None:
            _require(list(features) == list(subject.feature_names), f"its features are {list(features)}")
        plain = (bool, int, float, str)
        _require(all(type(value) in plain for value in features.values()), "a feature is no plain value")


def _the_same_revision_gets_the_same_answer(subject: Subject) -> None:
    scorer = subject.load()
    first, second = _outcomes(scorer, subject.revisions), _outcomes(scorer, subject.revisions)
    _require(first == second, "the second time the answers are others")


def _the_order_of_revisions_does_not_matter(subject: Subject) -> None:
    forwards = _outcomes(subject.load(), subject.revisions)
    backwards = _outcomes(subject.load(), list(reversed(subject.revisions)))
    _require(forwards == backwards[::-1], "what was scored before changes the answers")


def _failures_leave_nothing_behind(subject: Subject) -> None:
    scorer = subject.load()
    before = _outcomes(scorer, subject.revisions)
    _outcomes(scorer, trial_revisions.odd(subject.revisions[0]))
    _require(before == _outcomes(scorer, subject.revisions), "odd revisions change the answers to others")


def _a_shared_cache_does_not_matter(subject: Subject) -> None:
    one, other = subject.load(), subject.load()
    for revision in subject.revisions:
        cache = FeatureCache()
        scores = [scorer.score(revision, cache) for scorer in (one, other)]
        _require(scores[0] == scores[1], "a cache that another model filled changes the answer")
        _require(scores[0] == one.score(revision, FeatureCache()), "an empty cache changes the answer")


def _odd_revisions_get_a_score_or_a_typed_error(subject: Subject) -> None:
    scorer = subject.load()
    for revision in trial_revisions.odd(subject.revisions[0]):
        try:
            score, _ = scorer.score(revision, FeatureCache())
        except RevstreamError as error:
            _require(error.message, f"{type(error).__name__} says nothing")
        except Exception as error:
            raise ConformanceFailure(
                f"{type(error).__name__} is no typed error: {error} (for {revision.page_title})"
            ) from error
        else:
            values = score.probability.values()
            _require(all(0 <= value <= 1 for value in values), f"{revision.page_title}: {list(values)}")


def _other_content_models_are_refused(subject: Subject) -> None:
    scorer = subject.load()
    revision = replace(subject.revisions[0], content_model="no-such-content-model")
    outcome = score_revision([scorer], revision)[0].outcome
    if subject.content_models:
        is_refused = isinstance(outcome, ScoreFailure) and outcome.code == ContentModelUnsupported.code
        _require(is_refused, f"it scores content that it does not read: {outcome}")
    else:
        _require(isinstance(outcome, Score), f"it refuses content although it reads none: {outcome}")


def _a_batch_gives_the_same_bits_as_single_rows(subject: Subject) -> None:
    scorer = subject.load()
    predict = getattr(scorer, "predict", None)
    if predict is None:
        return
    answers = _outcomes(scorer, subject.revisions)
    rows = np.array([[float(value) for value in (answer.features or {}).values()] for answer in answers])
    rows = np.concatenate([rows, rows[::-1] * 1.5, np.zeros_like(rows)] * 7)
    together = predict(rows)
    alone = np.concatenate([predict(rows[index : index + 1]) for index in range(len(rows))])
    _require(together.shape == (len(rows), len(scorer.info.labels)), f"a batch gives {together.shape}")
    _require(np.array_equal(together, alone), "in a batch, rows get other probabilities than alone")
    for revision, answer in zip(subject.revisions, together, strict=False):
        score = scorer.score(revision, FeatureCache())[0]
        _require(list(score.probability.values()) == answer.tolist(), "score and predict differ")


def _a_pool_process_gives_the_same_answers(subject: Subject) -> None:
    scorer = subject.load()
    info = replace(scorer.info, artefact=subject.artefact)

    async def scored() -> list[ScoredModel]:
        limits = PoolLimits(cpu_seconds=CPU_LIMIT_SECONDS, wall_seconds=_WALL_LIMIT_SECONDS)
        pool = ScoringPool(subject.make_work, processes=1, limits=limits)
        await pool.start()
        try:
            return [
                (await pool.score(revision, [info], with_features=True))[0] for revision in subject.revisions
            ]
        finally:
            await pool.stop(drain_seconds=0)

    here = _outcomes(scorer, subject.revisions)
    _require(asyncio.run(scored()) == here, "a process of the pool gives other answers")


def _a_huge_revision_ends_within_the_limit(subject: Subject) -> None:
    info = replace(subject.load().info, artefact=subject.artefact)
    huge = trial_revisions.huge(subject.revisions[0])

    async def scored() -> list[tuple[float, ScoredModel]]:
        limits = PoolLimits(cpu_seconds=CPU_LIMIT_SECONDS, wall_seconds=_WALL_LIMIT_SECONDS, attempts=1)
        pool = ScoringPool(subject.make_work, processes=1, limits=limits)
        await pool.start()
        answers = []
        try:
            for revision in huge:
                began = time.monotonic()
                [answer] = await pool.score(revision, [info])
                answers.append((time.monotonic() - began, answer))
        finally:
            await pool.stop(drain_seconds=0)
        return answers

    for seconds, answer in asyncio.run(scored()):
        _require(seconds < _WALL_LIMIT_SECONDS, f"a huge revision takes {seconds:.1f} s")
        # A model may refuse it, but only the limit may end its process.
        is_crash = isinstance(answer.outcome, ScoreFailure) and answer.outcome.code == ScorerCrashed.code
        _require(not is_crash, f"a huge revision ends its process: {answer.outcome}")


def _scores(subject: Subject) -> Iterator[Score]:
    for answer in _outcomes(subject.load(), subject.revisions):
        if isinstance(answer.outcome, Score):
            yield answer.outcome


_CHECKS: Final[Sequence[Callable[[Subject], None]]] = (
    _it_scores_the_revisions_given,
    _probabilities_are_probabilities,
    _labels_are_those_of_the_manifest,
    _features_are_those_of_the_manifest,
    _the_same_revision_gets_the_same_answer,
    _the_order_of_revisions_does_not_matter,
    _failures_leave_nothing_behind,
    _a_shared_cache_does_not_matter,
    _odd_revisions_get_a_score_or_a_typed_error,
    _other_content_models_are_refused,
    _a_batch_gives_the_same_bits_as_single_rows,
    _a_pool_process_gives_the_same_answers,
    _a_huge_revision_ends_within_the_limit,
)
