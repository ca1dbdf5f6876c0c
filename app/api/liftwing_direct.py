"""Lift Wing's models that are asked about what no table holds: texts, links, edits not saved yet."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from app.api.answers import Resources
from app.api.liftwing_answer import Answer
from app.api.liftwing_langid import langid_answer, parse_langid, text_revision
from app.api.liftwing_language import NotWikipedia
from app.api.liftwing_names import LANGID, OUTLINKS
from app.api.liftwing_outlinks import (
    linked_page,
    outlinks_answer,
    outlinks_failure,
    outlinks_tensor,
    page_asked,
    parse_outlinks,
)
from app.api.on_demand import DirectScoring
from app.metrics import Face, Outcome
from schemas.catalogue import ModelInfo
from schemas.errors import ContentError, FeatureError, ModelNotFound, NotReady, RequestInvalid
from schemas.prediction import ScoredModel, ScoreFailure, ScoreKind
from schemas.revision import Revision

# What is wrong with the text or the links themselves; all else is the server's fault.
_OF_THE_INPUT: Final = frozenset(
    {FeatureError.code, "content_too_large", "cpu_limit_exceeded", "memory_limit_exceeded"}
)


class DirectModels:
    """Scores what requests bring along, with models of the catalogue.

    Args:
        resources: What to ask.
    """

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._counters = resources.metrics.faces[Face.LIFTWING]
        self._langid = _any_wiki(resources, LANGID)

    def scoring(self, model_name: str) -> DirectScoring:
        """Return what scores.

        Raises:
            NotReady: Nothing here does.
        """
        if self._resources.direct is None:
            raise NotReady(
                f"Model with name {model_name} is not ready. This server answers from storage alone; ask one "
                "that scores: a worker."
            )
        return self._resources.direct

    async def score(self, revision: Revision, info: ModelInfo) -> ScoredModel:
        """Return the score of a revision that the request brought along, and count it.

        Raises:
            NotReady: Too much is waiting already, or nothing can score now.
        """
        scored = await self.scoring(info.id.model_name).score(revision, info)
        is_failure = isinstance(scored.outcome, ScoreFailure)
        self._counters.answers[Outcome.FAILED if is_failure else Outcome.SCORED] += 1
        return scored

    async def langid(self, body: Mapping[str, Any]) -> Answer:
        """Answer which language a text is in."""
        if self._langid is None:
            raise ModelNotFound(f"Model with name {LANGID} does not exist.")
        scored = await self.score(text_revision(parse_langid(body)), self._langid)
        if isinstance(scored.outcome, ScoreFailure):
            return _failed(scored.outcome)
        return Answer(langid_answer(scored.outcome))

    async def outlinks(self, body: Mapping[str, Any]) -> Answer:
        """Answer the topics of a page by its links, which the request gives or the wiki tells."""
        try:
            asked = parse_outlinks(body)
        except NotWikipedia as error:
            return Answer({"detail": error.message}, 400)
        info = self._resources.catalogue.find(asked.wiki_id, OUTLINKS)
        if info is None or not info.reads_content:
            raise _no_wiki(body, asked.wiki_id)
        outlinks: Sequence[str] | None = asked.outlinks
        if outlinks is None:
            try:
                outlinks = await self.scoring(OUTLINKS).outlinks(page_asked(asked))
            except ContentError as error:
                self._counters.answers[Outcome.FAILED] += 1
                return Answer.failed(outlinks_failure(asked, error))
        scored = await self.score(linked_page(asked, outlinks), info)
        if isinstance(scored.outcome, ScoreFailure):
            return _failed(scored.outcome)
        score = scored.outcome
        return Answer(outlinks_answer(asked, score), tensor=outlinks_tensor(asked, score))


def _any_wiki(resources: Resources, model_name: str) -> ModelInfo | None:
    """Return the model of that name, which is the same on every wiki, or None where no wiki has it."""
    wikis = resources.catalogue.wikis
    found = (models.get(model_name) for _, models in sorted(wikis.items()))
    return next(
        (info for info in found if info and info.kind is ScoreKind.MULTICLASS and info.reads_content), None
    )


def _no_wiki(body: Mapping[str, Any], wiki_id: str) -> RequestInvalid:
    if "lang" in body and "wiki_id" not in body:
        return RequestInvalid(f"Unsupported lang: {body['lang']}.")
    return RequestInvalid(f"Unknown wiki_id: {wiki_id[:80]}")


def _failed(failure: ScoreFailure) -> Answer:
    status = 400 if failure.code in _OF_THE_INPUT else 500
    return Answer({"error": failure.message}, status)
