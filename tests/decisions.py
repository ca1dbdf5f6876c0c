"""One event of every kind with what is decided about it: the rows of README.md's table."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from agents.decide import Decision, Known, Restore, Scope, ScoreWith, Skip, SkipReason, Withdraw
from schemas.catalogue import Catalogue
from schemas.prediction import PredictionRow, Withdrawal
from tests.input_events import encoded, old_change, page_change, revision_create
from tests.rows import binary, model_info, row, stored

WIKI = "mosswiki"
_READS_DIFF = replace(model_info("damaging"), content_models=("wikitext",))
_READS_TEXT = replace(model_info("articlequality"), content_models=("wikitext",), reads_text_alone=True)
MODELS = {"articlequality": _READS_TEXT, "damaging": _READS_DIFF}
CATALOGUE = Catalogue({WIKI: MODELS})
_QUALITY, _DAMAGE = binary(0.75), binary(0.25)
_SCORES = (stored("articlequality", _QUALITY), stored("damaging", _DAMAGE))
_BEFORE = datetime.fromisoformat("2026-10-01T00:00:00Z")
_AFTER = datetime.fromisoformat("2026-12-01T00:00:00Z")
_SHA1 = "0aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

ALL = ScoreWith(MODELS)
CARRIED = ScoreWith(MODELS, carried={"articlequality": _QUALITY})


class Case(Struct, frozen=True):
    """An event.

    Attributes:
        change: As README.md names it.
        decision: What README.md says of it.
        value: The event.
        decided: What the words mean.
        known: What the tables hold.
        catalogue: Of models.
    """

    change: str
    decision: str
    value: bytes
    decided: Decision
    known: Known = Known()
    catalogue: Catalogue = CATALOGUE


def change(
    kind: str, *, revision: Mapping[str, Any] | None = None, without: tuple[str, ...] = (), **fields: Any
) -> bytes:
    event = page_change(page_change_kind=kind, **fields)
    event["revision"] = event["revision"] | (revision or {})
    return encoded({name: value for name, value in event.items() if name not in without})


def held(rev_id: int = 5002, *, hidden_at: datetime | None = None, **fields: Any) -> PredictionRow:
    """Return a row as the tables hold it; hidden since a moment where one is given."""
    withdrawal = None if hidden_at is None else Withdrawal(True, hidden_at, 0)
    scores = fields.pop("scores", _SCORES)
    return replace(
        row(*scores, wiki_id=WIKI, page_id=31, rev_id=rev_id), withdrawal=fields.pop("withdrawal", withdrawal)
    )


_PARENT = Known(same_text=held(5001))
_SAME_SHA1 = {"revision": {"rev_id": 5001, "rev_dt": "2026-10-31T09:00:00Z", "rev_sha1": _SHA1}}
_MOVED = {"page": {"page_title": "Moss"}, **_SAME_SHA1}
_HIDDEN_TEXT = {"is_content_visible": False}
_ERASED = Withdrawal(True, _BEFORE, 0, erased_dt=_BEFORE)
_CARRIES_TEXT = {"content_slots": {"main": {"content_model": "wikitext", "content_body": "Moss grows."}}}
_WIKIDATA = {"content_slots": {"main": {"slot_role": "main", "content_model": "wikibase-item"}}}

CASES = (
    Case("create", "all models of the wiki", change("create", without=("prior_state",)), ALL),
    Case("edit", "all models of the wiki", change("edit"), ALL),
    Case(
        "a record that was handled, and comes again after a crash",
        "what was told of it is told again; the other models score",
        change("edit"),
        ScoreWith(MODELS, carried={"damaging": _DAMAGE}),
        Known(revision=held(), told={_READS_DIFF.id: _DAMAGE}),
    ),
    Case(
        "a revision that was scored on demand before",
        "the scores that are there are told; the other models score",
        change("edit"),
        ScoreWith(MODELS, carried={"damaging": _DAMAGE}),
        Known(revision=held(), told={_READS_DIFF.id: _DAMAGE}),
    ),
    Case(
        "move",
        "the prediction is carried where the text alone settles it; the other models score",
        change("move", prior_state=_MOVED),
        CARRIED,
        _PARENT,
    ),
    Case(
        "edit with the sha1 of its parent (a null edit)",
        "as a move",
        change("edit", prior_state=_SAME_SHA1),
        CARRIED,
        _PARENT,
    ),
    Case(
        "exact revert",
        "as a move, from the revision that it brings back",
        change("edit", revision={"revert": {"is_exact": True, "rev_original_id": 4990}}),
        CARRIED,
        Known(same_text=held(4990)),
    ),
    Case(
        "edit of a redirect, or one that makes a page a redirect",
        "all models of the wiki",
        change("edit", page={"page_id": 31, "page_title": "M", "namespace_id": 0, "is_redirect": True}),
        ALL,
    ),
    Case(
        "edit in any namespace",
        "all models of the wiki",
        change("edit", page={"page_id": 31, "page_title": "User:M", "namespace_id": 2, "is_redirect": False}),
        ALL,
    ),
    Case(
        "of a content model that a model does not read",
        "`content_model_unsupported` is recorded for that model, and nothing is fetched for it",
        change("edit", revision=_WIKIDATA),
        ScoreWith(MODELS, refused=frozenset(MODELS)),
    ),
    Case(
        "import of a revision with an old `dt`",
        "all models of the wiki; the page's latest revision stays the later one",
        change("edit", dt="2005-01-01T00:00:00Z", revision={"rev_dt": "2005-01-01T00:00:00Z"}),
        ALL,
        Known(page=held(6000)),
    ),
    Case(
        "create, edit or move whose text is hidden",
        "skipped, `content_hidden`",
        change("edit", revision=_HIDDEN_TEXT),
        Skip(SkipReason.CONTENT_HIDDEN),
    ),
    Case(
        "create, edit or move from before its page or revision was withdrawn",
        "skipped, `withdrawn`",
        change("edit"),
        Skip(SkipReason.WITHDRAWN),
        Known(page=held(hidden_at=_AFTER)),
    ),
    Case(
        "create, edit or move of a page that was withdrawn before it",
        "the page is shown again; all models of the wiki",
        change("edit"),
        ScoreWith(MODELS, restores_page=True),
        Known(page=held(5001, hidden_at=_BEFORE)),
    ),
    Case("delete", "the page is hidden", change("delete"), Withdraw(Scope.PAGE)),
    Case(
        "delete as suppression: no performer, and something hidden",
        "the page is erased",
        change("delete", revision=_HIDDEN_TEXT, without=("performer",)),
        Withdraw(Scope.PAGE, is_erasure=True),
    ),
    Case(
        "undelete",
        "the page is shown; models without a score of the revision score it",
        change("undelete"),
        Restore(Scope.PAGE, ScoreWith({"damaging": _READS_DIFF})),
        Known(page=held(hidden_at=_BEFORE), revision=held(scores=_SCORES[:1])),
    ),
    Case(
        "undelete of what was erased",
        "the page is shown; all models of the wiki",
        change("undelete"),
        Restore(Scope.PAGE, ALL),
        Known(page=held(scores=(), withdrawal=_ERASED), revision=held(scores=())),
    ),
    Case(
        "visibility_change that leaves the text or the editor hidden",
        "the revision is hidden",
        change("visibility_change", revision={"is_editor_visible": False}),
        Withdraw(Scope.REVISION),
        Known(revision=held()),
    ),
    Case(
        "visibility_change as suppression: no performer, and something hidden",
        "the revision is erased",
        change("visibility_change", revision={"is_comment_visible": False}, without=("performer",)),
        Withdraw(Scope.REVISION, is_erasure=True),
    ),
    Case(
        "visibility_change that hides the comment alone, or undoes what was never done",
        "skipped, `nothing_withdrawn`",
        change("visibility_change", revision={"is_comment_visible": False}),
        Skip(SkipReason.NOTHING_WITHDRAWN),
        Known(revision=held()),
    ),
    Case(
        "visibility_change that shows text and editor again",
        "the revision is shown; models without a score of it score it",
        change("visibility_change", without=("performer",)),
        Restore(Scope.REVISION, ALL),
        Known(revision=held(scores=(), withdrawal=_ERASED)),
    ),
    Case(
        "of a kind of later versions",
        "skipped, `kind_not_scored`",
        change("rename_of_later_times"),
        Skip(SkipReason.KIND_NOT_SCORED),
    ),
    Case(
        "of a wiki without models",
        "skipped, `wiki_unknown`; a suppression is erased from the log all the same",
        change("delete", wiki_id="fernwiki"),
        Skip(SkipReason.WIKI_UNKNOWN),
    ),
    Case(
        "canary of any stream",
        "skipped, `canary`",
        encoded(page_change(meta={"domain": "canary", "stream": "any"})),
        Skip(SkipReason.CANARY),
    ),
    Case(
        "`mediawiki.page_content_change`, which carries the text",
        "as the same change of `mediawiki.page_change`; neither the text is fetched nor, where it went by, "
        "the parent's",
        encoded(
            page_change(
                meta={"stream": "mediawiki.page_content_change.v1"},
                revision=page_change()["revision"] | _CARRIES_TEXT,
            )
        ),
        ALL,
    ),
    Case("`mediawiki.revision-create`", "as create or edit", encoded(revision_create()), ALL),
    Case("`mediawiki.page-delete`", "as delete", old_change("page/delete"), Withdraw(Scope.PAGE)),
    Case(
        "`mediawiki.page-suppress`, in the layout of page-delete",
        "as delete as suppression",
        old_change("page/delete", stream="mediawiki.page-suppress"),
        Withdraw(Scope.PAGE, is_erasure=True),
    ),
    Case(
        "`mediawiki.page-undelete`",
        "the page is shown; it does not say when the revision was saved, so nothing is scored",
        old_change("page/undelete"),
        Restore(Scope.PAGE),
        Known(page=held(hidden_at=_BEFORE)),
    ),
    Case(
        "`mediawiki.page-move`",
        "as move",
        old_change("page/move", prior_state={"page_title": "Moss", "page_namespace": 0, "rev_id": 5001}),
        CARRIED,
        _PARENT,
    ),
    Case(
        "`mediawiki.revision-visibility-change`, of any revision of the page",
        "as visibility_change",
        old_change(
            "revision/visibility-change",
            rev_timestamp="2020-01-01T00:00:00Z",
            visibility={"text": False, "user": True, "comment": True},
        ),
        Withdraw(Scope.REVISION),
        Known(revision=held()),
    ),
)
