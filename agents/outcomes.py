"""What became of edits: reverted by somebody else within two days, or kept.

It is learned from the stream itself, as the training labels are: an edit whose text is that of an earlier
revision of its page undoes all edits between. Time is that of the events, so that a stream that is read late
tells the same.
"""

from collections import deque
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Final
from zlib import crc32

from msgspec import Struct

from schemas.page_change import PageChange, PageChangeKind

SETTLED_AFTER: Final = timedelta(hours=48)
_REVISIONS_OF_PAGE: Final = 15
_PAGES_MOST: Final = 20_000
_EDITS: Final = frozenset({PageChangeKind.CREATE, PageChangeKind.EDIT})

Probabilities = Mapping[str, float]
"""By the name of a model: how likely the edit is one that is reverted, in [0, 1]."""


class Outcome(Struct, frozen=True):
    """What became of a scored edit.

    Attributes:
        wiki_id: Database name.
        model_name: Which model scored it.
        probability: That it is reverted, as scored.
        was_reverted: Whether somebody else undid it.
    """

    wiki_id: str
    model_name: str
    probability: float
    was_reverted: bool


class _Edit:
    __slots__ = ("dt", "editor", "is_open", "probabilities", "rev_id", "sha1", "was_reverted")

    def __init__(self, change: PageChange, probabilities: Probabilities) -> None:
        self.rev_id = change.revision.rev_id
        self.sha1 = change.revision.rev_sha1
        self.dt = change.dt
        self.editor = _editor(change)
        self.probabilities = probabilities
        self.is_open = bool(probabilities)
        self.was_reverted = False


class Outcomes:
    """Follows the edits of pages until it is known what became of them.

    Either way it is told when the time is over: told at once, reverts would count for more while the memory
    fills. That is bounded by following fewer pages: each time there are too many, every other one is let go,
    by a hash of its number. To let go those edited longest ago would leave the quick reverts alone.

    Args:
        settled_after: After so long it is told what became of an edit.
        pages_most: How many pages are followed.
    """

    def __init__(self, *, settled_after: timedelta = SETTLED_AFTER, pages_most: int = _PAGES_MOST) -> None:
        self._settled_after = settled_after
        self._pages_most = pages_most
        self._pages: dict[tuple[str, int], deque[_Edit]] = {}
        self._one_in = 1
        self._recent: deque[tuple[tuple[str, int], _Edit]] = deque()
        self._latest_dt: datetime | None = None

    @property
    def waiting(self) -> int:
        """How many edits of the last two days are remembered."""
        return len(self._recent)

    @property
    def one_in(self) -> int:
        """One in so many pages is followed."""
        return self._one_in

    def follow(self, change: PageChange, probabilities: Probabilities) -> list[Outcome]:
        """Take in a change of a page, and return what it settles.

        Args:
            change: In the order of its page.
            probabilities: Of the models that scored it; may be empty.
        """
        key = (change.wiki_id, change.page.page_id)
        if not self._is_followed(key):
            pass
        elif change.page_change_kind in _EDITS:
            self._edited(key, change, probabilities)
        elif change.page_change_kind is not PageChangeKind.MOVE:
            # A page that is deleted or partly hidden tells no more, and nothing of it is kept.
            for edit in self._pages.pop(key, ()):
                edit.is_open = False
        return self._settled(change.dt)

    def _edited(self, key: tuple[str, int], change: PageChange, probabilities: Probabilities) -> None:
        edits = self._pages.setdefault(key, deque(maxlen=_REVISIONS_OF_PAGE))
        if any(edit.rev_id == change.revision.rev_id for edit in edits):
            return  # It comes again after a crash.
        for edit in _undone(edits, change):
            edit.was_reverted |= edit.editor != _editor(change)
        edit = _Edit(change, probabilities)
        edits.append(edit)
        self._recent.append((key, edit))
        if len(self._pages) > self._pages_most:
            self._thin_out()

    def _is_followed(self, key: tuple[str, int]) -> bool:
        return crc32(f"{key[0]} {key[1]}".encode()) % self._one_in == 0

    def _thin_out(self) -> None:
        self._one_in *= 2
        for key in [key for key in self._pages if not self._is_followed(key)]:
            for edit in self._pages.pop(key):
                edit.is_open = False
        self._recent = deque(one for one in self._recent if one[0] in self._pages)

    def _settled(self, dt: datetime) -> list[Outcome]:
        # A clock that is ahead settles nothing.
        dt = min(dt, datetime.now(UTC))
        self._latest_dt = dt if self._latest_dt is None else max(dt, self._latest_dt)
        found: list[Outcome] = []
        while self._recent and self._latest_dt - self._recent[0][1].dt >= self._settled_after:
            key, edit = self._recent.popleft()
            if edit.is_open:
                found += [
                    Outcome(key[0], name, probability, edit.was_reverted)
                    for name, probability in edit.probabilities.items()
                ]
            edits = self._pages.get(key)
            if edits is not None and edits[-1] is edit:
                del self._pages[key]
        return found


def _undone(edits: deque[_Edit], change: PageChange) -> list[_Edit]:
    """Return the edits between a revision and the one that brings it back."""
    restored, sha1 = change.revision.restored_rev_id, change.revision.rev_sha1
    undone: list[_Edit] = []
    for edit in reversed(edits):
        if edit.rev_id == restored or (sha1 is not None and edit.sha1 == sha1):
            return undone
        undone.append(edit)
    return []


def _editor(change: PageChange) -> int | None:
    """Return what tells editors apart, without their names; None where hidden, which is nobody's equal."""
    editor = change.revision.editor or change.performer
    return None if editor is None else hash((editor.user_id, editor.user_text))
