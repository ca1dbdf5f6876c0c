"""What to do about one page change: a pure decision."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum

from msgspec import Struct

from schemas.catalogue import Catalogue, ModelInfo
from schemas.page_change import Canary, PageChange, PageChangeKind
from schemas.prediction import ModelId, Outcome, PredictionRow, Score
from tables.withdrawal import is_hidden


class SkipReason(StrEnum):
    """Why nothing is done about a change."""

    CANARY = "canary"
    WIKI_UNKNOWN = "wiki_unknown"
    NO_RULE = "no_rule"
    KIND_NOT_SCORED = "kind_not_scored"
    CONTENT_HIDDEN = "content_hidden"
    WITHDRAWN = "withdrawn"
    NOTHING_WITHDRAWN = "nothing_withdrawn"


class Scope(StrEnum):
    """What is withdrawn, or shown again."""

    PAGE = "page"
    REVISION = "revision"


class Known(Struct, frozen=True):
    """What the tables hold about a change.

    Attributes:
        page: Row of its page.
        revision: Row of its revision.
        same_text: Row of the revision that `same_text_rev_id` names.
        told: What was made of this very record before, by model, as it comes again after a crash; and what
            clients had scored of the revision before.
    """

    page: PredictionRow | None = None
    revision: PredictionRow | None = None
    same_text: PredictionRow | None = None
    told: Mapping[ModelId, Outcome] = {}


class Skip(Struct, frozen=True):
    """Do nothing.

    Attributes:
        reason: Why.
        is_erased: Whether the change itself tells what was suppressed since, and so has to go as well.
    """

    reason: SkipReason
    is_erased: bool = False


class ScoreWith(Struct, frozen=True):
    """Give the revision a prediction of each of these models.

    Attributes:
        models: By the name each has on the wiki.
        carried: Of these, by name, what need not be computed: another revision with the same text has it,
            this record was handled before, or a client had it scored.
        refused: Names of those that do not read the content model: a recorded failure, and nothing is
            fetched for them.
        restores_page: Whether the page, withdrawn before, is there again.
    """

    models: Mapping[str, ModelInfo]
    carried: Mapping[str, Outcome] = {}
    refused: frozenset[str] = frozenset()
    restores_page: bool = False


class Withdraw(Struct, frozen=True):
    """Hide predictions; erase them where ``is_erasure``."""

    scope: Scope
    is_erasure: bool = False


class Restore(Struct, frozen=True):
    """Show what was hidden; what was erased, or never scored, is scored where ``scoring`` says so."""

    scope: Scope
    scoring: ScoreWith | None = None


Decision = Skip | ScoreWith | Withdraw | Restore

_SAVES = frozenset({PageChangeKind.CREATE, PageChangeKind.EDIT, PageChangeKind.MOVE})
_NOTHING_KNOWN = Known()


def same_text_rev_id(change: PageChange) -> int | None:
    """Return an earlier revision of which the event says that its text is the same; None where it does not.

    A move and a null edit have the sha1 of the revision before; an exact revert names the one that it brings
    back. The older stream of moves tells no sha1, but a move never changes the text.
    """
    if change.page_change_kind not in _SAVES:
        return None
    prior, sha1 = change.prior_state, change.revision.rev_sha1
    if prior is not None and prior.rev_id is not None:
        is_told = sha1 is not None and prior.rev_sha1 is not None
        if sha1 == prior.rev_sha1 if is_told else change.page_change_kind is PageChangeKind.MOVE:
            return prior.rev_id
    return change.revision.restored_rev_id


def decide(
    change: PageChange | Canary,
    catalogue: Catalogue,
    known: Known = _NOTHING_KNOWN,
    ruled: Mapping[str, ModelInfo] | None = None,
) -> Decision:
    """Decide what to do about a change. README.md has the table of all kinds, which a test compares.

    Args:
        change: The event.
        catalogue: The models of each wiki.
        known: What the tables hold about it.
        ruled: The models that rules choose for it; None without rules, where all of the wiki score it.
    """
    if isinstance(change, Canary):
        return Skip(SkipReason.CANARY)
    models = catalogue.models(change.wiki_id)
    chosen = models if ruled is None else ruled
    kind = change.page_change_kind
    if kind is PageChangeKind.DELETE:
        decision: Decision = Withdraw(Scope.PAGE, change.is_suppression)
    elif kind is PageChangeKind.UNDELETE:
        decision = Restore(Scope.PAGE, _missing(change, chosen, known))
    elif kind is PageChangeKind.VISIBILITY_CHANGE:
        decision = _on_visibility(change, chosen, known)
    elif not models:
        return Skip(SkipReason.WIKI_UNKNOWN)
    elif kind in _SAVES:
        return _on_save(change, chosen, known)
    else:
        return Skip(SkipReason.KIND_NOT_SCORED)
    is_foreign = not models and known.page is None and known.revision is None
    # What is suppressed lies in the log whether or not the wiki has models.
    if is_foreign and not (isinstance(decision, Withdraw) and decision.is_erasure):
        return Skip(SkipReason.WIKI_UNKNOWN)
    return decision


def _on_save(change: PageChange, models: Mapping[str, ModelInfo], known: Known) -> Decision:
    for row in (known.page, known.revision):
        if row is not None and _is_before_withdrawal(change, row):
            return Skip(SkipReason.WITHDRAWN, is_erased=_is_before(change, _erased_dt(row)))
    if not change.revision.is_content_visible:
        return Skip(SkipReason.CONTENT_HIDDEN)
    is_back = known.page is not None and is_hidden(known.page)
    if not models:
        return Restore(Scope.PAGE) if is_back else Skip(SkipReason.NO_RULE)
    return _scoring(change, models, known, restores_page=is_back)


def _on_visibility(change: PageChange, models: Mapping[str, ModelInfo], known: Known) -> Decision:
    revision = change.revision
    if change.is_suppression:
        return Withdraw(Scope.REVISION, is_erasure=True)
    if not (revision.is_content_visible and revision.is_editor_visible):
        return Withdraw(Scope.REVISION)
    if known.revision is None or known.revision.withdrawal is None:
        return Skip(SkipReason.NOTHING_WITHDRAWN)
    return Restore(Scope.REVISION, _missing(change, models, known))


def _missing(change: PageChange, models: Mapping[str, ModelInfo], known: Known) -> ScoreWith | None:
    """Return what to score of a revision that is shown again; None where nothing is, or can be."""
    revision, held = change.revision, known.revision
    is_visible = revision.is_content_visible and revision.is_rev_dt_told
    if change.page_change_kind is PageChangeKind.UNDELETE and held is not None and is_hidden(held):
        return None
    scored = set() if held is None else {score.model for score in held.scores}
    missing = {name: info for name, info in models.items() if info.id not in scored}
    return _scoring(change, missing, known) if is_visible and missing else None


def _scoring(
    change: PageChange, models: Mapping[str, ModelInfo], known: Known, *, restores_page: bool = False
) -> ScoreWith:
    content_model = change.revision.content_model
    refused = frozenset(
        name
        for name, info in models.items()
        if content_model is not None and info.content_models and content_model not in info.content_models
    )
    carried: dict[str, Outcome] = {}
    if known.same_text is not None and not is_hidden(known.same_text):
        held = {score.model: score.outcome for score in known.same_text.scores}
        for name, info in models.items():
            outcome = held.get(info.id)
            if info.reads_text_alone and isinstance(outcome, Score) and name not in refused:
                carried[name] = outcome
    carried |= {name: known.told[info.id] for name, info in models.items() if info.id in known.told}
    return ScoreWith(models, carried, refused - carried.keys(), restores_page)


def _is_before_withdrawal(change: PageChange, row: PredictionRow) -> bool:
    return is_hidden(row) and row.withdrawal is not None and _is_before(change, row.withdrawal.acted_dt)


def _is_before(change: PageChange, moment: datetime | None) -> bool:
    return moment is not None and change.acted_dt <= moment


def _erased_dt(row: PredictionRow) -> datetime | None:
    return None if row.withdrawal is None else row.withdrawal.erased_dt
