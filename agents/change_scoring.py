"""From a change that is to be scored to an answer of each model."""

from collections.abc import Iterable, Mapping, Sequence

from agents.circuits import Circuits
from agents.decide import ScoreWith
from agents.scoring import RevisionScoring
from models.priority import Priority
from models.trail import Trail
from schemas.catalogue import ModelInfo
from schemas.errors import (
    ContentError,
    ContentModelUnsupported,
    ContentUnavailable,
    RevstreamError,
    ScorerCrashed,
)
from schemas.page_change import PageChange
from schemas.prediction import ScoredModel, ScoreFailure
from schemas.revision import Revision, RevisionRequest

Answers = tuple[Sequence[ScoredModel], RevstreamError | None]


class ChangeScoring:
    """Scores changes, and lets a wiki alone that does not answer.

    Args:
        scoring: Fetches and scores revisions.
        circuits: Know which wikis are let alone, and hear which answer.
        content_wait_seconds: How long a wiki may take to give a text.
    """

    def __init__(self, scoring: RevisionScoring, circuits: Circuits, *, content_wait_seconds: float) -> None:
        self._scoring = scoring
        self._circuits = circuits
        self._content_wait_seconds = content_wait_seconds

    async def score(
        self,
        change: PageChange,
        decision: ScoreWith,
        told: Revision | None,
        *,
        is_repetition: bool,
        trail: Trail | None = None,
    ) -> Answers:
        """Return an answer of each model, in their order, and the fault among them that may pass.

        Asks no model whose answer is carried or refused.

        Args:
            change: What happened.
            decision: What to score with.
            told: The revision where the event tells it whole; then its wiki is asked for its parent at most.
            is_repetition: Whether the event was put off before. It has waited for its turn to ask the wiki,
                and those that were not go first.
            trail: Takes note of the phases.

        Raises:
            EngineError: Nothing can be scored, whichever the event.
        """
        done = decision.carried.keys() | decision.refused
        asked = {name: info for name, info in decision.models.items() if name not in done}
        answers: Answers = ((), None)
        if asked:
            answers = await self._ask(change, asked, told, is_repetition=is_repetition, trail=trail)
        given, fault = answers
        scored = iter(given)
        return [
            next(scored)
            if name in asked
            else ScoredModel(info.id, decision.carried.get(name) or _refusal(change, info))
            for name, info in decision.models.items()
        ], fault

    async def _ask(
        self,
        change: PageChange,
        models: Mapping[str, ModelInfo],
        told: Revision | None,
        *,
        is_repetition: bool,
        trail: Trail | None,
    ) -> Answers:
        wiki_id, revision = change.wiki_id, change.revision
        asks_wiki = told is None and any(info.reads_content for info in models.values())
        if asks_wiki and not is_repetition and not self._circuits.admits(wiki_id):
            return _all_failed(models.values(), _let_alone(change))
        try:
            scored = await self._scoring.score(
                RevisionRequest(
                    wiki_id,
                    revision.rev_id,
                    revision.rev_parent_id,
                    change.domain,
                    told,
                    user_id=change.account_id,
                ),
                models,
                priority=Priority.RETRY if is_repetition else Priority.STREAM,
                content_seconds=self._content_wait_seconds,
                trail=trail,
            )
        except ContentError as error:
            self._circuits.failed(wiki_id)
            return _all_failed(models.values(), error)
        if asks_wiki:
            self._circuits.answered(wiki_id)
        return scored, _crash_among(scored)


def _let_alone(change: PageChange) -> ContentUnavailable:
    return ContentUnavailable(
        f"{change.wiki_id} did not answer several times in a row, and is let alone for a while; the event "
        "waits until it answers again.",
        wiki_id=change.wiki_id,
        rev_id=change.revision.rev_id,
    )


def _all_failed(models: Iterable[ModelInfo], error: ContentError) -> Answers:
    failure = ScoreFailure(code=error.code, message=error.message)
    return [ScoredModel(info.id, failure) for info in models], error


def _refusal(change: PageChange, info: ModelInfo) -> ScoreFailure:
    revision = change.revision
    return ScoreFailure(
        ContentModelUnsupported.code,
        f"revision {revision.rev_id} of {change.wiki_id} holds {revision.content_model!r}, but the model "
        f"reads {', '.join(info.content_models)} only; it cannot score this page",
    )


def _crash_among(scored: Sequence[ScoredModel]) -> ScorerCrashed | None:
    """Return the fault where scoring processes died: memory may be there again later."""
    failures = (one.outcome for one in scored if isinstance(one.outcome, ScoreFailure))
    return next((ScorerCrashed(one.message) for one in failures if one.code == ScorerCrashed.code), None)
