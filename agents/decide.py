"""What to do about one page change: a pure decision."""

from collections.abc import Mapping
from enum import StrEnum

from msgspec import Struct

from schemas.catalogue import Catalogue, ModelInfo
from schemas.page_change import Canary, PageChange, PageChangeKind


class SkipReason(StrEnum):
    """Why a change is not scored."""

    CANARY = "canary"
    WIKI_UNKNOWN = "wiki_unknown"
    KIND_NOT_SCORED = "kind_not_scored"
    CONTENT_HIDDEN = "content_hidden"


class Skip(Struct, frozen=True):
    """Score nothing."""

    reason: SkipReason


class ScoreWith(Struct, frozen=True):
    """Score the revision with these models, by the name each has on the wiki."""

    models: Mapping[str, ModelInfo]


Decision = Skip | ScoreWith

# A move saves a revision of its own, and clients look it up. Undeletion brings back what was scored before.
_SCORED_KINDS = frozenset({PageChangeKind.CREATE, PageChangeKind.EDIT, PageChangeKind.MOVE})


def decide(change: PageChange | Canary, catalogue: Catalogue) -> Decision:
    """Decide what to do about a change.

    ============================================ ==========================
    change                                       decision
    ============================================ ==========================
    canary                                       skip ``canary``
    of a wiki without models                     skip ``wiki_unknown``
    delete, undelete, visibility_change, unknown skip ``kind_not_scored``
    whose text is hidden                         skip ``content_hidden``
    create, edit, move                           all models of the wiki
    ============================================ ==========================
    """
    if isinstance(change, Canary):
        return Skip(SkipReason.CANARY)
    models = catalogue.models(change.wiki_id)
    if not models:
        return Skip(SkipReason.WIKI_UNKNOWN)
    if change.page_change_kind not in _SCORED_KINDS:
        return Skip(SkipReason.KIND_NOT_SCORED)
    if not change.revision.is_content_visible:
        return Skip(SkipReason.CONTENT_HIDDEN)
    return ScoreWith(models)
