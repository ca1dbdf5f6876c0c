"""Which events go out for what became of a change: the one place that decides it, and sends them."""

from collections.abc import Awaitable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from faust.types import AppT
from msgspec.structs import replace

from agents.decide import Decision, Known, Restore, Scope, ScoreWith, Withdraw
from agents.ordered import UnacknowledgedEvent
from agents.rules.book import RuleBook
from agents.rules.decide import Plan, Telling
from agents.rules.rule import OutputKind
from schemas.output_event import OutputEvent
from schemas.page_change import PageChange
from schemas.page_prediction import page_prediction_event, page_withdrawal_event
from schemas.prediction import ModelId, PredictionRow, Score, ScoredModel, ScoreFailure
from schemas.revision_score import revision_score_event
from schemas.weighted_tags import TagGroup, weighted_tags_event
from tables.predictions import Predictions
from tables.withdrawal import is_hidden


class Outputs:
    """Sends what is to be told.

    Scores and failures go out for each revision that was scored. What is told of pages, where rules ask for
    it, follows the tables: an event of a page's latest revision alone, of what look-ups show alone, and a
    withdrawal of whatever they show no more.

    Args:
        app: Gives the producer.
        predictions: The tables, as they are after what was done about the change.
        rules: Say what goes where; without any, each model has a stream for its scores.
    """

    def __init__(self, app: AppT, predictions: Predictions, rules: RuleBook | None) -> None:
        self._app = app
        self._predictions = predictions
        self._rules = rules

    async def send(
        self,
        event: UnacknowledgedEvent,
        change: PageChange,
        decision: Decision,
        *,
        known: Known,
        plan: Plan | None,
        scored: Sequence[ScoredModel] = (),
        headers: Mapping[str, bytes] = MappingProxyType({}),
    ) -> list[Awaitable[Any]]:
        """Send all that is to be told of a change; return what was sent. A replay sends the same again.

        Args:
            event: The record that the change came by.
            change: The change.
            decision: What was done about it.
            known: What the tables held before that.
            plan: What the rules make of it; None without rules.
            scored: What the models gave; empty where none was asked.
            headers: That all records carry beside their own.

        Raises:
            OutputInvalid: An event does not meet its schema.
        """
        outputs = [*score_events(change, scored, plan)]
        outputs += self._of_page(event, change, decision, known=known, plan=plan)
        send = self._app.producer.send
        return [
            await send(each.stream, each.key, each.value, None, None, {**each.headers, **headers} or None)
            for each in outputs
        ]

    def _of_page(
        self,
        event: UnacknowledgedEvent,
        change: PageChange,
        decision: Decision,
        *,
        known: Known,
        plan: Plan | None,
    ) -> Iterator[OutputEvent]:
        rules = self._rules
        if rules is None or plan is None:
            return
        change = _dated(change, known.revision)
        if isinstance(decision, Withdraw):
            told = rules.when_withdrawn(change.wiki_id)
            if told.outputs and self._is_withdrawn(event, change, decision, known):
                yield from withdrawal_events(change, told)
            return
        if not isinstance(decision, Restore | ScoreWith):
            return
        is_restored = isinstance(decision, Restore)
        told = rules.when_restored(plan) if is_restored else Telling(plan.models, plan.outputs).of_pages()
        row = self._shown(event, change) if told.outputs else None
        if row is not None:
            is_back = is_restored or (isinstance(decision, ScoreWith) and decision.restores_page)
            before = None if is_back else self._parent(event, change)
            yield from page_events(change, told, row, before, is_restored=is_back)

    def _is_withdrawn(
        self, event: UnacknowledgedEvent, change: PageChange, decision: Withdraw, known: Known
    ) -> bool:
        """Tell whether a page has no prediction any more that it had.

        A withdrawal that comes after its undoing is none. Of a suppression the tables need not know: what
        was told before they were lost is taken back all the same.
        """
        if decision.scope is Scope.PAGE:
            row = self._page(event, change)
            was_told = known.page is not None and bool(known.page.scores)
        else:
            row = self._predictions.newest_revision(event, change.wiki_id, change.revision.rev_id)
            was_told = known.page is not None and known.page.rev_id == change.revision.rev_id
            if known.page is not None and not was_told:
                return False
        return row is not None and is_hidden(row) and (was_told or decision.is_erasure)

    def _shown(self, event: UnacknowledgedEvent, change: PageChange) -> PredictionRow | None:
        """Return the row of a revision if it is its page's latest, and shown."""
        page = self._page(event, change)
        row = self._predictions.newest_revision(event, change.wiki_id, change.revision.rev_id)
        if page is None or row is None or page.rev_id != row.rev_id or is_hidden(page) or is_hidden(row):
            return None
        return row

    def _page(self, event: UnacknowledgedEvent, change: PageChange) -> PredictionRow | None:
        return self._predictions.newest_page(event, change.wiki_id, change.page.page_id)

    def _parent(self, event: UnacknowledgedEvent, change: PageChange) -> PredictionRow | None:
        """Return the row of the revision before, which a replay finds as it was, if it is shown."""
        parent = change.revision.rev_parent_id
        row = None if parent is None else self._predictions.newest_revision(event, change.wiki_id, parent)
        return None if row is None or row.page_id != change.page.page_id or is_hidden(row) else row


