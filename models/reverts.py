"""Identity reverts: which edits of a page were undone by a later one that brought an earlier text back.

Two revisions hold the same text where their sha1 is the same and known; a hidden or absent sha1 is the same
as no other, though its revision still counts as a step between others.

Revision ``j`` *reverts to* ``i`` where ``i`` is the last before ``j`` with the same text, and at least one
and at most ``radius`` revisions lie between them. Those between are the ones it *undoes*; a revision that
repeats the text of the one before it undoes nothing. These are the reverts of the mwreverts package. Where
no such ``i`` is at hand, because the history begins later or a sha1 is hidden, the wiki's own word counts if
there is one (``revision.revert`` of page changes): which revisions were undone, of the last ``radius``.

A revision was *reverted* where the first revert that undoes it

* was saved at most ``window_seconds`` later,
* is by somebody else, and
* nobody but its own editor brought the revision back: no one else reverts *to* it within the same window
  and the ``radius`` revisions after it.

The last two rules are those by which the ``reverted`` models of ORES were labelled (editquality's
``label_reverted``), and can be turned off. Where several editors brought an edit back, that tool asks only
who did so last.

Whether two revisions are by the same editor is known only where both editors are; a hidden one is taken for
somebody else, since most names that are hidden are those of vandals.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta

from msgspec import Struct

RADIUS = 15
WINDOW_SECONDS = 48 * 3600.0


class ToldRevert(Struct, frozen=True):
    """What the wiki says that a revision undid, all of it.

    Attributes:
        original_rev_id: Whose text it brought back; None where not told.
        oldest_rev_id: First revision undone.
        newest_rev_id: Last revision undone.
    """

    original_rev_id: int | None
    oldest_rev_id: int
    newest_rev_id: int


class PageRevision(Struct, frozen=True):
    """One revision, as far as reverts are concerned.

    Attributes:
        rev_id: None where the source gives none.
        rev_dt: When it was saved, aware.
        sha1: Of its text, in any notation that is the same for the whole page; None where hidden or absent.
        editor: Id of an account, else a name or an address; None where hidden.
        told: What the wiki says that it undid; None where it says nothing.
    """

    rev_id: int | None
    rev_dt: datetime
    sha1: str | None
    editor: int | str | None
    told: ToldRevert | None = None


class RevertRules(Struct, frozen=True):
    """Which edits count as reverted.

    Attributes:
        radius: Most revisions that one revert undoes, at least 1.
        window_seconds: Most time from the edit to the revert; None for any.
        counts_self_reverts: Whether an edit that its own editor undid counts.
        counts_restored: Whether an edit that somebody else brought back counts.
    """

    radius: int = RADIUS
    window_seconds: float | None = WINDOW_SECONDS
    counts_self_reverts: bool = False
    counts_restored: bool = False

    def __post_init__(self) -> None:
        """Refuse values out of range.

        Raises:
            ValueError: The radius is below 1, or the window below 0.
        """
        if self.radius < 1 or (self.window_seconds is not None and self.window_seconds < 0):
            raise ValueError(f"a radius from 1 on and a window from 0 on are needed, not {self}")


class RevertOutcome(Struct, frozen=True):
    """What became of one revision.

    Attributes:
        revision: Which.
        reverting: The revert that counts by the rules; None where the revision was not reverted.
    """

    revision: PageRevision
    reverting: PageRevision | None

    @property
    def is_reverted(self) -> bool:
        """Whether the revision was reverted."""
        return self.reverting is not None


class _Pending:
    """A revision whose fate later ones may still change."""

    __slots__ = ("first_revert", "is_restored", "revision")

    def __init__(self, revision: PageRevision) -> None:
        self.revision = revision
        self.first_revert: PageRevision | None = None
        self.is_restored = False


def revert_outcomes(
    revisions: Iterable[PageRevision], rules: RevertRules | None = None
) -> Iterator[RevertOutcome]:
    """Tell which revisions of one page were reverted.

    Memory is that of ``radius`` revisions, however long the page is: an outcome is given as soon as no later
    revision can change it.

    Args:
        revisions: All of the page, oldest first.
        rules: The default ones where None.

    Yields:
        An outcome for each revision, in the same order.
    """
    rules = rules or RevertRules()
    window = None if rules.window_seconds is None else timedelta(seconds=rules.window_seconds)
    pending: deque[_Pending] = deque()
    for revision in revisions:
        _revert(pending, revision, window, rules.radius)
        pending.append(_Pending(revision))
        # A revert reaches over `radius` revisions, to the one before them.
        if len(pending) > rules.radius + 1:
            yield _settled(pending.popleft(), rules, window)
    while pending:
        yield _settled(pending.popleft(), rules, window)


def _revert(pending: deque[_Pending], reverting: PageRevision, window: timedelta | None, radius: int) -> None:
    """Note what a revision does to those before it."""
    undone, original, distance = _by_text(pending, reverting)
    if original is None and reverting.told is not None:
        undone, original, distance = _by_word(list(pending)[-radius:], reverting.told)
    for entry in undone:
        entry.first_revert = entry.first_revert or reverting
    if original is None or not undone or distance > radius:
        return
    is_in_time = window is None or reverting.rev_dt - original.revision.rev_dt <= window
    if is_in_time and not _is_same_editor(original.revision, reverting):
        original.is_restored = True


def _by_text(
    pending: Sequence[_Pending], reverting: PageRevision
) -> tuple[list[_Pending], _Pending | None, int]:
    """Return what has been undone, what was brought back, and how far back that is."""
    undone: list[_Pending] = []
    if reverting.sha1 is not None:
        for candidate in reversed(pending):
            if candidate.revision.sha1 == reverting.sha1:
                return undone, candidate, len(undone) + 1
            undone.append(candidate)
    return [], None, 0


def _by_word(pending: Sequence[_Pending], told: ToldRevert) -> tuple[list[_Pending], _Pending | None, int]:
    undone: list[_Pending] = []
    original, distance = None, 0
    for steps, entry in enumerate(reversed(pending), start=1):
        rev_id = entry.revision.rev_id
        if rev_id is not None and told.oldest_rev_id <= rev_id <= told.newest_rev_id:
            undone.append(entry)
        if rev_id is not None and rev_id == told.original_rev_id:
            original, distance = entry, steps
    return undone, original, distance


def _settled(entry: _Pending, rules: RevertRules, window: timedelta | None) -> RevertOutcome:
    reverting = entry.first_revert
    if reverting is None:
        return RevertOutcome(entry.revision, None)
    counts = (
        (window is None or reverting.rev_dt - entry.revision.rev_dt <= window)
        and (rules.counts_self_reverts or not _is_same_editor(entry.revision, reverting))
        and (rules.counts_restored or not entry.is_restored)
    )
    return RevertOutcome(entry.revision, reverting if counts else None)


def _is_same_editor(one: PageRevision, other: PageRevision) -> bool:
    return one.editor is not None and one.editor == other.editor
