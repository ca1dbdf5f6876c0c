"""Scores of what requests bring along, by the worker's own processes."""

import contextlib
from collections.abc import Iterator
from typing import Final

from agents.content import RevisionSource
from agents.mediawiki import MediaWikiSource
from agents.scoring import RevisionScoring
from models.pool import ScoringPool
from models.pools import ScoringPools
from models.priority import Priority
from schemas.catalogue import ModelInfo
from schemas.errors import EngineError, NotReady, RequestInvalid
from schemas.prediction import ScoredModel
from schemas.revision import PageRequest, Revision, RevisionRequest

MOST_WAITING: Final = 64


class _Given:
    """A ``RevisionSource`` of the one revision that a client sent."""

    def __init__(self, revision: Revision) -> None:
        self._revision = revision

    async def get(self, request: RevisionRequest) -> Revision:
        return self._revision

    async def close(self) -> None:
        return


class WorkerDirectScoring:
    """An `app.api.on_demand.DirectScoring` over the worker's own pool. Stores nothing.

    Args:
        pool: Scores with the models that read content.
        content: Where the worker has its texts from; only MediaWiki's API also tells links.
        max_text_bytes: A larger text, or parent's text, gets a failure.
        most_waiting: Requests worked on at a time; more are refused at once.
    """

    def __init__(
        self,
        pool: ScoringPool | ScoringPools,
        content: RevisionSource,
        *,
        max_text_bytes: int,
        most_waiting: int = MOST_WAITING,
    ) -> None:
        self._pool = pool
        self._links = content if isinstance(content, MediaWikiSource) else None
        self._max_text_bytes = max_text_bytes
        self._free = most_waiting

    async def score(self, revision: Revision, model: ModelInfo) -> ScoredModel:
        """Return the score of one model, or the failure that names why there is none.

        Raises:
            NotReady: Too much is waiting already, or the models are not loaded yet.
        """
        scoring = RevisionScoring(_Given(revision), self._pool, {}, max_text_bytes=self._max_text_bytes)
        request = RevisionRequest(revision.wiki_id, revision.rev_id)
        with self._admitted():
            try:
                [scored] = await scoring.score(
                    request, {model.id.model_name: model}, priority=Priority.ON_DEMAND
                )
            except EngineError as error:
                raise NotReady(
                    f"Model with name {model.id.model_name} is not ready: {error.message}.",
                    model_name=model.id.model_name,
                ) from error
        return scored

    async def outlinks(self, request: PageRequest) -> tuple[str, ...]:
        """Return the Wikidata ids of the articles that a page links to, at most 1,000.

        Raises:
            ContentError: The page cannot be had, or its wiki does not answer.
            NotReady: Too much is waiting already.
            RequestInvalid: The content is no wiki's API.
        """
        if self._links is None:
            raise RequestInvalid(
                "This server reads texts from a dump, which says nothing of Wikidata. Give the ids of the "
                "linked pages as features_str, or ask a server whose content is mediawiki.",
                wiki_id=request.wiki_id,
            )
        with self._admitted():
            return await self._links.outlinks(request)

    @contextlib.contextmanager
    def _admitted(self) -> Iterator[None]:
        if not self._free:
            raise NotReady("Too much is waiting to be scored. Try again in a few seconds.")
        self._free -= 1
        try:
            yield
        finally:
            self._free += 1