def score_events(
    change: PageChange, scored: Sequence[ScoredModel], plan: Plan | None
) -> Iterator[OutputEvent]:
    """Yield the events that tell scores and failures of a revision.

    Args:
        change: The change.
        scored: What the models gave.
        plan: What the rules make of it; None without rules, where each model has an event.
    """
    if plan is None:
        for one in scored:
            yield revision_score_event(change, (one,))
        return
    answers = {one.model: one for one in scored}
    for output in plan.outputs:
        if output.kind is OutputKind.REVISION_SCORE:
            asked = (answers.get(plan.models[name].id) for name in output.models)
            told = [one for one in asked if one is not None and not _is_ignored(one, output.ignore)]
            if told:
                yield revision_score_event(change, told, stream=output.stream)


def page_events(
    change: PageChange,
    told: Telling,
    row: PredictionRow,
    before: PredictionRow | None,
    *,
    is_restored: bool,
) -> Iterator[OutputEvent]:
    """Yield the events that tell what models say of a page. A failure says nothing, and takes nothing back.

    Args:
        change: The change.
        told: What to tell; nothing but what is told of pages.
        row: Of the page's latest revision.
        before: Of the revision before it; None where that is not known, or not shown.
        is_restored: Whether the predictions were withdrawn before.
    """
    scores = _scores(row)
    previous = {} if before is None else _scores(before)
    for output in told.outputs:
        said = {name: told.models[name].id for name in output.models if told.models[name].id in scores}
        if output.kind is OutputKind.PAGE_PREDICTION:
            for model in said.values():
                yield page_prediction_event(
                    change,
                    model,
                    scores[model],
                    stream=output.stream,
                    previous=_previous(model, previous),
                    is_restored=is_restored,
                )
        elif said and change.page.namespace_id >= 0:
            yield weighted_tags_event(
                change,
                [
                    TagGroup(prefix, said[name], scores[said[name]])
                    for prefix, name in zip(output.tag_prefixes, output.models, strict=True)
                    if name in said
                ],
                stream=output.stream,
            )


def withdrawal_events(change: PageChange, told: Telling) -> Iterator[OutputEvent]:
    """Yield the events that take back what was told of a page.

    Args:
        change: The change.
        told: What may have been told; nothing but what is told of pages.
    """
    for output in told.outputs:
        models = [told.models[name].id for name in output.models]
        if output.kind is OutputKind.PAGE_PREDICTION:
            for model in models:
                yield page_withdrawal_event(change, model, stream=output.stream)
        elif change.page.namespace_id >= 0:
            groups = zip(output.tag_prefixes, models, strict=True)
            yield weighted_tags_event(
                change, [TagGroup(prefix, model, None) for prefix, model in groups], stream=output.stream
            )


def _dated(change: PageChange, row: PredictionRow | None) -> PageChange:
    """Return a change with the time at which its revision was saved, where the tables know it better."""
    if change.revision.is_rev_dt_told or row is None or not row.scores:
        return change
    return replace(change, revision=replace(change.revision, rev_dt=row.rev_dt))


def _scores(row: PredictionRow) -> dict[ModelId, Score]:
    return {each.model: each.outcome for each in row.scores if isinstance(each.outcome, Score)}


def _previous(model: ModelId, scores: Mapping[ModelId, Score]) -> tuple[ModelId, Score] | None:
    """Return what a model said before, or else what the latest other version of it said."""
    if model in scores:
        return model, scores[model]
    others = [other for other in scores if other.model_name == model.model_name]
    return (others[-1], scores[others[-1]]) if others else None


def _is_ignored(one: ScoredModel, ignore: frozenset[str]) -> bool:
    return isinstance(one.outcome, ScoreFailure) and one.outcome.code in ignore
