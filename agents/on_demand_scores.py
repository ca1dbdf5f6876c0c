"""Scores that clients asked for, by way of the log into the tables."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, Final

from faust.types import AppT
from msgspec import Struct
from structlog import get_logger

from agents.ordered import UnacknowledgedEvent
from schemas.erasure import Erasure, encode_erasure
from schemas.errors import (
    ContentModelUnsupported,
    CpuLimitExceeded,
    EventError,
    FeatureError,
    MemoryLimitExceeded,
)
from schemas.keys import ERASURE_TOPIC, PAGES_TABLE, REVISIONS_TABLE, page_topic_key, row_key
from schemas.on_demand import (
    AnsweredModel,
    OnDemandScores,
    decode_on_demand,
    encode_on_demand,
    on_demand_topic,
)
from schemas.prediction import PredictionRow, Provenance, Score, ScoredModel, stored_scores
from schemas.revision import Revision
from tables.codec import decode_row
from tables.predictions import Predictions
from tables.withdrawal import is_hidden

_KEPT: Final = "kept"
_WITHDRAWN: Final = "withdrawn"
_HOMELESS: Final = "homeless"
_UNREADABLE: Final = "unreadable"
OUTCOMES: Final = (_KEPT, _WITHDRAWN, _HOMELESS, _UNREADABLE)
"""What becomes of scores: in the tables; of something withdrawn; of a page whose partition nobody knows; not
ours."""

# What a text does to a scorer it does again. The rest may be otherwise next time.
_LASTING: Final = frozenset(
    kind.code for kind in (CpuLimitExceeded, MemoryLimitExceeded, FeatureError, ContentModelUnsupported)
)

_log = get_logger("revstream.on_demand")


class PageHome(Struct, frozen=True):
    """Where the events of a page come, and so its rows lie.

    Attributes:
        partition: None where the log's own partitioner decides.
    """

    partition: int | None = None


class OnDemandKeeper:
    """Writes scores to a topic that is cut as the tables are, and takes them from there into the tables.

    So a row is written by the one owner of its partition, in the page's turn, and goes to the changelog as
    every row does. No output event tells of it: outputs tell of changes, and nothing changed. A revision
    whose page change comes later is told then, with the scores that are there.

    What is withdrawn is not taken in. A score counts as of the moment at which its revision was saved, for
    nobody can say as of when a wiki's replicas answered: whatever was done to the revision or its page since
    then decides, be its event read before or after the score.

    Args:
        app: Gives the producer.
        predictions: The tables.
        settle: As of `agents.pipeline.Pipeline`.
        erases: As of `agents.pipeline.Pipeline`.
        home: Returns where the events of a page come, by its topic key; None where nobody knows.

    Attributes:
        topic: That the scores go through.
        counts: What became of scores, by the names of `OUTCOMES`.
    """

    def __init__(
        self,
        app: AppT,
        predictions: Predictions,
        *,
        settle: Callable[[Sequence[Awaitable[Any]]], Awaitable[None]],
        erases: bool = False,
        home: Callable[[bytes], PageHome | None] = lambda _: PageHome(),
    ) -> None:
        self._app = app
        self._predictions = predictions
        self._settle = settle
        self._erases = erases
        self._home = home
        self.topic = on_demand_topic(app.conf.id)
        self.counts = dict.fromkeys(OUTCOMES, 0)

    async def send(
        self,
        revision: Revision,
        scored: Iterable[ScoredModel],
        headers: Mapping[str, bytes] = MappingProxyType({}),
    ) -> Awaitable[Any] | None:
        """Send what models said of a revision; failures that may pass are left out.

        Args:
            revision: That was fetched.
            scored: What they said.
            headers: Of the record.

        Returns:
            Done when it is in the log; None where nothing was sent.

        Raises:
            StoreError: The log cannot be written.
        """
        answers = tuple(
            AnsweredModel(one.model, one.outcome)
            for one in scored
            if isinstance(one.outcome, Score) or one.outcome.code in _LASTING
        )
        if not answers:
            return None
        page = self._held(PAGES_TABLE, revision.wiki_id, revision.page_id)
        held = self._held(REVISIONS_TABLE, revision.wiki_id, revision.rev_id)
        if _is_withdrawn(page, revision.rev_dt) or _is_withdrawn(held, revision.rev_dt):
            self.counts[_WITHDRAWN] += 1
            return None
        key = page_topic_key(revision.wiki_id, revision.page_id)
        home = self._home(key)
        if home is None:
            self.counts[_HOMELESS] += 1
            return None
        scores = OnDemandScores(
            revision.wiki_id,
            revision.page_id,
            revision.rev_id,
            revision.rev_dt,
            datetime.now(UTC),
            answers,
        )
        return await self._app.producer.send(
            self.topic, key, encode_on_demand(scores), home.partition, None, dict(headers) or None
        )

    async def handle(self, event: UnacknowledgedEvent) -> None:
        """Take the scores of one record into the tables. Idempotent.

        1. Look at what the tables hold now, uncommitted or not: what is withdrawn stays as it is, and where
           it was erased the record goes as well.
        2. Merge the scores into the rows.

        Raises:
            StoreError: Tables or log cannot be written.
        """
        try:
            scores = decode_on_demand(event.message.value or b"")
        except EventError as error:
            self.counts[_UNREADABLE] += 1
            _log.warning("on_demand_unreadable", message=error.message)
            return
        page = self._predictions.newest_page(event, scores.wiki_id, scores.page_id)  # 1
        revision = self._predictions.newest_revision(event, scores.wiki_id, scores.rev_id)
        if _is_withdrawn(page, scores.rev_dt) or _is_withdrawn(revision, scores.rev_dt):
            self.counts[_WITHDRAWN] += 1
            if self._erases and any(_is_erased(row, scores.rev_dt) for row in (page, revision)):
                await self._settle((await self._erase(event, scores),))
            return
        await self._settle(await self._predictions.upsert(event, _row(event, scores)))  # 2
        self.counts[_KEPT] += 1

    def _held(self, table: str, wiki_id: str, number: int) -> PredictionRow | None:
        row = self._predictions.get(table, row_key(wiki_id, number))
        return None if row is None else decode_row(row)

    async def _erase(self, event: UnacknowledgedEvent, scores: OnDemandScores) -> Awaitable[Any]:
        message = event.message
        erasure = Erasure(
            wiki_id=scores.wiki_id,
            page_id=scores.page_id,
            is_whole_page=False,
            rev_ids=(scores.rev_id,),
            source_topic=message.topic,
            source_partition=message.partition,
            source_offset=message.offset,
        )
        key = page_topic_key(scores.wiki_id, scores.page_id)
        return await self._app.producer.send(ERASURE_TOPIC, key, encode_erasure(erasure), None, None, None)


def _is_withdrawn(row: PredictionRow | None, rev_dt: datetime) -> bool:
    return row is not None and (is_hidden(row) or _is_erased(row, rev_dt))


def _is_erased(row: PredictionRow | None, rev_dt: datetime) -> bool:
    withdrawal = None if row is None else row.withdrawal
    return withdrawal is not None and withdrawal.erased_dt is not None and withdrawal.erased_dt >= rev_dt


def _row(event: UnacknowledgedEvent, scores: OnDemandScores) -> PredictionRow:
    message = event.message
    provenance = Provenance(
        event_id=scores.event_id,
        source_topic=message.topic,
        source_partition=message.partition,
        source_offset=message.offset,
        event_dt=scores.rev_dt,
        scored_dt=scores.scored_dt,
    )
    return PredictionRow(
        wiki_id=scores.wiki_id,
        page_id=scores.page_id,
        rev_id=scores.rev_id,
        rev_dt=scores.rev_dt,
        scores=stored_scores(((one.model, one.outcome) for one in scores.answers), provenance),
    )
