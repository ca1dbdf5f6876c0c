"""Carries out what a decision says about predictions that are there already."""

from collections.abc import Awaitable
from datetime import UTC, datetime
from typing import Any, Final

from faust.types import AppT

from agents.decide import Decision, Restore, Scope, ScoreWith, Skip, Withdraw
from agents.known_texts import KnownTexts
from agents.ordered import UnacknowledgedEvent
from agents.origin import Origin
from schemas.erasure import Erasure, encode_erasure
from schemas.keys import ERASURE_TOPIC, page_topic_key
from schemas.page_change import PageChange
from tables.predictions import Predictions
from tables.withdrawal import Act

_UNTOLD: Final = datetime.fromtimestamp(0, UTC)


class Withdrawals:
    """Hides, shows and erases predictions.

    Args:
        app: Gives the producer.
        predictions: The tables.
        texts: Texts that went by, of which it forgets those that are hidden.
        erases: Whether a request to erase follows each suppression into the log, where the log is one that
            can: it is in the log if and only if the event is committed.
    """

    def __init__(self, app: AppT, predictions: Predictions, texts: KnownTexts, *, erases: bool) -> None:
        self._app = app
        self._texts = texts
        self._predictions = predictions
        self._erases = erases

    async def apply(
        self, event: UnacknowledgedEvent, origin: Origin, change: PageChange, decision: Decision
    ) -> list[Awaitable[Any]]:
        """Do what a decision says, and return what was sent. Idempotent; most decisions say nothing.

        Raises:
            StoreError: Tables or log cannot be written.
        """
        self._texts.heed(change)
        sent: list[Awaitable[Any]] = []
        rev_ids: tuple[int, ...] = (change.revision.rev_id,)
        scope, is_erasure = _scope(decision), _is_erasure(decision)
        if scope is not None:
            act = _act(origin, change, is_hidden=isinstance(decision, Withdraw), is_erasure=is_erasure)
            if scope is Scope.PAGE:
                written, emptied = await self._predictions.act_on_page(event, act)
                sent += written
                rev_ids = emptied or rev_ids
            else:
                sent += await self._predictions.act_on_revision(event, act)
        if is_erasure and self._erases:
            erasure = _erasure(origin, change, rev_ids, is_whole_page=scope is Scope.PAGE)
            key = page_topic_key(change.wiki_id, change.page.page_id)
            sent.append(
                await self._app.producer.send(ERASURE_TOPIC, key, encode_erasure(erasure), None, None, None)
            )
        return sent


def _scope(decision: Decision) -> Scope | None:
    if isinstance(decision, Withdraw | Restore):
        return decision.scope
    return Scope.PAGE if isinstance(decision, ScoreWith) and decision.restores_page else None


def _is_erasure(decision: Decision) -> bool:
    if isinstance(decision, Skip):
        return decision.is_erased
    return isinstance(decision, Withdraw) and decision.is_erasure


def _act(origin: Origin, change: PageChange, *, is_hidden: bool, is_erasure: bool) -> Act:
    revision = change.revision
    return Act(
        wiki_id=change.wiki_id,
        page_id=change.page.page_id,
        rev_id=revision.rev_id,
        # A row that is made of an untold time must not seem later than the revision's own.
        rev_dt=revision.rev_dt if revision.is_rev_dt_told else _UNTOLD,
        acted_dt=change.acted_dt,
        source_offset=origin.offset,
        is_hidden=is_hidden,
        is_erasure=is_erasure,
    )


def _erasure(origin: Origin, change: PageChange, rev_ids: tuple[int, ...], *, is_whole_page: bool) -> Erasure:
    return Erasure(
        wiki_id=change.wiki_id,
        page_id=change.page.page_id,
        is_whole_page=is_whole_page,
        rev_ids=rev_ids,
        source_topic=origin.topic,
        source_partition=origin.partition,
        source_offset=origin.offset,
    )
